/* A load at a rate: when its messages begin, and that a server's pause shows in the latencies of
 * all messages that should have been sent in it, as it does not in a closed loop. Expected values
 * are worked out by hand: a message takes four round trips of 2 ms.
 *
 * The server's pause lasts from 5 s to 6 s after the start. What begins in it at s has its MAIL
 * answered at 6 s and not at s + 1 ms. */
#include "engine/load/generator.h"

#include "tests/check_main.h"
#include "tests/engine/load/load_bed.h"

#include <stdlib.h>

enum { ROUND_TRIP_MS = 2, MESSAGE_MS = 4 * ROUND_TRIP_MS };

static struct load_bed bed;

static const struct schedule *schedule(uint32_t shard)
{
    return &bed.shards[shard].generator.schedule;
}

static struct load_bed_options options_of(double rate, uint32_t connections, uint64_t duration_ms)
{
    struct load_bed_options options = load_bed_options();
    options.blast.rate = rate;
    options.blast.connections = connections;
    options.blast.duration_ms = duration_ms;
    return options;
}

/* Opens; lets the load start, and the server pause some time after that. */
static void start(const struct load_bed_options *options, uint64_t pause_ms)
{
    load_bed_open(&bed, options);
    while (schedule(0)->started_ns == 0)
        load_bed_step(&bed);
    bed.server.script.hold_from_ns = schedule(0)->started_ns + 5 * NS_PER_S;
    bed.server.script.hold_ns = pause_ms * NS_PER_MS;
}

static void finish(uint64_t ms)
{
    ck_assert(load_bed_run(&bed, ms));
    load_bed_end(&bed);
}

static uint64_t quantile_ms(uint32_t parts_per_million)
{
    return histogram_quantile(&bed.total->latency[TALLY_TOTAL], parts_per_million) / NS_PER_MS;
}

/* -------------------------------------------------------------------------- the schedule ---- */

static uint64_t number_of(const char *digits, size_t size)
{
    char text[LETTER_ID_BYTES + 1] = "";
    memcpy(text, digits, size);
    return strtoull(text, NULL, 16);
}

/* Each message's MAIL comes to the server half a round trip after the message's time. */
static void check_times(void)
{
    for (uint32_t i = 0; i < bed.server.copies_count; i++) {
        const struct script_copy *copy = &bed.server.copies[i];
        uint32_t shard = (uint32_t)number_of(copy->id + 16, 4);
        uint64_t number = number_of(copy->id + 20, 12);
        uint64_t place = number * bed.shards_count + shard;
        ck_assert_uint_eq(copy->mail_ns - schedule(shard)->started_ns,
                          place * NS_PER_S / (uint64_t)bed.options.blast.rate + NS_PER_MS);
    }
}

START_TEST(the_rate_is_held)
{
    static const struct {
        uint32_t shards, connections, per_connection;
        bool pipeline, chunking;
    } rows[] = {
        {1, 8, 0, false, false},  {2, 16, 0, false, false}, {1, 20, 1, false, false},
        {2, 32, 3, false, false}, {1, 8, 0, true, false},   {2, 8, 0, true, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load_bed_options options = options_of(500, rows[i].connections, 1000);
        options.blast.shards = rows[i].shards;
        options.blast.per_connection = rows[i].per_connection;
        options.blast.pipeline = rows[i].pipeline;
        options.blast.chunking = rows[i].chunking;
        start(&options, 0);
        finish(2000);
        ck_assert_uint_eq(bed.total->messages.acked, 500);
        ck_assert_uint_eq(bed.server.copies_count, 500);
        check_times();
        load_bed_close(&bed);
    }
}
END_TEST

/* ------------------------------------------------------------------------------- a pause ---- */

/* A hundred messages a second, each with a connection that is free. Those of the pause take 1007,
 * 997, … 17 ms, the 900 others 8. */
START_TEST(a_pause_shows_in_all_that_it_held_up)
{
    struct load_bed_options options = options_of(100, 150, 10000);
    start(&options, 1000);
    finish(20000);
    const struct histogram *total = &bed.total->latency[TALLY_TOTAL];
    ck_assert_uint_eq(total->count, 1000);
    ck_assert_uint_eq(total->max, 1007 * NS_PER_MS);
    ck_assert_uint_eq(total->sum, (900 * 8 + 100 * (1007 + 17) / 2) * NS_PER_MS);
    ck_assert_uint_eq(quantile_ms(500000), 8);
    ck_assert_uint_eq(quantile_ms(900000), 8);
    ck_assert_uint_eq(quantile_ms(950000), 507);
    ck_assert_uint_eq(quantile_ms(990000), 907);
    ck_assert_uint_eq(quantile_ms(1000000), 1007);
    load_bed_close(&bed);
}
END_TEST

/* With one connection the others have to wait for it: 2 ms of each message's 10 are left to catch
 * up, so all 500 after the pause began are late: by 1007, 1005, … 9 ms. */
START_TEST(a_pause_shows_in_all_that_queued_up_behind_it)
{
    struct load_bed_options options = options_of(100, 1, 10000);
    start(&options, 1000);
    finish(20000);
    const struct histogram *total = &bed.total->latency[TALLY_TOTAL];
    ck_assert_uint_eq(total->count, 1000);
    ck_assert_uint_eq(total->max, 1007 * NS_PER_MS);
    ck_assert_uint_eq(total->sum, (500 * 8 + 500 * (1007 + 9) / 2) * NS_PER_MS);
    ck_assert_uint_eq(quantile_ms(500000), 8);
    ck_assert_uint_eq(quantile_ms(990000), 987);
    ck_assert_uint_eq(bed.shards[0].generator.late, 0);
    load_bed_close(&bed);
}
END_TEST

/* The phases count from when they were said: only one of each round trip was held up. */
START_TEST(a_pause_shows_in_the_phase_that_it_hit)
{
    struct load_bed_options options = options_of(100, 1, 10000);
    start(&options, 1000);
    finish(20000);
    ck_assert_uint_eq(bed.total->latency[TALLY_MAIL].max, (2 + 999) * NS_PER_MS);
    ck_assert_uint_eq(bed.total->latency[TALLY_MAIL].sum, (1000 * 2 + 999) * NS_PER_MS);
    for (enum tally_phase phase = TALLY_RCPT; phase <= TALLY_COMMIT; phase++)
        ck_assert_uint_eq(bed.total->latency[phase].max, 2 * NS_PER_MS);
    load_bed_close(&bed);
}
END_TEST

/* The same pause in a closed loop: one message is hit, and all seem well but for the maximum. */
START_TEST(a_closed_loop_does_not_see_it)
{
    struct load_bed_options options = options_of(0, 1, 10000);
    start(&options, 1000);
    finish(20000);
    ck_assert_uint_gt(bed.total->messages.acked, 1100);
    ck_assert_uint_eq(quantile_ms(500000), 8);
    ck_assert_uint_eq(quantile_ms(990000), 8);
    ck_assert_uint_eq(quantile_ms(999000), 8);
    ck_assert_uint_eq(quantile_ms(1000000), 1007);
    load_bed_close(&bed);
}
END_TEST

/* ---------------------------------------------------------------------------- being late ---- */

/* After a pause of 2 s the n-th message behind it begins 1999 - 2n ms late: 499 of them by more
 * than a second. */
START_TEST(what_begins_late_is_counted)
{
    struct load_bed_options options = options_of(100, 1, 0);
    options.blast.messages = 2000;
    start(&options, 2000);
    finish(60000);
    ck_assert_uint_eq(bed.total->messages.acked, 2000);
    ck_assert_uint_eq(bed.shards[0].generator.late, 499);
    load_bed_close(&bed);
}
END_TEST

/* Twice as much as one connection can do: what has not begun at the end never does. */
START_TEST(what_never_begins_is_known)
{
    struct load_bed_options options = options_of(250, 1, 2000);
    start(&options, 0);
    finish(10000);
    ck_assert_uint_eq(bed.total->messages.sent, 2000 / MESSAGE_MS);
    ck_assert_uint_eq(bed.total->messages.acked, 2000 / MESSAGE_MS);
    ck_assert_uint_eq(schedule_due_count(schedule(0), bed.now_ns), 500);
    /* the n-th, from 0, begins 4n ms late and takes 8 */
    ck_assert_uint_eq(bed.total->latency[TALLY_TOTAL].max, (4 * 249 + 8) * NS_PER_MS);
    load_bed_close(&bed);
}
END_TEST

/* ------------------------------------------------------------------------------- its end ---- */

static void check_account(uint64_t ms, uint64_t due, uint64_t late)
{
    uint64_t counted;
    ck_assert_uint_eq(generator_late(&bed.shards[0].generator, &counted), late);
    ck_assert_uint_eq(counted, due);
    ck_assert_uint_eq(generator_end_ns(&bed.shards[0].generator) - schedule(0)->started_ns,
                      ms * NS_PER_MS);
}

/* Five messages at two a second take two and a half seconds, as one in a second takes that: an
 * answer that comes earlier does not make the rate higher. */
START_TEST(a_run_lasts_as_long_as_its_schedule)
{
    struct load_bed_options options = options_of(2, 1, 0);
    options.blast.messages = 5;
    start(&options, 0);
    finish(10000);
    check_account(2500, 5, 0);
    load_bed_close(&bed);

    options = options_of(0.5, 1, 1050); /* no multiple of the time between two looks at it */
    start(&options, 0);
    finish(10000);
    check_account(1050, 1, 0);
    load_bed_close(&bed);
}
END_TEST

/* Stopped in the sixth second, with an answer that comes two later: what would have been due in
 * them is not missing. */
START_TEST(what_was_due_after_the_end_is_not_late)
{
    struct load_bed_options options = options_of(100, 1, 60000);
    start(&options, 2000);
    load_bed_run_until(&bed, schedule(0)->started_ns + 5 * NS_PER_S + 101 * NS_PER_MS);
    generator_end(&bed.shards[0].generator, false);
    finish(60000);
    check_account(7007, 511, 10);
    load_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load open loop");
    TCase *load = tcase_create("load");
    tcase_add_test(load, the_rate_is_held);
    tcase_add_test(load, a_pause_shows_in_all_that_it_held_up);
    tcase_add_test(load, a_pause_shows_in_all_that_queued_up_behind_it);
    tcase_add_test(load, a_pause_shows_in_the_phase_that_it_hit);
    tcase_add_test(load, a_closed_loop_does_not_see_it);
    tcase_add_test(load, what_begins_late_is_counted);
    tcase_add_test(load, what_never_begins_is_known);
    tcase_add_test(load, a_run_lasts_as_long_as_its_schedule);
    tcase_add_test(load, what_was_due_after_the_end_is_not_late);
    suite_add_tcase(suite, load);
    return suite;
}
