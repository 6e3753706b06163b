#include "engine/smtp/verbs.h"

#include "tests/check_main.h"
#include "tests/engine/smtp/conversation.h"

static const char *const names[] = {"HELO", "EHLO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT",
                                    "RSET", "NOOP", "VRFY", "EXPN", "HELP", "QUIT", "STARTTLS"};
enum { NAMES = sizeof names / sizeof *names };

START_TEST(test_find)
{
    struct span argument, name = span_text(names[_i]);
    uint8_t line[64];
    const struct smtp_verb *verb = smtp_verb_find(name, &argument);
    ck_assert_ptr_nonnull(verb);
    ck_assert_uint_eq(argument.size, 0);
    for (size_t i = 0; i < name.size; i++)
        line[i] = i % 2 ? ascii_lower(name.data[i]) : name.data[i];
    memcpy(line + name.size, " \t a  b \t", 9);
    ck_assert_ptr_eq(smtp_verb_find(span_of(line, name.size + 9), &argument), verb);
    ck_assert(span_equal(argument, SPAN("a  b")));

    ck_assert_ptr_null(smtp_verb_find(span_of(line, name.size - 1), &argument));
    memcpy(line + name.size, "x", 1);
    ck_assert_ptr_null(smtp_verb_find(span_of(line, name.size + 1), &argument));
    line[name.size - 1] ^= 1;
    ck_assert_ptr_null(smtp_verb_find(span_of(line, name.size), &argument));
}
END_TEST

START_TEST(test_not_a_verb)
{
    const char *lines[] = {"",        "X",       "NO OP", " NOOP",  "STAR",     "STARTTL",
                           "M\x01IL", "\315AIL", "NOOP:", "MAIL\r", "HELO\x0B", "DATA."};
    struct span argument;
    ck_assert_ptr_null(smtp_verb_find(span_text(lines[_i]), &argument));
    ck_assert_ptr_null(smtp_verb_find(span_of("\0\0\0\0", 4), &argument));
}
END_TEST

/* What every verb answers in every state: the first digit(s) of its reply. */
enum { STATES = 5 };
static const char *const openings[STATES] = {
    "", "EHLO c\r\n", "EHLO c\r\nMAIL FROM:<>\r\n", "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n",
    "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nBDAT 0\r\n"};

static const struct {
    const char *line, *replies[STATES];
} legal[] = {
    {"HELO c", {"250", "250", "250", "250", "250"}},
    {"EHLO c", {"250", "250", "250", "250", "250"}},
    {"LHLO c", {"500", "500", "500", "500", "500"}},
    {"HELO", {"501", "501", "501", "501", "501"}},
    {"STARTTLS", {"503", "220", "503", "503", "503"}},
    {"STARTTLS x", {"503", "501", "503", "503", "503"}},
    {"MAIL FROM:<>", {"503", "250", "503", "503", "503"}},
    {"MAIL", {"503", "501", "503", "503", "503"}},
    {"RCPT TO:<a@b>", {"503", "503", "250", "250", "503"}},
    {"DATA", {"503", "503", "503", "354", "503"}},
    {"DATA x", {"503", "503", "503", "501", "503"}},
    {"BDAT 0", {"503", "503", "503", "250", "250"}},
    {"BDAT 0 LAST", {"503", "503", "503", "250", "250"}},
    {"RSET", {"250", "250", "250", "250", "250"}},
    {"RSET x", {"501", "501", "501", "501", "501"}},
    {"NOOP", {"250", "250", "250", "250", "250"}},
    {"NOOP x y", {"250", "250", "250", "250", "250"}},
    {"VRFY \xC3\xA9", {"252", "252", "252", "252", "252"}},
    {"VRFY", {"501", "501", "501", "501", "501"}},
    {"EXPN x", {"502", "502", "502", "502", "502"}},
    {"HELP", {"214", "214", "214", "214", "214"}},
    {"QUIT", {"221", "221", "221", "221", "221"}},
    {"QUIT x", {"501", "501", "501", "501", "501"}},
    {"XXXX", {"500", "500", "500", "500", "500"}},
};

START_TEST(test_legal)
{
    struct conversation c;
    conversation_init(&c);
    c.config.starttls = true;
    for (unsigned state = 0; state < STATES; state++) {
        conversation_open(&c);
        conversation_feed(&c, span_text(openings[state]));
        c.replies.size = 0;
        uint8_t before = c.session.state;
        conversation_feed(&c, span_text(legal[_i].line));
        conversation_feed(&c, SPAN("\r\n"));
        ck_assert_msg(memcmp(c.replies.data, legal[_i].replies[state], 3) == 0,
                      "%s in state %u: %.*s", legal[_i].line, state, (int)c.replies.size,
                      (const char *)c.replies.data);
        if (c.replies.data[0] == '5')
            ck_assert_uint_eq(c.session.state, before);
        conversation_close(&c);
    }
    conversation_free(&c);
}
END_TEST

START_TEST(test_lmtp)
{
    struct conversation c;
    conversation_init(&c);
    c.config.lmtp = true;
    conversation_open(&c);
    c.replies.size = 0;
    conversation_feed(&c, SPAN("HELO c\r\nEHLO c\r\nMAIL FROM:<>\r\nLHLO c\r\n"));
    const struct span start = SPAN("500 5.5.2 Unknown command\r\n500 5.5.2 Unknown command\r\n"
                                   "503 5.5.1 Bad sequence of commands\r\n250-mx.test\r\n");
    ck_assert_mem_eq(c.replies.data, start.data, start.size);
    conversation_close(&c);
    conversation_free(&c);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_verbs");
    TCase *tcase = tcase_create("verbs");
    tcase_add_loop_test(tcase, test_find, 0, NAMES);
    tcase_add_loop_test(tcase, test_not_a_verb, 0, 12);
    tcase_add_loop_test(tcase, test_legal, 0, sizeof legal / sizeof *legal);
    tcase_add_test(tcase, test_lmtp);
    suite_add_tcase(suite, tcase);
    return suite;
}
