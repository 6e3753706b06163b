#include "engine/load/target.h"

#include "tests/check_main.h"

#define ALL 0x1Fu

START_TEST(says_where)
{
    static const struct {
        const char *text;
        enum target_scheme scheme;
        const char *address, *host;
    } rows[] = {
        {"smtp://127.0.0.1", TARGET_SMTP, "127.0.0.1:25", "127.0.0.1"},
        {"smtps://127.0.0.1", TARGET_SMTPS, "127.0.0.1:465", "127.0.0.1"},
        {"lmtp://127.0.0.1", TARGET_LMTP, "127.0.0.1:24", "127.0.0.1"},
        {"pop3://127.0.0.1", TARGET_POP3, "127.0.0.1:110", "127.0.0.1"},
        {"pop3s://127.0.0.1", TARGET_POP3S, "127.0.0.1:995", "127.0.0.1"},
        {"smtp://127.0.0.2:2525", TARGET_SMTP, "127.0.0.2:2525", "127.0.0.2"},
        {"smtp://127.0.0.2:65535", TARGET_SMTP, "127.0.0.2:65535", "127.0.0.2"},
        {"smtp://localhost", TARGET_SMTP, "127.0.0.1:25", "localhost"},
        {"pop3s://localhost:1", TARGET_POP3S, "127.0.0.1:1", "localhost"},
        {"smtp://[::1]", TARGET_SMTP, "[::1]:25", "::1"},
        {"smtps://[::1]:2465", TARGET_SMTPS, "[::1]:2465", "::1"},
        {"lmtp://unix:/run/lmtp", TARGET_LMTP, "unix:/run/lmtp", "localhost"},
        {"lmtp://unix:/run/a:24", TARGET_LMTP, "unix:/run/a:24", "localhost"},
        {"SMTP://127.0.0.1", TARGET_SMTP, "127.0.0.1:25", "127.0.0.1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct target target;
        struct fault fault;
        char address[NET_ADDRESS_TEXT_BYTES];
        ck_assert_msg(target_parse(rows[i].text, ALL, &target, &fault) == STATUS_OK, "%s: %s",
                      rows[i].text, fault.text);
        ck_assert_int_eq(target.scheme, rows[i].scheme);
        ck_assert_str_eq(net_address_text(&target.address, address), rows[i].address);
        ck_assert_str_eq(target.host, rows[i].host);
    }
}
END_TEST

START_TEST(refuses_the_rest)
{
    static const struct {
        const char *text, *line; /* that the fault contains */
    } rows[] = {
        {"", "must begin with smtp://, smtps://, lmtp://, pop3://, pop3s://"},
        {"127.0.0.1:25", "must begin with"},
        {"http://127.0.0.1", "'http://127.0.0.1'"},
        {" smtp://127.0.0.1", "must begin with"},
        {"smtp:/127.0.0.1", "must begin with"},
        {"smtp://", "the host is missing"},
        {"smtp://:25", "the host is missing"},
        {"smtp://[]", "the host is missing"},
        {"smtp://[]:25", "the host is missing"},
        {"smtp://127.0.0.1:", "the port"},
        {"smtp://127.0.0.1:0", "the port"},
        {"smtp://127.0.0.1:65536", "the port"},
        {"smtp://127.0.0.1:99999999999999999999", "the port"},
        {"smtp://127.0.0.1:-1", "the port"},
        {"smtp://127.0.0.1:25/", "the port"},
        {"smtp://127.0.0.1:smtp", "the port"},
        {"smtp://::1", "brackets"},
        {"smtp://[::1", "[IPV6]:PORT"},
        {"smtp://[::1]25", "[IPV6]:PORT"},
        {"smtp://[localhost]:25", "'[localhost]:25'"},
        {"lmtp://unix:", "a path must follow"},
        {"lmtp://unix:/0123456789012345678901234567890123456789012345678901234567890123456789"
         "0123456789012345678901234567890123456789",
         "108 bytes"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct target target = {.host = "untouched"};
        struct fault fault;
        ck_assert_msg(target_parse(rows[i].text, ALL, &target, &fault) == STATUS_USAGE, "%s",
                      rows[i].text);
        ck_assert_msg(strstr(fault.text, rows[i].line) != NULL, "%s: %s", rows[i].text, fault.text);
        ck_assert_str_eq(target.host, "untouched");
    }
}
END_TEST

/* By length: 255 bytes are a name, though nobody's. */
START_TEST(refuses_a_long_host)
{
    static const struct {
        size_t bytes;
        enum status status;
    } rows[] = {{255, STATUS_NETWORK}, {256, STATUS_USAGE}, {4000, STATUS_USAGE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[4096] = "smtp://";
        memset(text + strlen(text), '.', rows[i].bytes);
        struct target target;
        struct fault fault;
        ck_assert_int_eq(target_parse(text, ALL, &target, &fault), rows[i].status);
    }
}
END_TEST

/* An empty label is no name, so nobody is asked. */
START_TEST(tells_an_unknown_name_from_wrong_usage)
{
    struct target target = {.host = "untouched"};
    struct fault fault;
    ck_assert_int_eq(target_parse("smtp://no..such", ALL, &target, &fault), STATUS_NETWORK);
    ck_assert_ptr_nonnull(strstr(fault.text, "no..such"));
    ck_assert_int_eq(target_parse("smtp://no..such:x", ALL, &target, &fault), STATUS_USAGE);
    ck_assert_str_eq(target.host, "untouched");
}
END_TEST

START_TEST(knows_which_schemes_are_allowed)
{
    static const char *const texts[] = {
        [TARGET_SMTP] = "smtp://127.0.0.1",   [TARGET_SMTPS] = "smtps://127.0.0.1",
        [TARGET_LMTP] = "lmtp://127.0.0.1",   [TARGET_POP3] = "pop3://127.0.0.1",
        [TARGET_POP3S] = "pop3s://127.0.0.1",
    };
    for (unsigned allowed = TARGET_SMTP; allowed <= TARGET_POP3S; allowed++)
        for (unsigned given = TARGET_SMTP; given <= TARGET_POP3S; given++) {
            struct target target;
            enum status status = target_parse(texts[given], 1u << allowed, &target, NULL);
            ck_assert_int_eq(status, given == allowed ? STATUS_OK : STATUS_USAGE);
        }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("target");
    TCase *tcase = tcase_create("target");
    tcase_add_test(tcase, says_where);
    tcase_add_test(tcase, refuses_the_rest);
    tcase_add_test(tcase, refuses_a_long_host);
    tcase_add_test(tcase, tells_an_unknown_name_from_wrong_usage);
    tcase_add_test(tcase, knows_which_schemes_are_allowed);
    suite_add_tcase(suite, tcase);
    return suite;
}
