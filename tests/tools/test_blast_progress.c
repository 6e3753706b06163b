#include "tools/blast_progress.h"

#include "tests/check_main.h"
#include "tests/tools/blast_sample.h"
#include "tools/figure.h"

#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static uint64_t now_ms;

static uint64_t read_now(void *context)
{
    (void)context;
    return now_ms * NS_PER_MS;
}

static const struct clock fake_clock = {.monotonic_ns = read_now, .wall_ns = read_now};

/* What has been written to `fd`'s other end since; never blocks. */
static const char *taken(int fd)
{
    static char text[4096];
    fcntl(fd, F_SETFL, O_NONBLOCK);
    ssize_t size = read(fd, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

static struct blast_sample *running(void)
{
    struct blast_sample *sample = blast_sample();
    sample->options.messages = 4000;
    sample->report.in_flight = 64;
    sample->report.connections = 10;
    return sample;
}

START_TEST(the_line)
{
    struct blast_sample *sample = running();
    char line[BLAST_PROGRESS_BYTES];
    blast_progress_line(&sample->options, &sample->report, 200, line);
    ck_assert_str_eq(line,
                     " 50 %  500/s  5 refused  3 failed  2 doubtful  4 not connected  "
                     "451: 5  4.0 s left  p50 1.50 ms  p99 3.50 ms  64 in flight  10 connections  "
                     "4.0 s so far");
    sample->options.messages = 0;
    sample->options.duration_ms = 16000;
    blast_progress_line(&sample->options, &sample->report, 12, line);
    ck_assert_str_eq(line, " 25 %  500/s");
    free(sample);
}
END_TEST

/* The most frequent first, those that came as often in their order. */
START_TEST(the_codes_of_errors)
{
    struct blast_sample *sample = blast_sample_empty();
    uint64_t *replies = sample->report.total.replies;
    char line[BLAST_PROGRESS_BYTES];
    replies[399] = 1000000;
    replies[550] = 7;
    replies[421] = 7;
    replies[554] = 1;
    replies[452] = 1200;
    blast_progress_line(&sample->options, &sample->report, 200, line);
    ck_assert_str_eq(line, "  0 %  452: 1,200  421: 7  550: 7  0 in flight  0 connections  "
                           "0 s so far");
    free(sample);
}
END_TEST

START_TEST(the_line_at_the_start)
{
    struct blast_sample *sample = blast_sample_empty();
    char line[BLAST_PROGRESS_BYTES];
    blast_progress_line(&sample->options, &sample->report, 200, line);
    ck_assert_str_eq(line, "  0 %  0 in flight  0 connections  0 s so far");
    free(sample);
}
END_TEST

/* Whole fields, and as many columns as there are at most. */
START_TEST(no_line_is_too_wide)
{
    struct blast_sample *sample = running();
    char line[BLAST_PROGRESS_BYTES], whole[BLAST_PROGRESS_BYTES];
    memset(&sample->report.total.messages, 0x7f, sizeof sample->report.total.messages);
    blast_progress_line(&sample->options, &sample->report, BLAST_PROGRESS_BYTES, whole);
    ck_assert_uint_gt(figure_columns(whole), 150);
    for (unsigned columns = 0; columns < 200; columns++) {
        blast_progress_line(&sample->options, &sample->report, columns, line);
        ck_assert_uint_le(figure_columns(line), columns);
        if (line[0] != '\0')
            ck_assert(line[strlen(line) - 1] != ' ');
    }
    free(sample);
}
END_TEST

START_TEST(on_a_terminal_one_line_is_rewritten)
{
    struct blast_sample *sample = running();
    struct blast_progress_view view;
    struct winsize size = {.ws_row = 24, .ws_col = 13};
    int ours, theirs;
    setenv("TERM", "xterm", 1);
    ck_assert_int_eq(openpty(&ours, &theirs, NULL, NULL, &size), 0);
    now_ms = 1000;
    blast_progress_init(&view, theirs, false, &sample->options, &fake_clock);
    now_ms += BLAST_PROGRESS_LINE_MS - 1;
    blast_progress_show(&view, &sample->report);
    ck_assert_str_eq(taken(ours), "");
    now_ms++;
    blast_progress_show(&view, &sample->report);
    blast_progress_show(&view, &sample->report);
    ck_assert_str_eq(taken(ours), "\r\x1b[K 50 %  500/s");
    size.ws_col = 7;
    ioctl(ours, TIOCSWINSZ, &size);
    now_ms += BLAST_PROGRESS_LINE_MS;
    blast_progress_show(&view, &sample->report);
    ck_assert_str_eq(taken(ours), "\r\x1b[K 50 %");
    blast_progress_deinit(&view);
    ck_assert_str_eq(taken(ours), "\r\x1b[K");
    blast_progress_deinit(&view);
    ck_assert_str_eq(taken(ours), "");
    close(ours);
    close(theirs);
    free(sample);
}
END_TEST

/* A pipe, a terminal that cannot rewrite a line. */
START_TEST(elsewhere_lines_are_plain_and_rare)
{
    struct blast_sample *sample = running();
    struct blast_progress_view view;
    int ends[2];
    setenv("TERM", "dumb", 1);
    ck_assert_int_eq(_i ? openpty(&ends[0], &ends[1], NULL, NULL, NULL) : pipe(ends), 0);
    now_ms = 1000;
    blast_progress_init(&view, ends[1], false, &sample->options, &fake_clock);
    now_ms += BLAST_PROGRESS_PLAIN_MS - 1;
    blast_progress_show(&view, &sample->report);
    ck_assert_str_eq(taken(ends[0]), "");
    now_ms += 5;
    blast_progress_show(&view, &sample->report);
    const char *text = taken(ends[0]);
    ck_assert(strncmp(text, " 50 %  500/s", 12) == 0);
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    ck_assert(strchr(text, '\x1b') == NULL);
    now_ms += BLAST_PROGRESS_PLAIN_MS - 1;
    blast_progress_show(&view, &sample->report);
    blast_progress_deinit(&view);
    ck_assert_str_eq(taken(ends[0]), "");
    close(ends[0]);
    close(ends[1]);
    free(sample);
}
END_TEST

START_TEST(quiet_is_quiet)
{
    struct blast_sample *sample = running();
    struct blast_progress_view view;
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    blast_progress_init(&view, ends[1], true, &sample->options, &fake_clock);
    now_ms += 2 * BLAST_PROGRESS_PLAIN_MS;
    blast_progress_show(&view, &sample->report);
    blast_progress_deinit(&view);
    ck_assert_str_eq(taken(ends[0]), "");
    close(ends[0]);
    close(ends[1]);
    free(sample);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("blast_progress");
    TCase *tests = tcase_create("blast_progress");
    tcase_add_test(tests, the_line);
    tcase_add_test(tests, the_codes_of_errors);
    tcase_add_test(tests, the_line_at_the_start);
    tcase_add_test(tests, no_line_is_too_wide);
    tcase_add_test(tests, on_a_terminal_one_line_is_rewritten);
    tcase_add_loop_test(tests, elsewhere_lines_are_plain_and_rare, 0, 2);
    tcase_add_test(tests, quiet_is_quiet);
    suite_add_tcase(suite, tests);
    return suite;
}
