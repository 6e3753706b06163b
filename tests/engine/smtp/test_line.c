#include "engine/smtp/line.h"

#include "base/output.h"
#include "tests/check_main.h"

#include <stdlib.h>

static struct blocks blocks;
static uint8_t *neighbour; /* of the only block to be had */

static void setup(void)
{
    const uint32_t counts[BLOCK_CLASSES] = {[BLOCK_1K] = 2};
    ck_assert_int_eq(blocks_init(&blocks, counts), STATUS_OK);
    void *first = blocks_take(&blocks, BLOCK_1K);
    neighbour = blocks_take(&blocks, BLOCK_1K);
    ck_assert_ptr_eq((uint8_t *)first + SMTP_LINE_BYTES_MAX, neighbour);
    memset(neighbour, 'n', SMTP_LINE_BYTES_MAX);
    blocks_give(&blocks, BLOCK_1K, first);
}

static void teardown(void)
{
    blocks_give(&blocks, BLOCK_1K, neighbour);
    blocks_deinit(&blocks);
}

/* What comes of `input` in pieces: lines in brackets; B for a bare one, L for one too long. */
static struct span events(struct span input, size_t piece, struct output *out)
{
    struct smtp_line line = {0};
    while (input.size > 0) {
        size_t consumed;
        struct span text;
        struct span part = span_of(input.data, piece < input.size ? piece : input.size);
        enum smtp_line_event event = smtp_line_next(&line, &blocks, part, &consumed, &text);
        if (event == SMTP_LINE_DONE) {
            output_add(out, SPAN("["));
            output_add(out, text);
            output_add(out, SPAN("]"));
        } else if (event != SMTP_LINE_MORE) {
            output_add(out, event == SMTP_LINE_BARE ? SPAN("B") : SPAN("L"));
        }
        if (event != SMTP_LINE_MORE)
            smtp_line_release(&line, &blocks);
        input = span_from(input, consumed);
    }
    ck_assert_uint_eq(blocks.pools[BLOCK_1K].taken, 1 + (line.block != NULL));
    smtp_line_release(&line, &blocks);
    ck_assert_uint_eq(blocks.pools[BLOCK_1K].taken, 1);
    for (size_t i = 0; i < SMTP_LINE_BYTES_MAX; i++)
        if (neighbour[i] != 'n')
            ck_abort_msg("written beyond the block");
    return span_of(out->data, out->size);
}

START_TEST(test_lines)
{
    const struct {
        const char *input, *events;
    } cases[] = {
        {"\r\n", "[]"},       {"NOOP\r\n", "[NOOP]"}, {"a\r\nbc\r\nd", "[a][bc]"},
        {"a\nb\r\n", "B[b]"}, {"\n\r\n", "B[]"},      {"a\rb\r\r\n", "[a\rb\r]"},
    };
    struct span input = span_text(cases[_i].input);
    for (size_t piece = 1; piece <= input.size; piece++) {
        uint8_t bytes[64];
        struct output out = {bytes, 0, sizeof bytes};
        ck_assert(span_equal(events(input, piece, &out), span_text(cases[_i].events)));
    }
}
END_TEST

/* Lines of 1024 bytes fit, longer ones are dropped whole and only once. */
START_TEST(test_length)
{
    enum { SIZE = SMTP_LINE_BYTES_MAX };
    static uint8_t input[4 * SIZE];
    for (size_t size = SIZE - 1; size < 3 * SIZE; size += size < SIZE + 2 ? 1 : 511) {
        memset(input, 'x', size);
        memcpy(input + size - 2, "\r\ny\r\n", 5);
        for (size_t piece = 1; piece <= size + 3; piece += piece < 3 ? 1 : 340) {
            static uint8_t bytes[2 * SIZE];
            struct output out = {bytes, 0, sizeof bytes};
            struct span got = events(span_of(input, size + 3), piece, &out);
            if (size > SIZE)
                ck_assert(span_equal(got, SPAN("L[y]")));
            else
                ck_assert_uint_eq(got.size, size + 3);
        }
    }
}
END_TEST

/* Without a block a partial line waits, a whole one does not. */
START_TEST(test_no_block)
{
    struct smtp_line line = {0};
    struct span text;
    size_t consumed = 7;
    void *last = blocks_take(&blocks, BLOCK_1K);
    ck_assert_int_eq(smtp_line_next(&line, &blocks, SPAN("NO"), &consumed, &text), SMTP_LINE_WAIT);
    ck_assert_uint_eq(consumed, 0);
    ck_assert_int_eq(smtp_line_next(&line, &blocks, SPAN("NOOP\r\nN"), &consumed, &text),
                     SMTP_LINE_DONE);
    ck_assert_uint_eq(consumed, 6);
    blocks_give(&blocks, BLOCK_1K, last);
    ck_assert_int_eq(smtp_line_next(&line, &blocks, SPAN("NO"), &consumed, &text), SMTP_LINE_MORE);
    ck_assert_int_eq(smtp_line_next(&line, &blocks, SPAN("OP\r\n"), &consumed, &text),
                     SMTP_LINE_DONE);
    ck_assert(span_equal(text, SPAN("NOOP")));
    smtp_line_release(&line, &blocks);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_line");
    TCase *tcase = tcase_create("line");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_lines, 0, 6);
    tcase_add_test(tcase, test_length);
    tcase_add_test(tcase, test_no_block);
    suite_add_tcase(suite, tcase);
    return suite;
}
