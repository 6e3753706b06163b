/* What one connection's time is spent on, to the microsecond; and how long it waits for a server
 * that says nothing, reads nothing, or does both very slowly. */
#include "engine/load/sender.h"

#include "tests/check_main.h"
#include "tests/engine/load/load_bed.h"

static struct load_bed bed;

enum mode { STEP, PIPELINED, CHUNKED };

static struct load_bed_options options_of(enum mode mode, const char *size, const char *recipients)
{
    struct load_bed_options options = load_bed_options();
    struct fault fault;
    options.blast.messages = 3;
    options.blast.pipeline = mode != STEP;
    options.blast.chunking = mode == CHUNKED;
    ck_assert(distribution_parse(size, 1, 1 << 20, &options.blast.size, &fault) == STATUS_OK);
    ck_assert(distribution_parse(recipients, 1, 100, &options.blast.recipients, &fault) ==
              STATUS_OK);
    return options;
}

static void check_latencies(const struct load_bed_options *options, const char *name,
                            const char *expected)
{
    char text[LOAD_BED_TEXT_BYTES];
    load_bed_go(&bed, options, 600000);
    load_bed_latencies(&bed, text);
    ck_assert_msg(strcmp(text, expected) == 0, "%s:\n  %s\nis not\n  %s", name, text, expected);
    load_bed_close(&bed);
}

static void check_fates(const struct load_bed_options *options, const char *name,
                        const char *expected)
{
    char text[LOAD_BED_TEXT_BYTES];
    load_bed_go(&bed, options, 600000);
    load_bed_fates(&bed, text);
    ck_assert_msg(strcmp(text, expected) == 0, "%s:\n  %s\nis not\n  %s", name, text, expected);
    load_bed_close(&bed);
}

/* ----------------------------------------------------------------------------- latencies ---- */

/* A round trip takes 2 ms, and the banner comes together with the connection. */
static const struct latency_row {
    const char *name;
    enum mode mode;
    bool lmtp;
    uint32_t messages;
    const char *size, *recipients, *user;
    struct script_fault faults[2];
    const char *expected; /* load_bed_latencies: the sum of each phase in µs */
} latency_rows[] = {
    {"four round trips each",
     STEP,
     false,
     3,
     "1k",
     "1",
     NULL,
     {{0}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 mail 3/6000 rcpt 3/6000 data 3/6000 commit 3/6000 "
     "total 3/24000"},
    {"a round trip for each recipient",
     STEP,
     false,
     3,
     "1k",
     "3",
     NULL,
     {{0}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 mail 3/6000 rcpt 9/18000 data 3/6000 commit 3/6000 "
     "total 3/36000"},
    {"log in",
     STEP,
     false,
     3,
     "1k",
     "1",
     "me",
     {{0}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 auth 1/2000 mail 3/6000 rcpt 3/6000 data 3/6000 commit "
     "3/6000 total 3/24000"},
    {"LMTP: everybody waits for the end of data",
     STEP,
     true,
     3,
     "1k",
     "3",
     NULL,
     {{0}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 mail 3/6000 rcpt 9/18000 data 3/6000 commit 9/18000 "
     "total 3/36000"},
    {"an envelope, then its body with the next envelope",
     PIPELINED,
     false,
     3,
     "1k",
     "2",
     NULL,
     {{0}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 mail 3/6000 rcpt 6/12000 data 3/6000 commit 3/6000 "
     "total 3/12000"},
    {"all at once",
     CHUNKED,
     false,
     3,
     "1k",
     "2",
     NULL,
     {{0}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 mail 3/6000 rcpt 6/12000 commit 3/6000 total 3/6000"},
    {"a transaction is forgotten before the next begins",
     STEP,
     false,
     3,
     "1k",
     "1",
     NULL,
     {{SCRIPT_RCPT, SCRIPT_SAY, "550 no\r\n", 0, 1}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 mail 3/6000 rcpt 3/6000 data 2/4000 commit 2/4000 "
     "total 2/18000"},
    {"the end of data for nobody",
     PIPELINED,
     false,
     1,
     "1k",
     "1",
     NULL,
     {{SCRIPT_RCPT, SCRIPT_SAY, "550 no\r\n", 0, 1}, {SCRIPT_DATA, SCRIPT_SAY, "354 on\r\n", 0, 1}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 mail 1/2000 rcpt 1/2000 data 1/2000 commit 1/2000"},
    {"a body larger than the window",
     CHUNKED,
     false,
     1,
     "200k",
     "1",
     NULL,
     {{0}},
     "connect 1/2000 banner 1/0 ehlo 1/2000 mail 1/2000 rcpt 1/2000 commit 1/1000 total 1/2000"},
};

START_TEST(each_phase_takes_its_time)
{
    const struct latency_row *row = &latency_rows[_i];
    struct load_bed_options options = options_of(row->mode, row->size, row->recipients);
    options.blast.messages = row->messages;
    options.script.lmtp = row->lmtp;
    memcpy(options.script.faults, row->faults, sizeof row->faults);
    options.blast.user = row->user;
    options.blast.password = "secret";
    check_latencies(&options, row->name, row->expected);
}
END_TEST

/* --------------------------------------------------------------------------- odd servers ---- */

/* In whatever pieces the server's words and ours come. */
START_TEST(pieces_make_no_difference)
{
    static const char *const expected[] = {
        [STEP] = "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1",
        [PIPELINED] = "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1",
        [CHUNKED] = "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:15; fine 1",
    };
    for (enum mode mode = STEP; mode <= CHUNKED; mode++) {
        struct load_bed_options options = options_of(mode, "1k", "2");
        options.script.dribble_ns = 7 * NS_PER_MS;
        check_fates(&options, "late bytes", expected[mode]);
        options.script.dribble_ns = 0;
        options.segment_bytes_max = 1;
        options.window_bytes = 100;
        check_fates(&options, "small segments", expected[mode]);
    }
}
END_TEST

START_TEST(what_is_not_offered_is_not_used)
{
    for (enum mode mode = STEP; mode <= CHUNKED; mode++) {
        struct load_bed_options options = options_of(mode, "1k", "2");
        options.script.bare = true;
        check_fates(&options, "bare", "3 = 3 acked; 6 = 6 acked; 220:1 221:1 250:13 354:3; fine 1");
    }
}
END_TEST

START_TEST(who_may_not_log_in_sends_nothing)
{
    static const struct {
        struct script_fault fault;
        const char *expected;
    } rows[] = {
        {{SCRIPT_AUTH, SCRIPT_SAY, "535 who?\r\n", 0, 0}, "0; 0; 220:3 250:3 535:3; turned away 3"},
        {{SCRIPT_HELLO, SCRIPT_SAY, "250 sim.test\r\n", 0, 0}, "0; 0; 220:3 250:3; no AUTH 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load_bed_options options = options_of(STEP, "1k", "1");
        options.blast.user = "me";
        options.blast.password = "secret";
        options.script.faults[0] = rows[i].fault;
        check_fates(&options, "log in", rows[i].expected);
    }
}
END_TEST

/* ------------------------------------------------------------------------------ patience ---- */

/* What fits into the network and into blocks is on its way, so nobody knows what became of it. */
START_TEST(a_server_that_stops_reading_is_left)
{
    static const struct {
        enum mode mode;
        const char *size, *expected;
    } rows[] = {
        {STEP, "100k",
         "3 = 2 acked + 1 doubtful; 3 = 2 acked + 1 doubtful; 220:2 221:1 250:10 "
         "354:3; fine 1 timeout 1"},
        {STEP, "250k",
         "3 = 2 acked + 1 failed; 3 = 2 acked + 1 failed; 220:2 221:1 250:10 354:3; "
         "fine 1 timeout 1"},
        {PIPELINED, "250k",
         "3 = 2 acked + 1 failed; 3 = 2 acked + 1 failed; 220:2 221:1 250:10 "
         "354:3; fine 1 timeout 1"},
        {CHUNKED, "250k",
         "3 = 2 acked + 1 failed; 3 = 2 acked + 1 failed; 220:2 221:1 250:11; "
         "fine 1 timeout 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load_bed_options options = options_of(rows[i].mode, rows[i].size, "1");
        options.script.faults[0] = (struct script_fault){SCRIPT_BODY, SCRIPT_DEAFNESS, NULL, 1, 1};
        check_fates(&options, rows[i].size, rows[i].expected);
    }
}
END_TEST

/* 128 KiB a second and a half at a time: its patience is for each piece, not for the whole. */
START_TEST(a_server_that_reads_slowly_is_waited_for)
{
    struct load_bed_options options = options_of(STEP, "250k", "1");
    options.script.sip_ns = 6 * NS_PER_MS;
    options.window_bytes = 1024;
    options.blast.messages = 1;
    options.blast.timeout_ms = 2000;
    check_fates(&options, "slow", "1 = 1 acked; 1 = 1 acked; 220:1 221:1 250:4 354:1; fine 1");
    options.blast.timeout_ms = 1000;
    check_fates(&options, "too slow", "1 = 1 failed; 1 = 1 failed; 220:1 250:3 354:1; timeout 1");
}
END_TEST

/* EHLO's answer has some hundred bytes. */
START_TEST(an_answer_that_trickles_in_is_late)
{
    static const struct {
        uint64_t dribble_ms;
        const char *expected;
    } rows[] = {
        {100, "3 = 3 acked; 3 = 3 acked; 220:1 221:1 250:10 354:3; fine 1"},
        {2000, "0; 0; 220:3; timeout 3"},
        {20000, "0; 0;; timeout 3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load_bed_options options = options_of(STEP, "1k", "1");
        options.script.dribble_ns = rows[i].dribble_ms * NS_PER_MS;
        check_fates(&options, "trickle", rows[i].expected);
    }
}
END_TEST

/* It reads nothing, so it would never see our end and send its own. */
START_TEST(what_makes_no_sense_is_cut_off)
{
    struct load_bed_options options = options_of(PIPELINED, "1k", "1");
    options.script.faults[0] = (struct script_fault){SCRIPT_MAIL, SCRIPT_SAY, "what?\r\n", 0, 1};
    options.script.faults[1] = (struct script_fault){SCRIPT_RCPT, SCRIPT_DEAFNESS, NULL, 0, 1};
    check_fates(&options, "cut off",
                "3 = 2 acked + 1 failed; 3 = 2 acked + 1 failed; 220:2 221:1 250:8 354:2; fine 1 "
                "garbage 1");
    ck_assert_uint_lt(bed.now_ns - bed.opened_ns, NS_PER_S);
}
END_TEST

/* A silence ends when the timeout says, or RFC 5321 if that is less: 2 minutes for DATA, and 5 s
 * for what matters no more. */
START_TEST(silence_is_borne_as_long_as_it_should_be)
{
    static const struct {
        enum script_point point;
        uint64_t timeout_ms, expected_ms;
    } rows[] = {
        {SCRIPT_MAIL, 500, 500},         {SCRIPT_DATA, 60000, 60000},
        {SCRIPT_DATA, 600000, 120000},   {SCRIPT_MAIL, 600000, 300000},
        {SCRIPT_COMMIT, 900000, 600000}, {SCRIPT_QUIT, 600000, 5000},
        {SCRIPT_QUIT, 500, 500},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct load_bed_options options = options_of(STEP, "1k", "1");
        options.blast.messages = 1;
        options.blast.timeout_ms = rows[i].timeout_ms;
        options.script.faults[0] = (struct script_fault){rows[i].point, SCRIPT_SILENCE, NULL, 0, 1};
        load_bed_go(&bed, &options, 3600000);
        uint64_t ms = (bed.now_ns - bed.opened_ns) / NS_PER_MS;
        ck_assert_uint_ge(ms, rows[i].expected_ms);
        ck_assert_uint_lt(ms, rows[i].expected_ms + 16);
        ck_assert_uint_eq(bed.total->failures[SMTP_CLIENT_TIMEOUT], 1);
        load_bed_close(&bed);
    }
}
END_TEST

/* A connection may be idle for as long as it likes; patience begins with the next message, also
 * with one that leaves room for more. */
START_TEST(an_idle_connection_wakes_up)
{
    static const char *const expected[] = {
        [STEP] = "2 = 1 acked + 1 failed; 2 = 1 acked + 1 failed; 220:1 250:4 354:1; timeout 1",
        [PIPELINED] =
            "2 = 1 acked + 1 failed; 2 = 1 acked + 1 failed; 220:1 250:4 354:1; timeout 1",
        [CHUNKED] = "2 = 1 acked + 1 doubtful; 2 = 1 acked + 1 doubtful; 220:1 250:4; timeout 1",
    };
    for (enum mode mode = STEP; mode <= CHUNKED; mode++) {
        struct load_bed_options options = options_of(mode, "1k", "1");
        options.blast.messages = 2;
        options.blast.rate = 0.05; /* the second after 20 s */
        options.blast.timeout_ms = 5000;
        options.script.faults[0] = (struct script_fault){SCRIPT_MAIL, SCRIPT_SILENCE, NULL, 1, 1};
        check_fates(&options, "idle", expected[mode]);
        ck_assert_uint_eq((bed.now_ns - bed.opened_ns) / NS_PER_MS, 4 + 20000 + 5000);
    }
}
END_TEST

/* What is said meanwhile makes nobody wait longer for what was asked before. */
START_TEST(patience_is_not_renewed_by_more_messages)
{
    struct load_bed_options options = options_of(CHUNKED, "1k", "1");
    options.blast.messages = 10;
    options.blast.rate = 10;
    options.blast.timeout_ms = 450; /* the first to the fifth message are under way then */
    options.script.faults[0] = (struct script_fault){SCRIPT_MAIL, SCRIPT_SILENCE, NULL, 0, 1};
    check_fates(&options, "renewed",
                "10 = 5 acked + 5 doubtful; 10 = 5 acked + 5 doubtful; 220:2 221:1 250:17; fine 1 "
                "timeout 1");
}
END_TEST

/* As many letters are under way as there is room for, when nobody answers. */
START_TEST(a_connection_has_a_window)
{
    static const uint32_t expected[] = {[STEP] = 1, [PIPELINED] = 1, [CHUNKED] = SENDER_WINDOW};
    for (enum mode mode = STEP; mode <= CHUNKED; mode++) {
        struct load_bed_options options = options_of(mode, "1k", "1");
        options.blast.messages = 100;
        load_bed_open(&bed, &options);
        load_bed_run_until(&bed, bed.opened_ns + 4 * NS_PER_MS - 1);
        bed.server.script.hold_from_ns = bed.now_ns;
        bed.server.script.hold_ns = NS_PER_S;
        load_bed_run_until(&bed, bed.now_ns + 500 * NS_PER_MS);
        ck_assert_uint_eq(bed.shards[0].generator.in_flight, expected[mode]);
        ck_assert(load_bed_run(&bed, 10000));
        load_bed_end(&bed);
        ck_assert_uint_eq(bed.total->messages.acked, 100);
        load_bed_close(&bed);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load/sender time");
    TCase *load = tcase_create("load");
    tcase_add_loop_test(load, each_phase_takes_its_time, 0,
                        sizeof latency_rows / sizeof *latency_rows);
    tcase_add_test(load, pieces_make_no_difference);
    tcase_add_test(load, what_is_not_offered_is_not_used);
    tcase_add_test(load, who_may_not_log_in_sends_nothing);
    tcase_add_test(load, a_server_that_stops_reading_is_left);
    tcase_add_test(load, a_server_that_reads_slowly_is_waited_for);
    tcase_add_test(load, an_answer_that_trickles_in_is_late);
    tcase_add_test(load, what_makes_no_sense_is_cut_off);
    tcase_add_test(load, an_idle_connection_wakes_up);
    tcase_add_test(load, patience_is_not_renewed_by_more_messages);
    tcase_add_test(load, a_connection_has_a_window);
    tcase_add_test(load, silence_is_borne_as_long_as_it_should_be);
    tcase_set_timeout(load, 30); /* a busy machine is no failure */
    suite_add_tcase(suite, load);
    return suite;
}
