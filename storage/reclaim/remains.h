/* Which deletions of a surveyed segment must stay.
 *
 * A deletion is needed while the record of any message that it names exists anywhere: an index made
 * anew from the logs would bring the message back. Whether one exists, the catalogs of the logs
 * tell: a segment that was never compacted has every record of its numbers; of a compacted one its
 * own hint is read. What can't be told stays. So does what the base of the index has not taken in:
 * after a crash it may have the message, and nothing else would take it out. */
#ifndef STORAGE_RECLAIM_REMAINS_H
#define STORAGE_RECLAIM_REMAINS_H

#include "storage/reclaim/survey.h"

struct remains_name { /* one message named by one deletion */
    uint64_t id;
    uint32_t item; /* of the survey */
};

struct remains_check { /* to be looked for in a compacted segment */
    uint32_t shard, segment;
    uint64_t number;
    uint32_t item;
};

struct remains {
    struct survey *survey;
    struct store_log *log;
    struct remains_name *names;
    struct remains_check *checks;
    uint32_t name_count, name_capacity, check_count, check_capacity;
    uint32_t next; /* check at hand */
    struct synopsis synopsis;
};

/* The survey is over; its deletions become live or not. */
void remains_begin(struct remains *remains, struct store_log *log, struct survey *survey);
/* Goes on; true when it is over. */
bool remains_turn(struct remains *remains);
/* Frees; nothing may be under way. Zeroed memory is allowed. */
void remains_end(struct remains *remains);
void remains_abandon(struct remains *remains);

#endif
