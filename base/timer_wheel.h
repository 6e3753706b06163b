/* Deadlines of many sessions: a hierarchical timer wheel (Varghese and Lauck, 1987).
 *
 * Setting, moving and cancelling are O(1); a turn costs only what expires. One tick is one
 * millisecond. Single-threaded, embedded in the shard. A timer is embedded in what it guards;
 * zeroed memory is an idle timer. Fires no earlier than its deadline and at the first advance after
 * it. */
#ifndef BASE_TIMER_WHEEL_H
#define BASE_TIMER_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define TIMER_LEVELS 6
#define TIMER_SLOTS 64

struct timer {
    struct timer *next, **previous; /* previous: the pointer that points at us; NULL when idle */
    uint64_t deadline_ms;
};

struct timer_wheel {
    uint64_t now_ms;
    uint64_t occupied[TIMER_LEVELS]; /* one bit per slot, so that empty time is skipped */
    struct timer *slots[TIMER_LEVELS][TIMER_SLOTS];
};

/* An empty wheel that stands at `now_ms`. */
void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* (Re)arms. A deadline in the past fires at the next advance. Deadlines further than 2^36 ms are
 * brought forward to that and re-armed by the wheel. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms);
void timer_cancel(struct timer_wheel *wheel, struct timer *timer);

static inline bool timer_armed(const struct timer *timer)
{
    return timer->previous != 0;
}

/* Moves to `now_ms` (never backwards) and calls `fire` for each expired timer, which is idle by
 * then; `fire` may set and cancel any timer. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms,
                         void (*fire)(void *context, struct timer *timer), void *context);

/* A time no later than the next deadline (UINT64_MAX: none): how long the loop may sleep. */
uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel);

#endif
