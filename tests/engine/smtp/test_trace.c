#include "engine/smtp/trace.h"

#include "tests/check_main.h"
#include "tests/engine/smtp/conversation.h"

#include <stdio.h>

static struct conversation c;

static void setup(void)
{
    conversation_init(&c);
}

static void teardown(void)
{
    conversation_free(&c);
}

#define DATE ";\r\n\tMon, 23 Nov 2026 16:00:00 +0000\r\n"
#define ID "\r\n\tid ID00000000000"
#define BY " ([192.0.2.1])\r\n\tby mx.test with "
#define BODY "DATA\r\n.\r\n"

START_TEST(test_lines)
{
    const struct {
        const char *input, *trace;
    } cases[] = {
        {"EHLO c.test\r\nMAIL FROM:<s@x>\r\nRCPT TO:<r@y>\r\n" BODY,
         "Return-Path: <s@x>\r\nReceived: from c.test" BY "ESMTP" ID "\r\n\tfor <r@y>" DATE},
        {"HELO [192.0.2.7]\r\nMAIL FROM:<>\r\nRCPT TO:<\"R\"@Y>\r\n" BODY,
         "Return-Path: <>\r\nReceived: from [192.0.2.7]" BY "SMTP" ID "\r\n\tfor <\"R\"@Y>" DATE},
        {"EHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\nRCPT TO:<b@y>\r\n" BODY,
         "Return-Path: <s@x>\r\nReceived: from c" BY "ESMTP" ID DATE},
        {"EHLO c(\"<;>,@\r\nMAIL FROM:<s@x> SMTPUTF8\r\nRCPT TO:<r@y>\r\n" BODY,
         "Return-Path: <s@x>\r\nReceived: from c???????" BY "UTF8SMTP" ID "\r\n\tfor <r@y>" DATE},
    };
    conversation_run(&c, span_text(cases[_i].input), 0, 1000);
    ck_assert_msg(span_equal(text_span(&c.trace), span_text(cases[_i].trace)), "%.*s",
                  (int)c.trace.size, (const char *)c.trace.data);
}
END_TEST

START_TEST(test_protocol)
{
    static const struct {
        bool esmtp, lmtp, secure, utf8;
        const char *keyword;
    } cases[] = {
        {false, false, false, false, "SMTP"},   {false, false, true, false, "SMTP"},
        {true, false, false, false, "ESMTP"},   {true, false, true, false, "ESMTPS"},
        {true, false, false, true, "UTF8SMTP"}, {true, false, true, true, "UTF8SMTPS"},
        {true, true, false, false, "LMTP"},     {true, true, true, false, "LMTPS"},
        {true, true, false, true, "UTF8LMTP"},  {true, true, true, true, "UTF8LMTPS"},
    };
    c.config.lmtp = cases[_i].lmtp;
    struct smtp_session session = {.config = &c.config,
                                   .esmtp = cases[_i].esmtp,
                                   .secure = cases[_i].secure,
                                   .smtputf8 = cases[_i].utf8};
    ck_assert(span_equal(smtp_protocol(&session), span_text(cases[_i].keyword)));
}
END_TEST

/* The lines of a session that is as its fields say, to one recipient. */
static struct span trace_of(struct smtp_session *session, struct span sender, struct span recipient,
                            uint8_t out[SMTP_TRACE_BYTES_MAX])
{
    static uint8_t items[1024];
    struct clock_date_cache cache = {0};
    session->config = &c.config;
    session->envelope = (struct envelope){.bytes = items, .capacity = sizeof items};
    ck_assert(envelope_add(&session->envelope, ENVELOPE_REVERSE_PATH, sender));
    ck_assert(envelope_add(&session->envelope, ENVELOPE_MAILBOX, recipient));
    return span_of(out, smtp_trace(session, SPAN("0123456789ABC"), 0, &cache, out));
}

START_TEST(test_client)
{
    const struct {
        const char *client, *text;
    } cases[] = {{"192.0.2.1:25", " ([192.0.2.1])\r\n"},
                 {"[2001:db8::1]:25", " ([IPv6:2001:db8::1])\r\n"},
                 {"unix", " (unix)\r\n"}};
    struct span client = span_text(cases[_i].client);
    struct smtp_session session = {
        .helo = "c", .helo_size = 1, .client_size = (uint8_t)client.size};
    memcpy(session.client, client.data, client.size);
    uint8_t trace[SMTP_TRACE_BYTES_MAX];
    struct span text = trace_of(&session, SPAN(""), SPAN("a@b"), trace);
    struct span want = span_text(cases[_i].text);
    ck_assert_ptr_nonnull(memmem(text.data, text.size, want.data, want.size));
}
END_TEST

/* Everything as long as it can be: it fits, and no line is longer than RFC 5322 allows. */
START_TEST(test_longest)
{
    static uint8_t letters[256];
    memset(letters, 'x', sizeof letters);
    c.config.hostname = span_of(letters, 255);
    struct smtp_session session = {.esmtp = true,
                                   .secure = true,
                                   .smtputf8 = true,
                                   .helo_block = letters,
                                   .helo_size = 255,
                                   .client_size = SMTP_CLIENT_BYTES_MAX,
                                   .cipher = span_of(letters, SMTP_CIPHER_BYTES_MAX)};
    memset(session.client, 'x', sizeof session.client);
    uint8_t trace[SMTP_TRACE_BYTES_MAX];
    struct span text = trace_of(&session, span_of(letters, 254), span_of(letters, 254), trace);
    ck_assert_uint_gt(text.size, 1200);
    const uint8_t *line = text.data, *end = text.data + text.size;
    for (const uint8_t *next; line < end; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        ck_assert_ptr_nonnull(next);
        ck_assert_int_le(next - line, 998);
        ck_assert_int_eq(next[-1], '\r');
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_trace");
    TCase *tcase = tcase_create("trace");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_lines, 0, 4);
    tcase_add_loop_test(tcase, test_protocol, 0, 10);
    tcase_add_loop_test(tcase, test_client, 0, 3);
    tcase_add_test(tcase, test_longest);
    suite_add_tcase(suite, tcase);
    return suite;
}
