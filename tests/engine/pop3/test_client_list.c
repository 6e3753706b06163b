#include "engine/pop3/client_list.h"

#include "tests/check_main.h"

#include <stdio.h>

START_TEST(capabilities)
{
    static const struct {
        const char *line;
        unsigned bits;
    } table[] = {
        {"STLS", POP3_CLIENT_HAS_STLS},
        {"stls", POP3_CLIENT_HAS_STLS},
        {"PIPELINING", POP3_CLIENT_HAS_PIPELINING},
        {"USER", POP3_CLIENT_HAS_USER},
        {"SASL PLAIN", POP3_CLIENT_HAS_PLAIN},
        {"SASL CRAM-MD5 plain LOGIN", POP3_CLIENT_HAS_PLAIN},
        {"SASL", 0},
        {"SASL CRAM-MD5 PLAINER", 0},
        {"PLAIN", 0},
        {"TOP", 0},
        {"IMPLEMENTATION PIPELINING STLS", 0},
        {"", 0},
        {"  ", 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(pop3_client_capabilities_of(span_text(table[i].line)) == table[i].bits, "%s",
                      table[i].line);
}
END_TEST

/* A word that may have been cut off is no word. */
START_TEST(cut_words)
{
    char line[REPLY_LINE_BYTES_KEPT + 1];
    int padding = (int)(sizeof line - 1 - strlen("SASL  PLAIN"));
    snprintf(line, sizeof line, "SASL %0*u PLAIN", padding, 0u);
    ck_assert_uint_eq(pop3_client_capabilities_of(span_text(line)), 0);
    snprintf(line, sizeof line, "SASL %0*u PLAIN", padding - 1, 0u);
    ck_assert_uint_eq(pop3_client_capabilities_of(span_text(line)), POP3_CLIENT_HAS_PLAIN);
}
END_TEST

#define UIDL_70 "1234567890123456789012345678901234567890123456789012345678901234567890"

START_TEST(uidls)
{
    static const struct {
        const char *row;
        uint32_t number; /* 0: bad */
        const char *uidl;
    } table[] = {
        {"1 a", 1, "a"},
        {"20 !~", 20, "!~"},
        {"7  spaced", 7, "spaced"},
        {"7 a b", 7, "a"},
        {"1 " UIDL_70, 1, UIDL_70},
        {"1 " UIDL_70 "1", 0, NULL},
        {"0 a", 0, NULL},
        {"21 a", 0, NULL},
        {"4294967297 a", 0, NULL},
        {"99999999999999999999999 a", 0, NULL},
        {"-1 a", 0, NULL},
        {"1", 0, NULL},
        {"1 ", 0, NULL},
        {"a 1", 0, NULL},
        {"1 a\x7F", 0, NULL},
        {"1 \xC3\xA9", 0, NULL},
        {"1\ta", 0, NULL},
        {"", 0, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint32_t number = 0;
        struct span uidl;
        bool good = pop3_client_uidl_parse(span_text(table[i].row), 20, &number, &uidl);
        ck_assert_msg(good == (table[i].number > 0) && number == table[i].number, "%s",
                      table[i].row);
        ck_assert(!good || span_equal(uidl, span_text(table[i].uidl)));
    }
}
END_TEST

START_TEST(stats)
{
    static const struct {
        const char *text;
        bool good;
        uint32_t messages;
        uint64_t octets;
    } table[] = {
        {"0 0", true, 0, 0},
        {"2 320", true, 2, 320},
        {"2 320 and more", true, 2, 320},
        {"2147483647 18446744073709551615", true, 2147483647, UINT64_MAX},
        {"2147483648 1", false, 0, 0},
        {"1 18446744073709551616", false, 0, 0},
        {"1", false, 0, 0},
        {"-1 5", false, 0, 0},
        {"two 5", false, 0, 0},
        {"", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint32_t messages = 0;
        uint64_t octets = 0;
        ck_assert_int_eq(pop3_client_stat_parse(span_text(table[i].text), &messages, &octets),
                         table[i].good);
        ck_assert_uint_eq(messages, table[i].messages);
        ck_assert_uint_eq(octets, table[i].octets);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/client_list");
    TCase *tcase = tcase_create("client_list");
    tcase_add_test(tcase, capabilities);
    tcase_add_test(tcase, cut_words);
    tcase_add_test(tcase, uidls);
    tcase_add_test(tcase, stats);
    suite_add_tcase(suite, tcase);
    return suite;
}
