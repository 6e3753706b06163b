#include "tests/engine/pop3/conversation.h"

#include "tests/check_main.h"

#define CAPA_HEAD                                                                                  \
    "+OK capabilities follow\r\nTOP\r\nUIDL\r\nPIPELINING\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"     \
    "EXPIRE NEVER\r\nUTF8\r\nIMPLEMENTATION mailrace\r\n"
#define CAPA_LOGIN "USER\r\nSASL PLAIN\r\n"
#define CAPA_STLS "STLS\r\n"
#define NO_CLEAR "-ERR [AUTH] no login without TLS\r\n"
#define EMPTY "+OK 0 messages (0 octets)\r\n"
#define ALICE "AGFsaWNlAHNlY3JldA==" /* NUL alice NUL secret */

static const struct conversation_case rows[] = {
    /* USER and PASS. */
    {LOGIN "STAT\r\n", "+OK send PASS\r\n{log in alice secret}" EMPTY "+OK 0 0\r\n", {0}},
    {"USER alice\r\nPASS a b  c \r\n", "+OK send PASS\r\n{log in alice a b  c }" EMPTY, {0}},
    {"USER a b@example.com\r\nPASS p\r\n",
     "+OK send PASS\r\n{log in a b@example.com p}" EMPTY,
     {0}},
    {"user bob\r\nUSER alice\r\npass p\r\n",
     "+OK send PASS\r\n+OK send PASS\r\n{log in alice p}" EMPTY,
     {0}},
    {"USER alice\r\nCAPA\r\nPASS p\r\n",
     "+OK send PASS\r\n" CAPA_HEAD CAPA_LOGIN ".\r\n{log in alice p}" EMPTY,
     {0}},
    {"PASS secret\r\n", "-ERR USER first\r\n", {0}},
    {"USER alice\r\nQUIT\r\n", "+OK send PASS\r\n+OK bye\r\n[close]", {0}},
    /* A refused login is forgotten wholly, and looks the same whatever was wrong. */
    {LOGIN "PASS secret\r\n",
     "+OK send PASS\r\n{log in alice secret}-ERR [AUTH] wrong user name or password\r\n"
     "-ERR USER first\r\n",
     {.login = STATUS_DENIED}},
    {LOGIN LOGIN "NOOP\r\n",
     "+OK send PASS\r\n{log in alice secret}-ERR [AUTH] wrong user name or password\r\n"
     "+OK send PASS\r\n{log in alice secret}-ERR too many errors\r\n[close]",
     {.login = STATUS_DENIED, .errors_max = 2}},
    {LOGIN "STAT\r\n",
     "+OK send PASS\r\n{log in alice secret}-ERR [IN-USE] another session has this maildrop\r\n"
     "-ERR log in first\r\n",
     {.login = STATUS_BUSY}},
    {LOGIN,
     "+OK send PASS\r\n{log in alice secret}"
     "-ERR [SYS/TEMP] maildrop not available, try later\r\n",
     {.login = STATUS_AGAIN}},
    {LOGIN,
     "+OK send PASS\r\n{log in alice secret}"
     "-ERR [SYS/TEMP] maildrop not available, try later\r\n",
     {.login = STATUS_IO}},
    /* AUTH PLAIN, with and without the initial response. */
    {"AUTH PLAIN " ALICE "\r\nSTAT\r\n", "{log in alice secret}" EMPTY "+OK 0 0\r\n", {0}},
    {"auth plain\r\n" ALICE "\r\nSTAT\r\n", "+ \r\n{log in alice secret}" EMPTY "+OK 0 0\r\n", {0}},
    {"AUTH PLAIN\r\n*\r\n" LOGIN,
     "+ \r\n-ERR authentication cancelled\r\n+OK send PASS\r\n{log in alice secret}" EMPTY,
     {0}},
    {"AUTH PLAIN\r\nQUIT\r\nQUIT\r\n", "+ \r\n-ERR malformed response\r\n+OK bye\r\n[close]", {0}},
    {"AUTH PLAIN\r\n\r\nAUTH PLAIN =\r\nAUTH PLAIN ====\r\nAUTH PLAIN AA\r\n",
     "+ \r\n-ERR malformed response\r\n-ERR malformed response\r\n-ERR malformed response\r\n"
     "-ERR malformed response\r\n",
     {0}},
    {"AUTH PLAIN AGFsaWNlAA==\r\nAUTH PLAIN Ym9iAGFsaWNlAHNlY3JldA==\r\n", /* bob as alice */
     "-ERR malformed response\r\n-ERR malformed response\r\n",
     {0}},
    {"AUTH PLAIN " ALICE " \r\nAUTH PLAIN  " ALICE "\r\n",
     "-ERR malformed response\r\n-ERR malformed response\r\n",
     {0}},
    {"AUTH LOGIN\r\nAUTH CRAM-MD5\r\nAUTH PLAINER\r\nAUTH PLAI\r\n",
     "-ERR unknown mechanism\r\n-ERR unknown mechanism\r\n-ERR unknown mechanism\r\n"
     "-ERR unknown mechanism\r\n",
     {0}},
    {"USER bob\r\nAUTH PLAIN " ALICE "\r\n", "+OK send PASS\r\n{log in alice secret}" EMPTY, {0}},
    /* Nobody logs in in clear unless the listener allows it. */
    {"CAPA\r\nUSER alice\r\nPASS secret\r\nAUTH PLAIN " ALICE "\r\nAUTH PLAIN\r\nQUIT\r\n",
     CAPA_HEAD CAPA_STLS ".\r\n" NO_CLEAR NO_CLEAR NO_CLEAR NO_CLEAR "+OK bye\r\n[close]",
     {.tls_only = true, .stls = true}},
    {"CAPA\r\n" LOGIN "CAPA\r\n",
     CAPA_HEAD CAPA_LOGIN ".\r\n+OK send PASS\r\n{log in alice secret}" EMPTY CAPA_HEAD CAPA_LOGIN
                          ".\r\n",
     {.tls_only = true, .stls = true, .secure = true}},
    {"CAPA\r\n", CAPA_HEAD CAPA_LOGIN CAPA_STLS ".\r\n", {.stls = true}},
    {"STLS\r\nNOOP\r\n", "-ERR TLS is not on offer\r\n-ERR log in first\r\n", {0}},
    {"STLS\r\n", "-ERR TLS is not on offer\r\n", {.stls = true, .secure = true}},
    {"STLS\r\n", "+OK begin TLS\r\n[tls]", {.stls = true}},
    {"UTF8\r\n" LOGIN, "+OK UTF-8 it is\r\n+OK send PASS\r\n{log in alice secret}" EMPTY, {0}},
};

START_TEST(test_rows)
{
    conversation_check(&rows[_i]);
}
END_TEST

START_TEST(test_nothing_survives_stls)
{
    struct conversation talk;
    conversation_open(&talk, &(struct conversation_setup){.stls = true});
    conversation_hear(&talk, SPAN("USER mallory\r\nSTLS\r\nPASS x\r\nDELE 1\r\nUS"));
    conversation_hear(&talk, SPAN("PASS secret\r\nSTLS\r\nCAPA\r\n" LOGIN));
    ck_assert_str_eq(talk.transcript,
                     GREETING "+OK send PASS\r\n+OK begin TLS\r\n[tls]-ERR USER first\r\n"
                              "-ERR TLS is not on offer\r\n" CAPA_HEAD CAPA_LOGIN ".\r\n"
                              "+OK send PASS\r\n{log in alice secret}" EMPTY);
    conversation_close(&talk);
}
END_TEST

/* Between STLS and the handshake not one byte is taken. */
START_TEST(test_stls_stops_reading)
{
    struct conversation talk;
    uint8_t text[POP3_REPLY_BYTES_MAX];
    struct output out = {text, 0, sizeof text};
    conversation_open(&talk, &(struct conversation_setup){.stls = true});
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("STLS\r\nQUIT\r\n"), &out), 6);
    ck_assert_int_eq(pop3_wish(&talk.session), POP3_STLS);
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("QUIT\r\n"), &out), 0);
    conversation_close(&talk);
}
END_TEST

START_TEST(test_user_holds_a_block_until_pass)
{
    struct conversation talk;
    conversation_open(&talk, &(struct conversation_setup){0});
    conversation_hear(&talk, SPAN("USER alice\r\n"));
    ck_assert_uint_eq(pool_left(&talk.blocks.pools[BLOCK_1K]), 3);
    conversation_hear(&talk, SPAN("PASS secret\r\n"));
    ck_assert_uint_eq(pool_left(&talk.blocks.pools[BLOCK_1K]), 4);
    conversation_close(&talk);
}
END_TEST

START_TEST(test_no_block_for_user)
{
    struct conversation talk;
    conversation_open(&talk, &(struct conversation_setup){.no_blocks = 4});
    conversation_hear(&talk, SPAN(LOGIN "AUTH PLAIN " ALICE "\r\n"));
    ck_assert_str_eq(talk.transcript,
                     GREETING "-ERR [SYS/TEMP] out of memory, try later\r\n-ERR USER first\r\n"
                              "{log in alice secret}" EMPTY);
    conversation_close(&talk);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/authorization");
    TCase *tcase = tcase_create("authorization");
    tcase_add_loop_test(tcase, test_rows, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, test_nothing_survives_stls);
    tcase_add_test(tcase, test_stls_stops_reading);
    tcase_add_test(tcase, test_user_holds_a_block_until_pass);
    tcase_add_test(tcase, test_no_block_for_user);
    suite_add_tcase(suite, tcase);
    return suite;
}
