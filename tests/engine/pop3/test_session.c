#include "tests/engine/pop3/conversation.h"

#include "tests/check_main.h"

#include <stdlib.h>

static const char *const one[] = {"A: 1\r\n\r\nHello\r\n.\r\n"};
#define ONE                                                                                        \
    {                                                                                              \
        .messages = one, .messages_count = 1                                                       \
    }
#define LOGGED_IN "+OK send PASS\r\n{log in alice secret}+OK 1 messages (15 octets)\r\n"

static struct conversation talk;
static uint8_t text[4096];
static struct output out;

static void log_in(void)
{
    const struct conversation_setup setup = ONE;
    conversation_open(&talk, &setup);
    conversation_hear(&talk, SPAN(LOGIN));
    out = (struct output){text, 0, sizeof text};
}

static void expect(struct span said)
{
    ck_assert_msg(span_equal(span_of(text, out.size), said), "%.*s", (int)out.size, text);
    out.size = 0;
}

START_TEST(test_size)
{
    ck_assert_uint_le(sizeof(struct pop3_session), 256);
}
END_TEST

/* Every pipelined command is answered, in order, however little room each turn has. */
START_TEST(test_pipelining)
{
    static const struct conversation_case row = {
        LOGIN "STAT\r\nRETR 1\r\nLIST\r\nDELE 1\r\nSTAT\r\nQUIT\r\nSTAT\r\n",
        LOGGED_IN "+OK 1 15\r\n{fetch 0}+OK 15 octets\r\nA: 1\r\n\r\nHello\r\n.\r\n"
                  "+OK 1 messages (15 octets)\r\n1 15\r\n.\r\n+OK marked as deleted\r\n+OK 0 0\r\n"
                  "{expunge 0}+OK bye\r\n[close]",
        ONE};
    conversation_check(&row);
}
END_TEST

START_TEST(test_waits_for_log_in)
{
    const struct conversation_setup setup = ONE;
    conversation_open(&talk, &setup);
    out = (struct output){text, 0, sizeof text};
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN(LOGIN "STAT\r\n"), &out), strlen(LOGIN));
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("STAT\r\n"), &out), 0);
    out.size = 0;
    pop3_logged_in(&talk.session, STATUS_OK, 1, 15, talk.deleted, &out);
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("STAT\r\n"), &out), 6);
    expect(SPAN("+OK 1 messages (15 octets)\r\n+OK 1 15\r\n"));
    conversation_close(&talk);
}
END_TEST

START_TEST(test_waits_for_fetch)
{
    log_in();
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("RETR 1\r\nNOOP\r\n"), &out), 8);
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("NOOP\r\n"), &out), 0);
    pop3_fetched(&talk.session, STATUS_OK, 15, 8, &out);
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("NOOP\r\n"), &out), 0);
    ck_assert_uint_eq(pop3_pass(&talk.session, SPAN("A: 1\r\n\r\nHello\r\n.\r\n")), 18);
    pop3_fetch_done(&talk.session, &out);
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("NOOP\r\n"), &out), 6);
    expect(SPAN("+OK 15 octets\r\n+OK\r\n"));
    conversation_close(&talk);
}
END_TEST

START_TEST(test_waits_for_expunge)
{
    log_in();
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("DELE 1\r\nQUIT\r\nNOOP\r\n"), &out), 14);
    expect(SPAN("+OK marked as deleted\r\n"));
    ck_assert_int_eq(pop3_wish(&talk.session), POP3_GO_ON);
    pop3_expunged(&talk.session, STATUS_OK, &out);
    expect(SPAN("+OK bye\r\n"));
    ck_assert_int_eq(pop3_wish(&talk.session), POP3_CLOSE);
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("NOOP\r\n"), &out), 0);
    conversation_close(&talk);
}
END_TEST

/* TOP that ends exactly with a piece learns it from the next one. */
START_TEST(test_top_ends_between_pieces)
{
    log_in();
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("TOP 1 0\r\n"), &out), 9);
    pop3_fetched(&talk.session, STATUS_OK, 15, 8, &out);
    ck_assert_uint_eq(pop3_pass(&talk.session, SPAN("A: 1\r\n\r\n")), 8);
    ck_assert_uint_eq(pop3_pass(&talk.session, SPAN("Hello\r\n.\r\n")), 0);
    pop3_fetch_done(&talk.session, &out);
    expect(SPAN("+OK 15 octets\r\n.\r\n"));
    conversation_close(&talk);
}
END_TEST

/* Unread replies stop the session from reading, at the room of one reply. */
START_TEST(test_full_output)
{
    log_in();
    out.capacity = POP3_REPLY_BYTES_MAX + 4;
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("NOOP\r\nNOOP\r\n"), &out), 6);
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("NOOP\r\n"), &out), 0);
    out.size = 0;
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("NOOP\r\n"), &out), 6);
    conversation_close(&talk);
}
END_TEST

/* A command that is cut while no block is free is lost alone: the session stays in step. */
START_TEST(test_no_block_for_line)
{
    const struct conversation_setup setup = {.messages = one, .messages_count = 1, .no_blocks = 4};
    conversation_open(&talk, &setup);
    conversation_hear(&talk, SPAN("AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nDE"));
    conversation_hear(&talk, SPAN("LE 1\r\nSTAT\r\n"));
    ck_assert_str_eq(talk.transcript,
                     GREETING "{log in alice secret}+OK 1 messages (15 octets)\r\n"
                              "-ERR [SYS/TEMP] out of memory, try later\r\n+OK 1 15\r\n");
    conversation_close(&talk);
    conversation_open(&talk, &setup);
    conversation_hear(&talk, SPAN("AUTH PLAIN\r\nAGFsaWNl"));
    conversation_hear(&talk, SPAN("AHNlY3JldA==\r\nSTAT\r\n"));
    ck_assert_str_eq(talk.transcript, GREETING "+ \r\n-ERR [SYS/TEMP] out of memory, try later\r\n"
                                               "-ERR log in first\r\n");
    conversation_close(&talk);
}
END_TEST

START_TEST(test_overlong_sasl_response)
{
    static char response[3000];
    memset(response, 'A', sizeof response);
    conversation_open(&talk, &(struct conversation_setup){0});
    conversation_hear(&talk, SPAN("AUTH PLAIN\r\n"));
    conversation_hear(&talk, span_of(response, sizeof response));
    conversation_hear(&talk, SPAN("\r\nQUIT\r\n"));
    ck_assert_str_eq(talk.transcript, GREETING "+ \r\n-ERR line too long\r\n+OK bye\r\n[close]");
    conversation_close(&talk);
}
END_TEST

/* RFC 1939 section 3: the autologout timer is at least ten minutes. */
START_TEST(test_patience)
{
    const struct conversation_setup setup = ONE;
    conversation_open(&talk, &setup);
    uint32_t before = pop3_patience_ms(&talk.session);
    ck_assert_uint_ge(before, 60 * 1000);
    conversation_hear(&talk, SPAN(LOGIN));
    ck_assert_uint_ge(pop3_patience_ms(&talk.session), 10 * 60 * 1000);
    ck_assert_uint_lt(before, pop3_patience_ms(&talk.session));
    conversation_hear(&talk, SPAN("QUIT\r\n"));
    conversation_close(&talk);
}
END_TEST

/* The client may vanish anywhere: every block comes back (checked by conversation_close) and
 * nothing was expunged. */
START_TEST(test_vanishes_anywhere)
{
    static const char client[] = LOGIN "DELE 1\r\nAUTH PLAIN\r\nLIST\r\nQUIT";
    for (size_t cut = 0; cut < sizeof client; cut++) {
        const struct conversation_setup setup = ONE;
        conversation_open(&talk, &setup);
        conversation_hear(&talk, span_of(client, cut));
        ck_assert_uint_eq(talk.asks[ASK_EXPUNGE], 0);
        conversation_close(&talk);
    }
}
END_TEST

START_TEST(test_many_commands)
{
    enum { COMMANDS = 20000 };
    char *client = malloc(6 * COMMANDS);
    for (size_t i = 0; i < COMMANDS; i++)
        memcpy(client + 6 * i, "NOOP\r\n", 6);
    log_in();
    size_t start = talk.transcript_bytes;
    conversation_hear(&talk, span_of(client, 6 * COMMANDS));
    ck_assert_uint_eq(talk.transcript_bytes - start, strlen("+OK\r\n") * COMMANDS);
    conversation_close(&talk);
    free(client);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/session");
    TCase *tcase = tcase_create("session");
    tcase_add_test(tcase, test_size);
    tcase_add_test(tcase, test_pipelining);
    tcase_add_test(tcase, test_waits_for_log_in);
    tcase_add_test(tcase, test_waits_for_fetch);
    tcase_add_test(tcase, test_waits_for_expunge);
    tcase_add_test(tcase, test_top_ends_between_pieces);
    tcase_add_test(tcase, test_full_output);
    tcase_add_test(tcase, test_no_block_for_line);
    tcase_add_test(tcase, test_overlong_sasl_response);
    tcase_add_test(tcase, test_patience);
    tcase_add_test(tcase, test_vanishes_anywhere);
    tcase_add_test(tcase, test_many_commands);
    suite_add_tcase(suite, tcase);
    return suite;
}
