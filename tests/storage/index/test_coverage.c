#include "storage/index/coverage.h"

#include "storage/link.h"
#include "tests/check_main.h"

static struct coverage coverage;

static void close_coverage(void)
{
    coverage_deinit(&coverage);
}

static void add(uint32_t first, uint32_t last, uint64_t zero, uint64_t one)
{
    const uint64_t upto[] = {zero, one};
    ck_assert_int_eq(coverage_add(&coverage, first, last, span_of(upto, sizeof(upto))), STATUS_OK);
}

static uint64_t upto(uint32_t head, uint32_t log)
{
    return coverage_upto(&coverage, (uint64_t)head << 32 | 77, log);
}

START_TEST(nothing_is_covered)
{
    ck_assert_uint_eq(upto(5, 0), 0);
    ck_assert_uint_eq(coverage_lowest(&coverage, 0), 0);
    ck_assert_uint_eq(coverage_highest(&coverage, 0), 0);
    ck_assert_uint_eq(coverage_logs(&coverage), 0);
}
END_TEST

/* Of a run with two shards, then of one with one, cut off when it had covered more of one log. */
START_TEST(the_highest_counts_log_by_log)
{
    add(0, 0x7fffffff, 10, 20);
    add(0x80000000, UINT32_MAX, 30, 5);
    ck_assert_uint_eq(upto(0, 0), 10);
    ck_assert_uint_eq(upto(0x7fffffff, 1), 20);
    ck_assert_uint_eq(upto(0x80000000, 0), 30);
    ck_assert_uint_eq(coverage_lowest(&coverage, 0), 10);
    ck_assert_uint_eq(coverage_lowest(&coverage, 1), 5);
    add(0, UINT32_MAX, 20, 0);
    ck_assert_uint_eq(upto(0, 0), 20);
    ck_assert_uint_eq(upto(0, 1), 20);
    ck_assert_uint_eq(upto(UINT32_MAX, 0), 30);
    ck_assert_uint_eq(coverage_lowest(&coverage, 0), 20);
    ck_assert_uint_eq(coverage_highest(&coverage, 0), 30);
    ck_assert_uint_eq(coverage_logs(&coverage), 2);
    ck_assert_uint_eq(upto(0, 2), 0);
    ck_assert_uint_eq(coverage_lowest(&coverage, 2), 0);
}
END_TEST

START_TEST(gaps_are_not_covered)
{
    add(10, 19, 7, 7);
    add(30, UINT32_MAX, 9, 9);
    ck_assert_uint_eq(upto(9, 0), 0);
    ck_assert_uint_eq(upto(10, 0), 7);
    ck_assert_uint_eq(upto(19, 0), 7);
    ck_assert_uint_eq(upto(20, 0), 0);
    ck_assert_uint_eq(coverage_lowest(&coverage, 0), 0);
    add(0, 9, 8, 8);
    ck_assert_uint_eq(coverage_lowest(&coverage, 0), 0);
    add(20, 29, 8, 8);
    ck_assert_uint_eq(coverage_lowest(&coverage, 0), 7);
}
END_TEST

START_TEST(ranges_are_those_of_owners)
{
    static const uint32_t shards[] = {1, 2, 3, 7, 1000, 1024};
    for (size_t i = 0; i < sizeof(shards) / sizeof(*shards); i++) {
        uint32_t next = 0;
        for (uint32_t owner = 0; owner < shards[i]; owner++) {
            uint32_t first, last;
            coverage_range_of(owner, shards[i], &first, &last);
            ck_assert_uint_eq(first, next);
            ck_assert_uint_eq(link_owner((uint64_t)first << 32, shards[i]), owner);
            ck_assert_uint_eq(link_owner((uint64_t)last << 32 | UINT32_MAX, shards[i]), owner);
            next = last + 1;
        }
        ck_assert_uint_eq(next, 0);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("coverage");
    TCase *tcase = tcase_create("coverage");
    tcase_add_checked_fixture(tcase, NULL, close_coverage);
    tcase_add_test(tcase, nothing_is_covered);
    tcase_add_test(tcase, the_highest_counts_log_by_log);
    tcase_add_test(tcase, gaps_are_not_covered);
    tcase_add_test(tcase, ranges_are_those_of_owners);
    suite_add_tcase(suite, tcase);
    return suite;
}
