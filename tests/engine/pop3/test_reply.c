#include "engine/pop3/reply.h"

#include "engine/pop3/session.h"
#include "tests/check_main.h"

static uint8_t text[POP3_REPLY_BYTES_MAX];

/* RFC 2449: a reply is at most 512 octets; RFC 1939: it begins with the status and ends in CRLF. */
START_TEST(test_every_reply)
{
    struct output out = {text, 0, sizeof text};
    pop3_reply(&out, (enum pop3_reply)_i);
    ck_assert_uint_gt(out.size, 3);
    const uint8_t *line_end = memchr(text, '\n', out.size);
    ck_assert_ptr_eq(line_end, text + out.size - 1);
    ck_assert_uint_eq(line_end[-1], '\r');
    const char *status = _i < POP3_CONTINUE ? "+OK" : _i == POP3_CONTINUE ? "+ " : "-ERR ";
    ck_assert_int_eq(memcmp(text, status, strlen(status)), 0);
}
END_TEST

START_TEST(test_codes)
{
    static const struct {
        enum pop3_reply reply;
        const char *code;
    } codes[] = {
        {POP3_NO_CLEAR, "-ERR [AUTH] "},        {POP3_NO_CREDENTIALS, "-ERR [AUTH] "},
        {POP3_NO_LOCK, "-ERR [IN-USE] "},       {POP3_NO_MAILDROP, "-ERR [SYS/TEMP] "},
        {POP3_NO_READABLE, "-ERR [SYS/PERM] "}, {POP3_NO_READ, "-ERR [SYS/TEMP] "},
        {POP3_NO_EXPUNGE, "-ERR [SYS/TEMP] "},  {POP3_NO_MEMORY, "-ERR [SYS/TEMP] "},
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct output out = {text, 0, sizeof text};
        pop3_reply(&out, codes[i].reply);
        ck_assert_int_eq(memcmp(text, codes[i].code, strlen(codes[i].code)), 0);
    }
}
END_TEST

START_TEST(test_longest_banner_fits)
{
    uint8_t name[255];
    memset(name, 'a', sizeof name);
    struct output out = {text, 0, sizeof text};
    pop3_reply_banner(&out, span_of(name, sizeof name));
    ck_assert_uint_gt(out.size, sizeof name);
}
END_TEST

START_TEST(test_maildrop)
{
    struct pop3_session session = {
        .count = 5, .octets = UINT64_MAX, .deleted_count = 2, .deleted_octets = UINT64_MAX - 7};
    struct output out = {text, 0, sizeof text};
    pop3_reply_maildrop(&session, &out);
    ck_assert(span_equal(span_of(text, out.size), SPAN("+OK 3 messages (7 octets)\r\n")));
}
END_TEST

START_TEST(test_refusals_run_out)
{
    const struct pop3_config config = {.errors_max = 2};
    struct pop3_session session = {.config = &config};
    struct output out = {text, 0, sizeof text};
    pop3_refuse(&session, POP3_NO_COMMAND, &out);
    ck_assert_int_eq(pop3_wish(&session), POP3_GO_ON);
    pop3_refuse(&session, POP3_NO_COMMAND, &out);
    ck_assert_int_eq(pop3_wish(&session), POP3_CLOSE);
    ck_assert(span_equal(span_of(text, out.size),
                         SPAN("-ERR unknown command\r\n-ERR too many errors\r\n")));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/reply");
    TCase *tcase = tcase_create("replies");
    tcase_add_loop_test(tcase, test_every_reply, 0, POP3_REPLIES);
    tcase_add_test(tcase, test_codes);
    tcase_add_test(tcase, test_longest_banner_fits);
    tcase_add_test(tcase, test_maildrop);
    tcase_add_test(tcase, test_refusals_run_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
