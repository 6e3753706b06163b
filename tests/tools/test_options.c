#include "tools/options.h"

#include "tests/check_main.h"

#include <stdbool.h>
#include <string.h>

struct values {
    bool flag;
    const char *text;
    uint32_t number;
    uint64_t size, duration;
};

static enum status call_refuses(void *values, const char *text, struct fault *fault)
{
    (void)values;
    return fault_set(fault, STATUS_USAGE, "--call: not '%s'", text);
}

static const struct option_row option_rows[] = {
    {"flag", NULL, "a flag", OPTION_FLAG, offsetof(struct values, flag), 0, 0, NULL},
    {"text", "TEXT", "text", OPTION_TEXT, offsetof(struct values, text), 0, 0, NULL},
    {"number", "N", "a number", OPTION_NUMBER, offsetof(struct values, number), 2, 9, NULL},
    {"size", "SIZE", "a size", OPTION_SIZE, offsetof(struct values, size), 1, 1 << 20, NULL},
    {"duration", "T", "a time", OPTION_DURATION, offsetof(struct values, duration), 0, 3600000,
     NULL},
    {"call", "X", "a call", OPTION_CALL, 0, 0, 0, call_refuses},
};

static const struct command command = {.name = "test",
                                       .synopsis = "test [flags]",
                                       .summary = "Tests.",
                                       .example = "test",
                                       .rows = option_rows,
                                       .rows_count = 6,
                                       .operands_min = 0,
                                       .operands_max = 1};

static enum status parse(char **argv, struct values *values, struct fault *fault)
{
    int argc = 0, operands_count;
    char **operands;
    bool done = false;
    while (argv[argc] != NULL)
        argc++;
    return options_parse(&command, argc, argv, values, &operands, &operands_count, &done, fault);
}

START_TEST(fills_the_struct)
{
    char *argv[] = {"test",   "--flag", "--text=hello", "--number", "9",
                    "--size", "64k",    "--duration",   "250ms",    NULL};
    struct values values = {0};
    struct fault fault;
    ck_assert_int_eq(parse(argv, &values, &fault), STATUS_OK);
    ck_assert(values.flag);
    ck_assert_str_eq(values.text, "hello");
    ck_assert_uint_eq(values.number, 9);
    ck_assert_uint_eq(values.size, 65536);
    ck_assert_uint_eq(values.duration, 250);
}
END_TEST

START_TEST(names_what_is_wrong)
{
    static char *const rows[][3] = {
        {"--nosuch", NULL, "--nosuch"},
        {"--number", NULL, "--number"},
        {"--number", "1", "--number"},
        {"--number", "10", "--number"},
        {"--number", "-3", "--number"},
        {"--number", "3x", "--number"},
        {"--size", "0", "--size"},
        {"--size", "2M", "--size"},
        {"--size", "1.5k", "--size"},
        {"--size", "99999999999999999999", "--size"},
        {"--size", "17179869184G", "--size"},
        {"--duration", "2h", "--duration"},
        {"--duration", "1d", "--duration"},
        {"--flag=yes", NULL, "--flag=yes"},
        {"--call", "this", "--call"},
        {"one", "two", "two"},
        {"--numb", "3", "--numb"},
        {"--fla", NULL, "--fla"},
    };
    char *argv[] = {"test", rows[_i][0], rows[_i][1], NULL};
    struct values values = {0};
    struct fault fault;
    ck_assert_int_eq(parse(argv, &values, &fault), STATUS_USAGE);
    ck_assert_msg(strstr(fault.text, rows[_i][2]) != NULL, "%s", fault.text);
    ck_assert_int_eq(status_exit_code(fault.status), 64);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, fills_the_struct);
    tcase_add_loop_test(tests, names_what_is_wrong, 0, 18);
    suite_add_tcase(suite, tests);
    return suite;
}
