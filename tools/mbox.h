/* The mbox format, variant mboxrd (RFC 4155 has its ancestor): "From sender date", the message with
 * its "From " lines quoted, an empty line. */
#ifndef TOOLS_MBOX_H
#define TOOLS_MBOX_H

#include "base/span.h"
#include "base/status.h"

#include <stdio.h>

/* "From " at the beginning: a separator, behind an empty line or at the beginning of the file. */
static inline bool mbox_is_from(struct span line)
{
    return line.size >= 5 && memcmp(line.data, "From ", 5) == 0;
}

/* … with ">"s before it: one of them is taken off by who reads it. */
bool mbox_is_quoted(struct span line);

/* Sender ("" for the null reverse-path, which is written as MAILER-DAEMON) and date of a "From "
 * line, with or without its end. False: the date can't be read, nothing is said. */
struct mbox_from {
    struct span sender; /* of the line */
    uint64_t second;    /* Unix time */
};
bool mbox_from_parse(struct span line, struct mbox_from *from);

/* Writes the line with its LF, in UTC. False when the file can't take it. */
bool mbox_from_write(FILE *file, const struct mbox_from *from) MUST_CHECK;

/* An mbox being written: it takes its place when it is whole. */
struct mbox_file {
    FILE *file;
    char *path, *temporary;
};

/* The place must be free, or an empty file. EXISTS, DENIED, FULL, IO, SYSTEM with a line. */
enum status mbox_file_open(struct mbox_file *mbox, const char *path,
                           struct fault *fault) MUST_CHECK;
/* Makes it durable under its name. */
enum status mbox_file_finish(struct mbox_file *mbox, struct fault *fault) MUST_CHECK;
/* Instead: leaves nothing behind. */
void mbox_file_abandon(struct mbox_file *mbox);

#endif
