#include "tests/check_main.h"
#include "tests/engine/pop3/client_talk.h"

#include <stdlib.h>

#define HELLO "+OK ready\r\n"
#define NO_CAPA "-ERR what\r\n"
#define CAPA(lines) "+OK capabilities\r\n" lines ".\r\n"
#define EMPTY "+OK 0 0\r\n"
#define USER_PASS "USER joe\r\nPASS secret\r\n"
#define AUTH "AUTH PLAIN\r\nAGpvZQBzZWNyZXQ=\r\n"
#define IN "{greeting}{capa}{login}"
#define NOTHING "{stat}{maildrop 0 0}"
#define BYE "QUIT\r\n[close fine]"

static const struct client_talk_case logins[] = {
    {{0},
     {HELLO, NO_CAPA, "+OK\r\n", "+OK in\r\n", EMPTY, "+OK bye\r\n"},
     "CAPA\r\n" USER_PASS "STAT\r\n" BYE,
     "{greeting}{capa refused}{login}" NOTHING "{quit}"},
    {{0},
     {HELLO, CAPA("USER\r\nSASL PLAIN\r\n"), "+OK\r\n", "+OK in\r\n", EMPTY, "+OK bye\r\n"},
     "CAPA\r\n" USER_PASS "STAT\r\n" BYE,
     IN NOTHING "{quit}"},
    {{.sasl = true},
     {HELLO, CAPA("USER\r\nSASL X PLAIN\r\n"), "+ \r\n", "+OK in\r\n", EMPTY, "+OK bye\r\n"},
     "CAPA\r\n" AUTH "STAT\r\n" BYE,
     IN NOTHING "{quit}"},
    {{.sasl = true},
     {HELLO, CAPA("USER\r\nSASL X\r\n"), "+OK\r\n", "+OK in\r\n", EMPTY, "+OK bye\r\n"},
     "CAPA\r\n" USER_PASS "STAT\r\n" BYE,
     IN NOTHING "{quit}"},
    /* USER is not offered, PLAIN is */
    {{0},
     {HELLO, CAPA("SASL PLAIN\r\n"), "+\r\n", "+OK in\r\n", EMPTY, "+OK bye\r\n"},
     "CAPA\r\n" AUTH "STAT\r\n" BYE,
     IN NOTHING "{quit}"},
    /* refused */
    {{0}, {"-ERR busy\r\n"}, "[close turned away]", "{greeting refused}"},
    {{0},
     {HELLO, NO_CAPA, "-ERR who\r\n"},
     "CAPA\r\nUSER joe\r\n[close turned away]",
     "{greeting}{capa refused}{login refused}"},
    {{.texts = true},
     {HELLO, NO_CAPA, "+OK\r\n", "-ERR [IN-USE] locked\r\n"},
     "CAPA\r\n" USER_PASS "[close turned away]",
     "{greeting: ready}{capa refused: what}{login refused: [IN-USE] locked}"},
    {{.sasl = true},
     {HELLO, CAPA("SASL PLAIN\r\n"), "-ERR not now\r\n"},
     "CAPA\r\nAUTH PLAIN\r\n[close turned away]",
     "{greeting}{capa}{login refused}"},
    {{.sasl = true},
     {HELLO, CAPA("SASL PLAIN\r\n"), "+ \r\n", "-ERR [AUTH] no\r\n"},
     "CAPA\r\n" AUTH "[close turned away]",
     "{greeting}{capa}{login refused}"},
    {{0},
     {HELLO, NO_CAPA, "+OK\r\n", "+OK in\r\n", "-ERR broken\r\n"},
     "CAPA\r\n" USER_PASS "STAT\r\n[close turned away]",
     "{greeting}{capa refused}{login}{stat refused}"},
};

static const struct client_talk_case tls[] = {
    /* what was offered in clear is forgotten */
    {{.stls = true, .sasl = true},
     {HELLO, CAPA("STLS\r\nSASL PLAIN\r\n"), "+OK go\r\n", CAPA("USER\r\n"), "+OK\r\n",
      "+OK in\r\n", EMPTY, "+OK bye\r\n"},
     "CAPA\r\nSTLS\r\n[tls]CAPA\r\n" USER_PASS "STAT\r\n" BYE,
     "{greeting}{capa}{tls}{capa}{login}" NOTHING "{quit}"},
    {{.stls = true}, {HELLO, CAPA("USER\r\n")}, "CAPA\r\n[close no TLS]", "{greeting}{capa}"},
    {{.stls = true}, {HELLO, NO_CAPA}, "CAPA\r\n[close no TLS]", "{greeting}{capa refused}"},
    {{.stls = true},
     {HELLO, CAPA("STLS\r\n"), "-ERR no\r\n"},
     "CAPA\r\nSTLS\r\n[close no TLS]",
     "{greeting}{capa}{tls refused}"},
    {{.stls = true, .tls_fails = true},
     {HELLO, CAPA("STLS\r\n"), "+OK go\r\n"},
     "CAPA\r\nSTLS\r\n[tls][close TLS failed]",
     "{greeting}{capa}"},
    {{.stls = true, .secure = true},
     {HELLO, CAPA("STLS\r\nUSER\r\n"), "+OK\r\n"},
     "CAPA\r\n" USER_PASS,
     "{greeting}{capa}"},
};

#define TO_STAT HELLO, NO_CAPA, "+OK\r\n", "+OK in\r\n"
#define SAID_STAT "CAPA\r\n" USER_PASS "STAT\r\n"
#define TOLD_LOGIN "{greeting}{capa refused}{login}"
#define TOLD_TWO TOLD_LOGIN "{stat}{maildrop 2 30}"

static const struct client_talk_case lists[] = {
    {{.uidl = true},
     {TO_STAT, "+OK 2 30\r\n", "+OK\r\n2 b\r\n1 a\r\n.\r\n"},
     SAID_STAT "UIDL\r\nRETR 1\r\n",
     TOLD_TWO "{2 is b}{1 is a}{uidl}"},
    {{.uidl = true},
     {TO_STAT, "+OK 2 30\r\n", "+OK\r\n.\r\n"},
     SAID_STAT "UIDL\r\nRETR 1\r\n",
     TOLD_TWO "{uidl}"},
    {{.uidl = true},
     {TO_STAT, "+OK 2 30\r\n", "-ERR never heard\r\n"},
     SAID_STAT "UIDL\r\nRETR 1\r\n",
     TOLD_TWO "{uidl refused}"},
    {{.uidl = true},
     {TO_STAT, "+OK 2 30\r\n", "+OK\r\n1 a\r\n2 b\r\n2 c\r\n"},
     SAID_STAT "UIDL\r\n[close long reply]",
     TOLD_TWO "{1 is a}{2 is b}"},
    {{.uidl = true},
     {TO_STAT, "+OK 2 30\r\n", "+OK\r\n3 a\r\n"},
     SAID_STAT "UIDL\r\n[close garbage]",
     TOLD_TWO},
    {{.uidl = true},
     {TO_STAT, "+OK 2 30\r\n", "+OK\r\n1 a\r\n", "!timeout"},
     SAID_STAT "UIDL\r\n[close timeout]",
     TOLD_TWO "{1 is a}"},
};

static const struct client_talk_case hostile[] = {
    {{0}, {"220 SMTP\r\n"}, "[close garbage]", ""},
    {{0}, {"+ok\r\n"}, "[close garbage]", ""},
    {{0}, {"+OKAY\r\n"}, "[close garbage]", ""},
    {{0}, {"\r\n"}, "[close garbage]", ""},
    {{0}, {"+ \r\n"}, "[close out of step]", ""},
    {{0}, {"+OK"}, "", ""},
    {{0}, {"+OK\n"}, "CAPA\r\n", "{greeting}"},
    {{0}, {HELLO, "+ \r\n"}, "CAPA\r\n[close out of step]", "{greeting}"},
    {{0},
     {HELLO, NO_CAPA, "+ \r\n"},
     "CAPA\r\nUSER joe\r\n[close out of step]",
     "{greeting}{capa refused}"},
    {{.sasl = true},
     {HELLO, CAPA("SASL PLAIN\r\n"), "+OK in?\r\n"},
     "CAPA\r\nAUTH PLAIN\r\n[close out of step]",
     "{greeting}{capa}"},
    {{.sasl = true},
     {HELLO, CAPA("SASL PLAIN\r\n"), "+ \r\n", "+ more\r\n"},
     "CAPA\r\n" AUTH "[close out of step]",
     "{greeting}{capa}"},
    {{0}, {TO_STAT, "+OK\r\n"}, SAID_STAT "[close garbage]", TOLD_LOGIN "{stat}"},
    {{0}, {TO_STAT, "+OK 1 x\r\n"}, SAID_STAT "[close garbage]", TOLD_LOGIN "{stat}"},
    {{0}, {TO_STAT, "!lost"}, SAID_STAT "[close connection lost]", TOLD_LOGIN},
};

static const struct {
    const struct client_talk_case *rows;
    size_t count;
} tables[] = {
#define TABLE(rows)                                                                                \
    {                                                                                              \
        rows, sizeof rows / sizeof *rows                                                           \
    }
    TABLE(logins),
    TABLE(tls),
    TABLE(lists),
    TABLE(hostile),
};

START_TEST(conversations)
{
    for (size_t i = 0; i < tables[_i].count; i++)
        client_talk_check(&tables[_i].rows[i]);
}
END_TEST

static struct client_talk talk;

/* What is put between STLS and the handshake must not be taken for the server's word inside TLS. */
START_TEST(injection_before_tls)
{
    static const struct client_talk_setup setup = {.stls = true};
    static const char *const pieces[][2] = {{"+OK go\r\n+OK\r\n", ""},
                                            {"+OK go\r\n+", ""},
                                            {"+OK go\r\n", "+OK\r\n"},
                                            {"+OK go\r\n", "+"}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        uint8_t text[POP3_CLIENT_COMMAND_BYTES_MAX];
        struct output out = {text, 0, sizeof text};
        client_talk_open(&talk, &setup, 0);
        client_talk_hear(&talk, SPAN(HELLO));
        client_talk_hear(&talk, SPAN(CAPA("STLS\r\n")));
        pop3_client_feed(&talk.session, span_text(pieces[i][0]), &out);
        pop3_client_feed(&talk.session, span_text(pieces[i][1]), &out);
        ck_assert_int_eq(pop3_client_failure(&talk.session), POP3_CLIENT_UNASKED);
        ck_assert_uint_eq(out.size, 0);
        client_talk_close(&talk);
    }
}
END_TEST

START_TEST(endless_capabilities)
{
    static const struct client_talk_setup setup = {0};
    client_talk_open(&talk, &setup, 0);
    client_talk_hear(&talk, SPAN(HELLO));
    client_talk_hear(&talk, SPAN("+OK\r\n"));
    for (unsigned i = 0; i < POP3_CLIENT_CAPABILITIES_MAX; i++)
        client_talk_hear(&talk, SPAN("X\r\n"));
    ck_assert_str_eq(talk.said.text, "CAPA\r\n");
    client_talk_hear(&talk, SPAN("X\r\n"));
    ck_assert_str_eq(talk.said.text, "CAPA\r\n[close long reply]");
    client_talk_close(&talk);
}
END_TEST

START_TEST(endless_line)
{
    static const struct client_talk_setup setup = {0};
    static char line[REPLY_LINE_BYTES_MAX + 1];
    memset(line, '+', sizeof line);
    client_talk_open(&talk, &setup, 0);
    client_talk_hear(&talk, span_of(line, 1000));
    client_talk_hear(&talk, span_of(line, sizeof line - 1000));
    ck_assert_str_eq(talk.said.text, "[close long line]");
    client_talk_close(&talk);
}
END_TEST

/* The longest there can be fit into what a session asks for. */
START_TEST(longest_credentials_fit)
{
    static uint8_t name[CREDENTIALS_BYTES_MAX];
    memset(name, 'x', sizeof name);
    for (unsigned sasl = 0; sasl < 2; sasl++) {
        const struct client_talk_setup setup = {.sasl = sasl > 0};
        client_talk_open(&talk, &setup, POP3_CLIENT_COMMAND_BYTES_MAX);
        talk.credentials.user = talk.credentials.password = span_of(name, sizeof name);
        client_talk_hear(&talk, SPAN(HELLO));
        client_talk_hear(&talk, SPAN(CAPA("USER\r\nSASL PLAIN\r\n")));
        client_talk_hear(&talk, sasl ? SPAN("+ \r\n") : SPAN("+OK\r\n"));
        client_talk_hear(&talk, SPAN("+OK in\r\n"));
        ck_assert_str_eq(talk.told.text, "{greeting}{capa}{login}");
        client_talk_close(&talk);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/client_login");
    TCase *tcase = tcase_create("client_login");
    tcase_add_loop_test(tcase, conversations, 0, sizeof tables / sizeof *tables);
    tcase_add_test(tcase, injection_before_tls);
    tcase_add_test(tcase, endless_capabilities);
    tcase_add_test(tcase, endless_line);
    tcase_add_test(tcase, longest_credentials_fit);
    suite_add_tcase(suite, tcase);
    return suite;
}
