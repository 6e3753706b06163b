#include "tools/text.h"

#include "tests/check_main.h"

static char out[TEXT_NAME_BYTES];

START_TEST(names)
{
    static const char *const cases[][3] = {
        {"a@x", "a@x", "a@x"},
        {"", "", ""},
        {"a b@x", "a b@x", "a\\x20b@x"},
        {"  ", "  ", "\\x20\\x20"},
        {"a\nb\x1b[m\\", "a\\x0Ab\\x1B[m\\x5C", "a\\x0Ab\\x1B[m\\x5C"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_str_eq(text_name(span_text(cases[i][0]), out), cases[i][1]);
        ck_assert_str_eq(text_column(span_text(cases[i][0]), out), cases[i][2]);
    }
}
END_TEST

START_TEST(names_too_long_are_cut)
{
    char name[4096];
    for (int byte = ' '; byte <= 'a'; byte += 'a' - ' ') {
        memset(name, byte, sizeof name);
        ck_assert_uint_lt(strlen(text_name(span_of(name, sizeof name), out)), TEXT_NAME_BYTES);
        ck_assert_uint_lt(strlen(text_column(span_of(name, sizeof name), out)), TEXT_NAME_BYTES);
    }
}
END_TEST

START_TEST(clean_ones)
{
    static const char *const dirty[] = {"a\nb", "\r", "a\x1b[m", "\x7f", "\t"};
    ck_assert(text_is_clean(SPAN("")));
    ck_assert(text_is_clean(SPAN("a b@x ~\xc3\xa9")));
    for (size_t i = 0; i < sizeof dirty / sizeof dirty[0]; i++)
        ck_assert(!text_is_clean(span_text(dirty[i])));
}
END_TEST

START_TEST(times)
{
    char when[TEXT_TIME_BYTES];
    ck_assert_str_eq(text_second(0, when), "1970-01-01T00:00:00Z");
    ck_assert_str_eq(text_second(1795449600, when), "2026-11-23T16:00:00Z");
    ck_assert_str_eq(text_time(1795449600000001999ull, when), "2026-11-23T16:00:00.000001Z");
    text_time(UINT64_MAX, when);
    text_second(UINT64_MAX, when);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tests = tcase_create("text");
    tcase_add_test(tests, names);
    tcase_add_test(tests, names_too_long_are_cut);
    tcase_add_test(tests, clean_ones);
    tcase_add_test(tests, times);
    suite_add_tcase(suite, tests);
    return suite;
}
