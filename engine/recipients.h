/* Whose mail is taken: every recipient, or a table of addresses and domains from a file.
 *
 * One entry a line: "user@domain" (this mailbox) or "@domain" (everything there);
 * blank lines and lines that begin with '#' are skipped. postmaster is always taken (RFC 5321
 * section 4.5.1). Immutable once loaded: any thread may ask. */
#ifndef ENGINE_RECIPIENTS_H
#define ENGINE_RECIPIENTS_H

#include "base/status.h"
#include "engine/smtp/server.h"

struct recipients;

/* ABSENT, DENIED, CONFIG with a line that names file and line. */
enum status recipients_load(struct recipients **recipients, const char *path,
                            struct fault *fault) MUST_CHECK;
void recipients_free(struct recipients *recipients); /* NULL is harmless */

/* `recipients` NULL: everything is accepted. `mailbox` is normalised. */
enum smtp_verdict recipients_check(const struct recipients *recipients, struct span mailbox);

#endif
