#include "bench/arguments.h"
#include "tests/check_main.h"

#include <string.h>

#define WORDS_MAX 5

static const struct {
    const char *words[WORDS_MAX]; /* after the program's name */
    enum status status;
    uint64_t number;
    const char *text; /* of the argument, or in the refusal */
    bool flag;
} cases[] = {
    {{NULL}, STATUS_OK, 7, "default", false},
    {{"--number", "1"}, STATUS_OK, 1, "default", false},
    {{"--number", "10", "--flag"}, STATUS_OK, 10, "default", true},
    {{"--flag", "--text", "--flag"}, STATUS_OK, 7, "--flag", true},
    {{"--number", "0"}, STATUS_USAGE, 7, "--number takes 1 to 10, not \"0\"", false},
    {{"--number", "11"}, STATUS_USAGE, 7, "--number takes 1 to 10, not \"11\"", false},
    {{"--number", "-1"}, STATUS_USAGE, 7, "--number takes", false},
    {{"--number", "99999999999999999999"}, STATUS_USAGE, 7, "--number takes", false},
    {{"--number", "1x"}, STATUS_USAGE, 7, "not \"1x\"", false},
    {{"--number", ""}, STATUS_USAGE, 7, "not \"\"", false},
    {{"--number"}, STATUS_USAGE, 7, "--number needs a value", false},
    {{"--text"}, STATUS_USAGE, 7, "--text needs a value", false},
    {{"--numbers", "1"}, STATUS_USAGE, 7, "unknown argument --numbers", false},
    {{"number"}, STATUS_USAGE, 7, "unknown argument number", false},
};

START_TEST(words)
{
    uint64_t number = 7;
    const char *text = "default";
    bool flag = false;
    const struct argument arguments[] = {
        {"number", "", &number, .minimum = 1, .maximum = 10},
        {"text", "", .text = &text},
        {"flag", "", .flag = &flag},
        {.name = NULL},
    };
    char program[] = "program";
    char copies[WORDS_MAX][32];
    char *argv[WORDS_MAX + 1] = {program};
    int argc = 1;
    for (; argc <= WORDS_MAX && cases[_i].words[argc - 1]; argc++) {
        size_t size = strlen(cases[_i].words[argc - 1]) + 1;
        ck_assert_uint_le(size, sizeof(copies[0]));
        argv[argc] = memcpy(copies[argc - 1], cases[_i].words[argc - 1], size);
    }
    struct fault fault = {0};
    ck_assert_int_eq(arguments_read(arguments, argc, argv, &fault), cases[_i].status);
    ck_assert_uint_eq(number, cases[_i].number);
    ck_assert_int_eq(flag, cases[_i].flag);
    if (cases[_i].status == STATUS_OK)
        ck_assert_str_eq(text, cases[_i].text);
    else
        ck_assert_msg(strstr(fault.text, cases[_i].text) != NULL, "%s", fault.text);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("arguments");
    TCase *tests = tcase_create("arguments");
    tcase_add_loop_test(tests, words, 0, sizeof(cases) / sizeof(cases[0]));
    suite_add_tcase(suite, tests);
    return suite;
}
