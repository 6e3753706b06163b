#include "tools/blast_table.h"

#include "tests/check_main.h"
#include "tests/tools/blast_sample.h"

#include <stdlib.h>

static char *table_of(const struct blast_sample *sample)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    ck_assert(out != NULL);
    blast_table_print(out, &sample->options, &sample->report);
    fclose(out);
    return text;
}

static void check(const struct blast_sample *sample, const char *expected)
{
    char *text = table_of(sample);
    ck_assert_msg(strcmp(text, expected) == 0, "\n%s", text);
    free(text);
}

START_TEST(everything)
{
    struct blast_sample *sample = blast_sample();
    sample->options.rate = 500;
    check(sample,
          "smtp://127.0.0.1:2525\n"
          "open loop at 500/s, 10 connections, 2 shards, 4.0 s\n"
          "\n"
          "                     sent        acked      refused       failed     doubtful\n"
          "messages            2,000        1,990            5            3            2\n"
          "recipients          4,000        3,980           10            6            4\n"
          "\n"
          "rate        498 messages/s, 2.00 MB/s\n"
          "CPU         500 ms, 250 µs per message\n"
          "connections 10 came up, 4 did not; 1 retry\n"
          "\n"
          "replies     250           12,345\n"
          "            451                5\n"
          "\n"
          "sessions    connection lost                 2\n"
          "\n"
          "latency             count      p50      p90      p99    p99.9      max     mean\n"
          "connect                10  50.0 µs  90.0 µs   100 µs   100 µs   100 µs  55.0 µs\n"
          "commit              1,990   995 µs  1.79 ms  1.97 ms  1.99 ms  1.99 ms   996 µs\n"
          "total               1,990  1.99 ms  3.58 ms  3.94 ms  3.98 ms  3.98 ms  1.99 ms\n"
          "\n"
          "held 500/s within 0.01 %\n");
    free(sample);
}
END_TEST

START_TEST(nothing)
{
    struct blast_sample *sample = blast_sample_empty();
    sample->options.connections = sample->options.shards = 1;
    sample->report.gave_up = true;
    check(sample, "smtp://127.0.0.1:2525\n"
                  "closed loop, 1 connection, 1 shard, 0 s\n"
                  "\n"
                  "                     sent        acked      refused       failed     doubtful\n"
                  "messages                0            0            0            0            0\n"
                  "recipients              0            0            0            0            0\n"
                  "\n"
                  "rate        0 messages/s, 0 MB/s\n"
                  "CPU         0 µs, 0 µs per message\n"
                  "connections 0 came up, 0 did not; 0 retries\n"
                  "\n"
                  "warning: gave up: there was no connection to be had any more\n");
    free(sample);
}
END_TEST

/* A name may hold anything but a line of the table's own. */
START_TEST(names_are_escaped)
{
    struct blast_sample *sample = blast_sample_empty();
    snprintf(sample->options.target.host, sizeof sample->options.target.host, "a\n\x1b[2Jb");
    char *text = table_of(sample);
    ck_assert(strncmp(text, "smtp://a\\x0A\\x1B[2Jb:2525\n", 26) == 0);
    free(text);
    free(sample);
}
END_TEST

START_TEST(great_counts_push_nothing_together)
{
    struct blast_sample *sample = blast_sample_empty();
    memset(&sample->report.total.messages, 0xff, sizeof sample->report.total.messages);
    char *text = table_of(sample);
    ck_assert(strstr(text, "18,446,744,073,709,551,615 18,446") != NULL);
    free(text);
    free(sample);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("blast_table");
    TCase *tests = tcase_create("blast_table");
    tcase_add_test(tests, everything);
    tcase_add_test(tests, nothing);
    tcase_add_test(tests, names_are_escaped);
    tcase_add_test(tests, great_counts_push_nothing_together);
    suite_add_tcase(suite, tests);
    return suite;
}
