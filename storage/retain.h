/* How long mail is kept: messages that are too old, or too many in their mailbox, are deleted.
 *
 * Their owner does it, as if a session had: it takes the mailbox's lock, marks, expunges, lets go.
 * One mailbox at a time, a few looked at per turn; a mailbox that is in use has its turn in the
 * next round. */
#ifndef STORAGE_RETAIN_H
#define STORAGE_RETAIN_H

#include "storage/store.h"

struct store_log;

#define RETAIN_ROUND_NS 60000000000ull /* between the beginnings of two rounds, at most */
#define RETAIN_LOOKS 256u              /* at mailboxes, per turn */

struct retain {
    uint64_t after_ns;         /* older messages go; 0: at any age they stay */
    uint32_t keep;             /* so many of a mailbox stay, the newest; 0: all of them */
    bool satisfied;            /* the last round has found nothing to delete, or failed */
    enum status failure;       /* of this round, if any */
    bool closing;              /* begins nothing any more */
    bool found;                /* this round has */
    uint32_t cursor;           /* in the table of mailboxes */
    uint64_t next_ns;          /* monotonic: the next round */
    struct maildrop *maildrop; /* being expunged */
};

/* Goes on. True when there is more to look at. */
bool retain_turn(struct store_log *log);
uint64_t retain_next_ns(const struct store_log *log);
/* An expunge has ended: true when it was retention's. */
bool retain_ended(struct store_log *log, uint64_t cookie, enum status status);

#endif
