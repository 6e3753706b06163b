#include "storage/store_log.h"

#include "base/log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

static struct store_bed bed;

static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 11, .latency_ns_max = 1000});
}

static void close_bed(void)
{
    store_bed_deinit(&bed);
}

/* What was appended before closing is told, also when the owner takes no more links. */
START_TEST(closing_ends_everything)
{
    store_bed_open(&bed);
    bed.refuse_links = UINT32_MAX * (uint32_t)(_i == 1);
    for (uint32_t i = 0; i < 10; i++)
        ck_assert_int_eq(store_bed_append(&bed, 0, i, 500, "a", i), STATUS_OK);
    store_bed_close(&bed);
    for (uint32_t i = 0; i < 10; i++)
        ck_assert(bed.stored[i].ended && bed.stored[i].status == STATUS_OK);
    bed.refuse_links = 0;
    store_bed_open(&bed);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 10);
    store_bed_close(&bed);
}
END_TEST

/* Opening and closing without mail adds two blocks each time, and no segment. */
START_TEST(opening_goes_on_in_the_same_segment)
{
    struct store_stats stats;
    for (int i = 0; i < 10; i++) {
        store_bed_open(&bed);
        uint32_t segment = bed.logs[0]->commit.segment->number;
        ck_assert_uint_eq(segment, 1);
        ck_assert_uint_eq(bed.logs[0]->commit.offset, (2 + 2 * (uint64_t)i) * 4096);
        store_bed_close(&bed);
    }
    store_bed_open(&bed);
    store_stats(bed.store, 0, &stats);
    ck_assert_uint_eq(stats.segments, 1); /* and none is made ready for nothing */
    ck_assert_uint_eq(stats.torn_tails, 0);
    store_bed_close(&bed);
}
END_TEST

/* A log that can't write opens all the same: there is mail to be read. */
START_TEST(a_disk_that_does_not_write)
{
    store_bed_open(&bed);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 500, "a", 1), STATUS_OK);
    store_bed_close(&bed);
    sim_disk_set_errors(bed.disk, 1000000, 0);
    store_bed_open(&bed);
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    ck_assert(store_bed_has_body(&bed, &drop->links[0], 1, 500));
    store_maildrop_free(drop);
    ck_assert_int_eq(store_bed_append(&bed, 0, 2, 500, "a", 2), STATUS_IO);
    store_bed_close(&bed);
}
END_TEST

/* The segment that the last run made ready is no use to this one: another takes its place. */
START_TEST(a_ready_segment_that_is_too_small)
{
    store_bed_open(&bed);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 500, "a", 1), STATUS_OK);
    store_bed_close(&bed);
    bed.options.batch_bytes = 1024 * 1024;
    bed.options.segment_bytes = 4 * 1024 * 1024;
    store_bed_open(&bed);
    for (uint32_t i = 2; i < 12; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, 900000, "a", i), STATUS_OK);
    store_bed_close(&bed);
    store_bed_open(&bed);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 11);
    for (uint32_t i = 0; i < bed.store->logs[0].count; i++)
        ck_assert(i == 0 || bed.store->logs[0].segments[i].bytes == bed.options.segment_bytes);
    store_bed_close(&bed);
}
END_TEST

START_TEST(an_idle_log_may_sleep)
{
    store_bed_open(&bed);
    for (int i = 0; i < 20; i++)
        store_bed_turn(&bed);
    ck_assert(!store_turn(bed.logs[0]));
    ck_assert(store_has_room(bed.logs[0]));
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 500, "a", 1), STATUS_OK);
    ck_assert(!store_turn(bed.logs[0]));
    store_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("store_log");
    TCase *tcase = tcase_create("store_log");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_loop_test(tcase, closing_ends_everything, 0, 2);
    tcase_add_test(tcase, opening_goes_on_in_the_same_segment);
    tcase_add_test(tcase, a_disk_that_does_not_write);
    tcase_add_test(tcase, a_ready_segment_that_is_too_small);
    tcase_add_test(tcase, an_idle_log_may_sleep);
    suite_add_tcase(suite, tcase);
    return suite;
}
