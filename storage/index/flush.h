/* Runs of one owner: when one is due, and that it is written, sooner or later.
 *
 * A run is due when the active delta has grown large enough, or when nothing has changed in it for
 * a while: deletions stay in the logs until the base has them, and an idle store shall give its
 * space back.
 *
 * What can't be written stays frozen in memory and is tried again every second. Meanwhile the
 * active delta grows, up to a limit: beyond it the whole store takes no mail for a moment, or, when
 * it is not slowness but failure, refuses it. */
#ifndef STORAGE_INDEX_FLUSH_H
#define STORAGE_INDEX_FLUSH_H

#include "storage/index/clerk.h"
#include "storage/index/coverage.h"
#include "base/status.h"

struct store_log;

#define FLUSH_IDLE_NS 30000000000ull

struct flush {
    struct job job;
    struct coverage_range covers; /* by the run under way */
    enum status status;
    uint64_t retry_ns; /* no try before */
    uint64_t idle_ns;  /* monotonic: since when the owner has had no change */
    uint64_t changes;  /* of the owner as of the last turn, */
    uint64_t written;  /* and of those the ones that were frozen */
    bool under_way;
    bool behind, stuck; /* as the store has been told */
};

/* Freezes what is due, gives what is frozen to the clerk. */
void flush_turn(struct store_log *log);
/* When it wants its next turn though nothing happens. */
uint64_t flush_next_ns(const struct store_log *log);
/* Writes all there is, waiting for it: at an orderly end. What can't be written is replayed. */
void flush_all(struct store_log *log);

#endif
