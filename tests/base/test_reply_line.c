#include "base/reply_line.h"
#include "tests/check_main.h"

#include <stdlib.h>

#define KEPT REPLY_LINE_BYTES_KEPT
#define MAX REPLY_LINE_BYTES_MAX

static void fill(uint8_t *line, size_t size, const char *end)
{
    memset(line, 'x', size);
    memcpy(line + size, end, strlen(end));
}

/* Takes the line out of a copy of `input`, cut at `cut`, so that reading beyond a piece is found
 * out. */
static enum reply_line_result take_cut(struct span input, size_t cut, struct span *text)
{
    static uint8_t found[MAX];
    struct reply_line line = {0};
    enum reply_line_result result = REPLY_LINE_MORE;
    for (size_t at = 0; at < input.size && result == REPLY_LINE_MORE;) {
        size_t size = at < cut ? cut - at : input.size - at;
        uint8_t *copy = malloc(size);
        memcpy(copy, input.data + at, size);
        struct span piece = span_of(copy, size);
        result = reply_line_take(&line, &piece, text);
        if (result == REPLY_LINE_DONE) {
            memcpy(found, text->data, text->size);
            *text = span_of(found, text->size);
            ck_assert_uint_eq(line.size, 0);
        }
        if (result != REPLY_LINE_TOO_LONG)
            ck_assert_uint_eq(piece.size, 0);
        free(copy);
        at += size;
    }
    return result;
}

static void expect(struct span input, enum reply_line_result result, size_t size)
{
    for (size_t cut = 0; cut < input.size; cut++) {
        struct span text = {NULL, 0};
        ck_assert_int_eq(take_cut(input, cut, &text), result);
        ck_assert_msg(text.size == size, "%zu of %zu, cut at %zu", text.size, input.size, cut);
        ck_assert(size == 0 || memcmp(text.data, input.data, size) == 0);
    }
}

START_TEST(short_lines)
{
    static const struct {
        struct span line;
        size_t size;
    } table[] = {
        {SPAN_INIT("250 OK\r\n"), 6}, {SPAN_INIT("250 OK\n"), 6}, {SPAN_INIT("\r\n"), 0},
        {SPAN_INIT("\n"), 0},         {SPAN_INIT("\r\r\n"), 1},   {SPAN_INIT("a\rb\0\r\n"), 4},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        expect(table[i].line, REPLY_LINE_DONE, table[i].size);
}
END_TEST

/* Around the length from which on a line is not kept whole. */
START_TEST(long_lines)
{
    static uint8_t line[KEPT + 8];
    static const char *const ends[] = {"\n", "\r\n", "\r\r\n"};
    for (size_t size = KEPT - 4; size < KEPT + 4; size++)
        for (size_t end = 0; end < 3; end++) {
            fill(line, size, ends[end]);
            size_t text = size + (end == 2);
            expect(span_of(line, size + strlen(ends[end])), REPLY_LINE_DONE,
                   text < KEPT ? text : KEPT);
        }
}
END_TEST

START_TEST(too_long_lines)
{
    static uint8_t line[MAX + 2];
    struct span text;
    fill(line, MAX - 2, "\r\n");
    expect(span_of(line, MAX), REPLY_LINE_DONE, KEPT);
    fill(line, MAX - 1, "\r\n");
    expect(span_of(line, MAX + 1), REPLY_LINE_TOO_LONG, 0);
    fill(line, MAX, "");
    ck_assert_int_eq(take_cut(span_of(line, MAX), 5, &text), REPLY_LINE_MORE);
    fill(line, MAX + 1, "");
    ck_assert_int_eq(take_cut(span_of(line, MAX + 1), 5, &text), REPLY_LINE_TOO_LONG);
}
END_TEST

START_TEST(lines_follow_each_other)
{
    struct reply_line line = {0};
    struct span input = SPAN("one\r\ntwo\r\nthr"), text;
    ck_assert_int_eq(reply_line_take(&line, &input, &text), REPLY_LINE_DONE);
    ck_assert(span_equal(text, SPAN("one")));
    ck_assert_int_eq(reply_line_take(&line, &input, &text), REPLY_LINE_DONE);
    ck_assert(span_equal(text, SPAN("two")));
    ck_assert_int_eq(reply_line_take(&line, &input, &text), REPLY_LINE_MORE);
    ck_assert_uint_eq(input.size, 0);
    ck_assert_int_eq(reply_line_take(&line, &input, &text), REPLY_LINE_MORE);
    input = SPAN("ee\r\nfour\r\n");
    ck_assert_int_eq(reply_line_take(&line, &input, &text), REPLY_LINE_DONE);
    ck_assert(span_equal(text, SPAN("three")));
    ck_assert_int_eq(reply_line_take(&line, &input, &text), REPLY_LINE_DONE);
    ck_assert(span_equal(text, SPAN("four")));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("reply_line");
    TCase *tcase = tcase_create("reply_line");
    tcase_add_test(tcase, short_lines);
    tcase_add_test(tcase, long_lines);
    tcase_add_test(tcase, too_long_lines);
    tcase_add_test(tcase, lines_follow_each_other);
    suite_add_tcase(suite, tcase);
    return suite;
}
