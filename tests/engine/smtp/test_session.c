#include "engine/smtp/session.h"

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

#define EHLO "EHLO c.test\r\n"
#define BANNER "220 mx.test ESMTP mailrace\r\n"
#define CAPABILITIES                                                                               \
    "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"         \
    "250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-DSN\r\n250 LIMITS RCPTMAX=100\r\n"
#define GREETED BANNER CAPABILITIES
#define OK "250 2.0.0 OK\r\n"
#define SENDER "250 2.1.0 Sender OK\r\n"
#define RCPT "250 2.1.5 Recipient OK\r\n"
#define GO "354 End with <CRLF>.<CRLF>\r\n"
#define BYE "221 2.0.0 Bye\r\n"
#define SEQUENCE "503 5.5.1 Bad sequence of commands\r\n"
#define QUEUED(n) "250 2.0.0 queued as ID0000000000" n "\r\n"
#define FROM_S "MAIL FROM:<s@x.test>\r\n"
#define TO_R "RCPT TO:<r@y.test>\r\n"
#define STORED_R "from=s@x.test helo=c.test client=192.0.2.1:4711 with=ESMTP to=r@y.test\n"

struct talk {
    const char *name, *input, *replies, *messages;
};

static const struct talk talks[] = {
    {"a message", EHLO FROM_S TO_R "DATA\r\nSubject: x\r\n\r\nhello\r\n.\r\nQUIT\r\n",
     GREETED SENDER RCPT GO QUEUED("0") BYE,
     STORED_R "wire=24 header=14 stuffed=0\nSubject: x\r\n\r\nhello\r\n.\r\n"},
    {"two messages, pipelined across the dot",
     EHLO FROM_S TO_R "DATA\r\na\r\n.\r\n" FROM_S TO_R "DATA\r\n..b\r\n.\r\nQUIT\r\n",
     GREETED SENDER RCPT GO QUEUED("0") SENDER RCPT GO QUEUED("1") BYE,
     STORED_R "wire=6 header=3 stuffed=0\na\r\n.\r\n" STORED_R
              "wire=8 header=5 stuffed=1\n..b\r\n.\r\n"},
    {"HELO", "HELO c.test\r\n" FROM_S TO_R "DATA\r\n.\r\n",
     BANNER "250 mx.test\r\n" SENDER RCPT GO QUEUED("0"),
     "from=s@x.test helo=c.test client=192.0.2.1:4711 with=SMTP to=r@y.test\n"
     "wire=3 header=0 stuffed=0\n.\r\n"},
    {"nothing is stored when the client leaves early",
     EHLO FROM_S TO_R "DATA\r\nSubject: x\r\n\r\nhello\r\n.\r", GREETED SENDER RCPT GO, ""},
    {"nothing after QUIT", EHLO "QUIT\r\nNOOP\r\n" FROM_S, GREETED BYE, ""},
    {"EHLO, HELO and RSET end a transaction",
     EHLO FROM_S TO_R EHLO TO_R FROM_S TO_R "HELO c.test\r\n" TO_R FROM_S TO_R "RSET\r\n" TO_R,
     GREETED SENDER RCPT CAPABILITIES SEQUENCE SENDER RCPT
     "250 mx.test\r\n" SEQUENCE SENDER RCPT OK SEQUENCE,
     ""},
    {"a rejected message ends the transaction",
     EHLO FROM_S TO_R "DATA\r\na\nb\r\n.\r\n" TO_R FROM_S TO_R "DATA\r\nc\r\n.\r\n",
     GREETED SENDER RCPT GO
     "550 5.6.11 Bare CR or LF in message\r\n" SEQUENCE SENDER RCPT GO QUEUED("0"),
     STORED_R "wire=6 header=3 stuffed=0\nc\r\n.\r\n"},
    {"browsers are shown the door", "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
     BANNER "421 4.7.0 This is a mail server, closing connection\r\n", ""},
    {"but only at the start", "NOOP\r\nPOST / HTTP/1.1\r\nQUIT\r\n",
     BANNER OK "500 5.5.2 Unknown command\r\n" BYE, ""},
    {"a command line that is not one", "NOOP\n\r\n\nQUIT\r\n",
     BANNER "500 5.5.2 Command line must end with CRLF\r\n500 5.5.2 Unknown command\r\n"
            "500 5.5.2 Command line must end with CRLF\r\n" BYE,
     ""},
};

START_TEST(test_talk)
{
    const struct talk *talk = &talks[_i];
    ck_assert_msg(conversation_holds(&c, span_text(talk->input), talk->replies, talk->messages),
                  "%s", talk->name);
}
END_TEST

START_TEST(test_command_too_long)
{
    char input[4096];
    int size = snprintf(input, sizeof input, "NOOP %03000d\r\nNOOP\r\n", 0);
    ck_assert(conversation_holds(&c, span_of(input, (size_t)size),
                                 BANNER "500 5.5.2 Command line too long\r\n" OK, ""));
}
END_TEST

START_TEST(test_too_many_errors)
{
    c.config.errors_max = 3;
    ck_assert(conversation_holds(&c, SPAN("A\r\nNOOP\r\nB\r\nRCPT\r\nNOOP\r\n"),
                                 BANNER "500 5.5.2 Unknown command\r\n" OK
                                        "500 5.5.2 Unknown command\r\n" SEQUENCE
                                        "421 4.7.0 Too many errors, closing connection\r\n",
                                 ""));
    ck_assert_int_eq(smtp_wish(&c.session), SMTP_CLOSE);
}
END_TEST

/* Errors before a message that was taken are forgiven. */
START_TEST(test_errors_forgiven)
{
    c.config.errors_max = 2;
    conversation_open(&c);
    for (int i = 0; i < 5; i++)
        conversation_feed(&c, SPAN("X\r\n" EHLO FROM_S TO_R "DATA\r\n.\r\n"));
    ck_assert_int_eq(smtp_wish(&c.session), SMTP_GO_ON);
    ck_assert_uint_eq(c.stored, 5);
    conversation_close(&c);
}
END_TEST

START_TEST(test_starttls)
{
    c.config.starttls = true;
    conversation_open(&c);
    conversation_feed(&c, SPAN("STARTTLS\r\n" EHLO "STARTTLS\r\nMAIL FROM:<injected@x.test>\r\n"));
    const struct span clear =
        SPAN(BANNER SEQUENCE
             "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 100000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
             "250-ENHANCEDSTATUSCODES\r\n250-CHUNKING\r\n250-DSN\r\n250-STARTTLS\r\n"
             "250 LIMITS RCPTMAX=100\r\n220 2.0.0 Ready to start TLS\r\n");
    ck_assert(span_equal(text_span(&c.replies), clear));
    ck_assert_int_eq(smtp_wish(&c.session), SMTP_STARTTLS);

    smtp_secured(&c.session, SPAN("TLSv1.3 TLS_AES_256_GCM_SHA384"));
    ck_assert_int_eq(smtp_wish(&c.session), SMTP_GO_ON);
    c.replies.size = 0;
    conversation_feed(&c, SPAN(FROM_S EHLO "STARTTLS\r\n" FROM_S TO_R "DATA\r\n.\r\n"));
    conversation_close(&c);
    ck_assert(span_equal(
        text_span(&c.replies),
        SPAN(SEQUENCE CAPABILITIES "502 5.5.1 Not available\r\n" SENDER RCPT GO QUEUED("0"))));
    ck_assert(span_equal(text_span(&c.messages),
                         SPAN("from=s@x.test helo=c.test client=192.0.2.1:4711 with=ESMTPS "
                              "tls=TLSv1.3 TLS_AES_256_GCM_SHA384 to=r@y.test\n"
                              "wire=3 header=0 stuffed=0\n.\r\n")));
}
END_TEST

/* Neither QUIT nor STARTTLS is heard before the messages under way are answered. */
START_TEST(test_last_word_waits)
{
    const char *last[] = {"QUIT\r\n", "STARTTLS\r\n"};
    enum smtp_wish wishes[] = {SMTP_CLOSE, SMTP_STARTTLS};
    c.config.starttls = true;
    c.lazy = true;
    conversation_open(&c);
    conversation_feed(&c, SPAN(EHLO FROM_S TO_R "DATA\r\n.\r\n" FROM_S TO_R "BDAT 0 LAST\r\n"));
    conversation_feed(&c, span_text(last[_i]));
    ck_assert_int_eq(smtp_wish(&c.session), SMTP_GO_ON);
    conversation_answer(&c, 1);
    ck_assert_int_eq(smtp_wish(&c.session), SMTP_GO_ON);
    conversation_answer(&c, 1);
    ck_assert_int_eq(smtp_wish(&c.session), wishes[_i]);
    conversation_close(&c);
}
END_TEST

START_TEST(test_ending)
{
    const struct {
        enum smtp_ending ending;
        const char *text;
    } endings[] = {{SMTP_TIMEOUT, "421 4.4.2 Timeout, closing connection\r\n"},
                   {SMTP_SHUTDOWN, "421 4.3.2 Shutting down, closing connection\r\n"}};
    uint8_t bytes[SMTP_REPLY_BYTES_MAX];
    struct output out = {bytes, 0, sizeof bytes};
    conversation_open(&c);
    conversation_feed(&c, SPAN(EHLO FROM_S TO_R "DATA\r\nhalf a message"));
    smtp_end(&c.session, endings[_i].ending, &out);
    ck_assert(span_equal(span_of(out.data, out.size), span_text(endings[_i].text)));
    ck_assert_int_eq(smtp_wish(&c.session), SMTP_CLOSE);
    ck_assert_uint_eq(c.discards, 1);
    ck_assert_uint_eq(smtp_feed(&c.session, SPAN("\r\n.\r\n"), &out), 0);
    conversation_close(&c);
    ck_assert_uint_eq(c.stored, 0);
}
END_TEST

START_TEST(test_patience)
{
    conversation_open(&c);
    ck_assert_uint_eq(smtp_patience_ms(&c.session), 300000);
    conversation_feed(&c, SPAN(EHLO FROM_S TO_R "DATA\r\n"));
    ck_assert_uint_eq(smtp_patience_ms(&c.session), 180000);
    conversation_feed(&c, SPAN("x\r\n.\r\n"));
    ck_assert_uint_eq(smtp_patience_ms(&c.session), 300000);
    conversation_feed(&c, SPAN("QUIT\r\n"));
    ck_assert_uint_lt(smtp_patience_ms(&c.session), 300000);
    conversation_close(&c);
}
END_TEST

/* Without room for a reply nothing is consumed; with it, all is. */
START_TEST(test_output_full)
{
    uint8_t bytes[SMTP_REPLY_BYTES_MAX];
    struct output out = {bytes, 1, sizeof bytes};
    conversation_open(&c);
    ck_assert_uint_eq(smtp_feed(&c.session, SPAN("NOOP\r\n"), &out), 0);
    ck_assert_uint_eq(out.size, 1);
    out.size = 0;
    ck_assert_uint_eq(smtp_feed(&c.session, SPAN("NOOP\r\n"), &out), 6);
    conversation_close(&c);
}
END_TEST

/* What follows the last command is left to the caller, to be dropped or to be read as TLS. */
START_TEST(test_consumes_no_more)
{
    const char *inputs[] = {"QUIT\r\nNOOP\r\n", "STARTTLS\r\nNOOP\r\n", "BDAT x\r\nNOOP\r\n"};
    const size_t consumed[] = {6, 10, 8};
    uint8_t bytes[SMTP_REPLY_BYTES_MAX];
    struct output out = {bytes, 0, sizeof bytes};
    c.config.starttls = true;
    conversation_open(&c);
    conversation_feed(&c, SPAN(EHLO));
    ck_assert_uint_eq(smtp_feed(&c.session, span_text(inputs[_i]), &out), consumed[_i]);
    ck_assert_uint_eq(smtp_feed(&c.session, SPAN("NOOP\r\n"), &out), 0);
    ck_assert_int_eq(smtp_wish(&c.session), _i == 1 ? SMTP_STARTTLS : SMTP_CLOSE);
    conversation_close(&c);
}
END_TEST

/* An idle session holds nothing, whatever it went through. */
START_TEST(test_idle_holds_nothing)
{
    conversation_open(&c);
    conversation_feed(&c, SPAN(EHLO FROM_S TO_R "DATA\r\nx\r\n.\r\n" FROM_S TO_R "BDAT 1 LAST\r\nx"
                                                "NOO"));
    conversation_feed(&c, SPAN("P\r\n"));
    for (unsigned i = 0; i < BLOCK_CLASSES; i++)
        ck_assert_uint_eq(c.blocks.pools[i].taken, 0);
    conversation_close(&c);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_session");
    TCase *tcase = tcase_create("session");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_talk, 0, sizeof talks / sizeof *talks);
    tcase_add_test(tcase, test_command_too_long);
    tcase_add_test(tcase, test_too_many_errors);
    tcase_add_test(tcase, test_errors_forgiven);
    tcase_add_test(tcase, test_starttls);
    tcase_add_loop_test(tcase, test_last_word_waits, 0, 2);
    tcase_add_loop_test(tcase, test_ending, 0, 2);
    tcase_add_test(tcase, test_patience);
    tcase_add_test(tcase, test_output_full);
    tcase_add_loop_test(tcase, test_consumes_no_more, 0, 3);
    tcase_add_test(tcase, test_idle_holds_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
