#include "tests/check_main.h"

#include "base/random.h"
#include "base/timer_wheel.h"

#include <signal.h>
#include <stddef.h>

#define GUARDS 100

/* What a timer guards, and beside it the naive twin: a flag and a deadline. Checks made many
 * thousand times are counted in `wrong`, as each ck_assert costs a system call. */
struct guard {
    struct timer timer;
    uint64_t deadline_ms;
    bool armed;
};

static struct timer_wheel wheel;
static struct guard guards[GUARDS];
static struct random dice;
static unsigned fired, wrong;
static uint64_t last_deadline_ms;

static struct guard *guard_of(struct timer *timer)
{
    return (struct guard *)(void *)((char *)timer - offsetof(struct guard, timer));
}

static void set(struct guard *guard, uint64_t deadline_ms)
{
    guard->armed = true;
    guard->deadline_ms = deadline_ms;
    timer_set(&wheel, &guard->timer, deadline_ms);
}

static void cancel(struct guard *guard)
{
    guard->armed = false;
    timer_cancel(&wheel, &guard->timer);
}

/* Numbers of all magnitudes below 2^bits. */
static uint64_t any_size(unsigned bits)
{
    return random_next(&dice) >> (64 - 1 - random_below(&dice, bits));
}

static uint64_t any_deadline(unsigned bits)
{
    uint64_t delta = any_size(bits);
    bool past = random_below(&dice, 10) == 0 && delta <= wheel.now_ms;
    return past ? wheel.now_ms - delta : wheel.now_ms + delta;
}

static void expect_due(struct guard *guard)
{
    fired++;
    wrong += !guard->armed || timer_armed(&guard->timer) || guard->deadline_ms > wheel.now_ms;
    guard->armed = false;
}

static void fire(void *context, struct timer *timer)
{
    wrong += context != &wheel;
    expect_due(guard_of(timer));
}

/* Handlers that set and cancel themselves and others, among them others that are due. */
static void fire_and_meddle(void *context, struct timer *timer)
{
    unsigned bits = *(unsigned *)context;
    struct guard *guard = guard_of(timer), *other = &guards[random_below(&dice, GUARDS)];
    expect_due(guard);
    switch (random_below(&dice, 4)) {
    case 0:
        set(guard, any_deadline(bits));
        break;
    case 1:
        cancel(other);
        break;
    case 2:
        set(other, wheel.now_ms + 1 + any_size(bits));
        break;
    default:
        break;
    }
}

static void start(void)
{
    timer_wheel_init(&wheel, 1000);
}

static void nothing_went_wrong(void)
{
    ck_assert_uint_eq(wrong, 0);
}

START_TEST(fires_at_its_deadline)
{
    static const uint64_t deltas[] = {1,          63,        64,     65,         4095,
                                      4096,       4097,      262144, 16777216,   1073741824,
                                      86400,      3600000,   99999,  1ull << 35, (1ull << 36) - 1,
                                      1ull << 36, 1ull << 40};
    for (unsigned i = 0; i < sizeof deltas / sizeof *deltas; i++) {
        uint64_t deadline = wheel.now_ms + deltas[i];
        set(&guards[0], deadline);
        timer_wheel_advance(&wheel, deadline - 1, fire, &wheel);
        ck_assert(timer_armed(&guards[0].timer));
        ck_assert_uint_le(timer_wheel_next_ms(&wheel), deadline);
        timer_wheel_advance(&wheel, deadline, fire, &wheel);
        ck_assert_uint_eq(fired, i + 1);
        ck_assert_uint_eq(timer_wheel_next_ms(&wheel), UINT64_MAX);
    }
}
END_TEST

START_TEST(past_fires_at_the_next_advance)
{
    set(&guards[0], 0);
    set(&guards[1], 1000);
    set(&guards[2], 1001);
    ck_assert_uint_eq(timer_wheel_next_ms(&wheel), 1000);
    timer_wheel_advance(&wheel, 1000, fire, &wheel);
    ck_assert_uint_eq(fired, 2);
    ck_assert(timer_armed(&guards[2].timer));
}
END_TEST

START_TEST(idle_timers_can_be_cancelled)
{
    cancel(&guards[0]);
    set(&guards[0], 2000);
    cancel(&guards[0]);
    cancel(&guards[0]);
    ck_assert_uint_eq(timer_wheel_next_ms(&wheel), UINT64_MAX);
    timer_wheel_advance(&wheel, 3000, fire, &wheel);
    ck_assert_uint_eq(fired, 0);
}
END_TEST

START_TEST(neighbours_in_a_slot_survive_a_cancel)
{
    for (unsigned i = 0; i < 3; i++)
        set(&guards[i], 1500);
    cancel(&guards[_i]);
    timer_wheel_advance(&wheel, 1500, fire, &wheel);
    ck_assert_uint_eq(fired, 2);
}
END_TEST

static void fire_in_order(void *context, struct timer *timer)
{
    (void)context;
    struct guard *guard = guard_of(timer);
    wrong += guard->deadline_ms < last_deadline_ms;
    last_deadline_ms = guard->deadline_ms;
    expect_due(guard);
}

START_TEST(one_long_advance_keeps_the_order)
{
    for (unsigned i = 0; i < GUARDS; i++)
        set(&guards[i], wheel.now_ms + any_size(36));
    timer_wheel_advance(&wheel, wheel.now_ms + (1ull << 36), fire_in_order, NULL);
    ck_assert_uint_eq(fired, GUARDS);
}
END_TEST

static void fire_and_rearm(void *context, struct timer *timer)
{
    fire(context, timer);
    set(guard_of(timer), 0);
}

START_TEST(rearmed_in_the_past_waits_for_the_next_advance)
{
    set(&guards[0], 0);
    for (unsigned i = 1; i <= 3; i++) {
        timer_wheel_advance(&wheel, wheel.now_ms + _i, fire_and_rearm, &wheel);
        ck_assert_uint_eq(fired, i);
    }
}
END_TEST

/* Exactly those are armed whose deadline is to come, and the wheel wakes us for the first. */
static void compare_with_naive(void)
{
    uint64_t first = UINT64_MAX;
    for (unsigned i = 0; i < GUARDS; i++) {
        wrong += guards[i].armed != timer_armed(&guards[i].timer);
        if (!guards[i].armed)
            continue;
        wrong += guards[i].deadline_ms <= wheel.now_ms;
        if (guards[i].deadline_ms < first)
            first = guards[i].deadline_ms;
    }
    uint64_t next = timer_wheel_next_ms(&wheel);
    wrong += next > first || next <= wheel.now_ms;
    wrong += (next == UINT64_MAX) != (first == UINT64_MAX);
}

/* Timers that a handler set in the past wait for the next advance, so each advance is made twice,
 * the second time with a handler that sets nothing. */
START_TEST(agrees_with_a_naive_list)
{
    unsigned bits = 4 + 6 * (unsigned)_i;
    dice = (struct random){(uint64_t)_i};
    for (unsigned turn = 0; turn < 5000; turn++) {
        for (uint64_t changes = random_below(&dice, 6); changes > 0; changes--) {
            struct guard *guard = &guards[random_below(&dice, GUARDS)];
            if (random_below(&dice, 4) == 0)
                cancel(guard);
            else
                set(guard, any_deadline(bits));
        }
        uint64_t now = wheel.now_ms + any_size(bits);
        timer_wheel_advance(&wheel, now, fire_and_meddle, &bits);
        timer_wheel_advance(&wheel, now, fire, &wheel);
        compare_with_naive();
    }
    ck_assert_uint_gt(fired, 1000);
}
END_TEST

static void fire_on_time(void *context, struct timer *timer)
{
    fire(context, timer);
    wrong += guard_of(timer)->deadline_ms != wheel.now_ms;
}

/* Who sleeps until next_ms each time is never late, and is woken in vain only a few times. */
START_TEST(sleeping_until_next_is_never_late)
{
    for (unsigned i = 0; i < GUARDS; i++)
        set(&guards[i], wheel.now_ms + 1 + any_size(38));
    unsigned wakes = 0;
    for (; timer_wheel_next_ms(&wheel) != UINT64_MAX; wakes++)
        timer_wheel_advance(&wheel, timer_wheel_next_ms(&wheel), fire_on_time, &wheel);
    ck_assert_uint_eq(fired, GUARDS);
    ck_assert_uint_le(wakes, GUARDS * (TIMER_LEVELS + 4));
}
END_TEST

START_TEST(going_back_is_a_bug)
{
    timer_wheel_advance(&wheel, 999, fire, &wheel);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("timer_wheel");
    TCase *tcase = tcase_create("timer_wheel");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, start, nothing_went_wrong);
    tcase_add_test(tcase, fires_at_its_deadline);
    tcase_add_test(tcase, past_fires_at_the_next_advance);
    tcase_add_test(tcase, idle_timers_can_be_cancelled);
    tcase_add_loop_test(tcase, neighbours_in_a_slot_survive_a_cancel, 0, 3);
    tcase_add_test(tcase, one_long_advance_keeps_the_order);
    tcase_add_loop_test(tcase, rearmed_in_the_past_waits_for_the_next_advance, 0, 2);
    tcase_add_loop_test(tcase, agrees_with_a_naive_list, 0, 7);
    tcase_add_test(tcase, sleeping_until_next_is_never_late);
    tcase_add_test_raise_signal(tcase, going_back_is_a_bug, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite;
}
