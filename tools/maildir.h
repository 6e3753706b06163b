/* A Maildir being written, as maildir(5) wants it: a message is written in tmp, synced, and moved
 * into new. Many are synced at once, with their file system: one by one would take milliseconds
 * each. */
#ifndef TOOLS_MAILDIR_H
#define TOOLS_MAILDIR_H

#include "base/status.h"

#include <stdint.h>
#include <stdio.h>

#define MAILDIR_NAME_BYTES 256u
#define MAILDIR_PENDING_MAX 512u /* messages that are synced at once */

struct maildir {
    int tmp, new;                  /* folders */
    FILE *file;                    /* the message being written */
    char host[70];                 /* as names of files have it */
    char name[MAILDIR_NAME_BYTES]; /* of the message */
    uint64_t received_ns;
    char (*pending)[MAILDIR_NAME_BYTES]; /* written, still in tmp */
    uint32_t pending_count;
};

/* Makes `path`, which must be empty if it exists, and what a Maildir has in it. EXISTS, DENIED,
 * FULL, IO, SYSTEM with a line. */
enum status maildir_open(struct maildir *maildir, const char *path, struct fault *fault) MUST_CHECK;
/* When this is OK, all that was committed is in new, durably. */
enum status maildir_close(struct maildir *maildir, struct fault *fault) MUST_CHECK;

/* Begins a message, to be written to maildir->file. `unique`: no other message of this mailbox has
 * it; letters and digits. The time of receipt goes into the name and is the file's. */
enum status maildir_begin(struct maildir *maildir, uint64_t received_ns, const char *unique,
                          struct fault *fault) MUST_CHECK;
enum status maildir_commit(struct maildir *maildir, struct fault *fault) MUST_CHECK;
/* Instead: nothing of it is left. */
void maildir_abandon(struct maildir *maildir);

#endif
