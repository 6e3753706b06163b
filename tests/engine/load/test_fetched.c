#include "engine/load/fetched.h"

#include "tests/check_main.h"

#include <stdlib.h>

#define ID64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FIELD "X-Mailrace-Id: abc\r\n"

static const struct {
    struct span text;
    const char *id;
    struct span body;
} messages[] = {
    {SPAN_INIT(""), "", SPAN_INIT("")},
    {SPAN_INIT("\r\n"), "", SPAN_INIT("")},
    {SPAN_INIT("\r\nX-Mailrace-Id: abc\r\n"), "", SPAN_INIT("X-Mailrace-Id: abc\r\n")},
    {SPAN_INIT(FIELD "\r\nhello\r\n"), "abc", SPAN_INIT("hello\r\n")},
    {SPAN_INIT(FIELD "\r\n"), "abc", SPAN_INIT("")},
    {SPAN_INIT(FIELD), "abc", SPAN_INIT("")},
    {SPAN_INIT("X-Mailrace-Id: abc"), "abc", SPAN_INIT("")},
    {SPAN_INIT("X-Mailrace-Id:"), "", SPAN_INIT("")},
    {SPAN_INIT("X-Mailrace-Id"), "", SPAN_INIT("")},
    /* what relays do */
    {SPAN_INIT("Return-Path: <a@b>\r\nReceived: from x\r\n\tby y; now\r\n" FIELD
               "Subject: x\r\n\r\n\r\nbody\r\n"),
     "abc", SPAN_INIT("\r\nbody\r\n")},
    {SPAN_INIT("Received: X-Mailrace-Id: no\r\n X-Mailrace-Id: no\r\n" FIELD "\r\n"), "abc",
     SPAN_INIT("")},
    {SPAN_INIT("x-mailrace-ID:abc\r\n\r\nb"), "abc", SPAN_INIT("b")},
    {SPAN_INIT("X-MAILRACE-ID \t:  abc \t \r\n\r\nb"), "abc", SPAN_INIT("b")},
    {SPAN_INIT("X-Mailrace-Id:\r\n abc\r\n\r\nb"), "abc", SPAN_INIT("b")},
    {SPAN_INIT("X-Mailrace-Id:\r\n\t\r\n  abc  \r\n  \r\nSubject: x\r\n\r\nb"), "abc",
     SPAN_INIT("b")},
    {SPAN_INIT("X-Mailrace-Id: abc\r\n\r\n d"), "abc", SPAN_INIT(" d")},
    {SPAN_INIT("X-Mailrace-Idx: no\r\nXX-Mailrace-Id: no\r\nX-Mailrace-I: no\r\n" FIELD), "abc",
     SPAN_INIT("")},
    /* the first counts, whatever it is */
    {SPAN_INIT(FIELD "X-Mailrace-Id: def\r\n\r\n"), "abc", SPAN_INIT("")},
    {SPAN_INIT("X-Mailrace-Id:\r\n" FIELD "\r\n"), "", SPAN_INIT("")},
    {SPAN_INIT("X-Mailrace-Id: a b\r\n" FIELD "\r\n"), "", SPAN_INIT("")},
    {SPAN_INIT("X-Mailrace-Id: a\r\n b\r\n" FIELD "\r\nx"), "", SPAN_INIT("x")},
    {SPAN_INIT("X-Mailrace-Id: " ID64 "\r\n\r\n"), ID64, SPAN_INIT("")},
    {SPAN_INIT("X-Mailrace-Id: " ID64 "0\r\n\r\nx"), "", SPAN_INIT("x")},
    {SPAN_INIT("X-Mailrace-Id: " ID64 ID64 "\r\n\r\nx"), "", SPAN_INIT("x")},
    {SPAN_INIT("X-Mailrace-Id: " ID64 "0 a\r\n b\r\n\r\nx"), "", SPAN_INIT("x")},
    {SPAN_INIT("X-Mailrace-Id: a\0b\r\n\r\nx"), "", SPAN_INIT("x")},
    {SPAN_INIT("X-Mailrace-Id: a\xff\r\n\r\nx"), "", SPAN_INIT("x")},
    /* line ends that should not be */
    {SPAN_INIT("X-Mailrace-Id: abc\nSubject: x\n\nbody\n"), "abc", SPAN_INIT("body\n")},
    {SPAN_INIT("Subject: x\rX-Mailrace-Id: no\r\n\rno\r\n" FIELD "\r\nx"), "abc", SPAN_INIT("x")},
    {SPAN_INIT("\r\r\n" FIELD "\r\nx"), "abc", SPAN_INIT("x")},
    {SPAN_INIT("\0\r\n" FIELD "\r\n\0"), "abc", SPAN_INIT("\0")},
    {SPAN_INIT("no field\r\n \r\n" FIELD "\n\r\nx"), "abc", SPAN_INIT("\r\nx")},
};

static void check(struct fetched *fetched, size_t row)
{
    ck_assert(span_equal(fetched_id(fetched), span_text(messages[row].id)));
    ck_assert_uint_eq(fetched_digest(fetched), digest_of(messages[row].body));
}

/* However the bytes are cut. */
START_TEST(id_and_body)
{
    size_t row = (size_t)_i;
    struct fetched fetched;
    struct span text = messages[row].text;
    for (size_t cut = 0; cut <= text.size; cut++) {
        fetched_start(&fetched);
        fetched_add(&fetched, span_of(text.data, cut));
        fetched_add(&fetched, span_from(text, cut));
        check(&fetched, row);
    }
    fetched_start(&fetched);
    for (size_t i = 0; i < text.size; i++)
        fetched_add(&fetched, span_of(text.data + i, 1));
    check(&fetched, row);
}
END_TEST

START_TEST(nothing_is_left_of_the_message_before)
{
    struct fetched fetched;
    for (size_t row = 0; row < sizeof messages / sizeof *messages; row++) {
        fetched_start(&fetched);
        fetched_add(&fetched, messages[row].text);
        fetched_start(&fetched);
        ck_assert_uint_eq(fetched_id(&fetched).size, 0);
        fetched_add(&fetched, SPAN("X-Mailrace-Id: new\r\n\r\nbody"));
        ck_assert(span_equal(fetched_id(&fetched), SPAN("new")));
        ck_assert_uint_eq(fetched_digest(&fetched), digest_of(SPAN("body")));
    }
}
END_TEST

/* One byte of any body that is another makes another digest. */
START_TEST(a_changed_byte_shows)
{
    uint8_t body[300];
    memset(body, 'x', sizeof body);
    uint64_t right = digest_of(span_of(body, sizeof body));
    for (size_t i = 0; i < sizeof body; i++) {
        struct fetched fetched;
        body[i] ^= 1;
        fetched_start(&fetched);
        fetched_add(&fetched, SPAN("\r\n"));
        fetched_add(&fetched, span_of(body, sizeof body));
        ck_assert_uint_ne(fetched_digest(&fetched), right);
        body[i] ^= 1;
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("fetched");
    TCase *tcase = tcase_create("fetched");
    tcase_add_loop_test(tcase, id_and_body, 0, sizeof messages / sizeof *messages);
    tcase_add_test(tcase, nothing_is_left_of_the_message_before);
    tcase_add_test(tcase, a_changed_byte_shows);
    suite_add_tcase(suite, tcase);
    return suite;
}
