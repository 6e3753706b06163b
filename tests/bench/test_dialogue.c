#include "bench/dialogue.h"
#include "tests/check_main.h"

#define USERS 12u
#define MAIL "MAIL FROM:<load@example.test>\r\n"
#define RCPT "RCPT TO:<user11@example.test>\r\n"
#define DATA "DATA\r\n"

static struct dialogue dialogue;

static void open_dialogue(size_t size)
{
    struct fault fault;
    ck_assert_int_eq(dialogue_open(&dialogue, USERS, size, &fault), STATUS_OK);
}

static const struct {
    unsigned parts;
    const char *text;
} envelopes[] = {
    {DIALOGUE_MAIL, MAIL},
    {DIALOGUE_RCPT, RCPT},
    {DIALOGUE_DATA, DATA},
    {DIALOGUE_MAIL | DIALOGUE_RCPT, MAIL RCPT},
    {DIALOGUE_RCPT | DIALOGUE_DATA, RCPT DATA},
    {DIALOGUE_MAIL | DIALOGUE_RCPT | DIALOGUE_DATA, MAIL RCPT DATA},
    {0, ""},
};

START_TEST(parts_of_the_envelope)
{
    open_dialogue(10);
    struct span text = dialogue_envelope(&dialogue, envelopes[_i].parts, 11);
    ck_assert_msg(span_equal(text, span_text(envelopes[_i].text)), "%.*s", (int)text.size,
                  text.data);
    dialogue_close(&dialogue);
}
END_TEST

static const size_t sizes[] = {2, 3, 77, 78, 79, 80, 81, 155, 156, 157, 4096, 65536};

/* Lines of at most 78 bytes ended by CRLF, none begins with a dot but the last. */
START_TEST(bodies_are_mail)
{
    open_dialogue(sizes[_i]);
    struct span body = dialogue_body(&dialogue);
    const uint8_t *headers_end = memmem(body.data, body.size, "\r\n\r\n", 4);
    ck_assert_ptr_nonnull(headers_end);
    ck_assert_uint_eq((size_t)(body.data + body.size - headers_end), 4 + sizes[_i] + 3);
    ck_assert(span_equal(span_from(body, body.size - 5), SPAN("\r\n.\r\n")));

    struct span rest = body;
    while (rest.size > 3) {
        const uint8_t *end = memchr(rest.data, '\n', rest.size);
        ck_assert_ptr_nonnull(end);
        size_t size = (size_t)(end - rest.data) + 1;
        ck_assert_uint_le(size, 78);
        ck_assert_uint_ge(size, 2);
        ck_assert_uint_eq(rest.data[size - 2], '\r');
        ck_assert_uint_ne(rest.data[0], '.');
        rest = span_from(rest, size);
    }
    dialogue_close(&dialogue);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dialogue");
    TCase *tests = tcase_create("dialogue");
    tcase_add_loop_test(tests, parts_of_the_envelope, 0, sizeof(envelopes) / sizeof(envelopes[0]));
    tcase_add_loop_test(tests, bodies_are_mail, 0, sizeof(sizes) / sizeof(sizes[0]));
    suite_add_tcase(suite, tests);
    return suite;
}
