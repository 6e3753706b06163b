#include "tests/check_main.h"
#include "tests/engine/smtp/client_talk.h"

#define BANNER "220 mx ESMTP\r\n"
#define PLAIN_LINE "AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n"
#define BYE "221 bye\r\n"

static const struct client_talk_case hellos[] = {
    {{0}, {BANNER, "250 mx\r\n", BYE}, CLIENT_TALK_GREETING CLIENT_TALK_BYE},
    {{0},
     {"220-mx\r\n220-is\r\n220 here\r\n", "250-mx\r\n250-SIZE\r\n250 HELP\r\n", BYE},
     CLIENT_TALK_GREETING CLIENT_TALK_BYE},
    /* HELO where EHLO is not known, once */
    {{0},
     {BANNER, "502 what\r\n", "250 mx\r\n", BYE},
     "{banner 220}EHLO me\r\n{hello 502}HELO me\r\n{hello 250}" CLIENT_TALK_BYE},
    {{0},
     {BANNER, "500-what\r\n500 what\r\n", "501 what\r\n"},
     "{banner 220}EHLO me\r\n{hello 500}HELO me\r\n{hello 501}[close turned away]"},
    {{0}, {BANNER, "450 later\r\n"}, "{banner 220}EHLO me\r\n{hello 450}[close turned away]"},
    /* nothing is offered in a reply to HELO */
    {{.pipeline = true, .messages = 1, .recipients = 1},
     {BANNER, "502 what\r\n", "250-mx\r\n250 PIPELINING\r\n"},
     "{banner 220}EHLO me\r\n{hello 502}HELO me\r\n{hello 250}MAIL FROM:<s@a>\r\n"},
    {{.pipeline = true, .messages = 1, .recipients = 1},
     {BANNER, "502-mx\r\n502-PIPELINING\r\n502 PIPELINING\r\n", "250 mx\r\n"},
     "{banner 220}EHLO me\r\n{hello 502}HELO me\r\n{hello 250}MAIL FROM:<s@a>\r\n"},
    /* the first line is a name, whatever it looks like */
    {{.pipeline = true, .messages = 1, .recipients = 1},
     {BANNER, "250 PIPELINING\r\n"},
     CLIENT_TALK_GREETING "MAIL FROM:<s@a>\r\n"},
    {{.lmtp = true},
     {BANNER, "250 mx\r\n", BYE},
     "{banner 220}LHLO me\r\n{hello 250}" CLIENT_TALK_BYE},
    {{.lmtp = true},
     {BANNER, "500 what\r\n"},
     "{banner 220}LHLO me\r\n{hello 500}[close turned away]"},
};

static const struct client_talk_case banners[] = {
    {{0}, {"554 go away\r\n"}, "{banner 554}[close turned away]"},
    {{0}, {"421 busy\r\n"}, "{banner 421}[close shut down]"},
    {{0}, {"354 what\r\n"}, "[close out of step]"},
    {{0}, {"220 \r\n", "354 what\r\n"}, "{banner 220}EHLO me\r\n[close out of step]"},
    {{0}, {BANNER, "421 bye\r\n"}, "{banner 220}EHLO me\r\n{hello 421}[close shut down]"},
    {{0}, {"+OK POP3\r\n"}, "[close garbage]"},
    {{0}, {"220-a\r\n221 b\r\n"}, "[close mixed codes]"},
    {{0}, {"22", "!lost"}, "[close connection lost]"},
    {{0}, {"!timeout"}, "[close timeout]"},
};

#define OFFERS_TLS "250-mx\r\n250 STARTTLS\r\n"
#define SAID_TLS "{banner 220}EHLO me\r\n{hello 250}STARTTLS\r\n"

static const struct client_talk_case tls[] = {
    {{.starttls = true},
     {BANNER, OFFERS_TLS, "220 go\r\n", "250 mx\r\n", BYE},
     SAID_TLS "[tls]{tls 220}EHLO me\r\n{hello 250}" CLIENT_TALK_BYE},
    /* what was offered in clear is forgotten */
    {{.starttls = true, .pipeline = true, .messages = 1},
     {BANNER, "250-mx\r\n250-PIPELINING\r\n250-SIZE 5\r\n250 STARTTLS\r\n", "220 go\r\n",
      "250 mx\r\n"},
     SAID_TLS "[tls]{tls 220}EHLO me\r\n{hello 250}MAIL FROM:<s@a>\r\n"},
    /* no TLS, no mail */
    {{.starttls = true},
     {BANNER, "250 mx\r\n"},
     "{banner 220}EHLO me\r\n{hello 250}[close no TLS]"},
    {{.starttls = true},
     {BANNER, "502 what\r\n", "250 mx\r\n"},
     "{banner 220}EHLO me\r\n{hello 502}HELO me\r\n{hello 250}[close no TLS]"},
    {{.starttls = true}, {BANNER, OFFERS_TLS, "454 no\r\n"}, SAID_TLS "{tls 454}[close no TLS]"},
    {{.starttls = true}, {BANNER, OFFERS_TLS, "421 no\r\n"}, SAID_TLS "{tls 421}[close shut down]"},
    {{.starttls = true, .tls_fails = true},
     {BANNER, OFFERS_TLS, "220 go\r\n"},
     SAID_TLS "[tls][close TLS failed]"},
    /* not wished for, or there already */
    {{0}, {BANNER, OFFERS_TLS, BYE}, CLIENT_TALK_GREETING CLIENT_TALK_BYE},
    {{.starttls = true, .secure = true},
     {BANNER, OFFERS_TLS, BYE},
     CLIENT_TALK_GREETING CLIENT_TALK_BYE},
};

static const struct client_talk_case auth[] = {
    {{.user = "joe"},
     {BANNER, "250-mx\r\n250 AUTH LOGIN PLAIN\r\n", "235 in\r\n", BYE},
     CLIENT_TALK_GREETING PLAIN_LINE "{auth 235}" CLIENT_TALK_BYE},
    {{.user = "joe"},
     {BANNER, "250-mx\r\n250 AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n",
      "235 in\r\n", BYE},
     CLIENT_TALK_GREETING "AUTH LOGIN\r\nam9l\r\nc2VjcmV0\r\n{auth 235}" CLIENT_TALK_BYE},
    {{.user = "joe"},
     {BANNER, "250-mx\r\n250 AUTH PLAIN\r\n", "535 no\r\n"},
     CLIENT_TALK_GREETING PLAIN_LINE "{auth 535}[close turned away]"},
    {{.user = "joe"},
     {BANNER, "250-mx\r\n250 AUTH LOGIN\r\n", "334 \r\n", "535 no\r\n"},
     CLIENT_TALK_GREETING "AUTH LOGIN\r\nam9l\r\n{auth 535}[close turned away]"},
    {{.user = "joe"},
     {BANNER, "250-mx\r\n250 AUTH PLAIN\r\n", "334 more\r\n"},
     CLIENT_TALK_GREETING PLAIN_LINE "[close out of step]"},
    {{.user = "joe"},
     {BANNER, "250-mx\r\n250 AUTH LOGIN\r\n", "334 \r\n", "334 \r\n", "334 more\r\n"},
     CLIENT_TALK_GREETING "AUTH LOGIN\r\nam9l\r\nc2VjcmV0\r\n[close out of step]"},
    {{.user = "joe"},
     {BANNER, "250-mx\r\n250 AUTH CRAM-MD5\r\n"},
     CLIENT_TALK_GREETING "[close no AUTH]"},
    {{.user = "joe"},
     {BANNER, "502 what\r\n", "250 mx\r\n"},
     "{banner 220}EHLO me\r\n{hello 502}HELO me\r\n{hello 250}[close no AUTH]"},
    /* inside TLS only, when that is wished for */
    {{.user = "joe", .starttls = true},
     {BANNER, "250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "220 go\r\n",
      "250-mx\r\n250 AUTH PLAIN\r\n", "235 in\r\n", BYE},
     SAID_TLS "[tls]{tls 220}EHLO me\r\n{hello 250}" PLAIN_LINE "{auth 235}" CLIENT_TALK_BYE},
    {{.user = "joe", .starttls = true},
     {BANNER, "250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", "220 go\r\n", "250 mx\r\n"},
     SAID_TLS "[tls]{tls 220}EHLO me\r\n{hello 250}[close no AUTH]"},
};

static const struct {
    const struct client_talk_case *rows;
    size_t count;
} tables[] = {
#define TABLE(rows)                                                                                \
    {                                                                                              \
        rows, sizeof rows / sizeof *rows                                                           \
    }
    TABLE(hellos),
    TABLE(banners),
    TABLE(tls),
    TABLE(auth),
};

START_TEST(conversations)
{
    for (size_t i = 0; i < tables[_i].count; i++)
        client_talk_check(&tables[_i].rows[i]);
}
END_TEST

static struct client_talk talk;

/* What is put between STARTTLS and the handshake must not be taken for the server's word inside
 * TLS, whether it comes with the reply or after it. */
START_TEST(injection_before_tls)
{
    static const struct client_talk_setup setup = {.starttls = true};
    static const char *const pieces[][2] = {{"220 go\r\n250 mx\r\n", ""},
                                            {"220 go\r\n2", ""},
                                            {"220 go\r\n", "250 mx\r\n"},
                                            {"220 go\r\n", "2"}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        uint8_t text[SMTP_CLIENT_COMMAND_BYTES_MAX];
        struct output out = {text, 0, sizeof text};
        client_talk_open(&talk, &setup, 0);
        client_talk_hear(&talk, SPAN(BANNER));
        client_talk_hear(&talk, SPAN(OFFERS_TLS));
        smtp_client_feed(&talk.session, span_text(pieces[i][0]), &out);
        smtp_client_feed(&talk.session, span_text(pieces[i][1]), &out);
        ck_assert_int_eq(smtp_client_wish(&talk.session), SMTP_CLIENT_CLOSE);
        ck_assert_int_eq(smtp_client_failure(&talk.session), SMTP_CLIENT_UNASKED);
        ck_assert_uint_eq(out.size, 0);
        client_talk_close(&talk);
    }
}
END_TEST

START_TEST(offers_are_told)
{
    static const struct client_talk_setup setup = {.messages = 1};
    client_talk_open(&talk, &setup, 0);
    ck_assert_uint_eq(smtp_client_offers(&talk.session), 0);
    client_talk_hear(&talk, SPAN(BANNER));
    client_talk_hear(&talk, SPAN("250-mx\r\n250-SIZE 1000\r\n250-AUTH PLAIN\r\n250 CHUNKING\r\n"));
    ck_assert_uint_eq(smtp_client_offers(&talk.session),
                      SMTP_CLIENT_SIZE | SMTP_CLIENT_AUTH_PLAIN | SMTP_CLIENT_CHUNKING);
    ck_assert_uint_eq(smtp_client_size_max(&talk.session), 1000);
    client_talk_close(&talk);
}
END_TEST

/* The longest there can be fit into what a session asks for. */
START_TEST(longest_commands_fit)
{
    static uint8_t name[CREDENTIALS_BYTES_MAX];
    static const struct client_talk_setup setup = {.user = "joe"};
    memset(name, 'x', sizeof name);
    client_talk_open(&talk, &setup, SMTP_CLIENT_COMMAND_BYTES_MAX);
    talk.config.hello = span_of(name, sizeof name);
    talk.config.credentials =
        (struct credentials){span_of(name, sizeof name), span_of(name, sizeof name)};
    client_talk_hear(&talk, SPAN(BANNER));
    client_talk_hear(&talk, SPAN("250-mx\r\n250 AUTH PLAIN\r\n"));
    client_talk_hear(&talk, SPAN("235 in\r\n"));
    ck_assert_ptr_nonnull(strstr(talk.transcript, "{auth 235}"));
    client_talk_close(&talk);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp/client_greeting");
    TCase *tcase = tcase_create("client_greeting");
    tcase_add_loop_test(tcase, conversations, 0, sizeof tables / sizeof *tables);
    tcase_add_test(tcase, injection_before_tls);
    tcase_add_test(tcase, offers_are_told);
    tcase_add_test(tcase, longest_commands_fit);
    suite_add_tcase(suite, tcase);
    return suite;
}
