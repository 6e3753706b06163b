#include "tools/blast_figures.h"

#include "tests/check_main.h"
#include "tests/tools/blast_sample.h"

#include <stdlib.h>

START_TEST(rates)
{
    struct blast_sample *sample = blast_sample();
    struct blast_figures figures = blast_figures(&sample->report);
    ck_assert_double_eq(figures.ended_per_second, 500);
    ck_assert_double_eq(figures.acked_per_second, 497.5);
    ck_assert_double_eq(figures.bytes_per_second, 2e6);
    ck_assert_double_eq(figures.cpu_us_per_message, 250);
    free(sample);
}
END_TEST

START_TEST(nothing_is_divided_by_nothing)
{
    struct blast_sample *sample = blast_sample_empty();
    sample->report.cpu_seconds = 1;
    struct blast_figures figures = blast_figures(&sample->report);
    ck_assert_double_eq(figures.acked_per_second, 0);
    ck_assert_double_eq(figures.cpu_us_per_message, 0);
    sample->report.total.messages.acked = UINT64_MAX;
    sample->report.seconds = 1e-320;
    ck_assert_double_eq(blast_figures(&sample->report).acked_per_second, 0);
    free(sample);
}
END_TEST

/* One change of the sample, and the one note that it makes. */
static const struct {
    double rate, behind, seconds, cpu_seconds;
    uint64_t acked; /* 0: the sample's */
    uint32_t gather_us;
    bool interrupted, gave_up, ledger_failed, warning;
    const char *text; /* NULL: none; else how it begins */
} rows[] = {
    {.text = NULL},
    {.rate = 500, .text = "held 500/s within 0.01 %"},
    {.rate = 501, .text = "held 501/s within 0.20 %"},
    {.rate = 500, .behind = 0.0009, .text = "held"},
    {.rate = 800,
     .behind = 0.37,
     .warning = true,
     .text = "fell behind: asked 800/s, got 500/s, 37 % of messages began more than 1 s late or"},
    {.rate = 510, .text = "asked 510/s, got 500/s over the whole run"},
    {.rate = 490, .text = "asked 490/s, got 500/s: too few messages for a rate to be told"},
    {.interrupted = true, .warning = true, .text = "interrupted"},
    {.ledger_failed = true, .warning = true, .text = "the ledger could not be written"},
    {.gave_up = true, .warning = true, .text = "gave up"},
    {.cpu_seconds = 7.3, .warning = true, .text = "the load generator was busy 91.2 % of the time"},
    {.cpu_seconds = 9, .warning = true, .text = "the load generator was busy 100 % of the time"},
    {.cpu_seconds = 7, .text = NULL},
    {.gather_us = 50, .text = "replies were gathered for up to 50 µs"},
    {.gather_us = BLAST_GATHER_AUTO, .text = "replies were gathered for up to 250 µs"},
    {.gather_us = BLAST_GATHER_AUTO, .rate = 500, .text = "held 500/s within 0.01 %"},
    {.seconds = 0.9, .text = "it lasted less than a second"},
    {.acked = 999, .text = "999 messages are too few for p99.9"},
    {.acked = 1, .text = "1 message is too few for p99.9"},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

START_TEST(gathers_by_itself)
{
    struct blast_options options;
    blast_options_default(&options);
    ck_assert_uint_eq(blast_gather_us(&options), 250);
    options.shards = options.connections / 3; /* at most three each: as good as one by one */
    ck_assert_uint_eq(blast_gather_us(&options), 0);
    options.gather_us = 7;
    ck_assert_uint_eq(blast_gather_us(&options), 7);
    options.rate = 100;
    ck_assert_uint_eq(blast_gather_us(&options), 7);
    options.gather_us = BLAST_GATHER_AUTO;
    options.shards = 1;
    ck_assert_uint_eq(blast_gather_us(&options), 0);
    options.rate = 0;
    options.dpdk.wanted = true; /* polls: nothing wakes it */
    ck_assert_uint_eq(blast_gather_us(&options), 0);
}
END_TEST

START_TEST(each_note)
{
    struct blast_sample *sample = blast_sample();
    struct blast_note notes[BLAST_NOTES_MAX];
    sample->options.rate = rows[_i].rate;
    sample->options.gather_us = rows[_i].gather_us;
    sample->report.behind = rows[_i].behind;
    sample->report.interrupted = rows[_i].interrupted;
    sample->report.gave_up = rows[_i].gave_up;
    sample->report.ledger_failed = rows[_i].ledger_failed;
    if (rows[_i].seconds > 0)
        sample->report.seconds = rows[_i].seconds;
    if (rows[_i].cpu_seconds > 0)
        sample->report.cpu_seconds = rows[_i].cpu_seconds;
    if (rows[_i].acked > 0)
        sample->report.total.latency[TALLY_TOTAL].count = rows[_i].acked;
    uint32_t count = blast_notes(&sample->options, &sample->report, notes);
    ck_assert_uint_eq(count, rows[_i].text != NULL);
    if (count > 0) {
        ck_assert_msg(strncmp(notes[0].text, rows[_i].text, strlen(rows[_i].text)) == 0, "%s",
                      notes[0].text);
        ck_assert_int_eq(notes[0].warning, rows[_i].warning);
    }
    free(sample);
}
END_TEST

START_TEST(there_is_room_for_all_notes)
{
    struct blast_sample *sample = blast_sample();
    struct blast_note notes[BLAST_NOTES_MAX];
    sample->options.rate = 1e8;
    sample->options.gather_us = 100000;
    sample->report.behind = 0.99999;
    sample->report.interrupted = sample->report.gave_up = true;
    sample->report.ledger_failed = true;
    sample->report.cpu_seconds = 100;
    sample->report.total.latency[TALLY_TOTAL].count = 1;
    uint32_t count = blast_notes(&sample->options, &sample->report, notes);
    ck_assert_uint_eq(count, 7);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_lt(strlen(notes[i].text), BLAST_NOTE_BYTES - 1);
    free(sample);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("blast_figures");
    TCase *tests = tcase_create("blast_figures");
    tcase_add_test(tests, rates);
    tcase_add_test(tests, nothing_is_divided_by_nothing);
    tcase_add_test(tests, gathers_by_itself);
    tcase_add_loop_test(tests, each_note, 0, ROWS);
    tcase_add_test(tests, there_is_room_for_all_notes);
    suite_add_tcase(suite, tests);
    return suite;
}
