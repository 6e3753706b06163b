/* How long mail is kept: messages that are too old, or too many in their mailbox, are deleted.
 *
 * Their owner does it, as if a session had: it takes the mailbox's lock, marks, expunges, lets go.
 * In rounds: the base of the index is read by the clerk, a slice of mailboxes at a time, for those
 * that may have such messages; then those that got mail since are looked at. One mailbox is open at
 * a time; one that is in use has its turn in the next round. */
#ifndef STORAGE_RECLAIM_RETAIN_H
#define STORAGE_RECLAIM_RETAIN_H

#include "storage/index/clerk.h"
#include "storage/store.h"

#define RETAIN_ROUND_NS 60000000000ull /* between two rounds, at most */
#define RETAIN_REST 9u                 /* times as long as a round took, before the next */
#define RETAIN_LOOKS 256u              /* at mailboxes that got mail, per turn */
#define RETAIN_SLICES 256u             /* of mailboxes, by the first byte of their hashes */

struct store_log;

struct retain_name { /* of a mailbox to be looked at */
    struct retain_name *next;
    uint32_t bytes;
    uint8_t name[];
};

struct retain {
    uint64_t after_ns;   /* older messages go; 0: at any age they stay */
    uint32_t keep;       /* so many of a mailbox stay, the newest; 0: all of them */
    bool closing;        /* begins nothing any more */
    bool satisfied;      /* the last round has found nothing to delete, or has failed */
    enum status failure; /* of this round, if any */
    /* Its own. */
    struct job job;
    struct store_log *log;
    bool reading, opening, found; /* found: this round has deleted something */
    uint32_t slice;               /* at hand; RETAIN_SLICES: the mailboxes that got mail */
    uint32_t cursor;              /* among those */
    struct retain_name *names;    /* to be looked at */
    enum status read;             /* how reading the slice has ended */
    uint64_t before_ns;           /* wall: what was received before then is too old */
    uint64_t began_ns, next_ns;   /* monotonic: this round, the next one */
    struct maildrop *maildrop;    /* being expunged */
};

/* Goes on. True when there is more to do at once. */
bool retain_turn(struct store_log *log);
/* When it wants its next turn. */
uint64_t retain_next_ns(const struct store_log *log);
/* A maildrop was opened, an expunge has ended: true when it was retention's. */
bool retain_opened(struct store_log *log, uint64_t cookie, enum status status,
                   struct maildrop *maildrop);
bool retain_ended(struct store_log *log, uint64_t cookie, enum status status);
/* Frees what it holds; nothing may be under way. */
void retain_deinit(struct retain *retain);

#endif
