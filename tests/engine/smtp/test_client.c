#include "tests/check_main.h"
#include "tests/engine/smtp/client_talk.h"

#define BANNER "220 mx ESMTP\r\n"
#define HELLO "250 mx\r\n"
#define OK "250 ok\r\n"
#define GO "354 go\r\n"
#define MAIL "MAIL FROM:<s@a>\r\n"
#define RCPT "RCPT TO:<0@b>\r\n"
#define DATA "DATA\r\n"
#define BYE "221 bye\r\n"

static struct client_talk talk;

/* To each command what can't be a reply to it, and 421, which may come at any time. */
static const struct client_talk_case hostile[] = {
    {{.messages = 1},
     {BANNER, HELLO, GO},
     CLIENT_TALK_GREETING MAIL "{done 1 failed}[close out of step]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, "334 what\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{done 1 failed}[close out of step]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, OK, OK},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{done 1 failed}[close out of step]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, OK, GO, GO},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{data 354 1}[body 1]{done 1 doubtful}[close out of step]"},
    {{.messages = 1},
     {BANNER, HELLO, "421 bye\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 421 1}{done 1 refused 421}[close shut down]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, "421 bye\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT
                               "{rcpt 421 1}{done 1 refused 421}[close shut down]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, OK, "421 bye\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{data 421 1}{done 1 refused 421}[close shut down]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, OK, GO, "421-bye\r\n421 bye\r\n"},
     CLIENT_TALK_GREETING MAIL
     "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
     "{data 354 1}[body 1]{commit 421 1}{done 1 refused 421}[close shut down]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, OK, GO, "nonsense\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{data 354 1}[body 1]{done 1 doubtful}[close garbage]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, OK, GO, "250-a\r\n251 b\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{data 354 1}[body 1]{done 1 doubtful}[close mixed codes]"},
    {{.messages = 1},
     {BANNER, HELLO, OK, OK, GO, "25", "!timeout"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{data 354 1}[body 1]{done 1 doubtful}[close timeout]"},
    /* while the body is being sent, nothing is awaited */
    {{.messages = 1, .no_body = true},
     {BANNER, HELLO, OK, OK, GO, "552 big\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{data 354 1}{done 1 failed}[close unasked reply]"},
    {{.messages = 1, .no_body = true},
     {BANNER, HELLO, OK, OK, GO, "421-bye\r\n421 bye\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{data 354 1}{done 1 failed}[close shut down]"},
    /* a continuation that nobody asked for must not wait for what is asked next */
    {{.messages = 1, .no_body = true},
     {BANNER, HELLO, OK, OK, GO, "250-early\r\n"},
     CLIENT_TALK_GREETING MAIL "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                               "{data 354 1}{done 1 failed}[close unasked reply]"},
};

/* After QUIT nothing matters but that it ends. */
static const struct client_talk_case goodbyes[] = {
    {{0}, {BANNER, HELLO, BYE}, CLIENT_TALK_GREETING CLIENT_TALK_BYE},
    {{0}, {BANNER, HELLO, "!lost"}, CLIENT_TALK_GREETING "QUIT\r\n[close fine]"},
    {{0}, {BANNER, HELLO, "!timeout"}, CLIENT_TALK_GREETING "QUIT\r\n[close timeout]"},
    {{0}, {BANNER, HELLO, "500 no\r\n"}, CLIENT_TALK_GREETING "QUIT\r\n{quit 500}[close fine]"},
    {{0}, {BANNER, HELLO, "421 no\r\n"}, CLIENT_TALK_GREETING "QUIT\r\n{quit 421}[close fine]"},
    {{.pipeline = true, .messages = 1},
     {BANNER, "250-mx\r\n250 PIPELINING\r\n", OK OK GO, "!lost"},
     CLIENT_TALK_GREETING MAIL RCPT DATA "{mail 250 1}{rcpt 250 1}{data 354 1}[body 1]QUIT\r\n"
                                         "{done 1 doubtful}[close connection lost]"},
};

static const struct client_talk_case texts[] = {
    {{.texts = true, .messages = 1},
     {"220-mx\r\n220 ESMTP here\r\n", "250-mx\r\n250 HELP\r\n", "550 5.7.1 not you\r\n", "221\r\n"},
     "{banner 220 ESMTP here}EHLO me\r\n{hello 250 HELP}" MAIL
     "{mail 550 1 5.7.1 not you}{done 1 refused 550}QUIT\r\n{quit 221 }[close fine]"},
};

START_TEST(conversations)
{
    static const struct {
        const struct client_talk_case *rows;
        size_t count;
    } tables[] = {{hostile, sizeof hostile / sizeof *hostile},
                  {goodbyes, sizeof goodbyes / sizeof *goodbyes},
                  {texts, sizeof texts / sizeof *texts}};
    for (size_t i = 0; i < tables[_i].count; i++)
        client_talk_check(&tables[_i].rows[i]);
}
END_TEST

START_TEST(size)
{
    ck_assert_uint_le(sizeof(struct smtp_client), 256);
}
END_TEST

/* Idle, a server may say 421 and nothing else. */
START_TEST(unasked)
{
    static const struct {
        const char *said;
        enum smtp_client_failure failure;
        uint16_t code;
    } table[] = {
        {"421 idle for too long\r\n", SMTP_CLIENT_SHUT_DOWN, 421},
        {"250 ok\r\n", SMTP_CLIENT_UNASKED, 250},
        {"250-more\r\n", SMTP_CLIENT_UNASKED, 250},
        {"250-PIPELINING\r\n250 ok\r\n", SMTP_CLIENT_UNASKED, 250},
        {"hello\r\n", SMTP_CLIENT_GARBAGE, 250},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct smtp_client session;
        uint8_t text[SMTP_CLIENT_COMMAND_BYTES_MAX];
        struct output out = {text, 0, sizeof text};
        static const struct client_talk_setup setup = {0};
        client_talk_open(&talk, &setup, 0);
        smtp_client_start(&session, &talk.config, &talk, false);
        smtp_client_feed(&session, SPAN(BANNER), &out);
        out.size = 0;
        smtp_client_feed(&session, SPAN(HELLO), &out);
        ck_assert_int_eq(smtp_client_wish(&session), SMTP_CLIENT_READY);
        smtp_client_feed(&session, span_text(table[i].said), &out);
        ck_assert_int_eq(smtp_client_wish(&session), SMTP_CLIENT_CLOSE);
        ck_assert_int_eq(smtp_client_failure(&session), table[i].failure);
        ck_assert_uint_eq(smtp_client_code(&session), table[i].code);
        ck_assert_uint_eq(smtp_client_offers(&session), 0);
        ck_assert_uint_eq(out.size, 0);
    }
}
END_TEST

/* A server that answers before it can have been asked: the second reply is to nothing. */
START_TEST(replies_ahead)
{
    static const struct client_talk_setup setup = {.messages = 1};
    client_talk_open(&talk, &setup, 0);
    client_talk_hear(&talk, SPAN(BANNER));
    client_talk_hear(&talk, SPAN(HELLO));
    client_talk_hear(&talk, SPAN(OK OK GO OK));
    ck_assert_str_eq(talk.transcript,
                     CLIENT_TALK_GREETING MAIL "{mail 250 1}{done 1 failed}[close unasked reply]");
    client_talk_close(&talk);
}
END_TEST

/* RFC 5321 section 4.5.3.2. */
START_TEST(patience)
{
    static const struct {
        const char *said;
        enum smtp_client_phase awaited;
        uint32_t minutes;
    } table[] = {
        {"", SMTP_CLIENT_BANNER, 5},       {BANNER, SMTP_CLIENT_HELLO, 5},
        {HELLO, SMTP_CLIENT_MAIL, 5},      {OK, SMTP_CLIENT_RCPT, 5},
        {OK, SMTP_CLIENT_DATA, 2},         {GO, SMTP_CLIENT_PHASES, 3},
        {"!body", SMTP_CLIENT_COMMIT, 10},
    };
    static const struct client_talk_setup setup = {.messages = 1, .no_body = true};
    client_talk_open(&talk, &setup, 0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].said, "!body") == 0)
            smtp_client_body_sent(&talk.session, &talk.out);
        else
            client_talk_hear(&talk, span_text(table[i].said));
        ck_assert_int_eq(smtp_client_awaits(&talk.session), table[i].awaited);
        ck_assert_uint_eq(smtp_client_patience_ms(&talk.session), table[i].minutes * 60000);
    }
    client_talk_close(&talk);
}
END_TEST

START_TEST(handshake_is_awaited)
{
    struct smtp_client session;
    uint8_t text[SMTP_CLIENT_COMMAND_BYTES_MAX];
    struct output out = {text, 0, sizeof text};
    static const struct client_talk_setup setup = {.starttls = true};
    static const char *const server[] = {BANNER, "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n"};
    client_talk_open(&talk, &setup, 0);
    smtp_client_start(&session, &talk.config, &talk, false);
    for (size_t i = 0; i < 3; i++) {
        out.size = 0;
        smtp_client_feed(&session, span_text(server[i]), &out);
    }
    ck_assert_int_eq(smtp_client_wish(&session), SMTP_CLIENT_STARTTLS);
    ck_assert_int_eq(smtp_client_awaits(&session), SMTP_CLIENT_TLS);
    ck_assert_uint_eq(smtp_client_patience_ms(&session), 300000);
}
END_TEST

/* QUIT waits for the messages under way, and only then. */
START_TEST(quit_in_the_middle)
{
    static const struct client_talk_setup setup = {.messages = 1, .no_body = true};
    client_talk_open(&talk, &setup, 0);
    client_talk_hear(&talk, SPAN(BANNER));
    client_talk_hear(&talk, SPAN(HELLO));
    smtp_client_quit(&talk.session, &talk.out);
    talk.quit = true;
    client_talk_hear(&talk, SPAN(OK));
    client_talk_hear(&talk, SPAN(OK));
    client_talk_hear(&talk, SPAN(GO));
    smtp_client_body_sent(&talk.session, &talk.out);
    client_talk_hear(&talk, SPAN(OK));
    client_talk_hear(&talk, SPAN(BYE));
    ck_assert_str_eq(talk.transcript, CLIENT_TALK_GREETING MAIL
                     "{mail 250 1}" RCPT "{rcpt 250 1}" DATA
                     "{data 354 1}{commit 250 1}{done 1 accepted 250}" CLIENT_TALK_BYE);
    client_talk_close(&talk);
}
END_TEST

START_TEST(failures_have_names)
{
    for (unsigned i = 0; i < SMTP_CLIENT_FAILURES; i++) {
        const char *name = smtp_client_failure_name((enum smtp_client_failure)i);
        ck_assert_ptr_nonnull(name);
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(name, smtp_client_failure_name((enum smtp_client_failure)j));
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp/client");
    TCase *tcase = tcase_create("client");
    tcase_add_loop_test(tcase, conversations, 0, 3);
    tcase_add_test(tcase, size);
    tcase_add_test(tcase, unasked);
    tcase_add_test(tcase, replies_ahead);
    tcase_add_test(tcase, patience);
    tcase_add_test(tcase, handshake_is_awaited);
    tcase_add_test(tcase, quit_in_the_middle);
    tcase_add_test(tcase, failures_have_names);
    suite_add_tcase(suite, tcase);
    return suite;
}
