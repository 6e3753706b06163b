#include "engine/pop3/number.h"

#include "tests/check_main.h"

static const struct {
    const char *text;
    uint64_t number;
} good[] = {
    {"0", 0},
    {"1", 1},
    {"007", 7},
    {"2147483648", UINT64_C(1) << 31},
    {"4294967296", UINT64_C(1) << 32},
    {"9223372036854775808", UINT64_C(1) << 63},
    {"18446744073709551615", UINT64_MAX},
};

static const char *const bad[] = {
    "",
    "-1",
    "+1",
    " 1",
    "1 ",
    "1 2",
    "1x",
    "0x1",
    "1.0",
    "\t1",
    "one",
    "/",
    ":",
    "\xb2",
    "18446744073709551616",
    "18446744073709551617",
    "99999999999999999999",
    "123456789012345678901234567890",
};

START_TEST(test_good)
{
    uint64_t number = 99;
    ck_assert(pop3_number_parse(span_text(good[_i].text), &number));
    ck_assert_uint_eq(number, good[_i].number);
}
END_TEST

START_TEST(test_bad)
{
    uint64_t number = 99;
    ck_assert(!pop3_number_parse(span_text(bad[_i]), &number));
    ck_assert_uint_eq(number, 99);
}
END_TEST

START_TEST(test_nul_is_no_end)
{
    uint64_t number;
    ck_assert(!pop3_number_parse(SPAN("1\0"), &number));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/number");
    TCase *tcase = tcase_create("numbers");
    tcase_add_loop_test(tcase, test_good, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, test_bad, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, test_nul_is_no_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
