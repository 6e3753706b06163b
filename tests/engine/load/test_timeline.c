#include "engine/load/timeline.h"

#include "tests/check_main.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS_MAX = 4, SHARDS = 2 };

static struct timeline timeline;
static struct tally_step steps[STEPS_MAX];
static struct tally *shards[SHARDS];

static void set_up(void)
{
    ck_assert(timeline_open(&timeline, steps, STEPS_MAX));
    for (int i = 0; i < SHARDS; i++)
        shards[i] = calloc(1, sizeof *shards[i]);
    ck_assert(shards[0] != NULL && shards[1] != NULL);
}

static void tear_down(void)
{
    timeline_close(&timeline);
    for (int i = 0; i < SHARDS; i++)
        free(shards[i]);
}

static void look(double seconds, bool last)
{
    timeline_look(&timeline);
    for (int i = 0; i < SHARDS; i++)
        timeline_add(&timeline, shards[i]);
    timeline_looked(&timeline, seconds, last);
}

static void ack(struct tally *tally, uint32_t count, uint64_t latency_ns)
{
    for (uint32_t i = 0; i < count; i++)
        histogram_record(&tally->latency[TALLY_TOTAL], latency_ns);
    tally->messages.sent += count;
    tally->messages.acked += count;
    tally->octets += 100ull * count;
}

static void check_near(double value, double expected)
{
    ck_assert_msg(fabs(value - expected) < 0.0011 * expected + 1e-9, "%f is not %f", value,
                  expected);
}

/* Counts and latencies of all shards, each step for itself. */
START_TEST(a_step_is_what_was_done_in_it)
{
    ack(shards[0], 90, 1000000);
    ack(shards[1], 10, 9000000);
    look(0.25, false);
    ack(shards[1], 5, 300000);
    shards[0]->messages.sent += 20;
    shards[0]->messages.refused += 1;
    shards[0]->messages.failed += 2;
    shards[1]->messages.doubtful += 3;
    look(0.75, false);
    look(1, false);
    ck_assert_uint_eq(timeline.count, 3);
    check_near(steps[0].seconds, 0.25);
    check_near(steps[0].length, 0.25);
    ck_assert_uint_eq(steps[0].acked, 100);
    ck_assert_uint_eq(steps[0].octets, 10000);
    ck_assert_uint_eq(steps[0].in_flight, 0);
    check_near((double)steps[0].p50_ns, 1000000);
    check_near((double)steps[0].p99_ns, 9000000);
    check_near(steps[1].length, 0.5);
    ck_assert_uint_eq(steps[1].acked, 5);
    ck_assert_uint_eq(steps[1].refused, 1);
    ck_assert_uint_eq(steps[1].failed, 2);
    ck_assert_uint_eq(steps[1].doubtful, 3);
    ck_assert_uint_eq(steps[1].in_flight, 14);
    check_near((double)steps[1].p99_ns, 300000);
    ck_assert_uint_eq(steps[2].acked, 0);
    ck_assert_uint_eq(steps[2].p50_ns, 0);
    ck_assert_uint_eq(steps[2].p99_ns, 0);
    ck_assert_uint_eq(steps[2].in_flight, 14);
}
END_TEST

/* Full: pairs are joined, and from then on every other look ends a step. */
START_TEST(neighbours_are_joined_when_there_is_no_room)
{
    static const uint32_t acked[] = {10, 30, 0, 0, 5, 6, 7};
    for (uint32_t i = 0; i < 7; i++) {
        ack(shards[i % 2], acked[i], (i + 1) * 1000000);
        look(i + 1, false);
    }
    /* 1+2, 3+4, 5, 6+7 */
    ck_assert_uint_eq(timeline.looks_per_step, 2);
    ck_assert_uint_eq(timeline.count, 4);
    ck_assert_uint_eq(steps[0].acked, 40);
    check_near(steps[0].length, 2);
    check_near(steps[0].seconds, 2);
    check_near((double)steps[0].p50_ns, 1750000); /* by weight: (10 * 1 + 30 * 2) / 40 */
    check_near((double)steps[0].p99_ns, 2000000);
    ck_assert_uint_eq(steps[1].acked, 0);
    ck_assert_uint_eq(steps[1].p50_ns, 0);
    check_near(steps[1].seconds, 4);
    ck_assert_uint_eq(steps[2].acked, 5);
    check_near(steps[2].length, 1);
    ck_assert_uint_eq(steps[3].acked, 13);
    check_near(steps[3].length, 2);
    check_near((double)steps[3].p50_ns, 7000000);
}
END_TEST

/* However long it goes on, nothing is lost, and the steps are one behind the other. */
START_TEST(nothing_is_lost_in_joining)
{
    for (uint32_t i = 1; i <= 200; i++) {
        ack(shards[0], i % 7, 1000);
        look(i * 0.25, i == 200);
        uint64_t acked = 0;
        double length = 0;
        for (uint32_t k = 0; k < timeline.count; k++) {
            acked += steps[k].acked;
            length += steps[k].length;
            check_near(steps[k].seconds, length);
        }
        if (timeline.looks == 0)
            ck_assert_uint_eq(acked, shards[0]->messages.acked);
        ck_assert_uint_eq(timeline_total(&timeline)->messages.acked, shards[0]->messages.acked);
    }
    ck_assert_uint_le(timeline.count, STEPS_MAX);
    ck_assert_uint_eq(timeline.looks, 0);
    check_near(steps[timeline.count - 1].seconds, 50);
}
END_TEST

/* What came since the last look belongs to the last step, if no time has passed since. */
START_TEST(the_last_look_ends_the_last_step)
{
    ack(shards[0], 10, 1000000);
    look(1, false);
    ack(shards[0], 30, 3000000);
    look(1, true);
    ck_assert_uint_eq(timeline.count, 1);
    ck_assert_uint_eq(steps[0].acked, 40);
    check_near(steps[0].length, 1);
    ack(shards[0], 2, 1000000);
    look(1.5, true);
    ck_assert_uint_eq(timeline.count, 2);
    check_near(steps[1].length, 0.5);
}
END_TEST

START_TEST(a_run_without_time_has_a_step)
{
    look(0, true);
    ck_assert_uint_eq(timeline.count, 1);
    ck_assert_uint_eq(steps[0].acked, 0);
    ck_assert(steps[0].length == 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load/timeline");
    TCase *load = tcase_create("load");
    tcase_add_checked_fixture(load, set_up, tear_down);
    tcase_add_test(load, a_step_is_what_was_done_in_it);
    tcase_add_test(load, neighbours_are_joined_when_there_is_no_room);
    tcase_add_test(load, nothing_is_lost_in_joining);
    tcase_add_test(load, the_last_look_ends_the_last_step);
    tcase_add_test(load, a_run_without_time_has_a_step);
    suite_add_tcase(suite, load);
    return suite;
}
