#include "tests/check_main.h"

#include "base/span.h"

START_TEST(compares_exactly_and_without_case)
{
    static const struct {
        struct span a, b;
        bool equal, equal_nocase;
    } table[] = {
        {{NULL, 0}, SPAN_INIT(""), true, true},
        {SPAN_INIT("MAIL"), SPAN_INIT("MAIL"), true, true},
        {SPAN_INIT("MAIL"), SPAN_INIT("mAiL"), false, true},
        {SPAN_INIT("MAIL"), SPAN_INIT("MAI"), false, false},
        {SPAN_INIT("@[`{"), SPAN_INIT("`{@["), false, false}, /* the neighbours of the letters */
        {SPAN_INIT("AZ"), SPAN_INIT("az"), false, true},
        {SPAN_INIT("\xC4"), SPAN_INIT("\xE4"), false, false}, /* only ASCII folds */
        {SPAN_INIT("a\0b"), SPAN_INIT("a\0c"), false, false}, /* a NUL ends nothing */
    };
    ck_assert(span_equal(table[_i].a, table[_i].b) == table[_i].equal);
    ck_assert(span_equal_nocase(table[_i].a, table[_i].b) == table[_i].equal_nocase);
}
END_TEST

START_TEST(cuts)
{
    struct span span = SPAN("EHLO example");
    ck_assert(span_equal(span_from(span, 5), span_text("example")));
    ck_assert_uint_eq(span_from(span, span.size).size, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("span");
    TCase *tcase = tcase_create("span");
    tcase_add_loop_test(tcase, compares_exactly_and_without_case, 0, 8);
    tcase_add_test(tcase, cuts);
    suite_add_tcase(suite, tcase);
    return suite;
}
