#include "tools/wire_text.h"

#include "tests/check_main.h"

static struct wire_text text;

static void forget(void)
{
    wire_text_deinit(&text);
}

static const struct {
    const char *raw, *wire;
    uint64_t header_bytes;
    uint32_t stuffed;
    bool eight_bit, no_final_newline;
} rows[] = {
    {"", ".\r\n", 0, 0, false, false},
    {"\n", "\r\n.\r\n", 2, 0, false, false},
    {"A: b\n\nc\n", "A: b\r\n\r\nc\r\n.\r\n", 8, 0, false, false},
    {"A: b\r\n\r\nc\r\n", "A: b\r\n\r\nc\r\n.\r\n", 8, 0, false, false},
    {"A: b\n\r\nc\r\n\nd\n", "A: b\r\n\r\nc\r\n\r\nd\r\n.\r\n", 8, 0, false, false},
    {"A: b\n\nc", "A: b\r\n\r\nc\r\n.\r\n", 8, 0, false, true},
    {"A: b\n", "A: b\r\n.\r\n", 6, 0, false, false},
    {".\n..a\nb.\n.", "..\r\n...a\r\nb.\r\n..\r\n.\r\n", 18, 3, false, true},
    {"A: \xc3\xa9\n", "A: \xc3\xa9\r\n.\r\n", 7, 0, true, false},
};

#define ROWS ((int)(sizeof rows / sizeof rows[0]))

START_TEST(as_the_store_has_it)
{
    struct span raw = span_text(rows[_i].raw);
    ck_assert_int_eq(wire_text_make(&text, raw, SPAN("a@x")), STATUS_OK);
    ck_assert(span_equal(span_of(text.bytes, text.size), span_text(rows[_i].wire)));
    ck_assert_uint_eq(text.header_bytes, rows[_i].header_bytes);
    ck_assert_uint_eq(text.stuffed, rows[_i].stuffed);
    ck_assert_int_eq(text.eight_bit, rows[_i].eight_bit);
    ck_assert_int_eq(text.no_final_newline, rows[_i].no_final_newline);
    ck_assert_uint_eq(text.trace_bytes, 0);
}
END_TEST

START_TEST(a_return_alone_is_refused)
{
    static const char *const cases[] = {"a\rb\n", "\r", "a\r", "a\r\r\n", "a\n\rb\n"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_int_eq(wire_text_make(&text, span_text(cases[i]), SPAN("a@x")), STATUS_CORRUPT);
    ck_assert_int_eq(wire_text_make(&text, SPAN("a\n"), SPAN("a@x")), STATUS_OK);
    ck_assert_uint_eq(text.size, 6);
}
END_TEST

START_TEST(what_export_added_goes)
{
    ck_assert_int_eq(wire_text_make(&text,
                                    SPAN("Return-Path: <me@y>\n"
                                         "Delivered-To: a@x\n"
                                         "Received: from here\n"
                                         "\tby there\n"
                                         "A: b\n"
                                         "\n"
                                         ".c\n"),
                                    SPAN("a@x")),
                     STATUS_OK);
    const char wire[] = "Return-Path: <me@y>\r\nReceived: from here\r\n\tby there\r\n"
                        "A: b\r\n\r\n..c\r\n.\r\n";
    ck_assert(span_equal(span_of(text.bytes, text.size), span_text(wire)));
    ck_assert_uint_eq(text.trace_bytes, strlen("Return-Path: <me@y>\r\nReceived: from here\r\n"
                                               "\tby there\r\n"));
    ck_assert_uint_eq(text.header_bytes, 8);
    ck_assert(span_equal(wire_text_return_path(&text), SPAN("me@y")));
}
END_TEST

/* Anything else is part of the message. */
START_TEST(what_only_looks_like_it_stays)
{
    static const char *const cases[] = {
        "Return-Path: <me@y>\nDelivered-To: b@x\nReceived: from here\n\nc\n",
        "Return-Path: <me@y>\nDelivered-To: a@xy\nReceived: from here\n\nc\n",
        "Return-Path: <me@y>\ndelivered-to: a@x\nReceived: from here\n\nc\n",
        "Return-Path: <me@y>\nDelivered-To:  a@x\nReceived: from here\n\nc\n",
        "Return-Path: <me@y>\nX: y\nDelivered-To: a@x\nReceived: from here\n\nc\n",
        "Return-Path: <me@y>\n\ty\nDelivered-To: a@x\nReceived: from here\n\nc\n",
        "Return-Path: <me@y>\nDelivered-To: a@x\nSubject: here\n\nc\n",
        "Return-Path: <me@y>\nDelivered-To: a@x\n",
        "Return-Path: <me@y>\nDelivered-To: a@x",
        "Return-Path: <me@y>\nDelivered-To: a@x\nReceived: here",
        "Delivered-To: a@x\nReceived: from here\n\nc\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t lines = 0, size = strlen(cases[i]);
        for (size_t at = 0; at < size; at++)
            lines += cases[i][at] == '\n';
        ck_assert_int_eq(wire_text_make(&text, span_text(cases[i]), SPAN("a@x")), STATUS_OK);
        ck_assert_uint_eq(text.trace_bytes, 0);
        ck_assert_uint_eq(text.size, size + lines + (cases[i][size - 1] != '\n' ? 2 : 0) + 3);
    }
}
END_TEST

START_TEST(the_return_path)
{
    static const char *const cases[][2] = {
        {"Return-Path: <a@b>\n\n", "a@b"}, {"A: b\nreturn-path:<a@b>\n\n", "a@b"},
        {"Return-Path: <>\n\n", ""},       {"Return-Path: a@b\n\n", ""},
        {"Return-Path: <a@b\n>\n\n", ""},  {"A: b\n\nReturn-Path: <a@b>\n", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(wire_text_make(&text, span_text(cases[i][0]), SPAN("x")), STATUS_OK);
        ck_assert(span_equal(wire_text_return_path(&text), span_text(cases[i][1])));
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("wire_text");
    TCase *tests = tcase_create("wire_text");
    tcase_add_checked_fixture(tests, NULL, forget);
    tcase_add_loop_test(tests, as_the_store_has_it, 0, ROWS);
    tcase_add_test(tests, a_return_alone_is_refused);
    tcase_add_test(tests, what_export_added_goes);
    tcase_add_test(tests, what_only_looks_like_it_stays);
    tcase_add_test(tests, the_return_path);
    suite_add_tcase(suite, tests);
    return suite;
}
