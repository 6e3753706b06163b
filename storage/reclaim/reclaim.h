/* Giving space back: which segment is compacted next, and how much of the device that may take.
 *
 * A log looks through its own segments now and then, and through those of logs that nobody writes
 * any more; one at a time it compacts what is worth it (compactor.h): what nothing lives in, and
 * what is mostly dead. What was looked at in vain is left alone for a while, longer every time.
 * Beside the log's other work: one operation at a time, so many bytes per second. */
#ifndef STORAGE_RECLAIM_RECLAIM_H
#define STORAGE_RECLAIM_RECLAIM_H

#include "base/log.h"
#include "storage/reclaim/compactor.h"

#define RECLAIM_LOOK_NS 1000000000ull /* between two looks in vain */
#define RECLAIM_IDLE_NS 5000000000ull /* without a batch: nothing is going on */
#define RECLAIM_PERCENT 50u           /* of a segment may live, at most */
#define RECLAIM_PERCENT_ALL 90u       /* when all is to be given back that can be */

struct reclaim {
    struct compactor job;
    bool busy;                 /* with the job */
    bool all;                  /* at once, and all there is */
    bool satisfied;            /* the last look has found nothing */
    bool closing;              /* begins nothing any more */
    enum status failure;       /* the last one, if any */
    uint64_t bytes_per_second; /* 0: none of it */
    uint64_t look_ns, paid_ns; /* monotonic: the next look; up to when the rate is used up */
    uint64_t moved;            /* of the job, accounted for */
    uint64_t version;          /* of the catalog, that readers know */
    uint64_t batches, idle_ns; /* of the log, and since when there was none */
    struct catalog_segment candidate;
};

/* Goes on. */
void reclaim_turn(struct store_log *log);
/* When it wants its next turn; UINT64_MAX: it is told by the medium. */
uint64_t reclaim_next_ns(const struct store_log *log);
bool reclaim_is_under_way(const struct store_log *log);
/* Ends the job where it stands; nothing may be under way. */
void reclaim_end(struct store_log *log);
/* Without a word to the medium. */
void reclaim_abandon(struct store_log *log);

#endif
