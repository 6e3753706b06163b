#include "storage/index/index_memory.h"

#include "tests/check_main.h"
#include "tests/storage/index/index_bed.h"

static struct index *open_memory(void)
{
    struct index *index = NULL;
    ck_assert_int_eq(index_memory_open(&index, false), STATUS_OK);
    return index;
}

static void remove_memory(void)
{
}

START_TEST(runs_can_be_taken_back)
{
    struct index *index;
    ck_assert_int_eq(index_memory_open(&index, true), STATUS_OK);
    for (int run = 0; run < 20; run++)
        ck_assert_int_eq(index_bed_run(index, run % 2 ? "a- n+1" : "a=x n+1"), STATUS_OK);
    ck_assert_uint_eq(index_memory_runs(index), 20);
    ck_assert_str_eq(index_bed_text(index, ""), "n=20");
    index_memory_rewind(index, 7);
    ck_assert_str_eq(index_bed_text(index, ""), "a=x n=7");
    ck_assert_int_eq(index_bed_run(index, "a- n+1"), STATUS_OK);
    ck_assert_uint_eq(index_memory_runs(index), 8);
    index_memory_rewind(index, 0);
    ck_assert_str_eq(index_bed_text(index, ""), "");
    index->calls->close(index);
}
END_TEST

START_TEST(runs_can_fail)
{
    struct index *index = open_memory();
    ck_assert_int_eq(index_bed_run(index, "a=1"), STATUS_OK);
    index_memory_fail(index, 2);
    ck_assert_int_eq(index_bed_run(index, "a=2"), STATUS_FULL);
    ck_assert_int_eq(index_bed_run(index, "a=2"), STATUS_FULL);
    ck_assert_str_eq(index_bed_text(index, ""), "a=1");
    ck_assert_int_eq(index_bed_run(index, "a=2"), STATUS_OK);
    ck_assert_str_eq(index_bed_text(index, ""), "a=2");
    index->calls->close(index);
}
END_TEST

Suite *test_suite(void)
{
    static const struct index_bed bed = {.open = open_memory, .remove = remove_memory};
    Suite *suite = suite_create("index_memory");
    TCase *contract = tcase_create("contract"), *more = tcase_create("more");
    index_bed_add_tests(contract, &bed);
    tcase_add_test(more, runs_can_be_taken_back);
    tcase_add_test(more, runs_can_fail);
    suite_add_tcase(suite, contract);
    suite_add_tcase(suite, more);
    return suite;
}
