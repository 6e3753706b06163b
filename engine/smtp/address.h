/* Mail addresses (RFC 5321 section 4.1.2, RFC 6531 section 3.3) and the name of the mailbox they
 * mean.
 *
 * An address as given keeps its spelling: it goes into trace lines and the envelope. A mailbox name
 * is what the store knows: "alice"@EXAMPLE.test and alice@example.test are one mailbox. It is bytes
 * to be compared, never a path, a pattern or a command. */
#ifndef ENGINE_SMTP_ADDRESS_H
#define ENGINE_SMTP_ADDRESS_H

#include "base/span.h"

#define SMTP_LOCAL_PART_BYTES_MAX 64u
#define SMTP_DOMAIN_BYTES_MAX 255u
#define SMTP_PATH_BYTES_MAX 256u    /* with < and >, without a source route */
#define SMTP_MAILBOX_BYTES_MAX 320u /* of a normalised name: local part, '@', domain */

struct smtp_address {   /* spans of the text it was parsed from */
    struct span text;   /* local-part@domain as given; empty: the null path */
    struct span local;  /* with its quotes, if any */
    struct span domain; /* or address literal; empty: the null path or <postmaster> */
    bool non_ascii;     /* has (well-formed) UTF-8 in it: needs SMTPUTF8 */
};

/* Parses "<…>" at the start of `text`; `size` is what it took. A source route is checked and
 * skipped. <> and <postmaster> (in any case) are the only paths without a domain. */
bool smtp_path_parse(struct span text, struct smtp_address *address, size_t *size);

/* Parses a mailbox without < and >, all of `text`: "alice@example.test", "postmaster". */
bool smtp_address_parse(struct span text, struct smtp_address *address);

/* The normalised name of a parsed address that is not the null path: the local part unquoted and
 * otherwise as it is, but postmaster in lower case; the domain in lower case; address literals in
 * one spelling. Returns its size. */
size_t smtp_address_normalise(const struct smtp_address *address,
                              uint8_t out[SMTP_MAILBOX_BYTES_MAX]);

/* The mailbox that a name given by a person or a POP3 client means. `utf8`: non-ASCII is allowed.
 * False: it can't be a mailbox, and nothing is written. */
bool smtp_mailbox_normalise(struct span name, bool utf8, uint8_t out[SMTP_MAILBOX_BYTES_MAX],
                            size_t *size);

#endif
