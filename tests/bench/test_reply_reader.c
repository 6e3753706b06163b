#include "bench/reply_reader.h"
#include "tests/check_main.h"

#include <stdlib.h>

#define CODES_MAX 8

static const struct {
    const char *name, *input;
    unsigned codes[CODES_MAX]; /* in order, 0 at the end */
    bool bad;                  /* after them */
} cases[] = {
    {"one", "250 2.0.0 Ok\r\n", {250}, false},
    {"no text", "354\r\n", {354}, false},
    {"a bare line end", "220 hello\n", {220}, false},
    {"several", "250 a\r\n550 5.1.1 b\r\n354 c\r\n", {250, 550, 354}, false},
    {"continuation", "250-mx\r\n250-SIZE\r\n250 PIPELINING\r\n221 bye\r\n", {250, 221}, false},
    {"unfinished", "250 a\r\n250 wai", {250}, false},
    {"unfinished continuation", "250-mx\r\n", {0}, false},
    {"nothing", "", {0}, false},
    {"not a reply", "hello\r\n", {0}, true},
    {"too short", "25\r\n", {0}, true},
    {"no such class", "150 a\r\n", {0}, true},
    {"bad after good", "250 a\r\n-ERR\r\n", {250}, true},
};

/* Feeds `step` bytes at a time. */
static void check_case(int number, size_t step)
{
    struct reply_reader_reader reader = {0};
    struct span input = span_text(cases[number].input);
    const unsigned *expected = cases[number].codes;
    bool bad = false;
    for (size_t at = 0; at < input.size && !bad; at += step) {
        struct span piece = span_from(input, at);
        if (piece.size > step)
            piece.size = step;
        unsigned code;
        enum reply_reader_result result;
        while ((result = reply_reader_next(&reader, &piece, &code)) == REPLY_READER_DONE)
            ck_assert_msg(*expected++ == code, "%s, step %zu: got %u", cases[number].name, step,
                          code);
        bad = result == REPLY_READER_BAD;
    }
    ck_assert_msg(*expected == 0, "%s, step %zu: %u is missing", cases[number].name, step,
                  *expected);
    ck_assert_msg(bad == cases[number].bad, "%s, step %zu: bad %d", cases[number].name, step, bad);
}

START_TEST(replies_at_any_segmentation)
{
    for (size_t step = 1; step <= 64; step++)
        check_case(_i, step);
}
END_TEST

START_TEST(a_line_has_a_maximum)
{
    uint8_t line[REPLY_READER_LINE_BYTES_MAX + 1];
    memset(line, '2', sizeof(line));
    unsigned code;
    struct reply_reader_reader reader = {0};
    struct span longest = span_of(line, REPLY_READER_LINE_BYTES_MAX);
    ck_assert_int_eq(reply_reader_next(&reader, &longest, &code), REPLY_READER_MORE);
    struct span more = span_of(line, 1);
    ck_assert_int_eq(reply_reader_next(&reader, &more, &code), REPLY_READER_BAD);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("reply_reader");
    TCase *tests = tcase_create("replies");
    tcase_add_loop_test(tests, replies_at_any_segmentation, 0, sizeof(cases) / sizeof(cases[0]));
    tcase_add_test(tests, a_line_has_a_maximum);
    suite_add_tcase(suite, tests);
    return suite;
}
