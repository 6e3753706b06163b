#include "tests/check_main.h"

#include "base/clock.h"
#include "base/log.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int stderr_saved, pipe_read;

/* A packet pipe: each read gives what one write gave. */
static void capture(void)
{
    int fds[2];
    unsetenv("JOURNAL_STREAM");
    stderr_saved = dup(STDERR_FILENO);
    ck_assert_int_eq(pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    pipe_read = fds[0];
}

static void release(void)
{
    dup2(stderr_saved, STDERR_FILENO);
    close(stderr_saved);
    close(pipe_read);
}

/* "" when nothing was written. */
static const char *next_write(void)
{
    static char text[8192];
    ssize_t size = read(pipe_read, text, sizeof text - 1);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

START_TEST(one_write_each)
{
    log_error("disk %s failed %d times", "a", 3);
    log_warning("low");
    log_info("started");
    ck_assert_str_eq(next_write(), "error disk a failed 3 times\n");
    ck_assert_str_eq(next_write(), "warning low\n");
    ck_assert_str_eq(next_write(), "info started\n");
}
END_TEST

START_TEST(level_decides)
{
    log_debug("hidden");
    ck_assert_str_eq(next_write(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("shown");
    ck_assert_str_eq(next_write(), "debug shown\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("hidden");
    ck_assert_str_eq(next_write(), "");
    log_error("shown");
    ck_assert_str_eq(next_write(), "error shown\n");
}
END_TEST

START_TEST(journal_priorities)
{
    setenv("JOURNAL_STREAM", "8:12345", 1);
    log_error("one");
    log_info("two");
    ck_assert_str_eq(next_write(), "<3>one\n");
    ck_assert_str_eq(next_write(), "<6>two\n");
}
END_TEST

START_TEST(nobody_forges_a_line)
{
    log_info("a\nerror b\r\x1b[2J\x7f");
    ck_assert_str_eq(next_write(), "info a error b  [2J \n");
    ck_assert_str_eq(next_write(), "");
}
END_TEST

START_TEST(long_lines_are_cut)
{
    char text[5000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    log_info("%s", text);
    const char *line = next_write();
    ck_assert_uint_eq(strlen(line), 1024);
    ck_assert_uint_eq((unsigned char)line[1022], 'x');
    ck_assert_uint_eq((unsigned char)line[1023], '\n');
    ck_assert_str_eq(next_write(), "");
}
END_TEST

START_TEST(escapes)
{
    static const struct {
        struct span bytes;
        size_t capacity;
        const char *text;
    } table[] = {
        {SPAN_INIT("plain <a@b> ~"), 64, "plain <a@b> ~"},
        {SPAN_INIT("a\r\n\0\x7F\x80\xFF\\"), 64, "a\\x0D\\x0A\\x00\\x7F\\x80\\xFF\\x5C"},
        {SPAN_INIT("123456"), 7, "123456"},
        {SPAN_INIT("1234567"), 7, "123456"},
        {SPAN_INIT("12\n3"), 7, "12\\x0A"},
        {SPAN_INIT("123\n4"), 7, "123"}, /* an escape is never halved */
        {SPAN_INIT("anything"), 1, ""},
        {{NULL, 0}, 8, ""},
    };
    char out[64];
    memset(out, '#', sizeof out);
    ck_assert_str_eq(log_escape(table[_i].bytes, out, table[_i].capacity), table[_i].text);
    if (table[_i].capacity < sizeof out)
        ck_assert_int_eq(out[table[_i].capacity], '#');
}
END_TEST

START_TEST(limits_per_second)
{
    struct log_limit limit = {0};
    for (unsigned second = 100; second < 103; second++) {
        unsigned allowed = 0;
        for (unsigned i = 0; i < 10; i++)
            allowed += log_allowed(&limit, second * NS_PER_S + i, 3);
        ck_assert_uint_eq(allowed, 3);
    }
    ck_assert_uint_eq(limit.suppressed, 21);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, capture, release);
    tcase_add_test(tcase, one_write_each);
    tcase_add_test(tcase, level_decides);
    tcase_add_test(tcase, journal_priorities);
    tcase_add_test(tcase, nobody_forges_a_line);
    tcase_add_test(tcase, long_lines_are_cut);
    tcase_add_loop_test(tcase, escapes, 0, 8);
    tcase_add_test(tcase, limits_per_second);
    suite_add_tcase(suite, tcase);
    return suite;
}
