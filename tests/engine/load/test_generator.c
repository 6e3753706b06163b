/* How a generator's connections come and go, and how a load begins and ends. */
#include "engine/load/generator.h"

#include "tests/check_main.h"
#include "tests/engine/load/load_bed.h"

static struct load_bed bed;

static void check_fates(const char *expected)
{
    char text[LOAD_BED_TEXT_BYTES];
    load_bed_fates(&bed, text);
    ck_assert_msg(strcmp(text, expected) == 0, "\n  %s\nis not\n  %s", text, expected);
}

static uint64_t passed_ms(void)
{
    return (bed.now_ns - bed.opened_ns) / NS_PER_MS;
}

static struct generator *generator(void)
{
    return &bed.shards[0].generator;
}

/* ------------------------------------------------------------------------------- sharing ---- */

START_TEST(shards_share_connections_and_messages)
{
    struct load_bed_options options = load_bed_options();
    options.blast.shards = 2;
    options.blast.connections = 5;
    options.blast.messages = 9;
    load_bed_open(&bed, &options);
    ck_assert_uint_eq(bed.shards[0].generator.senders_count, 3);
    ck_assert_uint_eq(bed.shards[1].generator.senders_count, 2);
    ck_assert(load_bed_run(&bed, 1000));
    ck_assert_uint_eq(bed.shards[0].tally->messages.acked, 5);
    ck_assert_uint_eq(bed.shards[1].tally->messages.acked, 4);
    load_bed_end(&bed);
    check_fates("9 = 9 acked; 9 = 9 acked; 220:5 221:5 250:32 354:9; fine 5");
    load_bed_close(&bed);
}
END_TEST

START_TEST(a_connection_ends_after_so_many_messages)
{
    static const char *const expected[] = {
        "10 = 10 acked; 10 = 10 acked; 220:4 221:4 250:34 354:10; fine 4",
        "10 = 10 acked; 10 = 10 acked; 220:4 221:4 250:34 354:10; fine 4",
        "10 = 10 acked; 10 = 10 acked; 220:4 221:4 250:40; fine 4",
    };
    for (int i = 0; i < 3; i++) {
        struct load_bed_options options = load_bed_options();
        options.blast.messages = 10;
        options.blast.per_connection = 3;
        options.blast.pipeline = i > 0;
        options.blast.chunking = i > 1;
        load_bed_go(&bed, &options, 1000);
        check_fates(expected[i]);
        load_bed_close(&bed);
    }
}
END_TEST

/* The queue of a server that accepts is short. */
START_TEST(not_all_connect_at_once)
{
    struct load_bed_options options = load_bed_options();
    options.blast.connections = 200;
    options.blast.messages = 1000;
    uint32_t most = 0;
    load_bed_open(&bed, &options);
    while (!load_bed_is_over(&bed)) {
        load_bed_step(&bed);
        most = generator()->connecting > most ? generator()->connecting : most;
    }
    ck_assert_uint_eq(most, GENERATOR_CONNECTING_MAX);
    load_bed_end(&bed);
    ck_assert_uint_eq(bed.total->messages.acked, 1000);
    ck_assert_uint_eq(bed.total->connected, 200);
    load_bed_close(&bed);
}
END_TEST

/* ------------------------------------------------------------------------ coming up again ---- */

/* Nobody there: a round trip of 2 ms, then 100 ms, again, then 200 ms, and the third time it is
 * enough. */
START_TEST(a_load_that_never_begins_is_given_up)
{
    struct load_bed_options options = load_bed_options();
    options.blast.connections = 2;
    options.script.refuse_ns = UINT64_MAX;
    load_bed_go(&bed, &options, 10000);
    ck_assert_uint_eq(passed_ms(), 2 + 100 + 2 + 200 + 2);
    ck_assert(generator()->gave_up);
    check_fates("0; 0;; unconnected 6");
    load_bed_close(&bed);
}
END_TEST

/* One of two is served: the other is tried again and again, later and later. */
START_TEST(one_connection_is_enough)
{
    struct load_bed_options options = load_bed_options();
    options.blast.connections = 2;
    options.blast.rate = 10;
    options.blast.duration_ms = 10000;
    options.script.faults[0] = (struct script_fault){SCRIPT_BANNER, SCRIPT_SAY, "554 no\r\n", 1, 0};
    load_bed_go(&bed, &options, 20000);
    ck_assert(!generator()->gave_up);
    check_fates("100 = 100 acked; 100 = 100 acked; 220:1 221:1 250:301 354:100 554:9; fine 1 "
                "turned away 9"); /* at 0, 0.1, 0.3, 0.7, 1.5, 3.1, 5.1, 7.1, 9.1 s */
    load_bed_close(&bed);
}
END_TEST

/* Away for five seconds, between one message and the next. */
START_TEST(a_server_that_comes_back_is_found_again)
{
    struct load_bed_options options = load_bed_options();
    options.blast.per_connection = 1;
    options.blast.messages = 100;
    options.script.refuse_from_ns = NS_PER_S + NS_PER_S / 2;
    options.script.refuse_ns = 5 * NS_PER_S;
    load_bed_go(&bed, &options, 60000);
    ck_assert(!generator()->gave_up);
    check_fates("100 = 100 acked; 100 = 100 acked; 220:100 221:100 250:400 354:100; fine 100 "
                "unconnected 6"); /* at 0.5, 0.6, 0.8, 1.2, 2, 3.6 s */
    load_bed_close(&bed);
}
END_TEST

START_TEST(a_server_that_is_gone_is_given_up)
{
    struct load_bed_options options = load_bed_options();
    options.blast.per_connection = 1;
    options.blast.messages = 1000;
    options.script.refuse_from_ns = NS_PER_S + NS_PER_S / 2;
    options.script.refuse_ns = UINT64_MAX / 2;
    load_bed_go(&bed, &options, 60000);
    ck_assert(generator()->gave_up);
    ck_assert_uint_gt(passed_ms(), 500 + GENERATOR_GIVE_UP_MS);
    ck_assert_uint_lt(passed_ms(), 500 + GENERATOR_GIVE_UP_MS + 200);
    ck_assert_uint_eq(bed.total->messages.sent, bed.total->messages.acked);
    load_bed_close(&bed);
}
END_TEST

/* All have begun, and two wait for another attempt when the server goes for good. */
START_TEST(letters_that_wait_for_a_server_that_is_gone_are_given_up)
{
    struct load_bed_options options = load_bed_options();
    options.blast.messages = 3;
    options.blast.retries = 5;
    options.script.refuse_from_ns = NS_PER_S + NS_PER_S / 2;
    options.script.refuse_ns = UINT64_MAX / 2;
    options.script.faults[0] =
        (struct script_fault){SCRIPT_MAIL, SCRIPT_SAY, "451 not now\r\n", 0, 2};
    options.script.faults[1] = (struct script_fault){SCRIPT_MAIL, SCRIPT_RESET, NULL, 3, 1};
    load_bed_go(&bed, &options, 60000);
    ck_assert(generator()->gave_up);
    check_fates(
        "3 = 1 acked + 1 refused + 1 failed; 3 = 1 acked + 1 refused + 1 failed; 1 retries; "
        "220:1 250:4 354:1 451:2; connection lost 1 unconnected 18");
    load_bed_close(&bed);
}
END_TEST

/* The second letter is due at 550 ms; the first took 400, then the server ended the connection,
 * and after another 100 a new one is being made, which takes 100: it has no room for letters yet.
 */
START_TEST(a_connection_that_comes_up_is_left_alone)
{
    struct load_bed_options options = load_bed_options();
    options.latency_ns_min = options.latency_ns_max = 50 * NS_PER_MS;
    options.blast.rate = 1000 / 550.0;
    options.blast.messages = 20;
    options.script.faults[0] =
        (struct script_fault){SCRIPT_COMMIT, SCRIPT_CLOSE, "250 taken\r\n", 0, 1};
    load_bed_go(&bed, &options, 60000);
    check_fates(
        "20 = 20 acked; 20 = 20 acked; 220:2 221:1 250:62 354:20; fine 1 connection lost 1");
    load_bed_close(&bed);
}
END_TEST

/* ------------------------------------------------------------------------ begin and end ---- */

/* Open loop: when all are ready or have failed; or after five seconds, if one hangs. */
START_TEST(the_schedule_starts_when_everybody_is_ready)
{
    static const struct {
        struct script_fault fault;
        uint64_t started_ms;
    } rows[] = {
        {{SCRIPT_NOWHERE, SCRIPT_SAY, NULL, 0, 0}, 4},
        {{SCRIPT_HELLO, SCRIPT_RESET, NULL, 1, 1}, 4},
        {{SCRIPT_BANNER, SCRIPT_SILENCE, NULL, 1, 1}, GENERATOR_START_MS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load_bed_options options = load_bed_options();
        options.blast.connections = 3;
        options.blast.rate = 100;
        options.blast.messages = 10;
        options.script.faults[0] = rows[i].fault;
        load_bed_go(&bed, &options, 120000);
        uint64_t started_ns = generator()->schedule.started_ns - bed.opened_ns;
        ck_assert_uint_ge(started_ns, rows[i].started_ms * NS_PER_MS);
        ck_assert_uint_le(started_ns, (rows[i].started_ms + 4) * NS_PER_MS);
        ck_assert_uint_eq(bed.total->messages.acked, 10);
        load_bed_close(&bed);
    }
}
END_TEST

/* Four round trips each, from 4 ms on: the last one begins at 996 ms. */
START_TEST(a_closed_loop_ends_when_its_time_is_over)
{
    struct load_bed_options options = load_bed_options();
    options.blast.duration_ms = 1000;
    load_bed_go(&bed, &options, 2000);
    ck_assert_uint_eq(bed.total->messages.acked, 125);
    ck_assert_uint_eq(generator()->ended_ns - bed.opened_ns, (4 + 125 * 8) * NS_PER_MS);
    load_bed_close(&bed);
}
END_TEST

/* A round trip of 300 ms: the answer that comes at 1.5 s begins nothing any more. */
START_TEST(nothing_begins_after_its_time)
{
    struct load_bed_options options = load_bed_options();
    options.latency_ns_min = options.latency_ns_max = 150 * NS_PER_MS;
    options.blast.duration_ms = 1790; /* less than 100 ms before the next turn */
    load_bed_go(&bed, &options, 10000);
    ck_assert_uint_eq(bed.total->messages.acked, 1);
    load_bed_close(&bed);
}
END_TEST

/* What is under way is finished. */
START_TEST(an_end_in_order)
{
    struct load_bed_options options = load_bed_options();
    options.blast.connections = 4;
    load_bed_open(&bed, &options);
    load_bed_run_until(&bed, bed.opened_ns + 500 * NS_PER_MS + 1);
    ck_assert_uint_eq(generator()->in_flight, 4);
    generator_end(generator(), false);
    uint64_t sent = bed.shards[0].tally->messages.sent;
    ck_assert(load_bed_run(&bed, 10));
    load_bed_end(&bed);
    ck_assert_uint_eq(bed.total->messages.sent, sent);
    ck_assert_uint_eq(bed.total->messages.acked, sent);
    ck_assert_uint_eq(bed.total->failures[SMTP_CLIENT_FINE], 4);
    load_bed_close(&bed);
}
END_TEST

START_TEST(an_end_at_once)
{
    struct load_bed_options options = load_bed_options();
    options.blast.connections = 4;
    load_bed_open(&bed, &options);
    load_bed_run_until(&bed, bed.opened_ns + 500 * NS_PER_MS + 1);
    generator_end(generator(), true);
    uint64_t sent = bed.shards[0].tally->messages.sent;
    ck_assert(load_bed_run(&bed, 1));
    load_bed_end(&bed);
    ck_assert_uint_eq(bed.total->messages.sent, sent);
    ck_assert_uint_eq(bed.total->messages.failed, 4);
    ck_assert_uint_eq(bed.total->failures[SMTP_CLIENT_LOST], 4);
    load_bed_close(&bed);
}
END_TEST

/* Also while nothing is up yet, or nobody answers. */
START_TEST(an_end_before_anything_began)
{
    for (int now = 0; now < 2; now++) {
        struct load_bed_options options = load_bed_options();
        options.blast.connections = 4;
        load_bed_open(&bed, &options);
        load_bed_run_until(&bed, bed.opened_ns + NS_PER_MS / 2);
        generator_end(generator(), now);
        ck_assert(load_bed_run(&bed, 10));
        load_bed_end(&bed);
        ck_assert_uint_eq(bed.total->messages.sent, 0);
        ck_assert_uint_eq(bed.total->failures[SMTP_CLIENT_FINE] + bed.total->unconnected, 4);
        load_bed_close(&bed);
    }
}
END_TEST

/* Of three connections one sends what there is; the others wait for a banner, and for an answer to
 * QUIT, but then there is nothing more to send: not for a minute, and not for two. */
START_TEST(nobody_is_waited_for_when_all_is_done)
{
    struct load_bed_options options = load_bed_options();
    options.blast.connections = 3;
    options.blast.messages = 10;
    options.script.faults[0] = (struct script_fault){SCRIPT_BANNER, SCRIPT_SILENCE, NULL, 1, 1};
    options.script.faults[1] = (struct script_fault){SCRIPT_QUIT, SCRIPT_SILENCE, NULL, 0, 1};
    load_bed_go(&bed, &options, 120000);
    ck_assert_uint_eq(bed.total->messages.acked, 10);
    ck_assert_uint_eq(bed.total->failures[SMTP_CLIENT_TIMEOUT], 2);
    ck_assert_uint_ge(passed_ms(), 5000);
    ck_assert_uint_le(passed_ms(), 5100);
    load_bed_close(&bed);
}
END_TEST

/* The time is over while nobody has said a word. */
START_TEST(a_server_that_never_speaks_is_left_when_the_time_is_over)
{
    struct load_bed_options options = load_bed_options();
    options.blast.connections = 2;
    options.blast.duration_ms = 8000;
    options.script.faults[0] = (struct script_fault){SCRIPT_BANNER, SCRIPT_SILENCE, NULL, 0, 0};
    load_bed_go(&bed, &options, 120000);
    check_fates("0; 0;; timeout 2");
    ck_assert_uint_le(passed_ms(), 8100);
    load_bed_close(&bed);
}
END_TEST

static void add_tests(TCase *load)
{
    tcase_add_test(load, shards_share_connections_and_messages);
    tcase_add_test(load, a_connection_ends_after_so_many_messages);
    tcase_add_test(load, not_all_connect_at_once);
    tcase_add_test(load, a_load_that_never_begins_is_given_up);
    tcase_add_test(load, one_connection_is_enough);
    tcase_add_test(load, a_server_that_comes_back_is_found_again);
    tcase_add_test(load, a_server_that_is_gone_is_given_up);
    tcase_add_test(load, letters_that_wait_for_a_server_that_is_gone_are_given_up);
    tcase_add_test(load, a_connection_that_comes_up_is_left_alone);
    tcase_add_test(load, the_schedule_starts_when_everybody_is_ready);
    tcase_add_test(load, a_closed_loop_ends_when_its_time_is_over);
    tcase_add_test(load, nothing_begins_after_its_time);
    tcase_add_test(load, an_end_in_order);
    tcase_add_test(load, an_end_at_once);
    tcase_add_test(load, an_end_before_anything_began);
    tcase_add_test(load, nobody_is_waited_for_when_all_is_done);
    tcase_add_test(load, a_server_that_never_speaks_is_left_when_the_time_is_over);
}

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load/generator");
    TCase *load = tcase_create("load");
    add_tests(load);
    suite_add_tcase(suite, load);
    return suite;
}
