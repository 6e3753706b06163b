#include "engine/smtp/client_reply.h"

#include "engine/smtp/client.h"
#include "tests/check_main.h"

#include <stdio.h>
#include <stdlib.h>

/* What comes of the input, as "LINE 250 text|DONE 250 text|…|", up to what ends the conversation.
 */
static void read_all(struct smtp_client_reply *reply, struct span input, char found[1024],
                     bool *going)
{
    static const char *const names[] = {"MORE",  "LINE",      "DONE", "GARBAGE",
                                        "MIXED", "LONG LINE", "LONG"};
    while (*going) {
        struct span text;
        enum smtp_client_reply_result result = smtp_client_reply_take(reply, &input, &text);
        if (result == SMTP_CLIENT_REPLY_MORE) {
            ck_assert_uint_eq(input.size, 0);
            return;
        }
        size_t size = strlen(found);
        *going = result <= SMTP_CLIENT_REPLY_DONE;
        if (*going)
            snprintf(found + size, 1024 - size, "%s %u %.*s|", names[result], reply->code,
                     (int)text.size, (const char *)text.data);
        else
            snprintf(found + size, 1024 - size, "%s|", names[result]);
    }
}

static void check(struct span input, const char *expected)
{
    for (size_t cut = 0; cut <= input.size; cut++) {
        struct smtp_client_reply reply = {0};
        char found[1024] = "";
        bool going = true;
        uint8_t *copy = malloc(input.size + 1);
        memcpy(copy, input.data, input.size);
        for (size_t at = 0, size; at < input.size; at += size) {
            size = cut == 0 ? 1 : at == 0 ? cut : input.size - at;
            read_all(&reply, span_of(copy + at, size), found, &going);
        }
        free(copy);
        ck_assert_msg(strcmp(found, expected) == 0, "cut at %zu: %s, not %s", cut, found, expected);
    }
}

START_TEST(replies)
{
    static const struct {
        const char *input, *events;
    } table[] = {
        {"250 OK\r\n", "DONE 250 OK|"},
        {"250 OK\n", "DONE 250 OK|"},
        {"354\r\n", "DONE 354 |"},
        {"250 \r\n", "DONE 250 |"},
        {"599 \x01\xFF\r\n", "DONE 599 \x01\xFF|"},
        {"571 more than RFC 5321 allows\r\n", "DONE 571 more than RFC 5321 allows|"},
        {"250-a\r\n250-\r\n250 c\r\n", "LINE 250 a|LINE 250 |DONE 250 c|"},
        {"250-a\r\n250\r\n", "LINE 250 a|DONE 250 |"},
        {"220 a\r\n250 b\r\n", "DONE 220 a|DONE 250 b|"},
        {"250-a\r\n250 b\r\n550 c\r\n", "LINE 250 a|DONE 250 b|DONE 550 c|"},
        {"250-a\r\n251 b\r\n", "LINE 250 a|MIXED|"},
        {"250-a\r\n550-b\r\n", "LINE 250 a|MIXED|"},
        {"\r\n", "GARBAGE|"},
        {"25\r\n", "GARBAGE|"},
        {"+OK\r\n", "GARBAGE|"},
        {"150 a\r\n", "GARBAGE|"},
        {"650 a\r\n", "GARBAGE|"},
        {"2a0 a\r\n", "GARBAGE|"},
        {"25: a\r\n", "GARBAGE|"},
        {"2500 a\r\n", "GARBAGE|"},
        {"250a\r\n", "GARBAGE|"},
        {" 250 a\r\n", "GARBAGE|"},
        {"250-a\r\n b\r\n", "LINE 250 a|GARBAGE|"},
        {"250 a\r\nHTTP/1.1 400\r\n250 b\r\n", "DONE 250 a|GARBAGE|"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        check(span_text(table[i].input), table[i].events);
    check(SPAN("250 a\0b\r\n"), "DONE 250 a|"); /* as printed */
}
END_TEST

START_TEST(texts_are_cut)
{
    char input[600], expected[600];
    int rest = (int)SMTP_CLIENT_TEXT_BYTES_MAX;
    snprintf(input, sizeof input, "250-%0300u\r\n250 b\r\n", 0u);
    snprintf(expected, sizeof expected, "LINE 250 %0*u|DONE 250 b|", rest, 0u);
    check(span_text(input), expected);
}
END_TEST

START_TEST(long_lines)
{
    static char input[REPLY_LINE_BYTES_MAX + 2];
    memset(input, '2', sizeof input);
    struct smtp_client_reply reply = {0};
    char found[1024] = "";
    bool going = true;
    read_all(&reply, span_of(input, REPLY_LINE_BYTES_MAX), found, &going);
    ck_assert_str_eq(found, "");
    read_all(&reply, SPAN("2"), found, &going);
    ck_assert_str_eq(found, "LONG LINE|");
}
END_TEST

/* A reply may have so many lines and not one more. */
START_TEST(long_replies)
{
    struct smtp_client_reply reply = {0};
    struct span input, text;
    for (unsigned twice = 0; twice < 2; twice++) {
        for (unsigned i = 1; i < SMTP_CLIENT_LINES_MAX; i++) {
            input = SPAN("250-x\r\n");
            ck_assert_int_eq(smtp_client_reply_take(&reply, &input, &text), SMTP_CLIENT_REPLY_LINE);
        }
        input = SPAN("250 x\r\n");
        ck_assert_int_eq(smtp_client_reply_take(&reply, &input, &text), SMTP_CLIENT_REPLY_DONE);
    }
    for (unsigned i = 0; i < SMTP_CLIENT_LINES_MAX; i++) {
        input = SPAN("250-x\r\n");
        ck_assert_int_eq(smtp_client_reply_take(&reply, &input, &text), SMTP_CLIENT_REPLY_LINE);
    }
    input = SPAN("250 x\r\n");
    ck_assert_int_eq(smtp_client_reply_take(&reply, &input, &text), SMTP_CLIENT_REPLY_LONG);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp/client_reply");
    TCase *tcase = tcase_create("client_reply");
    tcase_add_test(tcase, replies);
    tcase_add_test(tcase, texts_are_cut);
    tcase_add_test(tcase, long_lines);
    tcase_add_test(tcase, long_replies);
    suite_add_tcase(suite, tcase);
    return suite;
}
