#include "engine/cpus.h"

#include "tests/check_main.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

START_TEST(reads_lists_of_usable_processors)
{
    struct cpus usable, cpus;
    struct fault fault;
    char text[64];
    cpus_usable(&usable);
    ck_assert_uint_gt(usable.count, 0);
    uint32_t first = usable.numbers[0];
    snprintf(text, sizeof text, "%u,%u-%u", first, first, first);
    ck_assert_int_eq(cpus_parse(text, &cpus, &fault), STATUS_OK);
    ck_assert_uint_eq(cpus.count, 2);
    ck_assert_uint_eq(cpus.numbers[1], first);
}
END_TEST

START_TEST(refuses_what_is_no_list)
{
    static const char *const rows[] = {"",   "x",  "0,", ",0",   "0-",
                                       "-1", "0x", "0 ", "1023", "99999999999999999999"};
    struct cpus cpus = {.count = 77};
    struct fault fault = {0};
    ck_assert_int_eq(cpus_parse(rows[_i], &cpus, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "--cpus"));
    ck_assert_uint_eq(cpus.count, 77);
}
END_TEST

START_TEST(pins_the_thread)
{
    struct cpus usable;
    struct fault fault;
    cpus_usable(&usable);
    uint32_t last = usable.numbers[usable.count - 1];
    ck_assert_int_eq(cpus_pin(last, &fault), STATUS_OK);
    ck_assert_int_eq(sched_getcpu(), (int)last);
    ck_assert_int_eq(cpus_pin(1000, &fault), STATUS_SYSTEM);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("cpus");
    TCase *tests = tcase_create("cpus");
    tcase_add_test(tests, reads_lists_of_usable_processors);
    tcase_add_loop_test(tests, refuses_what_is_no_list, 0, 10);
    tcase_add_test(tests, pins_the_thread);
    suite_add_tcase(suite, tests);
    return suite;
}
