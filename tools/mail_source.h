/* Mail in files, one message after the other: a Maildir, an mbox, one .eml file or a folder of
 * them.
 *
 * What a message looks like is not judged here; a file that can't be read, or a message that is too
 * large, is given as such, and the next one follows. */
#ifndef TOOLS_MAIL_SOURCE_H
#define TOOLS_MAIL_SOURCE_H

#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

struct mail_source;

#define MAIL_NAME_BYTES 512u

struct mail {             /* good until the next call */
    struct span raw;      /* as the file has it, an mbox's quoting undone; line ends as they are */
    uint64_t received_ns; /* of the file or its "From " line: Unix time */
    struct span sender;   /* of an mbox's "From " line; empty: unknown or null */
    const char *problem;  /* why there is no `raw`; NULL: it is there */
    char name[MAIL_NAME_BYTES]; /* of the file and what is in it, for messages to a person */
};

/* Looks what `path` is. In a Maildir and a folder the oldest comes first. ABSENT (also: a folder
 * without mail), DENIED, IO, SYSTEM with a line that names the path. */
enum status mail_source_open(struct mail_source **source, const char *path,
                             uint64_t message_bytes_max, struct fault *fault) MUST_CHECK;
void mail_source_close(struct mail_source *source);

/* ABSENT: that was all. IO, SYSTEM with a line. */
enum status mail_source_next(struct mail_source *source, struct mail *mail,
                             struct fault *fault) MUST_CHECK;

/* How many messages there are; 0: not known, it is an mbox. */
uint64_t mail_source_count(const struct mail_source *source);

#endif
