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

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load/sender time");
    TCase *load = tcase_create("load");
    tcase_add_loop_test(load, each_phase_takes_its_time, 0,
                        sizeof latency_rows / sizeof *latency_rows);
    suite_add_tcase(suite, load);
    (void)check_fates;
    return suite;
}
