#include "tests/check_main.h"
#include "tests/engine/smtp/client_talk.h"

#define BANNER "220 mx ESMTP\r\n"
#define HELLO "250 mx\r\n"
#define HELLO_PIPELINING "250-mx\r\n250 PIPELINING\r\n"
#define HELLO_CHUNKING "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
#define BYE "221 bye\r\n"
#define MAIL "MAIL FROM:<s@a>\r\n"
#define RCPT_0 "RCPT TO:<0@b>\r\n"
#define RCPT_1 "RCPT TO:<1@b>\r\n"
#define RCPT_2 "RCPT TO:<2@b>\r\n"
#define DATA "DATA\r\n"
#define BDAT "BDAT 5 LAST\r\n"
#define OK "250 ok\r\n"
#define NO "550 no\r\n"
#define GO "354 go\r\n"
#define LMTP_GREETING "{banner 220}LHLO me\r\n{hello 250}"

/* One command at a time. */
static const struct client_talk_case steps[] = {
    {{.messages = 1},
     {BANNER, HELLO, OK, OK, GO, OK, BYE},
     CLIENT_TALK_GREETING MAIL
     "{mail 250 1}" RCPT_0 "{rcpt 250 1}" DATA
     "{data 354 1}[body 1]{commit 250 1}{done 1 accepted 250}" CLIENT_TALK_BYE},
    /* the next one follows only when this one is through, though pipelining is offered */
    {{.messages = 2},
     {BANNER, HELLO_PIPELINING, OK, OK, GO, OK, OK, "251 will forward\r\n", GO, "252 queued\r\n",
      BYE},
     CLIENT_TALK_GREETING MAIL
     "{mail 250 1}" RCPT_0 "{rcpt 250 1}" DATA
     "{data 354 1}[body 1]{commit 250 1}{done 1 accepted 250}" MAIL "{mail 250 2}" RCPT_0
     "{rcpt 251 2}" DATA "{data 354 2}[body 2]{commit 252 2}{done 2 accepted 252}" CLIENT_TALK_BYE},
    /* some recipients are refused */
    {{.messages = 1, .recipients = 3},
     {BANNER, HELLO, OK, NO, OK, "452 later\r\n", GO, OK, BYE},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT_0 "{rcpt 550 1}" RCPT_1 "{rcpt 250 1}" RCPT_2
                               "{rcpt 452 1}" DATA
                               "{data 354 1}[body 1]{commit 250 1}{done 1 refused 550 accepted 250 "
                               "refused 452}" CLIENT_TALK_BYE},
    /* refused at MAIL: no transaction */
    {{.messages = 2, .recipients = 2},
     {BANNER, HELLO, "552 big\r\n", "451 later\r\n", BYE},
     CLIENT_TALK_GREETING MAIL "{mail 552 1}{done 1 refused 552 refused 552}" MAIL
                               "{mail 451 2}{done 2 refused 451 refused 451}" CLIENT_TALK_BYE},
    /* refused at every RCPT: RSET before the next one */
    {{.messages = 2, .recipients = 2},
     {BANNER, HELLO, OK, NO, "551 no\r\n", OK, OK, OK, OK, GO, OK, BYE},
     CLIENT_TALK_GREETING MAIL
     "{mail 250 1}" RCPT_0 "{rcpt 550 1}" RCPT_1 "{rcpt 551 1}{done 1 refused 550 refused 551}"
     "RSET\r\n{rset 250 2}" MAIL "{mail 250 2}" RCPT_0 "{rcpt 250 2}" RCPT_1 "{rcpt 250 2}" DATA
     "{data 354 2}[body 2]{commit 250 2}{done 2 accepted 250 accepted 250}" CLIENT_TALK_BYE},
    /* nothing after it: QUIT will do */
    {{.messages = 1},
     {BANNER, HELLO, OK, NO, BYE},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT_0
                               "{rcpt 550 1}{done 1 refused 550}" CLIENT_TALK_BYE},
    /* refused at DATA */
    {{.messages = 2, .recipients = 2},
     {BANNER, HELLO, OK, OK, NO, "451 later\r\n", OK, NO, BYE},
     CLIENT_TALK_GREETING MAIL
     "{mail 250 1}" RCPT_0 "{rcpt 250 1}" RCPT_1 "{rcpt 550 1}" DATA
     "{data 451 1}{done 1 refused 451 refused 550}RSET\r\n{rset 250 2}" MAIL
     "{mail 550 2}{done 2 refused 550 refused 550}" CLIENT_TALK_BYE},
    /* refused at the end: that ends the transaction all the same */
    {{.messages = 2},
     {BANNER, HELLO, OK, OK, GO, "554 spam\r\n", NO, BYE},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT_0 "{rcpt 250 1}" DATA
                               "{data 354 1}[body 1]{commit 554 1}{done 1 refused 554}" MAIL
                               "{mail 550 2}{done 2 refused 550}" CLIENT_TALK_BYE},
    /* chunked, but not pipelined: a refused chunk leaves things undefined */
    {{.messages = 2, .chunking = true},
     {BANNER, HELLO_CHUNKING, OK, OK, NO, OK, OK, OK, OK, BYE},
     CLIENT_TALK_GREETING MAIL
     "{mail 250 1}" RCPT_0 "{rcpt 250 1}" BDAT
     "[chunk 1]{commit 550 1}{done 1 refused 550}RSET\r\n{rset 250 2}" MAIL "{mail 250 2}" RCPT_0
     "{rcpt 250 2}" BDAT "[chunk 2]{commit 250 2}{done 2 accepted 250}" CLIENT_TALK_BYE},
    {{.messages = 2, .chunking = true},
     {BANNER, HELLO_CHUNKING, OK, NO, OK, NO, BYE},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT_0
                               "{rcpt 550 1}{done 1 refused 550}RSET\r\n{rset 250 2}" MAIL
                               "{mail 550 2}{done 2 refused 550}" CLIENT_TALK_BYE},
    /* chunks where they are not offered */
    {{.messages = 1, .chunking = true},
     {BANNER, HELLO, OK, OK, GO, OK, BYE},
     CLIENT_TALK_GREETING MAIL
     "{mail 250 1}" RCPT_0 "{rcpt 250 1}" DATA
     "{data 354 1}[body 1]{commit 250 1}{done 1 accepted 250}" CLIENT_TALK_BYE},
};

#define PIPELINE .pipeline = true
#define GROUP MAIL RCPT_0 DATA

/* Groups of RFC 2920: the envelope goes with the body before it, DATA waits for its reply. */
static const struct client_talk_case groups[] = {
    {{PIPELINE, .messages = 1},
     {BANNER, HELLO_PIPELINING, OK OK GO, OK BYE},
     CLIENT_TALK_GREETING GROUP "{mail 250 1}{rcpt 250 1}{data 354 1}[body 1]QUIT\r\n"
                                "{commit 250 1}{done 1 accepted 250}{quit 221}[close fine]"},
    {{PIPELINE, .messages = 3},
     {BANNER, HELLO_PIPELINING, OK OK GO, OK OK OK GO, NO OK OK GO, OK BYE},
     CLIENT_TALK_GREETING GROUP
     "{mail 250 1}{rcpt 250 1}{data 354 1}[body 1]" GROUP
     "{commit 250 1}{done 1 accepted 250}{mail 250 2}{rcpt 250 2}{data 354 2}[body 2]" GROUP
     "{commit 550 2}{done 2 refused 550}{mail 250 3}{rcpt 250 3}{data 354 3}[body 3]QUIT\r\n"
     "{commit 250 3}{done 3 accepted 250}{quit 221}[close fine]"},
    /* falls back where it is not offered */
    {{PIPELINE, .messages = 1},
     {BANNER, HELLO, OK, OK, GO, OK, BYE},
     CLIENT_TALK_GREETING MAIL
     "{mail 250 1}" RCPT_0 "{rcpt 250 1}" DATA
     "{data 354 1}[body 1]{commit 250 1}{done 1 accepted 250}" CLIENT_TALK_BYE},
    /* some refused */
    {{PIPELINE, .messages = 1, .recipients = 3},
     {BANNER, HELLO_PIPELINING, OK NO OK "452 full\r\n" GO, OK BYE},
     CLIENT_TALK_GREETING MAIL RCPT_0 RCPT_1 RCPT_2 DATA
     "{mail 250 1}{rcpt 550 1}{rcpt 250 1}{rcpt 452 1}{data 354 1}[body 1]QUIT\r\n{commit 250 1}"
     "{done 1 refused 550 accepted 250 refused 452}{quit 221}[close fine]"},
    /* all refused, and with them DATA; RSET, as a transaction is open */
    {{PIPELINE, .messages = 2},
     {BANNER, HELLO_PIPELINING, OK NO "554 none\r\n", OK OK OK GO, OK BYE},
     CLIENT_TALK_GREETING GROUP "{mail 250 1}{rcpt 550 1}{data 554 1}{done 1 refused 550}"
                                "RSET\r\n" GROUP
                                "{rset 250 2}{mail 250 2}{rcpt 250 2}{data 354 2}[body 2]QUIT\r\n"
                                "{commit 250 2}{done 2 accepted 250}{quit 221}[close fine]"},
    /* all refused, but DATA accepted: an empty message is sent, that nobody gets */
    {{PIPELINE, .messages = 2},
     {BANNER, HELLO_PIPELINING, OK NO GO, "554 none\r\n" NO NO "503 no\r\n", BYE},
     CLIENT_TALK_GREETING GROUP "{mail 250 1}{rcpt 550 1}{data 354 1}.\r\n" GROUP
                                "{commit 554 1}{done 1 refused 550}{mail 550 2}{rcpt 550 2}"
                                "{data 503 2}{done 2 refused 550}" CLIENT_TALK_BYE},
    /* all refused at MAIL */
    {{PIPELINE, .messages = 1, .recipients = 2},
     {BANNER, HELLO_PIPELINING,
      "451 no\r\n"
      "503 no\r\n"
      "503 no\r\n"
      "503 no\r\n",
      BYE},
     CLIENT_TALK_GREETING MAIL RCPT_0 RCPT_1 DATA
     "{mail 451 1}{rcpt 503 1}{rcpt 503 1}{data 503 1}{done 1 refused 451 refused "
     "451}" CLIENT_TALK_BYE},
    /* refused at DATA alone */
    {{PIPELINE, .messages = 1},
     {BANNER, HELLO_PIPELINING, OK OK "451 no\r\n", BYE},
     CLIENT_TALK_GREETING GROUP
     "{mail 250 1}{rcpt 250 1}{data 451 1}{done 1 refused 451}" CLIENT_TALK_BYE},
    /* a server that takes recipients though it has no sender */
    {{PIPELINE, .messages = 1},
     {BANNER, HELLO_PIPELINING, NO OK GO},
     CLIENT_TALK_GREETING GROUP "{mail 550 1}{rcpt 250 1}{done 1 refused 550}[close out of step]"},
};

#define CHUNK MAIL RCPT_0 BDAT
#define CHUNKS .pipeline = true, .chunking = true

/* Whole messages follow each other; RSET keeps a refused one from spoiling the next. */
static const struct client_talk_case chunks[] = {
    {{CHUNKS, .messages = 3},
     {BANNER, HELLO_CHUNKING, OK OK OK OK OK OK OK, OK OK OK OK BYE},
     CLIENT_TALK_GREETING CHUNK
     "[chunk 1]RSET\r\n" CHUNK "[chunk 2]RSET\r\n" CHUNK "[chunk 3]QUIT\r\n"
     "{mail 250 1}{rcpt 250 1}{commit 250 1}{done 1 accepted 250}"
     "{rset 250 2}{mail 250 2}{rcpt 250 2}{commit 250 2}{done 2 accepted 250}"
     "{rset 250 3}{mail 250 3}{rcpt 250 3}{commit 250 3}{done 3 accepted 250}"
     "{quit 221}[close fine]"},
    {{CHUNKS, .messages = 2},
     {BANNER, HELLO_CHUNKING, OK NO "503 none\r\n", OK OK OK "552 big\r\n", BYE},
     CLIENT_TALK_GREETING CHUNK
     "[chunk 1]RSET\r\n" CHUNK "[chunk 2]QUIT\r\n"
     "{mail 250 1}{rcpt 550 1}{commit 503 1}{done 1 refused 550}"
     "{rset 250 2}{mail 250 2}{rcpt 250 2}{commit 552 2}{done 2 refused 552}"
     "{quit 221}[close fine]"},
    {{CHUNKS, .messages = 1},
     {BANNER, HELLO_CHUNKING,
      NO "503 no\r\n"
         "503 no\r\n" BYE},
     CLIENT_TALK_GREETING CHUNK "[chunk 1]QUIT\r\n{mail 550 1}{rcpt 503 1}{commit 503 1}"
                                "{done 1 refused 550}{quit 221}[close fine]"},
    /* an answer for nobody is no harm */
    {{CHUNKS, .messages = 1},
     {BANNER, HELLO_CHUNKING, OK NO OK BYE},
     CLIENT_TALK_GREETING CHUNK "[chunk 1]QUIT\r\n{mail 250 1}{rcpt 550 1}{commit 250 1}"
                                "{done 1 refused 550}{quit 221}[close fine]"},
    {{CHUNKS, .messages = 2},
     {BANNER, HELLO_CHUNKING, OK OK OK NO},
     CLIENT_TALK_GREETING CHUNK "[chunk 1]RSET\r\n" CHUNK
                                "[chunk 2]QUIT\r\n{mail 250 1}{rcpt 250 1}{commit 250 1}"
                                "{done 1 accepted 250}{rset 550 2}{done 2 doubtful}"
                                "[close turned away]"},
};

#define LMTP .lmtp = true

/* One reply at the end for each recipient that was taken. */
static const struct client_talk_case lmtp[] = {
    {{LMTP, .messages = 1, .recipients = 3},
     {BANNER, HELLO, OK, OK, NO, OK, GO, OK "452 full\r\n", BYE},
     LMTP_GREETING MAIL "{mail 250 1}" RCPT_0 "{rcpt 250 1}" RCPT_1 "{rcpt 550 1}" RCPT_2
                        "{rcpt 250 1}" DATA "{data 354 1}[body 1]{commit 250 1}{commit 452 1}"
                        "{done 1 accepted 250 refused 550 refused 452}" CLIENT_TALK_BYE},
    {{LMTP, PIPELINE, .messages = 2, .recipients = 2},
     {BANNER, HELLO_PIPELINING, OK OK OK GO, OK OK OK NO OK GO, OK BYE},
     LMTP_GREETING MAIL RCPT_0 RCPT_1 DATA
     "{mail 250 1}{rcpt 250 1}{rcpt 250 1}{data 354 1}[body 1]" MAIL RCPT_0 RCPT_1 DATA
     "{commit 250 1}{commit 250 1}{done 1 accepted 250 accepted 250}"
     "{mail 250 2}{rcpt 550 2}{rcpt 250 2}{data 354 2}[body 2]QUIT\r\n"
     "{commit 250 2}{done 2 refused 550 accepted 250}{quit 221}[close fine]"},
    {{LMTP, CHUNKS, .messages = 2, .recipients = 2},
     {BANNER, HELLO_CHUNKING, OK OK OK OK NO, OK OK NO NO "503 none\r\n", BYE},
     LMTP_GREETING MAIL RCPT_0 RCPT_1 BDAT
     "[chunk 1]RSET\r\n" MAIL RCPT_0 RCPT_1 BDAT "[chunk 2]QUIT\r\n"
     "{mail 250 1}{rcpt 250 1}{rcpt 250 1}{commit 250 1}{commit 550 1}"
     "{done 1 accepted 250 refused 550}{rset 250 2}{mail 250 2}{rcpt 550 2}{rcpt 550 2}"
     "{commit 503 2}{done 2 refused 550 refused 550}{quit 221}[close fine]"},
    /* nobody would answer for it */
    {{LMTP, PIPELINE, .messages = 1},
     {BANNER, HELLO_PIPELINING, OK NO GO},
     LMTP_GREETING GROUP
     "{mail 250 1}{rcpt 550 1}{data 354 1}{done 1 refused 550}[close out of step]"},
    /* lost in between: one is known, one is in doubt */
    {{LMTP, .messages = 1, .recipients = 3},
     {BANNER, HELLO, OK, OK, OK, OK, GO, OK, "421 bye\r\n"},
     LMTP_GREETING MAIL "{mail 250 1}" RCPT_0 "{rcpt 250 1}" RCPT_1 "{rcpt 250 1}" RCPT_2
                        "{rcpt 250 1}" DATA "{data 354 1}[body 1]{commit 250 1}{commit 421 1}"
                        "{done 1 accepted 250 refused 421 doubtful}[close shut down]"},
};

static const struct client_talk_case parameters[] = {
    {{.messages = 1, .eight_bit = true, .smtputf8 = true},
     {BANNER, "250-mx\r\n250-SIZE 100\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"},
     CLIENT_TALK_GREETING "MAIL FROM:<s@a> SIZE=5 BODY=8BITMIME SMTPUTF8\r\n"},
    {{.messages = 1},
     {BANNER, "250-mx\r\n250-SIZE\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"},
     CLIENT_TALK_GREETING "MAIL FROM:<s@a> SIZE=5\r\n"},
    {{.messages = 1, .eight_bit = true, .smtputf8 = true},
     {BANNER, HELLO},
     CLIENT_TALK_GREETING MAIL},
};

static const struct {
    const struct client_talk_case *rows;
    size_t count;
} tables[] = {
#define TABLE(rows)                                                                                \
    {                                                                                              \
        rows, sizeof rows / sizeof *rows                                                           \
    }
    TABLE(steps), TABLE(groups), TABLE(chunks), TABLE(lmtp), TABLE(parameters),
};

START_TEST(conversations)
{
    for (size_t i = 0; i < tables[_i].count; i++)
        client_talk_check(&tables[_i].rows[i]);
}
END_TEST

/* A conversation cut short after every byte that the server says: whatever was sent and not
 * answered is in doubt, whatever was not sent has failed, whatever was answered stays. */
START_TEST(lost_anywhere)
{
    static const struct client_talk_setup setup = {.messages = 1};
    static const char server[] = BANNER HELLO OK OK GO OK;
    static const char *const texts[] = {BANNER, HELLO, OK, OK, GO, OK};
    static struct client_talk talk;
    for (size_t cut = 0; cut < sizeof server; cut++) {
        client_talk_open(&talk, &setup, 0);
        size_t left = cut;
        for (size_t i = 0; left > 0; i++) {
            size_t size = strlen(texts[i]) < left ? strlen(texts[i]) : left;
            client_talk_hear(&talk, span_of(texts[i], size));
            left -= size;
        }
        client_talk_hear(&talk, SPAN("!lost"));
        const struct smtp_client_recipient *recipient = &talk.recipients[0][0];
        size_t begun = strlen(BANNER HELLO), sent = strlen(BANNER HELLO OK OK GO);
        enum smtp_client_outcome expected = cut < begun               ? SMTP_CLIENT_PENDING
                                            : cut < sent              ? SMTP_CLIENT_FAILED
                                            : cut < sizeof server - 1 ? SMTP_CLIENT_DOUBTFUL
                                                                      : SMTP_CLIENT_ACCEPTED;
        ck_assert_msg(recipient->outcome == expected, "cut at %zu: %s", cut, talk.transcript);
        ck_assert_uint_eq(recipient->code, expected == SMTP_CLIENT_ACCEPTED ? 250 : 0);
        client_talk_close(&talk);
    }
}
END_TEST

/* Pipelined in chunks, everything is sent before anything is answered. */
START_TEST(lost_with_messages_in_flight)
{
    static const struct client_talk_case row = {
        {CHUNKS, .messages = 3},
        {BANNER, HELLO_CHUNKING, OK OK OK OK, "!lost"},
        CLIENT_TALK_GREETING CHUNK
        "[chunk 1]RSET\r\n" CHUNK "[chunk 2]RSET\r\n" CHUNK "[chunk 3]QUIT\r\n"
        "{mail 250 1}{rcpt 250 1}{commit 250 1}{done 1 accepted 250}{rset 250 2}"
        "{done 2 doubtful}{done 3 doubtful}[close connection lost]"};
    client_talk_check(&row);
}
END_TEST

/* The body is due, but on its way it never gets through. */
START_TEST(lost_while_sending)
{
    static const struct client_talk_case rows[] = {
        {{.messages = 1, .no_body = true},
         {BANNER, HELLO, OK, OK, GO, "!timeout"},
         CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT_0 "{rcpt 250 1}" DATA
                                   "{data 354 1}{done 1 failed}[close timeout]"},
        {{CHUNKS, .messages = 1, .no_body = true},
         {BANNER, HELLO_CHUNKING, OK OK, "!lost"},
         CLIENT_TALK_GREETING CHUNK
         "{mail 250 1}{rcpt 250 1}{done 1 failed}[close connection lost]"},
        {{CHUNKS, .messages = 1, .no_body = true},
         {BANNER, HELLO_CHUNKING, OK NO "421 bye\r\n"},
         CLIENT_TALK_GREETING CHUNK
         "{mail 250 1}{rcpt 550 1}{done 1 refused 550}[close shut down]"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        client_talk_check(&rows[i]);
}
END_TEST

/* More recipients than fit into the output at once, refused while they are still being said. */
START_TEST(gives_up_in_time)
{
    enum { RECIPIENTS = 100 };
    static struct client_talk talk;
    static struct smtp_client_recipient recipients[RECIPIENTS];
    static const struct client_talk_setup setup = {PIPELINE};
    for (unsigned i = 0; i < RECIPIENTS; i++)
        recipients[i].path = SPAN("somebody@example.test");
    client_talk_open(&talk, &setup, SMTP_CLIENT_COMMAND_BYTES_MAX);
    smtp_client_feed(&talk.session, SPAN(BANNER), &talk.out);
    talk.out.size = 0;
    smtp_client_feed(&talk.session, SPAN(HELLO_PIPELINING), &talk.out);
    talk.out.size = 0;
    talk.messages[0] =
        (struct smtp_client_message){.recipients = recipients, .recipient_count = RECIPIENTS};
    talk.sent = 1;
    smtp_client_send(&talk.session, &talk.messages[0], &talk.out);
    ck_assert_int_eq(smtp_client_wish(&talk.session), SMTP_CLIENT_SPEAK);
    talk.out.size = 0;
    smtp_client_feed(&talk.session, SPAN(""), &talk.out);
    ck_assert_int_eq(smtp_client_wish(&talk.session), SMTP_CLIENT_SPEAK);
    smtp_client_feed(&talk.session, SPAN(NO "503 no\r\n"), &talk.out);
    ck_assert_int_eq(smtp_client_wish(&talk.session), SMTP_CLIENT_READY);
    ck_assert_uint_eq(talk.done, 1);
    ck_assert_int_eq(recipients[RECIPIENTS - 1].outcome, SMTP_CLIENT_REFUSED);
    ck_assert_uint_eq(recipients[RECIPIENTS - 1].code, 550);
    client_talk_close(&talk);
}
END_TEST

START_TEST(longest_paths_fit)
{
    static uint8_t path[SMTP_CLIENT_PATH_BYTES_MAX];
    static struct client_talk talk;
    static struct smtp_client_recipient recipient = {.path = {path, sizeof path}};
    static const struct client_talk_setup setup = {.messages = 0};
    memset(path, 'x', sizeof path);
    client_talk_open(&talk, &setup, SMTP_CLIENT_COMMAND_BYTES_MAX);
    smtp_client_feed(&talk.session, SPAN(BANNER), &talk.out);
    talk.out.size = 0;
    smtp_client_feed(&talk.session, SPAN("250-mx\r\n250-SIZE\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"),
                     &talk.out);
    talk.messages[0] = (struct smtp_client_message){.reverse_path = {path, sizeof path},
                                                    .recipients = &recipient,
                                                    .recipient_count = 1,
                                                    .eight_bit = true,
                                                    .smtputf8 = true,
                                                    .octets = UINT64_MAX};
    talk.sent = 1;
    smtp_client_send(&talk.session, &talk.messages[0], &talk.out);
    ck_assert_uint_gt(talk.out.size, sizeof path);
    talk.out.size = 0;
    smtp_client_feed(&talk.session, SPAN(OK), &talk.out);
    ck_assert_uint_gt(talk.out.size, sizeof path);
    client_talk_close(&talk);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp/client_transaction");
    TCase *tcase = tcase_create("client_transaction");
    tcase_add_loop_test(tcase, conversations, 0, sizeof tables / sizeof *tables);
    tcase_add_test(tcase, lost_anywhere);
    tcase_add_test(tcase, lost_with_messages_in_flight);
    tcase_add_test(tcase, lost_while_sending);
    tcase_add_test(tcase, gives_up_in_time);
    tcase_add_test(tcase, longest_paths_fit);
    suite_add_tcase(suite, tcase);
    return suite;
}
