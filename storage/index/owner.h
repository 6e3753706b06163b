/* The owner of a range of mailboxes: what it knows that the base of the index does not have yet.
 *
 * Links and deletions go into the active delta. When that has grown it is frozen, an empty one
 * takes over, and a run takes the frozen one to the base (flush.h); until then a look into a
 * mailbox sees base, frozen and active together. A deleted link that the active delta has just
 * goes; any other is noted as dead, and the next run takes it out of the base.
 *
 * What is covered. A log's links reach an owner in the order of the log's numbers, and all links
 * of the messages below `settled` have been handed over. So up to the higher of what had been
 * settled when the owner last looked (it has emptied its queues since) and of the last link it was
 * given, it has seen everything. A deletion that is covered while the message it deletes is not
 * would bring the message back after a crash: nothing is frozen until each deleted message is
 * covered as well (owner_may_freeze). Only the very message at the end may be covered in part; it
 * is replayed, and then looked up in the base.
 *
 * Threading: the owner's thread changes it; `lock` lets others look (liveness.h). What is frozen
 * is read by all. */
#ifndef STORAGE_INDEX_OWNER_H
#define STORAGE_INDEX_OWNER_H

#include "storage/index/delta.h"
#include "storage/index/tally.h"

#include <pthread.h>

struct owner {
    pthread_mutex_t lock;
    struct delta deltas[2];
    struct delta *active;
    struct delta *frozen; /* NULL: none */
    struct tallies *tallies;
    uint64_t changes; /* links and deletions given to it, ever */
    uint32_t logs;
    /* By log, numbers of messages; the owner has seen everything below. */
    uint64_t *seen;
    uint64_t *given;       /* the message of the last link, 0: none yet */
    uint64_t *looked;      /* what the log had settled when the owner's last turn ended */
    uint64_t *deleted;     /* behind the last message that was deleted */
    uint64_t *frozen_upto; /* what is covered once the frozen delta is in the base */
    uint64_t *covered;     /* what the base covers */
};

/* `tallies` follows what it gets and loses. */
void owner_init(struct owner *owner, struct tallies *tallies);
void owner_deinit(struct owner *owner);
/* Everything below `ends` (by log) has been taken in by recovery; the base covers what is below
 * `covered`. SYSTEM: no memory. */
enum status owner_start(struct owner *owner, uint32_t logs, const uint64_t *ends,
                        const uint64_t *covered) MUST_CHECK;

/* A link, given in order; one that was given before does nothing. */
void owner_add(struct owner *owner, struct span name, uint64_t hash, const struct store_link *link);

/* Durable deletions of links of one mailbox: begin, each, end. */
struct owner_deletion {
    struct owner *owner;
    struct delta_mailbox *mailbox;
    uint32_t cursor;
};
void owner_delete_begin(struct owner_deletion *deletion, struct owner *owner, struct span name,
                        uint64_t hash);
void owner_delete(struct owner_deletion *deletion, const struct store_link *link);
void owner_delete_end(struct owner_deletion *deletion);

/* At the beginning of a turn, when all that others had sent by the end of the last one has been
 * given to owner_add. */
void owner_catch_up(struct owner *owner);
/* At the end of a turn: what the logs have settled. */
void owner_look(struct owner *owner, const _Atomic uint64_t *settled);
/* Everything of this log below `number` has been seen. */
void owner_has_seen(struct owner *owner, uint32_t log, uint64_t number);

bool owner_may_freeze(const struct owner *owner);
/* The active delta becomes the frozen one; there is none yet. */
void owner_freeze(struct owner *owner);
/* It is in the base. */
void owner_thaw(struct owner *owner);

/* Up to what the base covers the log for this owner's mailboxes; any thread. */
uint64_t owner_covers(struct owner *owner, uint32_t log);

/* What the deltas say of one mailbox, copied. */
struct glimpse {
    struct store_link *links, *dead; /* one allocation: free(links) */
    uint32_t count, dead_count;
};
/* SYSTEM: no memory. */
enum status owner_glimpse(const struct owner *owner, struct span name, uint64_t hash,
                          struct glimpse *glimpse) MUST_CHECK;

enum owner_view { OWNER_LIVE, OWNER_DEAD, OWNER_ASK_BASE };
/* Of one link; any thread. A message that the owner may not have been given yet is live. Ask the
 * base afterwards, not before: what leaves the deltas is there. */
enum owner_view owner_view(struct owner *owner, struct span name, uint64_t hash, uint64_t id);

#endif
