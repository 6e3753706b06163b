#include "storage/index/flush.h"

#include "base/log.h"
#include "storage/index/index_memory.h"
#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

static struct store_bed bed;
static uint64_t put_count;

static void open_bed(void)
{
    put_count = 0;
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 16});
    ck_assert_int_eq(index_memory_open(&bed.options.index, true), STATUS_OK);
    store_bed_open(&bed);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    bed.options.index->calls->close(bed.options.index);
    store_bed_deinit(&bed);
}

static enum status put(void)
{
    uint64_t number = put_count++;
    return store_bed_put(&bed, 0, number, 100, "a", number);
}

static uint32_t runs(void)
{
    return index_memory_runs(bed.options.index);
}

START_TEST(runs_are_written_as_the_delta_grows)
{
    uint32_t before = runs();
    for (int i = 0; i < 500; i++)
        ck_assert_int_eq(put(), STATUS_OK);
    ck_assert_uint_gt(runs(), before + 5);
    ck_assert_uint_le(bed.logs[0]->owner->active->bytes, 2 * bed.options.delta_bytes);
    ck_assert_uint_eq(store_log_counters(bed.logs[0])->index_runs, runs() - before);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 500);
}
END_TEST

/* A start after an orderly end has nothing to replay. */
START_TEST(all_is_written_at_the_end)
{
    for (int i = 0; i < 30; i++)
        ck_assert_int_eq(put(), STATUS_OK);
    store_bed_close(&bed);
    store_bed_open(&bed);
    ck_assert_uint_eq(bed.logs[0]->owner->active->links, 0);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 30);
}
END_TEST

static void pass(uint64_t ns)
{
    bed.now_ns += ns;
    for (int i = 0; i < 10; i++)
        store_bed_turn(&bed);
}

/* Deletions stay in the log until the base has them: a store that is left alone gives it all it
 * knows, once. */
START_TEST(an_idle_delta_is_written_once)
{
    struct store_log *log = bed.logs[0];
    pass(FLUSH_IDLE_NS);
    uint32_t before = runs();
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(put(), STATUS_OK);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 7), STATUS_OK);
    pass(0);
    ck_assert_uint_eq(runs(), before);
    ck_assert_uint_le(store_next_ns(log), bed.now_ns + FLUSH_IDLE_NS);
    pass(FLUSH_IDLE_NS - NS_PER_MS);
    ck_assert_uint_eq(runs(), before);
    pass(NS_PER_S);
    ck_assert_uint_eq(runs(), before + 1);
    ck_assert_uint_eq(flush_next_ns(log), UINT64_MAX);
    pass(FLUSH_IDLE_NS);
    ck_assert_uint_eq(runs(), before + 1);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 0);
}
END_TEST

START_TEST(a_failing_index_loses_nothing_and_stops_mail_at_last)
{
    enum status status = STATUS_OK;
    index_memory_fail(bed.options.index, UINT32_MAX);
    while (status == STATUS_OK && put_count < 5000)
        status = put();
    ck_assert_int_eq(status, STATUS_FULL);
    uint64_t stored = put_count - 1;
    ck_assert_uint_gt(stored, 30);
    ck_assert_uint_le(bed.logs[0]->owner->active->bytes, 6 * bed.options.delta_bytes);
    ck_assert_uint_gt(store_log_counters(bed.logs[0])->index_failures, 0);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 3), STATUS_OK); /* deletions go on */
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), stored - 2);
    index_memory_fail(bed.options.index, 0);
    for (int i = 0; i < 10; i++) {
        bed.now_ns += NS_PER_S;
        store_bed_turn(&bed);
    }
    ck_assert_int_eq(put(), STATUS_OK);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), stored - 1);
}
END_TEST

/* As long as a run is only slow, mail waits. */
START_TEST(mail_waits_for_a_slow_index)
{
    struct store_log *log = bed.logs[0];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(put(), STATUS_OK);
    bed.options.delta_bytes = 100; /* of the bed; the store has its own */
    bed.store->options.delta_bytes = 100;
    log->flush.under_way = true; /* a clerk that does not come back */
    for (int i = 0; i < 10; i++)
        store_bed_turn(&bed);
    if (!log->owner->frozen)
        owner_freeze(log->owner);
    for (uint64_t i = 0; i < 40 && store_has_room(log); i++) {
        struct store_link link = {.id = 100 + i};
        store_link_add(log, SPAN("b"), &link);
        store_bed_turn(&bed);
    }
    ck_assert(!store_has_room(log));
    ck_assert_int_eq(store_bed_append(&bed, 0, 0, 100, "a", 77), STATUS_AGAIN);
    log->flush.under_way = false;
    store_bed_turn(&bed);
    store_bed_turn(&bed);
    ck_assert(store_has_room(log));
    ck_assert_int_eq(put(), STATUS_OK);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("flush");
    TCase *tcase = tcase_create("flush");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, runs_are_written_as_the_delta_grows);
    tcase_add_test(tcase, all_is_written_at_the_end);
    tcase_add_test(tcase, an_idle_delta_is_written_once);
    tcase_add_test(tcase, a_failing_index_loses_nothing_and_stops_mail_at_last);
    tcase_add_test(tcase, mail_waits_for_a_slow_index);
    suite_add_tcase(suite, tcase);
    return suite;
}
