#include "tests/check_main.h"
#include "tests/engine/pop3/client_talk.h"

static struct client_talk talk;

START_TEST(size)
{
    ck_assert_uint_le(sizeof(struct pop3_client), 384);
}
END_TEST

/* What the caller's clock runs for, through a whole conversation. */
START_TEST(awaits)
{
    static const struct {
        const char *said;
        enum pop3_client_phase awaited;
    } table[] = {
        {"", POP3_CLIENT_GREETING},          {"+OK ready\r\n", POP3_CLIENT_CAPA},
        {"+OK\r\nST", POP3_CLIENT_CAPA},     {"LS\r\nUSER\r\n.\r\n", POP3_CLIENT_TLS},
        {"+OK go\r\n", POP3_CLIENT_CAPA},    {"-ERR what\r\n", POP3_CLIENT_LOGIN},
        {"+OK\r\n", POP3_CLIENT_LOGIN},      {"+OK in\r\n", POP3_CLIENT_STAT},
        {"+OK 1 3\r\n", POP3_CLIENT_UIDL},   {"+OK\r\n1 a\r\n", POP3_CLIENT_UIDL},
        {".\r\n", POP3_CLIENT_RETR},         {"+OK\r\na\r\n", POP3_CLIENT_RETR},
        {".\r\n", POP3_CLIENT_DELE},         {"+OK\r\n", POP3_CLIENT_QUIT},
        {"+OK bye\r\n", POP3_CLIENT_PHASES},
    };
    static const struct client_talk_setup setup = {.stls = true, .uidl = true, .delete_all = true};
    client_talk_open(&talk, &setup, 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        client_talk_hear(&talk, span_text(table[i].said));
        ck_assert_msg(pop3_client_awaits(&talk.session) == table[i].awaited, "after %s",
                      table[i].said);
    }
    client_talk_close(&talk);
}
END_TEST

START_TEST(handshake_is_awaited)
{
    struct pop3_client session;
    uint8_t text[POP3_CLIENT_COMMAND_BYTES_MAX];
    static const struct client_talk_setup setup = {.stls = true};
    static const char *const server[] = {"+OK ready\r\n", "+OK\r\nSTLS\r\n.\r\n", "+OK go\r\n"};
    client_talk_open(&talk, &setup, 0);
    pop3_client_start(&session, &talk.config, &talk.credentials, &talk, false);
    for (size_t i = 0; i < 3; i++) {
        struct output out = {text, 0, sizeof text};
        pop3_client_feed(&session, span_text(server[i]), &out);
    }
    ck_assert_int_eq(pop3_client_wish(&session), POP3_CLIENT_STLS);
    ck_assert_int_eq(pop3_client_awaits(&session), POP3_CLIENT_TLS);
    pop3_client_fail(&session, POP3_CLIENT_TIMEOUT);
    ck_assert_int_eq(pop3_client_wish(&session), POP3_CLIENT_CLOSE);
    ck_assert_int_eq(pop3_client_failure(&session), POP3_CLIENT_TIMEOUT);
}
END_TEST

/* Only the first reason counts. */
START_TEST(fails_once)
{
    static const struct client_talk_setup setup = {0};
    client_talk_open(&talk, &setup, 0);
    pop3_client_fail(&talk.session, POP3_CLIENT_TIMEOUT);
    pop3_client_fail(&talk.session, POP3_CLIENT_LOST);
    ck_assert_int_eq(pop3_client_failure(&talk.session), POP3_CLIENT_TIMEOUT);
    client_talk_close(&talk);
}
END_TEST

/* A server that answers before it can have been asked. */
START_TEST(replies_ahead)
{
    static const struct client_talk_setup setup = {0};
    client_talk_open(&talk, &setup, 0);
    client_talk_hear(&talk, SPAN("+OK ready\r\n+OK\r\n.\r\n"));
    ck_assert_str_eq(talk.said.text, "[close unasked reply]");
    ck_assert_str_eq(talk.told.text, "{greeting}");
    client_talk_close(&talk);
}
END_TEST

START_TEST(no_room)
{
    static const struct client_talk_setup setup = {0};
    client_talk_open(&talk, &setup, POP3_CLIENT_COMMAND_BYTES_MAX - 1);
    pop3_client_feed(&talk.session, SPAN("+OK ready\r\n"), &talk.out);
    ck_assert_uint_eq(talk.out.size, 0);
    ck_assert_int_eq(pop3_client_wish(&talk.session), POP3_CLIENT_SPEAK);
    talk.out.capacity++;
    pop3_client_feed(&talk.session, SPAN(""), &talk.out);
    ck_assert_uint_eq(talk.out.size, strlen("CAPA\r\n"));
    ck_assert_int_eq(pop3_client_wish(&talk.session), POP3_CLIENT_GO_ON);
    talk.out.size = 0;
    client_talk_close(&talk);
}
END_TEST

START_TEST(failures_have_names)
{
    for (unsigned i = 0; i < POP3_CLIENT_FAILURES; i++) {
        const char *name = pop3_client_failure_name((enum pop3_client_failure)i);
        ck_assert_ptr_nonnull(name);
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(name, pop3_client_failure_name((enum pop3_client_failure)j));
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/client");
    TCase *tcase = tcase_create("client");
    tcase_add_test(tcase, size);
    tcase_add_test(tcase, awaits);
    tcase_add_test(tcase, handshake_is_awaited);
    tcase_add_test(tcase, fails_once);
    tcase_add_test(tcase, replies_ahead);
    tcase_add_test(tcase, no_room);
    tcase_add_test(tcase, failures_have_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
