#include "engine/load/row_index.h"

#include "tests/check_main.h"

#include <signal.h>

static struct row_index row_index;

static void open_index(void)
{
    ck_assert(row_index_init(&row_index) == STATUS_OK);
}

static void close_index(void)
{
    row_index_deinit(&row_index);
}

/* How many of the rows found by this hash are `row`; any at all in `*all`. */
static uint32_t finds(uint64_t hash, uint32_t row, uint32_t *all)
{
    uint32_t found = 0, at = row_index_start(&row_index, hash), next;
    *all = 0;
    while ((next = row_index_next(&row_index, hash, &at)) != ROW_NONE) {
        found += next == row;
        ++*all;
    }
    return found;
}

START_TEST(an_empty_index_finds_nothing)
{
    uint32_t all;
    ck_assert_uint_eq(finds(0, 0, &all), 0);
    ck_assert_uint_eq(all, 0);
}
END_TEST

START_TEST(every_row_is_found_by_its_hash_alone)
{
    enum { ROWS = 100000 };
    const uint64_t odd = 0x9E3779B97F4A7C15;
    for (uint32_t row = 0; row < ROWS; row++)
        ck_assert(row_index_add(&row_index, row * odd, row) == STATUS_OK);
    ck_assert_uint_eq(row_index.count, ROWS);
    ck_assert_uint_le(row_index.count * 3ull, (row_index.mask + 1ull) * 2);
    for (uint32_t row = 0; row < ROWS; row++) {
        uint32_t all;
        ck_assert_uint_eq(finds(row * odd, row, &all), 1);
        ck_assert_uint_eq(all, 1); /* 32 bits of these hashes differ */
    }
}
END_TEST

START_TEST(rows_of_one_hash_are_all_found)
{
    for (uint32_t row = 0; row < 3000; row++)
        ck_assert(row_index_add(&row_index, 42, row) == STATUS_OK);
    for (uint32_t row = 0; row < 3000; row += 500) {
        uint32_t all;
        ck_assert_uint_eq(finds(42, row, &all), 1);
        ck_assert_uint_eq(all, 3000);
    }
}
END_TEST

START_TEST(none_is_no_row)
{
    ck_assert(row_index_add(&row_index, 1, ROW_NONE) == STATUS_OK);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("row_index");
    TCase *tcase = tcase_create("row_index");
    tcase_add_checked_fixture(tcase, open_index, close_index);
    tcase_add_test(tcase, an_empty_index_finds_nothing);
    tcase_add_test(tcase, every_row_is_found_by_its_hash_alone);
    tcase_add_test(tcase, rows_of_one_hash_are_all_found);
    tcase_add_test_raise_signal(tcase, none_is_no_row, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite;
}
