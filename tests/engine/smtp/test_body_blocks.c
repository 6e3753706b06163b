#include "engine/smtp/body.h"

#include "tests/check_main.h"

#include <stdlib.h>

static const char *const marks[] = {"\r\n", "\r", "\n", "\r\n.", "\r\n.\r\n", "\r\n\r\n"};

/* The blocks and the twin that goes byte by byte agree. */
static bool agree(const uint8_t *text, size_t size, bool chunked, bool baseline)
{
    struct body scalar, blocks;
    size_t scalar_consumed, consumed;
    body_init(&scalar, 64, chunked);
    blocks = scalar;
    struct span input = span_of(text, size);
    enum body_event want = body_scan_scalar(&scalar, input, &scalar_consumed);
    enum body_event got = baseline ? body_scan_baseline(&blocks, input, &consumed)
                                   : body_scan(&blocks, input, &consumed);
    return got == want && consumed == scalar_consumed &&
           memcmp(&blocks, &scalar, sizeof scalar) == 0;
}

/* One block and its neighbours, with the bytes that matter at every pair of places: the twin is the
 * judge. test_body.c compares them on longer and on random text. */
START_TEST(test_pairs)
{
    bool baseline = _i >= 36;
    const char *first = marks[_i / 6 % 6], *second = marks[_i % 6];
    for (size_t size = 127; size <= 130; size++) {
        uint8_t *text = malloc(size); /* exactly: reading beyond it would show */
        for (size_t a = 56; a < 70; a++) {
            for (size_t b = a + 1; b + strlen(second) <= size; b += b < 74 ? 1 : 9) {
                memset(text, 'r', size);
                memcpy(text + a, first, strlen(first));
                memcpy(text + b, second, strlen(second));
                if (!agree(text, size, size & 1, baseline))
                    ck_abort_msg("marks at %zu and %zu of %zu", a, b, size);
            }
        }
        free(text);
    }
}
END_TEST

/* The same behind a header, where whole blocks go by in a row: in the third and at the end of the
 * fourth, which may be the last. */
START_TEST(test_pairs_behind_a_header)
{
    const char *first = marks[_i / 6 % 6], *second = marks[_i % 6];
    for (size_t size = 4 * 64; size <= 4 * 64 + 1; size++) {
        uint8_t *text = malloc(size);
        for (size_t a = 120; a < 200; a++) {
            for (size_t b = 4 * 64 - 12; b < size; b++) {
                size_t left = size - b, part = strlen(second) < left ? strlen(second) : left;
                memset(text, 'r', size);
                memcpy(text, "a: b\r\n\r\n", 8);
                memcpy(text + a, first, strlen(first));
                memcpy(text + b, second, part);
                for (int way = 0; way < 4; way++)
                    if (!agree(text, size, way & 1, way & 2))
                        ck_abort_msg("marks at %zu and %zu of %zu, way %d", a, b, size, way);
            }
        }
        free(text);
    }
}
END_TEST

/* A Received line cut anywhere, at every place in a block. */
START_TEST(test_received)
{
    uint8_t text[160];
    for (size_t at = 3; at < 70; at++) {
        memset(text, 'x', sizeof text);
        memcpy(text + at - 2, "\r\nReceived: y\r\nReceivedx\r\n\r\nReceived:", 38);
        for (size_t cut = 0; cut < sizeof text; cut++) {
            struct body body;
            size_t consumed;
            body_init(&body, 0, false);
            body_scan(&body, span_of(text, cut), &consumed);
            body_scan(&body, span_of(text + cut, sizeof text - cut), &consumed);
            if (body.hops != 1 || body.header_bytes != at + 26)
                ck_abort_msg("line at %zu, cut at %zu", at, cut);
        }
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_body_blocks");
    TCase *tcase = tcase_create("body_blocks");
    tcase_add_loop_test(tcase, test_pairs, 0, 72);
    tcase_add_loop_test(tcase, test_pairs_behind_a_header, 0, 36);
    tcase_add_test(tcase, test_received);
    suite_add_tcase(suite, tcase);
    return suite;
}
