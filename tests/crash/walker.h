/* Through a journal, event by event: what is durable for certain, and what else may have reached
 * the disk (`pending`).
 *
 * A change is durable when a sync of its file or directory has ended that began after the change
 * had ended; a write-through when it has ended itself. One kind of sync can be made to lie: what it
 * covers stays uncertain. */
#ifndef TESTS_CRASH_WALKER_H
#define TESTS_CRASH_WALKER_H

#include "tests/crash/journal.h"

#define WALKER_PENDING_MAX 128u
#define WALKER_SECTORS_MAX 2048u /* of one write */

struct pending {
    uint32_t event;
    bool ended;
    bool failed; /* a sync of it has: a later one says nothing of it (but SYNC_WHOLE does) */
    /* Sectors written again since, and that is durable. */
    uint64_t dead[WALKER_SECTORS_MAX / 64];
};

struct walker_sync {
    uint32_t event;
    uint32_t covered[WALKER_PENDING_MAX];
    uint32_t covered_count;
};

struct walker {
    const struct journal *journal;
    enum sync_purpose liar; /* SYNC_PURPOSES: none */
    uint32_t at;            /* events taken in */
    struct image *base;
    struct pending pending[WALKER_PENDING_MAX]; /* in the order of their beginning */
    uint32_t pending_count;
    struct walker_sync syncs[16];
    uint32_t syncs_count;
};

/* At the journal's beginning, on a disk like `image`. */
void walker_init(struct walker *walker, const struct journal *journal, const struct image *image,
                 enum sync_purpose liar);
void walker_deinit(struct walker *walker);

/* Takes in one event; NULL at the journal's end. */
const struct event *walker_step(struct walker *walker);

static inline const struct event *event_of(const struct walker *walker,
                                           const struct pending *pending)
{
    return &walker->journal->events[pending->event];
}

static inline bool pending_is_alive(const struct pending *pending, uint32_t sector)
{
    return !(pending->dead[sector / 64] >> sector % 64 & 1);
}

#endif
