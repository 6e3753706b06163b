/* A timer stands on the level of the highest 6-bit digit in which its deadline differs from now,
 * in the slot that digit names. So on every level but the last only slots after now's are occupied,
 * and whatever stands on a lower level comes first. Reaching a slot moves its timers to lower
 * levels; those of level 0 are due.
 *
 * A list that is not a slot (the due ones while they fire) is told by the place of its head. */
#include "base/timer_wheel.h"

#include "base/invariant.h"

#include <assert.h>
#include <stddef.h>

#define DIGIT_BITS 6
#define TOP (TIMER_LEVELS - 1)
#define TOP_SHIFT (DIGIT_BITS * TOP)

static_assert(TIMER_SLOTS == 1 << DIGIT_BITS, "a slot is a digit, a level's slots are a word");

static void link_timer(struct timer **head, struct timer *timer)
{
    timer->next = *head;
    timer->previous = head;
    if (timer->next != NULL)
        timer->next->previous = &timer->next;
    *head = timer;
}

static void unlink_timer(struct timer *timer)
{
    *timer->previous = timer->next;
    if (timer->next != NULL)
        timer->next->previous = timer->previous;
    timer->next = NULL;
    timer->previous = NULL;
}

static void place(struct timer_wheel *wheel, struct timer *timer)
{
    uint64_t horizon = ((wheel->now_ms >> TOP_SHIFT) + TIMER_SLOTS - 1) << TOP_SHIFT;
    uint64_t at = timer->deadline_ms;
    at = at < wheel->now_ms ? wheel->now_ms : at > horizon ? horizon : at;

    uint64_t differing = (at ^ wheel->now_ms) | 1;
    unsigned level = (63u - (unsigned)__builtin_clzll(differing)) / DIGIT_BITS;
    if (level > TOP)
        level = TOP;
    unsigned slot = at >> (DIGIT_BITS * level) & (TIMER_SLOTS - 1);
    link_timer(&wheel->slots[level][slot], timer);
    wheel->occupied[level] |= 1ull << slot;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
    *wheel = (struct timer_wheel){.now_ms = now_ms};
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, uint64_t deadline_ms)
{
    timer_cancel(wheel, timer);
    timer->deadline_ms = deadline_ms;
    place(wheel, timer);
}

void timer_cancel(struct timer_wheel *wheel, struct timer *timer)
{
    if (!timer_armed(timer))
        return;
    struct timer **previous = timer->previous;
    unlink_timer(timer);
    uintptr_t offset = (uintptr_t)previous - (uintptr_t)wheel->slots;
    if (*previous == NULL && offset < sizeof wheel->slots) {
        size_t index = offset / sizeof(struct timer *);
        wheel->occupied[index / TIMER_SLOTS] &= ~(1ull << index % TIMER_SLOTS);
    }
}

struct reach {
    uint64_t time_ms; /* when the slot is reached; UINT64_MAX: all are empty */
    unsigned level, slot;
};

static struct reach first_reach(const struct timer_wheel *wheel)
{
    for (unsigned level = 0; level < TIMER_LEVELS; level++) {
        uint64_t occupied = wheel->occupied[level];
        if (occupied == 0)
            continue;
        unsigned shift = DIGIT_BITS * level;
        uint64_t digits = wheel->now_ms >> shift;
        unsigned here = digits & (TIMER_SLOTS - 1);
        uint64_t from_here = occupied >> here | occupied << (-here & (TIMER_SLOTS - 1));
        unsigned distance = (unsigned)__builtin_ctzll(from_here);
        uint64_t time = (digits + distance) << shift;
        return (struct reach){time, level, (here + distance) & (TIMER_SLOTS - 1)};
    }
    return (struct reach){.time_ms = UINT64_MAX};
}

static struct timer *empty_slot(struct timer_wheel *wheel, struct reach reach)
{
    struct timer *list = wheel->slots[reach.level][reach.slot];
    INVARIANT(list != NULL);
    wheel->slots[reach.level][reach.slot] = NULL;
    wheel->occupied[reach.level] &= ~(1ull << reach.slot);
    return list;
}

/* Moves everything that is due by `now_ms` into `due`, in the order of the deadlines' ticks. */
static void collect(struct timer_wheel *wheel, uint64_t now_ms, struct timer **due)
{
    for (;;) {
        struct reach reach = first_reach(wheel);
        if (reach.time_ms > now_ms)
            break;
        INVARIANT(reach.time_ms >= wheel->now_ms);
        wheel->now_ms = reach.time_ms;
        struct timer *next;
        for (struct timer *timer = empty_slot(wheel, reach); timer != NULL; timer = next) {
            next = timer->next;
            if (reach.level == 0) {
                link_timer(due, timer);
                due = &timer->next;
            } else {
                place(wheel, timer);
            }
        }
    }
    wheel->now_ms = now_ms;
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms,
                         void (*fire)(void *context, struct timer *timer), void *context)
{
    INVARIANT(now_ms >= wheel->now_ms);
    struct timer *due = NULL;
    collect(wheel, now_ms, &due);
    while (due != NULL) {
        struct timer *timer = due;
        unlink_timer(timer);
        fire(context, timer);
    }
}

uint64_t timer_wheel_next_ms(const struct timer_wheel *wheel)
{
    return first_reach(wheel).time_ms;
}
