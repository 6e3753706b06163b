#include "engine/smtp/transaction.h"

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

#define SENDER_OK "250 2.1.0 Sender OK\r\n"
#define RCPT_OK "250 2.1.5 Recipient OK\r\n"
#define BAD_SENDER "501 5.1.7 Bad sender address syntax\r\n"
#define BAD_RCPT "501 5.1.3 Bad recipient address syntax\r\n"
#define BAD_PARAMETER "501 5.5.4 Bad parameter value\r\n"
#define UNKNOWN "555 5.5.4 Unknown parameter\r\n"
#define NEEDS_UTF8 "553 5.6.7 Address needs SMTPUTF8\r\n"

/* One command in its place: what it is answered, and what the envelope says then. */
struct row {
    const char *before, *line, *reply, *envelope;
};

static const struct row mails[] = {
    {"EHLO c\r\n", "MAIL FROM:<>", SENDER_OK, "from= helo=c client=192.0.2.1:4711 with=ESMTP"},
    {"EHLO c\r\n", "mail from: <A@B.c>  ", SENDER_OK,
     "from=A@B.c helo=c client=192.0.2.1:4711 with=ESMTP"},
    {"HELO c\r\n", "MAIL FROM:<a@b>", SENDER_OK, "from=a@b helo=c client=192.0.2.1:4711 with=SMTP"},
    {"EHLO c\r\n", "MAIL FROM:<@x,@y:\"a\"@b>", SENDER_OK,
     "from=\"a\"@b helo=c client=192.0.2.1:4711 with=ESMTP"},
    {"EHLO c\r\n", "MAIL FROM:<a@b> SIZE=100000 BODY=8BITMIME RET=HDRS ENVID=x+2By SMTPUTF8",
     SENDER_OK,
     "from=a@b helo=c client=192.0.2.1:4711 with=UTF8SMTP envid=x+y ret=HDRS body=8BITMIME utf8="},
    {"EHLO c\r\n", "MAIL FROM:<j\xC3\xB6rg@b> SMTPUTF8", SENDER_OK,
     "from=j\xC3\xB6rg@b helo=c client=192.0.2.1:4711 with=UTF8SMTP utf8="},
    {"EHLO c\r\n", "MAIL FROM:<j\xC3\xB6rg@b>", NEEDS_UTF8, NULL},
    {"EHLO c\r\n", "MAIL FROM:<j\xF6rg@b> SMTPUTF8", BAD_SENDER, NULL},
    {"EHLO c\r\n", "MAIL FROM:<a@b> SIZE=100001", "552 5.3.4 Message too big\r\n", NULL},
    {"EHLO c\r\n", "MAIL FROM:<a@b> SIZE=18446744073709551616", BAD_PARAMETER, NULL},
    {"EHLO c\r\n", "MAIL FROM:<a@b>SIZE=1", BAD_PARAMETER, NULL},
    {"EHLO c\r\n", "MAIL FROM:<a@b> WHAT", UNKNOWN, NULL},
    {"EHLO c\r\n", "MAIL FROM:<a@b> NOTIFY=NEVER", UNKNOWN, NULL},
    {"HELO c\r\n", "MAIL FROM:<a@b> SIZE=1", UNKNOWN, NULL},
    {"EHLO c\r\n", "MAIL FROM:a@b", BAD_SENDER, NULL},
    {"EHLO c\r\n", "MAIL TO:<a@b>", BAD_SENDER, NULL},
    {"EHLO c\r\n", "MAIL <a@b>", BAD_SENDER, NULL},
    {"EHLO c\r\n", "MAIL FROM <a@b>", BAD_SENDER, NULL},
    {"EHLO c\r\n", "MAIL FROM:", BAD_SENDER, NULL},
    {"EHLO c\r\n", "MAIL FROM:<postmaster>", BAD_SENDER, NULL},
};

#define MAIL "EHLO c\r\nMAIL FROM:<>\r\n"
#define MAIL_UTF8 "EHLO c\r\nMAIL FROM:<> SMTPUTF8\r\n"

static const struct row rcpts[] = {
    {MAIL, "RCPT TO:<a@b>", RCPT_OK, "to=a@b"},
    {MAIL, "rcpt to: <\"A\"@B> ", RCPT_OK, "to=A@b original=\"A\"@B"},
    {MAIL, "RCPT TO:<@x:a@b>", RCPT_OK, "to=a@b"},
    {MAIL, "RCPT TO:<PostMaster>", RCPT_OK, "to=postmaster original=PostMaster"},
    {MAIL, "RCPT TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y", RCPT_OK,
     "to=a@b notify=SUCCESS,DELAY orcpt=rfc822;x@y"},
    {MAIL_UTF8, "RCPT TO:<\xC3\xA9@b> ORCPT=utf-8;\xC3\xA9@b", RCPT_OK,
     "to=\xC3\xA9@b orcpt=utf-8;\xC3\xA9@b"},
    {MAIL, "RCPT TO:<\xC3\xA9@b>", NEEDS_UTF8, NULL},
    {MAIL_UTF8, "RCPT TO:<\xE9@b>", BAD_RCPT, NULL},
    {MAIL, "RCPT TO:<>", BAD_RCPT, NULL},
    {MAIL, "RCPT TO:<a>", BAD_RCPT, NULL},
    {MAIL, "RCPT TO:a@b", BAD_RCPT, NULL},
    {MAIL, "RCPT FROM:<a@b>", BAD_RCPT, NULL},
    {MAIL, "RCPT TO:<a@b> SIZE=1", UNKNOWN, NULL},
    {MAIL, "RCPT TO:<a@b> NOTIFY=SOON", BAD_PARAMETER, NULL},
    {"HELO c\r\nMAIL FROM:<>\r\n", "RCPT TO:<a@b> NOTIFY=NEVER", UNKNOWN, NULL},
    {MAIL, "RCPT TO:<unknown@b>", "550 5.1.1 No such mailbox\r\n", NULL},
    {MAIL, "RCPT TO:<relay@b>", "550 5.7.1 Relaying denied\r\n", NULL},
    {MAIL, "RCPT TO:<later@b>", "451 4.3.0 Try later\r\n", NULL},
};

/* Says the row's line, and checks the reply and that a refusal changes nothing. */
static void say(const struct row *row)
{
    conversation_open(&c);
    conversation_feed(&c, span_text(row->before));
    uint8_t state = c.session.state;
    uint32_t size = c.session.envelope.size;
    c.replies.size = 0;
    conversation_feed(&c, span_text(row->line));
    conversation_feed(&c, SPAN("\r\n"));
    ck_assert_msg(span_equal(text_span(&c.replies), span_text(row->reply)), "%s: %.*s", row->line,
                  (int)c.replies.size, (const char *)c.replies.data);
    if (row->envelope == NULL) {
        ck_assert_uint_eq(c.session.state, state);
        ck_assert_uint_eq(c.session.envelope.size, size);
    }
}

/* Does the stored envelope start (`at_end`: end) so? */
static void check_envelope(struct span want, bool at_end)
{
    struct span line = text_span(&c.messages);
    const uint8_t *end = memchr(line.data, '\n', line.size);
    ck_assert_ptr_nonnull(end);
    line.size = (size_t)(end - line.data);
    ck_assert_uint_ge(line.size, want.size);
    struct span part = span_of(at_end ? end - want.size : line.data, want.size);
    ck_assert_msg(span_equal(part, want), "%.*s", (int)line.size, (const char *)line.data);
}

START_TEST(test_mail)
{
    say(&mails[_i]);
    if (mails[_i].envelope) {
        conversation_feed(&c, SPAN("RCPT TO:<a@b>\r\nDATA\r\n.\r\n"));
        check_envelope(span_text(mails[_i].envelope), false);
    }
    conversation_close(&c);
}
END_TEST

START_TEST(test_rcpt)
{
    say(&rcpts[_i]);
    if (rcpts[_i].envelope) {
        conversation_feed(&c, SPAN("DATA\r\n.\r\n"));
        check_envelope(span_text(rcpts[_i].envelope), true);
    }
    conversation_close(&c);
}
END_TEST

/* The second MAIL is refused and the first kept. */
START_TEST(test_second_mail)
{
    conversation_open(&c);
    conversation_feed(&c, SPAN("EHLO c\r\nMAIL FROM:<first@x>\r\nMAIL FROM:<second@x>\r\n"
                               "RCPT TO:<unknown@b>\r\nRCPT TO:<a@b>\r\nDATA\r\n.\r\n"));
    check_envelope(SPAN("from=first@x "), false);
    conversation_close(&c);
}
END_TEST

/* 3,000 recipients: the envelope grows through all its blocks, up to the limit and no further. */
START_TEST(test_many_recipients)
{
    char line[128];
    c.config.recipients_max = _i ? 3000 : 120;
    c.config.errors_max = 0;
    conversation_open(&c);
    conversation_feed(&c, SPAN(MAIL));
    c.replies.size = 0;
    unsigned accepted = 0;
    for (unsigned i = 0; i < 3000; i++) {
        int size = snprintf(line, sizeof line, "RCPT TO:<user%u@long.domain.example.test>\r\n", i);
        c.replies.size = 0;
        conversation_feed(&c, span_of(line, (size_t)size));
        accepted += span_equal(text_span(&c.replies), SPAN(RCPT_OK));
        if (accepted <= i)
            ck_assert(span_equal(text_span(&c.replies), SPAN("452 4.5.3 Too many recipients\r\n")));
    }
    if (_i == 0)
        ck_assert_uint_eq(accepted, 120);
    else
        ck_assert(accepted > 1500 && accepted < 3000);
    ck_assert_uint_eq(c.session.envelope.recipients, accepted);
    conversation_feed(&c, SPAN("DATA\r\n.\r\n"));
    ck_assert_uint_eq(c.stored, 1);
    conversation_close(&c);
}
END_TEST

/* Pools that are empty refuse for now, and break nothing. */
START_TEST(test_no_blocks)
{
    void *taken[BLOCK_CLASSES][4] = {{0}};
    conversation_open(&c);
    conversation_feed(&c, SPAN("EHLO c\r\n"));
    for (unsigned class = 0; class < BLOCK_CLASSES; class ++)
        for (unsigned i = 0; i < 4 && pool_left(&c.blocks.pools[class]) > 0; i++)
            taken[class][i] = blocks_take(&c.blocks, class);
    c.replies.size = 0;
    conversation_feed(&c, SPAN("MAIL FROM:<>\r\n"));
    const struct span refused = SPAN("452 4.3.1 Out of memory, try later\r\n");
    ck_assert(span_equal(text_span(&c.replies), refused));

    blocks_give(&c.blocks, BLOCK_1K, taken[BLOCK_1K][0]);
    taken[BLOCK_1K][0] = NULL;
    conversation_feed(&c, SPAN("MAIL FROM:<>\r\n"));
    for (unsigned i = 0; i < 100; i++) {
        c.replies.size = 0;
        conversation_feed(&c, SPAN("RCPT TO:<somebody@example.test>\r\n"));
    }
    ck_assert(span_equal(text_span(&c.replies), refused));
    ck_assert_uint_gt(c.session.envelope.recipients, 20);
    conversation_feed(&c, SPAN("DATA\r\n.\r\n"));
    ck_assert_uint_eq(c.stored, 1);

    for (unsigned class = 0; class < BLOCK_CLASSES; class ++)
        for (unsigned i = 0; i < 4; i++)
            if (taken[class][i])
                blocks_give(&c.blocks, class, taken[class][i]);
    conversation_close(&c);
}
END_TEST

/* A recipient is added with all that was said about it, or not at all. */
START_TEST(test_half_a_recipient)
{
    char line[600];
    void *taken[4];
    conversation_open(&c);
    conversation_feed(&c, SPAN(MAIL));
    for (unsigned i = 0; i < 4; i++)
        taken[i] = blocks_take(&c.blocks, BLOCK_4K);
    int size = snprintf(line, sizeof line, "RCPT TO:<a@b> ORCPT=x;%0490d\r\n", 0);
    for (unsigned i = 0; i < 3; i++)
        conversation_feed(&c, span_of(line, (size_t)size));
    ck_assert_uint_eq(c.session.envelope.recipients, 1);
    conversation_feed(&c, SPAN("RCPT TO:<c@d>\r\nDATA\r\n.\r\n"));
    check_envelope(SPAN("000 to=c@d"), true);
    for (unsigned i = 0; i < 4; i++)
        blocks_give(&c.blocks, BLOCK_4K, taken[i]);
    conversation_close(&c);
}
END_TEST

/* RSET in the middle of chunks voids what was staged, once. */
START_TEST(test_end_discards)
{
    conversation_open(&c);
    conversation_feed(&c, SPAN(MAIL "RCPT TO:<a@b>\r\nBDAT 4\r\nx\r\ny"));
    ck_assert_uint_eq(c.staged_bytes, 4);
    conversation_feed(&c, SPAN("RSET\r\nRSET\r\n"));
    ck_assert_uint_eq(c.discards, 1);
    conversation_close(&c);
    ck_assert_uint_eq(c.discards, 1);
    ck_assert_uint_eq(c.stored, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_transaction");
    TCase *tcase = tcase_create("transaction");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_mail, 0, sizeof mails / sizeof *mails);
    tcase_add_loop_test(tcase, test_rcpt, 0, sizeof rcpts / sizeof *rcpts);
    tcase_add_test(tcase, test_second_mail);
    tcase_add_loop_test(tcase, test_many_recipients, 0, 2);
    tcase_add_test(tcase, test_no_blocks);
    tcase_add_test(tcase, test_half_a_recipient);
    tcase_add_test(tcase, test_end_discards);
    suite_add_tcase(suite, tcase);
    return suite;
}
