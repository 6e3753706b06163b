/* One sealed segment gives back what nobody needs of it: a job in the background.
 *
 * What lives in the segment is asked (survey.h), then which of its deletions must stay (remains.h).
 * What is left is written anew and takes its place (plan.h, rewrite.h). When nothing is left, what
 * takes its place says only which numbers were here; it then stands for empty neighbours, too,
 * which go. So a log has at most one empty segment between two others, and a segment that is
 * missing from it is always told from one that was given back. Every step may be the last one
 * before a crash. */
#ifndef STORAGE_RECLAIM_COMPACTOR_H
#define STORAGE_RECLAIM_COMPACTOR_H

#include "storage/reclaim/plan.h"
#include "storage/reclaim/remains.h"
#include "storage/reclaim/rewrite.h"

enum compactor_step {
    COMPACTOR_SURVEY,
    COMPACTOR_REMAINS,
    COMPACTOR_PLACE,
    COMPACTOR_PLAN,
    COMPACTOR_REWRITE,
    COMPACTOR_SWEEP,
    COMPACTOR_OVER,
};

struct compactor {
    /* Found. OK: done. AGAIN: nothing to gain by it now. FULL, IO: the medium; CORRUPT: the segment
     * is damaged. */
    enum status status;
    uint64_t bytes_before, bytes_after; /* of the objects */
    uint32_t removed;                   /* segments that are gone */
    uint64_t moved;                     /* bytes read and written so far */

    /* Its own. */
    struct store_log *log;
    uint32_t shard, number;
    unsigned percent; /* of its size that the new form may have at most */
    enum compactor_step step;
    struct catalog_log around;
    uint32_t target, first, place; /* in `around`: the segment, the first one that the new form
                                      stands for, the one whose place it takes */
    struct survey survey;
    struct remains remains;
    struct synopsis heir; /* of an empty neighbour behind it, which takes over */
    struct plan plan;
    struct rewrite rewrite;
    struct recovered_segment made;
    struct medium_op op;
    uint32_t sweep; /* behind the next object to remove: two per segment */
    bool under_way;
};

/* Segment `number` of log `shard`: sealed, not the log's last, and no message under way has chunks
 * in it. */
void compactor_begin(struct compactor *compactor, struct store_log *log, uint32_t shard,
                     uint32_t number, unsigned percent);
/* Goes on; true when it is over. */
bool compactor_turn(struct compactor *compactor);
bool compactor_is_under_way(const struct compactor *compactor);
/* Frees; nothing may be under way: then it may be left at any step. Zeroed memory is allowed. */
void compactor_end(struct compactor *compactor);
void compactor_abandon(struct compactor *compactor);

#endif
