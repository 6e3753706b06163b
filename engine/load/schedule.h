/* When letters should begin.
 *
 * Open loop: the k-th letter of all shards begins k/rate seconds after the start; shard i of n has
 * the letters i, i + n, i + 2n, … Closed loop (rate 0): all are due at once. In both, none is due
 * before the start, or once the duration is over. Times in nanoseconds of the monotonic clock. */
#ifndef ENGINE_LOAD_SCHEDULE_H
#define ENGINE_LOAD_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

struct schedule {
    double rate;            /* letters a second, of all shards; 0: closed loop */
    uint32_t index, shards; /* which one this is, of how many */
    uint64_t duration_ns;   /* 0: no end */
    uint64_t quota;         /* letters of this shard; UINT64_MAX: no end */
    uint64_t started_ns;    /* 0: not yet */
};

static inline bool schedule_is_open(const struct schedule *schedule)
{
    return schedule->rate > 0;
}

/* When this shard's letter number `letter`, from 0, should begin; open loop, and started. */
uint64_t schedule_intended_ns(const struct schedule *schedule, uint64_t letter);

/* When that letter may begin; UINT64_MAX: never. */
uint64_t schedule_due_ns(const struct schedule *schedule, uint64_t letter);

/* When the duration is over; UINT64_MAX: there is none, or no start. */
uint64_t schedule_over_ns(const struct schedule *schedule);
/* The duration is over. */
bool schedule_is_over(const struct schedule *schedule, uint64_t now_ns);

/* How many of this shard's letters should have begun before `now_ns`: in a closed loop all of them.
 */
uint64_t schedule_due_count(const struct schedule *schedule, uint64_t now_ns);

/* Open loop: when the schedule was over of which `begun` letters were begun, and none since
 * `stopped_ns`. The last letter has its share of the time, as each has. */
uint64_t schedule_end_ns(const struct schedule *schedule, uint64_t begun, uint64_t stopped_ns);

#endif
