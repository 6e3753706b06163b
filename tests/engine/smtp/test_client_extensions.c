#include "engine/smtp/client_extensions.h"

#include "engine/smtp/client_reply.h"
#include "tests/check_main.h"

#include <stdio.h>

#define AUTH_BOTH (SMTP_CLIENT_AUTH_PLAIN | SMTP_CLIENT_AUTH_LOGIN)

START_TEST(lines)
{
    static const struct {
        const char *line;
        unsigned offers;
        uint64_t size_max; /* 7: untouched */
    } table[] = {
        {"PIPELINING", SMTP_CLIENT_PIPELINING, 7},
        {"pipelining", SMTP_CLIENT_PIPELINING, 7},
        {"PIPELINING extra words", SMTP_CLIENT_PIPELINING, 7},
        {"PIPELININGS", 0, 7},
        {"PIPELININ", 0, 7},
        {"CHUNKING", SMTP_CLIENT_CHUNKING, 7},
        {"STARTTLS", SMTP_CLIENT_OFFERS_STARTTLS, 7},
        {"8BITMIME", SMTP_CLIENT_8BITMIME, 7},
        {"SMTPUTF8", SMTP_CLIENT_SMTPUTF8, 7},
        {"SIZE", SMTP_CLIENT_SIZE, 7},
        {"SIZE 0", SMTP_CLIENT_SIZE, 0},
        {"SIZE 52428800", SMTP_CLIENT_SIZE, 52428800},
        {"SIZE 18446744073709551615", SMTP_CLIENT_SIZE, UINT64_MAX},
        {"SIZE 18446744073709551616", SMTP_CLIENT_SIZE, 7},
        {"SIZE 5x", SMTP_CLIENT_SIZE, 7},
        {"SIZE -1", SMTP_CLIENT_SIZE, 7},
        {"AUTH PLAIN LOGIN", AUTH_BOTH, 7},
        {"AUTH CRAM-MD5  login\t", 0, 7},
        {"AUTH SCRAM-SHA-256 login", SMTP_CLIENT_AUTH_LOGIN, 7},
        {"AUTH=PLAIN", SMTP_CLIENT_AUTH_PLAIN, 7},
        {"auth= LOGIN PLAIN", AUTH_BOTH, 7},
        {"AUTH", 0, 7},
        {"AUTH PLAINER", 0, 7},
        {"PLAIN LOGIN", 0, 7},
        {"XCLIENT NAME PIPELINING", 0, 7},
        {"", 0, 7},
        {"  ", 0, 7},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint8_t offers = 0;
        uint64_t size_max = 7;
        smtp_client_extension_read(span_text(table[i].line), &offers, &size_max);
        ck_assert_msg(offers == table[i].offers && size_max == table[i].size_max, "%s",
                      table[i].line);
    }
}
END_TEST

START_TEST(lines_add_up)
{
    uint8_t offers = SMTP_CLIENT_CHUNKING;
    uint64_t size_max = 0;
    smtp_client_extension_read(SPAN("AUTH PLAIN"), &offers, &size_max);
    smtp_client_extension_read(SPAN("SIZE 100"), &offers, &size_max);
    smtp_client_extension_read(SPAN("AUTH=LOGIN"), &offers, &size_max);
    ck_assert_uint_eq(offers, SMTP_CLIENT_CHUNKING | SMTP_CLIENT_SIZE | AUTH_BOTH);
    ck_assert_uint_eq(size_max, 100);
}
END_TEST

/* A word that may have been cut off is no word. */
START_TEST(cut_words)
{
    char line[SMTP_CLIENT_TEXT_BYTES_MAX + 1];
    int padding = (int)(sizeof line - 1 - strlen("AUTH  PLAIN"));
    for (int shorter = 0; shorter < 2; shorter++) {
        uint8_t offers = 0;
        uint64_t size_max;
        snprintf(line, sizeof line, "AUTH %0*u PLAIN", padding - shorter, 0u);
        ck_assert_uint_eq(strlen(line), SMTP_CLIENT_TEXT_BYTES_MAX - (unsigned)shorter);
        smtp_client_extension_read(span_text(line), &offers, &size_max);
        ck_assert_uint_eq(offers, shorter ? SMTP_CLIENT_AUTH_PLAIN : 0);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp/client_extensions");
    TCase *tcase = tcase_create("client_extensions");
    tcase_add_test(tcase, lines);
    tcase_add_test(tcase, lines_add_up);
    tcase_add_test(tcase, cut_words);
    suite_add_tcase(suite, tcase);
    return suite;
}
