#include "base/powers.h"

#include "tests/check_main.h"

START_TEST(a_bucket_ends_at_its_power_of_two)
{
    static const struct {
        uint64_t value;
        uint32_t bucket;
    } table[] = {
        {0, 0},
        {1, 0},
        {2, 1},
        {3, 2},
        {4, 2},
        {5, 3},
        {1000, 10},
        {1024, 10},
        {1025, 11},
        {1ull << 34, 34},
        {(1ull << 34) + 1, POWERS - 1},
        {1ull << 63, POWERS - 1},
        {UINT64_MAX, POWERS - 1},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        ck_assert_msg(powers_index(table[i].value) == table[i].bucket, "row %zu: %u", i,
                      powers_index(table[i].value));
}
END_TEST

START_TEST(every_value_is_in_one_bucket)
{
    struct powers powers = {0};
    for (uint64_t value = 0; value <= 16; value++)
        powers_add(&powers, value);
    static const uint64_t counts[] = {2, 1, 2, 4, 8, 0};
    ck_assert_mem_eq(powers.counts, counts, sizeof counts);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("powers");
    TCase *tcase = tcase_create("powers");
    tcase_add_test(tcase, a_bucket_ends_at_its_power_of_two);
    tcase_add_test(tcase, every_value_is_in_one_bucket);
    suite_add_tcase(suite, tcase);
    return suite;
}
