#include "storage/index/restore.h"

#include "base/log.h"
#include "storage/index/index_memory.h"
#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/index/index_bed.h"
#include "tests/storage/store_bed.h"

static struct store_bed bed;

static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 19});
    ck_assert_int_eq(index_memory_open(&bed.options.index, true), STATUS_OK);
    bed.options.delta_bytes = 600;
    store_bed_open(&bed);
    for (uint32_t i = 0; i < 40; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, 100, "ab", i), STATUS_OK);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 0xff), STATUS_OK);
}

static void close_bed(void)
{
    bed.options.index->calls->close(bed.options.index);
    store_bed_deinit(&bed);
}

static void expect_all(void)
{
    struct store_stats stats;
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 32);
    ck_assert_uint_eq(store_bed_count(&bed, 'b'), 40);
    store_stats(bed.store, 0, &stats);
    ck_assert_uint_eq(stats.links, 72);
    ck_assert_uint_eq(stats.messages, 36);
    ck_assert_uint_gt(stats.dead_bytes, 0);
}

static void open_again(void)
{
    store_bed_open(&bed);
    expect_all();
    store_bed_close(&bed);
}

START_TEST(only_the_rest_is_replayed)
{
    store_bed_close(&bed);
    uint32_t runs = index_memory_runs(bed.options.index);
    store_bed_open(&bed);
    expect_all();
    ck_assert_uint_eq(bed.store->owners[0].active->links, 0);
    store_bed_close(&bed);
    ck_assert_uint_eq(index_memory_runs(bed.options.index), runs);
    index_memory_rewind(bed.options.index, runs - 2);
    bed.options.delta_bytes = 10000;
    store_bed_open(&bed);
    expect_all();
    ck_assert_uint_gt(bed.store->owners[0].active->links, 0);
    ck_assert_uint_lt(bed.store->owners[0].active->links, 72);
    store_bed_close(&bed);
}
END_TEST

START_TEST(other_owners)
{
    store_bed_close(&bed);
    for (uint32_t shards = 4; shards > 0; shards--) {
        bed.options.shards = shards;
        open_again();
        const char *covered = index_bed_text(bed.options.index, "V");
        uint32_t ranges = 0;
        for (const char *at = covered; *at; at++)
            ranges += *at == '='; /* those of before are gone */
        ck_assert_uint_ge(ranges, shards > 1);
        ck_assert_uint_le(ranges, 12);
    }
}
END_TEST

/* Each of them is emptied, and made anew. */
START_TEST(an_index_that_is_not_ours)
{
    static const char *const changes[] = {"I-", "I=00000000000000000000", "I=", "V00000000-",
                                          "Lx=1"};
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        ck_assert_int_eq(index_bed_run(bed.options.index, changes[i]), STATUS_OK);
        if (bed.store)
            store_bed_close(&bed);
        ck_assert_int_eq(index_bed_run(bed.options.index, changes[i]), STATUS_OK);
        open_again();
    }
}
END_TEST

/* A log that lost its end would give the numbers that the index has seen to other messages. */
START_TEST(an_index_that_is_ahead)
{
    uint8_t upto[8] = {0, 0, 0, 0, 0, 1};
    struct index *index = bed.options.index;
    struct index_key key;
    store_bed_close(&bed);
    uint32_t runs = index_memory_runs(index);
    index_key_coverage(&key, 0, UINT32_MAX);
    ck_assert_int_eq(index->calls->begin(index), STATUS_OK);
    index->calls->put(index, index_key_span(&key), span_of(upto, sizeof(upto)));
    ck_assert_int_eq(index->calls->end(index, true), STATUS_OK);
    ck_assert_uint_gt(index_memory_runs(index), runs);
    open_again();
    ck_assert_uint_lt(index_memory_runs(index), runs); /* it was emptied */
}
END_TEST

/* A reader makes one of its own, when it can't use what is there. */
START_TEST(readers_change_nothing)
{
    struct index *index = bed.options.index;
    struct fault fault;
    store_bed_close(&bed);
    for (int round = 0; round < 3; round++) {
        uint32_t runs = index_memory_runs(index);
        index->read_only = true;
        ck_assert_int_eq(store_bed_try(&bed, STORE_READ, &fault), STATUS_OK);
        expect_all();
        ck_assert_int_eq(bed.store->in_memory, round == 2);
        store_bed_close(&bed);
        index->read_only = false;
        ck_assert_uint_eq(index_memory_runs(index), runs);
        if (round == 0)
            index_memory_rewind(index, runs / 2);
        else
            ck_assert_int_eq(index_bed_run(index, "I-"), STATUS_OK);
    }
}
END_TEST

START_TEST(an_index_that_can_not_be_written)
{
    store_bed_close(&bed);
    index_memory_rewind(bed.options.index, 0);
    index_memory_fail(bed.options.index, 1000000);
    store_bed_open(&bed);
    expect_all();
    store_bed_close(&bed);
    index_memory_fail(bed.options.index, 0);
    open_again();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("restore");
    TCase *tcase = tcase_create("restore");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, only_the_rest_is_replayed);
    tcase_add_test(tcase, other_owners);
    tcase_add_test(tcase, an_index_that_is_not_ours);
    tcase_add_test(tcase, an_index_that_is_ahead);
    tcase_add_test(tcase, readers_change_nothing);
    tcase_add_test(tcase, an_index_that_can_not_be_written);
    suite_add_tcase(suite, tcase);
    return suite;
}
