#include "tests/engine/pop3/conversation.h"

#include "tests/check_main.h"

#include <stdio.h>

static const char *const two[] = {"A: 1\r\n\r\nHello\r\n.\r\n", "A: 2\r\n\r\nBye\r\n.\r\n"};
#define TWO                                                                                        \
    {                                                                                              \
        .messages = two, .messages_count = 2                                                       \
    }
#define LOGGED_IN "+OK send PASS\r\n{log in alice secret}+OK 2 messages (28 octets)\r\n"

static const struct conversation_case rows[] = {
    /* Case does not matter, LF alone ends a line too, empty lines are commands like any other. */
    {"noop\r\nQuIt\r\n", "-ERR log in first\r\n+OK bye\r\n[close]", TWO},
    {"QUIT\n", "+OK bye\r\n[close]", TWO},
    {"\r\n\n \r\nQUIT\r\n",
     "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n+OK bye\r\n[close]",
     TWO},
    {"XYZZY\r\nSTATS\r\nSTA\r\n STAT\r\nAPOP a b\r\n",
     "-ERR unknown command\r\n-ERR unknown command\r\n-ERR unknown command\r\n"
     "-ERR unknown command\r\n-ERR unknown command\r\n",
     TWO},
    /* Every verb is legal in its states only. */
    {"STAT\r\nLIST\r\nUIDL 1\r\nRETR 1\r\nTOP 1 0\r\nDELE 1\r\nRSET\r\n",
     "-ERR log in first\r\n-ERR log in first\r\n-ERR log in first\r\n-ERR log in first\r\n"
     "-ERR log in first\r\n-ERR log in first\r\n-ERR log in first\r\n",
     TWO},
    {LOGIN "USER bob\r\nPASS x\r\nAUTH PLAIN\r\nSTLS\r\nUTF8\r\nSTAT\r\n",
     LOGGED_IN "-ERR already logged in\r\n-ERR already logged in\r\n-ERR already logged in\r\n"
               "-ERR already logged in\r\n-ERR already logged in\r\n+OK 2 28\r\n",
     TWO},
    /* Argument shapes. */
    {"USER\r\nUSER \r\nPASS\r\nAUTH\r\nCAPA x\r\nQUIT now\r\nUTF8 USER\r\n",
     "-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n"
     "-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n"
     "-ERR wrong arguments\r\n",
     TWO},
    {LOGIN "STAT 1\r\nNOOP x\r\nRSET 1\r\nSTAT \r\nRETR\r\nDELE\r\nTOP\r\nTOP 1\r\nTOP  1\r\n",
     LOGGED_IN "-ERR wrong arguments\r\n-ERR wrong arguments\r\n-ERR wrong arguments\r\n"
               "+OK 2 28\r\n-ERR not a number\r\n-ERR not a number\r\n-ERR not a number\r\n"
               "-ERR not a number\r\n-ERR not a number\r\n",
     TWO},
    {LOGIN "TOP 1 -1\r\nTOP 1 0 0\r\nTOP 1 18446744073709551616\r\nTOP 3 0\r\nTOP x 0\r\n",
     LOGGED_IN "-ERR not a number\r\n-ERR not a number\r\n-ERR not a number\r\n"
               "-ERR no such message\r\n-ERR not a number\r\n",
     TWO},
    /* A browser. */
    {"GET / HTTP/1.1\r\nUSER alice\r\n", "-ERR this is POP3\r\n[close]", TWO},
    {"POST /x HTTP/1.1\r\nDELE 1\r\n", "-ERR this is POP3\r\n[close]", TWO},
    {"CONNECT a:110\r\n", "-ERR this is POP3\r\n[close]", TWO},
    {LOGIN "PUT / HTTP/1.1\r\nSTAT\r\n", LOGGED_IN "-ERR this is POP3\r\n[close]", TWO},
    /* Bad commands end it, asking for what isn't there does not. */
    {"A\r\nB\r\nC\r\nQUIT\r\n",
     "-ERR unknown command\r\n-ERR unknown command\r\n-ERR too many errors\r\n[close]",
     {.messages = two, .messages_count = 2, .errors_max = 3}},
    {LOGIN "RETR 3\r\nRETR 3\r\nRETR 3\r\nRETR 0\r\nDELE 1\r\nDELE 1\r\nSTAT\r\n",
     LOGGED_IN "-ERR no such message\r\n-ERR no such message\r\n-ERR no such message\r\n"
               "-ERR no such message\r\n+OK marked as deleted\r\n-ERR message is deleted\r\n"
               "+OK 1 13\r\n",
     {.messages = two, .messages_count = 2, .errors_max = 3}},
};

START_TEST(test_rows)
{
    conversation_check(&rows[_i]);
}
END_TEST

/* ------------------------------------------------------------------ hostile numbers ---- */

static const struct {
    const char *text, *reply;
} numbers[] = {
    {"0", "-ERR no such message\r\n"},
    {"00", "-ERR no such message\r\n"},
    {"3", "-ERR no such message\r\n"},
    {"2147483647", "-ERR no such message\r\n"},
    {"2147483648", "-ERR no such message\r\n"},
    {"4294967295", "-ERR no such message\r\n"},
    {"4294967296", "-ERR no such message\r\n"},
    {"4294967297", "-ERR no such message\r\n"},
    {"4294967298", "-ERR no such message\r\n"},
    {"9223372036854775807", "-ERR no such message\r\n"},
    {"9223372036854775808", "-ERR no such message\r\n"},
    {"9223372036854775809", "-ERR no such message\r\n"},
    {"18446744073709551615", "-ERR no such message\r\n"},
    {"18446744073709551616", "-ERR not a number\r\n"},
    {"18446744073709551617", "-ERR not a number\r\n"},
    {"111111111111111111111111111111", "-ERR not a number\r\n"},
    {"-1", "-ERR not a number\r\n"},
    {"+1", "-ERR not a number\r\n"},
    {" 1", "-ERR not a number\r\n"},
    {"1 ", "-ERR not a number\r\n"},
    {"1 2", "-ERR not a number\r\n"},
    {"1\t", "-ERR not a number\r\n"},
    {"one", "-ERR not a number\r\n"},
    {"1x", "-ERR not a number\r\n"},
    {"0x1", "-ERR not a number\r\n"},
    {"1.0", "-ERR not a number\r\n"},
    {"1,2", "-ERR not a number\r\n"},
    {"*", "-ERR not a number\r\n"},
    {"\xef\xbc\x91", "-ERR not a number\r\n"}, /* a fullwidth 1 */
};

/* TOP splits its arguments at the space, so numbers with spaces are wrong otherwise there. */
static const char *const numbered[] = {"LIST", "UIDL", "RETR", "DELE"};

START_TEST(test_numbers)
{
    const struct conversation_setup setup = TWO;
    for (size_t i = 0; i < sizeof numbered / sizeof *numbered; i++) {
        struct conversation talk;
        char command[80], expected[400];
        snprintf(command, sizeof command, LOGIN "%s %s\r\nSTAT\r\n", numbered[i], numbers[_i].text);
        snprintf(expected, sizeof expected, GREETING LOGGED_IN "%s+OK 2 28\r\n", numbers[_i].reply);
        conversation_open(&talk, &setup);
        conversation_hear(&talk, span_text(command));
        ck_assert_str_eq(talk.transcript, expected);
        conversation_close(&talk);
    }
}
END_TEST

START_TEST(test_top_numbers)
{
    if (strchr(numbers[_i].text, ' '))
        return;
    const struct conversation_setup setup = TWO;
    struct conversation talk;
    char command[80], expected[400];
    snprintf(command, sizeof command, LOGIN "TOP %s 1\r\n", numbers[_i].text);
    snprintf(expected, sizeof expected, GREETING LOGGED_IN "%s", numbers[_i].reply);
    conversation_open(&talk, &setup);
    conversation_hear(&talk, span_text(command));
    ck_assert_str_eq(talk.transcript, expected);
    conversation_close(&talk);
}
END_TEST

/* ------------------------------------------------------------------ overlong lines ---- */

static void check_overlong(const char *verb, size_t size, const char *rest, const char *expected)
{
    static char line[8192];
    const struct conversation_setup setup = TWO;
    struct conversation talk;
    memset(line, 'x', size);
    memcpy(line, verb, strlen(verb));
    for (size_t cut = 1; cut < size; cut = cut * 2 + 1) {
        conversation_open(&talk, &setup);
        conversation_hear(&talk, span_of(line, cut));
        conversation_hear(&talk, span_of(line + cut, size - cut));
        conversation_hear(&talk, span_text(rest));
        ck_assert_str_eq(talk.transcript + strlen(GREETING), expected);
        conversation_close(&talk);
    }
}

START_TEST(test_overlong)
{
    check_overlong("USER ", 5000, "\r\nQUIT\r\n", "-ERR line too long\r\n+OK bye\r\n[close]");
    check_overlong("NONSENSE ", 1023, "\r\nQUIT\r\n", "-ERR line too long\r\n+OK bye\r\n[close]");
    check_overlong("USER ", 1022, "\r\nQUIT\r\n", "+OK send PASS\r\n+OK bye\r\n[close]");
    check_overlong("GET /", 5000, "\r\nQUIT\r\n", "-ERR this is POP3\r\n[close]");
    check_overlong("GET /", 1000, "\r\nUSER alice\r\n", "-ERR this is POP3\r\n[close]");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/verbs");
    TCase *tcase = tcase_create("verbs");
    tcase_add_loop_test(tcase, test_rows, 0, sizeof rows / sizeof *rows);
    tcase_add_loop_test(tcase, test_numbers, 0, sizeof numbers / sizeof *numbers);
    tcase_add_loop_test(tcase, test_top_numbers, 0, sizeof numbers / sizeof *numbers);
    tcase_add_test(tcase, test_overlong);
    suite_add_tcase(suite, tcase);
    return suite;
}
