#include "tests/engine/pop3/conversation.h"

#include "tests/check_main.h"

#include <stdio.h>

#define FIRST "Subject: one\r\n\r\nHello\r\n.\r\n"                              /* 23 octets */
#define SECOND "Subject: two\r\nX: y\r\n\r\nline 1\r\n..dot\r\nline 3\r\n.\r\n" /* 44 */
#define THIRD "Subject: three\r\n.\r\n"                                         /* 16 */

static const char *const three[] = {FIRST, SECOND, THIRD};
#define THREE .messages = three, .messages_count = 3
#define LOGGED_IN "+OK send PASS\r\n{log in alice secret}+OK 3 messages (83 octets)\r\n"

static const struct conversation_case rows[] = {
    {LOGIN "STAT\r\nLIST\r\nLIST 2\r\n",
     LOGGED_IN
     "+OK 3 83\r\n+OK 3 messages (83 octets)\r\n1 23\r\n2 44\r\n3 16\r\n.\r\n+OK 2 44\r\n",
     {THREE}},
    {LOGIN "UIDL\r\nUIDL 3\r\nuidl 1\r\n",
     LOGGED_IN "+OK 3 messages (83 octets)\r\n1 UID0.0\r\n2 UID1.0\r\n3 UID2.0\r\n.\r\n"
               "+OK 3 UID2.0\r\n+OK 1 UID0.0\r\n",
     {THREE}},
    {LOGIN "LIST \r\nUIDL \r\nNOOP\r\n",
     LOGGED_IN "+OK 3 messages (83 octets)\r\n1 23\r\n2 44\r\n3 16\r\n.\r\n"
               "+OK 3 messages (83 octets)\r\n1 UID0.0\r\n2 UID1.0\r\n3 UID2.0\r\n.\r\n+OK\r\n",
     {THREE}},
    /* Messages go out as they are stored, final line included. */
    {LOGIN "RETR 1\r\nRETR 2\r\nRETR 3\r\nNOOP\r\n",
     LOGGED_IN "{fetch 0}+OK 23 octets\r\n" FIRST "{fetch 1}+OK 44 octets\r\n" SECOND
               "{fetch 2}+OK 16 octets\r\n" THIRD "+OK\r\n",
     {THREE}},
    {LOGIN "TOP 2 0\r\nTOP 2 2\r\nTOP 2 3\r\nTOP 2 4\r\nTOP 2 18446744073709551615\r\nNOOP\r\n",
     LOGGED_IN "{fetch 1}+OK 44 octets\r\nSubject: two\r\nX: y\r\n\r\n.\r\n"
               "{fetch 1}+OK 44 octets\r\nSubject: two\r\nX: y\r\n\r\nline 1\r\n..dot\r\n.\r\n"
               "{fetch 1}+OK 44 octets\r\n" SECOND "{fetch 1}+OK 44 octets\r\n" SECOND
               "{fetch 1}+OK 44 octets\r\n" SECOND "+OK\r\n",
     {THREE}},
    {LOGIN "TOP 3 0\r\nTOP 3 5\r\nRETR 3\r\nTOP 1 0\r\n",
     LOGGED_IN "{fetch 2}+OK 16 octets\r\n" THIRD "{fetch 2}+OK 16 octets\r\n" THIRD
               "{fetch 2}+OK 16 octets\r\n" THIRD
               "{fetch 0}+OK 23 octets\r\nSubject: one\r\n\r\n.\r\n",
     {THREE}},
    /* Deleted numbers stay deleted and nothing is renumbered. */
    {LOGIN "DELE 2\r\nSTAT\r\nLIST\r\nUIDL\r\nLIST 2\r\nUIDL 2\r\nRETR 2\r\nTOP 2 1\r\nDELE 2\r\n"
           "LIST 3\r\n",
     LOGGED_IN "+OK marked as deleted\r\n+OK 2 39\r\n+OK 2 messages (39 octets)\r\n1 23\r\n3 16\r\n"
               ".\r\n+OK 2 messages (39 octets)\r\n1 UID0.0\r\n3 UID2.0\r\n.\r\n"
               "-ERR message is deleted\r\n-ERR message is deleted\r\n-ERR message is deleted\r\n"
               "-ERR message is deleted\r\n-ERR message is deleted\r\n+OK 3 16\r\n",
     {THREE}},
    {LOGIN "DELE 1\r\nDELE 3\r\nRSET\r\nSTAT\r\nRSET\r\nRETR 1\r\nQUIT\r\n",
     LOGGED_IN "+OK marked as deleted\r\n+OK marked as deleted\r\n+OK 3 messages (83 octets)\r\n"
               "+OK 3 83\r\n+OK 3 messages (83 octets)\r\n{fetch 0}+OK 23 octets\r\n" FIRST
               "+OK bye\r\n[close]",
     {THREE}},
    /* QUIT makes deletions durable before it says so. */
    {LOGIN "DELE 3\r\nDELE 1\r\nQUIT\r\nNOOP\r\n",
     LOGGED_IN "+OK marked as deleted\r\n+OK marked as deleted\r\n{expunge 0 2}+OK bye\r\n[close]",
     {THREE}},
    {LOGIN "DELE 1\r\nQUIT\r\n",
     LOGGED_IN "+OK marked as deleted\r\n{expunge 0}"
               "-ERR [SYS/TEMP] some deletions are not done\r\n[close]",
     {THREE, .expunge = STATUS_IO}},
    {LOGIN "DELE 1\r\nDELE 2\r\nDELE 3\r\nSTAT\r\nLIST\r\nUIDL\r\n",
     LOGGED_IN "+OK marked as deleted\r\n+OK marked as deleted\r\n+OK marked as deleted\r\n"
               "+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n+OK 0 messages (0 octets)\r\n.\r\n",
     {THREE}},
    /* What can't be read is refused and the session goes on. */
    {LOGIN "RETR 1\r\nTOP 1 1\r\nSTAT\r\n",
     LOGGED_IN "{fetch 0}-ERR [SYS/PERM] message is damaged\r\n"
               "{fetch 0}-ERR [SYS/PERM] message is damaged\r\n+OK 3 83\r\n",
     {THREE, .fetch = STATUS_CORRUPT}},
    {LOGIN "RETR 1\r\n",
     LOGGED_IN "{fetch 0}-ERR [SYS/PERM] message is damaged\r\n",
     {THREE, .fetch = STATUS_ABSENT}},
    {LOGIN "RETR 1\r\nSTAT\r\n",
     LOGGED_IN "{fetch 0}-ERR [SYS/TEMP] message not readable, try later\r\n+OK 3 83\r\n",
     {THREE, .fetch = STATUS_IO}},
    /* An empty maildrop. */
    {LOGIN "STAT\r\nLIST\r\nUIDL\r\nLIST 1\r\nRSET\r\nQUIT\r\n",
     "+OK send PASS\r\n{log in alice secret}+OK 0 messages (0 octets)\r\n+OK 0 0\r\n"
     "+OK 0 messages (0 octets)\r\n.\r\n+OK 0 messages (0 octets)\r\n.\r\n-ERR no such message\r\n"
     "+OK 0 messages (0 octets)\r\n+OK bye\r\n[close]",
     {0}},
};

START_TEST(test_rows)
{
    conversation_check(&rows[_i]);
}
END_TEST

/* ------------------------------------------------------------------ long listings ---- */

#define MANY 10007u

/* Each row in order, once, without those deleted; and what comes after the listing is answered. */
static void check_listing(const char *verb, const char *row_format, uint32_t output_bytes)
{
    struct conversation talk;
    char line[80];
    conversation_open(&talk, &(struct conversation_setup){
                                 .messages = three, .copies = MANY, .output_bytes = output_bytes});
    conversation_hear(&talk, SPAN(LOGIN "DELE 1\r\nDELE 5000\r\nDELE 10007\r\n"));
    size_t start = talk.transcript_bytes;
    snprintf(line, sizeof line, "%s\r\nNOOP\r\n", verb);
    conversation_hear(&talk, span_text(line));

    const char *said = talk.transcript + start, *head = "+OK 10004 messages (230092 octets)\r\n";
    ck_assert_int_eq(strncmp(said, head, strlen(head)), 0);
    said += strlen(head);
    for (unsigned i = 0; i < MANY; i++) {
        if (i == 0 || i == 4999 || i == MANY - 1)
            continue;
        snprintf(line, sizeof line, row_format, i + 1, i);
        ck_assert_int_eq(strncmp(said, line, strlen(line)), 0);
        said += strlen(line);
    }
    ck_assert_str_eq(said, ".\r\n+OK\r\n");
    conversation_close(&talk);
}

START_TEST(test_ten_thousand)
{
    const uint32_t rooms[] = {POP3_REPLY_BYTES_MAX, 1000, 16384, 1 << 20};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        check_listing("LIST", "%u 23\r\n", rooms[i]);
        check_listing("UIDL", "%u UID%u.0\r\n", rooms[i]);
    }
}
END_TEST

/* A peer that does not read: the listing stands still, nothing is consumed, and nothing is lost. */
START_TEST(test_listing_waits_for_room)
{
    struct conversation talk;
    uint8_t text[POP3_REPLY_BYTES_MAX];
    struct output out = {text, 0, sizeof text};
    conversation_open(&talk, &(struct conversation_setup){.messages = three, .copies = MANY});
    conversation_hear(&talk, SPAN(LOGIN));
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("LIST\r\nNOOP\r\n"), &out), 6);
    uint32_t size = out.size;
    ck_assert_uint_le(size, sizeof text);
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN("NOOP\r\n"), &out), 0);
    ck_assert_uint_eq(out.size, size);
    out.size = 0;
    ck_assert_uint_eq(pop3_feed(&talk.session, SPAN(""), &out), 0);
    ck_assert_uint_gt(out.size, 400);
    conversation_close(&talk);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/transaction");
    TCase *tcase = tcase_create("transaction");
    tcase_add_loop_test(tcase, test_rows, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, test_ten_thousand);
    tcase_add_test(tcase, test_listing_waits_for_room);
    suite_add_tcase(suite, tcase);
    return suite;
}
