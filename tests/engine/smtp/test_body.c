#include "engine/smtp/body.h"

#include "tests/check_main.h"

#include <stdlib.h>

#define NAME(literal)                                                                              \
    {                                                                                              \
        (const uint8_t *)literal, sizeof literal - 1                                               \
    }

struct row {
    struct span input;
    bool ended;
    uint64_t bytes, header_bytes, octets;
    uint32_t stuffed, hops;
    bool bare, long_line, eight_bit;
};

static const char long_header[] =
    "X: 0123456789012345678901234567890123456789012345678901234567890123456789\r\n"
    "Received: a\r\n\r\nb\r\n.\r\n";

static const struct row rows[] = {
    {NAME(".\r\n"), true, 3, 0, 0, 0, 0, 0, 0, 0},
    {NAME("\r\n.\r\n"), true, 5, 2, 2, 0, 0, 0, 0, 0},
    {NAME("a\r\n\r\nb\r\n.\r\nNOOP\r\n"), true, 11, 5, 8, 0, 0, 0, 0, 0},
    {NAME("a\r\nb\r\n.\r\n"), true, 9, 6, 6, 0, 0, 0, 0, 0},
    {NAME(".a\r\n..\r\n...\r\n.\r\n"), true, 16, 13, 10, 3, 0, 0, 0, 0},
    {NAME("a\r\n.\r"), false, 5, 0, 3, 1, 0, 0, 0, 0},
    {NAME("a\r\n.\r.\r\n"), false, 8, 0, 7, 1, 0, true, 0, 0},
    {NAME("a\n.\n.\r\n"), false, 7, 0, 7, 0, 0, true, 0, 0},
    {NAME("a\r\r\n.\r\n"), true, 7, 4, 4, 0, 0, true, 0, 0},
    {NAME("\n.\r\n.\r\n"), true, 7, 4, 4, 0, 0, true, 0, 0},
    {NAME("Received: a\r\nreceived:\r\nReceived\r\n\r\nReceived:\r\n.\r\n"), true, 50, 36, 47, 0, 2,
     0, 0, 0},
    {NAME(".Received: a\r\n\r\n.\r\n"), true, 19, 16, 15, 1, 0, 0, 0, 0},
    {{(const uint8_t *)long_header, sizeof long_header - 1}, true, 96, 90, 93, 0, 1, 0, 0, 0},
    {NAME("\xE9\r\n.\r\n"), true, 6, 3, 3, 0, 0, 0, 0, true},
};

struct scan {
    enum body_event (*run)(struct body *body, struct span input, size_t *consumed);
};

static const struct scan scans[] = {{body_scan}, {body_scan_baseline}, {body_scan_scalar}};

/* All of `input` in pieces; what chunks want stuffed is stuffed. */
static enum body_event scan_pieces(struct scan scan, struct body *body, struct span input,
                                   size_t piece, size_t *consumed)
{
    enum body_event event = BODY_MORE;
    *consumed = 0;
    while (*consumed < input.size && event != BODY_END) {
        size_t left = input.size - *consumed, used;
        event = scan.run(body, span_of(input.data + *consumed, left < piece ? left : piece), &used);
        *consumed += used;
        if (event == BODY_STUFF)
            body_stuff(body);
    }
    return event;
}

static void same(const struct body *a, const struct body *b)
{
    if (memcmp(a, b, sizeof *a) == 0)
        return;
    ck_assert_uint_eq(a->bytes, b->bytes);
    ck_assert_uint_eq(a->line_start, b->line_start);
    ck_assert_uint_eq(a->header_bytes, b->header_bytes);
    ck_assert_uint_eq(a->stuffed, b->stuffed);
    ck_assert_uint_eq(a->hops, b->hops);
    ck_assert_uint_eq(a->state, b->state);
    ck_assert_uint_eq(a->matched, b->matched);
    ck_assert_uint_eq(a->eight_bit, b->eight_bit);
    ck_assert_uint_eq(a->bare, b->bare);
    ck_assert_uint_eq(a->long_line, b->long_line);
    ck_abort();
}

START_TEST(test_rows)
{
    const struct row *row = &rows[_i / 3];
    struct scan scan = scans[_i % 3];
    for (size_t piece = 1; piece <= row->input.size; piece++) {
        struct body body;
        size_t consumed;
        body_init(&body, 100, false);
        ck_assert_int_eq(scan_pieces(scan, &body, row->input, piece, &consumed) == BODY_END,
                         row->ended);
        ck_assert_uint_eq(consumed, row->bytes);
        ck_assert_uint_eq(body.bytes, row->bytes);
        ck_assert_uint_eq(body.header_bytes, row->header_bytes);
        ck_assert_uint_eq(body_octets(&body), row->octets);
        ck_assert_uint_eq(body.stuffed, row->stuffed);
        ck_assert_uint_eq(body.hops, row->hops);
        ck_assert_uint_eq(body.bare, row->bare);
        ck_assert_uint_eq(body.long_line, row->long_line);
        ck_assert_uint_eq(body.eight_bit, row->eight_bit);
    }
}
END_TEST

/* A line of `_i` bytes in all, at every place within a block, against a limit of 130. */
START_TEST(test_line_limit)
{
    uint8_t text[512];
    for (size_t before = 2; before < 70; before++) {
        size_t size = before + (size_t)_i;
        memset(text, 'x', size);
        memcpy(text + before - 2, "\r\n", 2);
        memcpy(text + size - 2, "\r\n", 2);
        for (unsigned chunked = 0; chunked < 2; chunked++) {
            struct body body;
            size_t consumed;
            body_init(&body, 130, chunked);
            body_scan(&body, span_of(text, size), &consumed);
            ck_assert_int_eq(body.long_line, _i > 130);
        }
    }
}
END_TEST

/* Bytes that matter, in an order that means little. */
static void random_text(uint32_t *seed, uint8_t *out, size_t size, unsigned kind)
{
    static const struct span words[] = {
        NAME("\r\n"),      NAME("."),    NAME("\r"),   NAME("\n"),
        NAME("\r\n."),     NAME("x"),    NAME("\xC3"), NAME("\r\n.\r\n"),
        NAME("received:"), NAME("Rece"), NAME("\0"),   NAME("0123456789012345678901234567890"),
    };
    const unsigned count = sizeof words / sizeof *words;
    for (size_t used = 0; used < size;) {
        *seed = *seed * 1664525 + 1013904223;
        unsigned pick = (*seed >> 24) % (kind == 0 ? count : kind == 1 ? 6 : 2 * count);
        struct span word = pick < count ? words[pick] : words[count - 1];
        size_t take = word.size < size - used ? word.size : size - used;
        memcpy(out + used, word.data, take);
        used += take;
    }
}

START_TEST(test_twins)
{
    uint32_t seed = 12345 + (uint32_t)_i;
    bool chunked = _i & 1;
    struct scan scan = scans[_i / 2];
    for (unsigned round = 0; round < 1500; round++) {
        uint8_t text[400];
        struct body scalar, blocks;
        size_t scalar_consumed, consumed, size = 1 + seed % sizeof text;
        random_text(&seed, text, size, round % 3);
        uint8_t *copy = malloc(size); /* a sanitizer sees what reads beyond it */
        memcpy(copy, text, size);
        body_init(&scalar, 64 + round % 200, chunked);
        blocks = scalar;
        enum body_event event =
            scan_pieces(scans[2], &scalar, span_of(text, size), 1, &scalar_consumed);
        size_t piece = round & 1 ? size : 1 + seed % 130;
        ck_assert_int_eq(scan_pieces(scan, &blocks, span_of(copy, size), piece, &consumed),
                         event == BODY_STUFF ? BODY_MORE : event);
        free(copy);
        ck_assert_uint_eq(consumed, scalar_consumed);
        same(&blocks, &scalar);
    }
}
END_TEST

/* The end of data, and what only looks like it, at every place in two blocks. */
START_TEST(test_places)
{
    static const char *const ends[] = {"\r\n.\r\n", "\r\n..\r\n", "\n.\r\n", "\r\n.\n", "\r.\r\n"};
    uint8_t text[200];
    for (size_t end = 0; end < sizeof ends / sizeof *ends; end++) {
        for (size_t at = 0; at < 140; at++) {
            struct body scalar, blocks;
            size_t scalar_consumed, consumed;
            memset(text, 'x', sizeof text);
            memcpy(text + at, ends[end], strlen(ends[end]));
            body_init(&scalar, 0, false);
            blocks = scalar;
            enum body_event event =
                body_scan_scalar(&scalar, span_of(text, sizeof text), &scalar_consumed);
            ck_assert_int_eq(event, end == 0 ? BODY_END : BODY_MORE);
            ck_assert_int_eq(body_scan(&blocks, span_of(text, sizeof text), &consumed), event);
            ck_assert_uint_eq(consumed, scalar_consumed);
            same(&blocks, &scalar);
        }
    }
}
END_TEST

START_TEST(test_finish)
{
    const struct {
        const char *chunk, *end;
        uint64_t header_bytes, octets;
        bool bare;
    } cases[] = {
        {"", ".\r\n", 0, 0, false},
        {"a\r\n\r\nb\r\n", ".\r\n", 5, 8, false},
        {"a\r\n\r\nb", "\r\n.\r\n", 5, 6, false},
        {"a", "\r\n.\r\n", 3, 1, false},
        {".", "\r\n.\r\n", 4, 1, false},
        {"a\r", "\r\n.\r\n", 4, 2, true},
        {"\r", "\r\n.\r\n", 3, 1, true},
        {"a\n", "\r\n.\r\n", 4, 2, true},
    };
    struct body body;
    size_t consumed;
    struct span chunk = span_text(cases[_i].chunk), end = span_text(cases[_i].end);
    body_init(&body, 0, true);
    scan_pieces(scans[0], &body, chunk, 1, &consumed);
    uint64_t before = body.bytes;
    ck_assert(span_equal(body_finish(&body), end));
    ck_assert_uint_eq(body.bytes, before + end.size);
    ck_assert_uint_eq(body.unterminated, end.size == 5);
    ck_assert_uint_eq(body.header_bytes, cases[_i].header_bytes);
    ck_assert_uint_eq(body_octets(&body), cases[_i].octets);
    ck_assert_uint_eq(body.bare, cases[_i].bare);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_body");
    TCase *tcase = tcase_create("body");
    tcase_add_loop_test(tcase, test_rows, 0, 3 * sizeof rows / sizeof *rows);
    tcase_add_loop_test(tcase, test_line_limit, 126, 135);
    tcase_add_loop_test(tcase, test_twins, 0, 4);
    tcase_add_test(tcase, test_places);
    tcase_add_loop_test(tcase, test_finish, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}
