#include "storage/expunge.h"

#include "base/log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

static struct store_bed bed;

static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 7});
    store_bed_open(&bed);
    for (uint32_t i = 0; i < 10; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, 300, "ab", i), STATUS_OK);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static void expect(char mailbox, const uint32_t *numbers, uint32_t count)
{
    struct maildrop *drop = store_bed_peek(&bed, mailbox);
    ck_assert_uint_eq(drop->count, count);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(drop->links[i].id, bed.stored[numbers[i]].id);
    store_maildrop_free(drop);
}

START_TEST(what_is_deleted_stays_deleted)
{
    static const uint32_t left[] = {0, 2, 4, 5, 6, 7, 8}, all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 0x20A), STATUS_OK);
    for (int round = 0; round < 3; round++) {
        expect('a', left, 7);
        expect('b', all, 10);
        if (round == 0)
            store_bed_crash(&bed);
        else
            store_bed_close(&bed);
        store_bed_open(&bed);
    }
    struct store_stats stats;
    store_stats(bed.store, 0, &stats);
    ck_assert_uint_eq(stats.messages, 9); /* 17 halves */
    ck_assert_uint_eq(stats.links, 17);
}
END_TEST

START_TEST(nothing_marked_is_done_at_once)
{
    uint64_t batches = store_log_counters(bed.logs[0])->batches;
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 0), STATUS_OK);
    ck_assert_uint_eq(store_log_counters(bed.logs[0])->batches, batches);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 10);
}
END_TEST

/* By another number of shards the owner is another, and its log has the deletions. */
START_TEST(deletions_apply_from_any_log)
{
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 1), STATUS_OK);
    store_bed_close(&bed);
    bed.options.shards = 4;
    store_bed_open(&bed);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 1), STATUS_OK);
    ck_assert_int_eq(store_bed_expunge(&bed, 'b', 3), STATUS_OK);
    store_bed_crash(&bed);
    bed.options.shards = 1;
    store_bed_open(&bed);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 8);
    ck_assert_uint_eq(store_bed_count(&bed, 'b'), 8);
}
END_TEST

/* A mailbox with more deletions than a record holds, while a slow owner is slow. */
START_TEST(many_at_once)
{
    enum { MANY = 20000 };
    struct maildrop *drop;
    for (uint32_t i = 0; i < MANY; i++) {
        struct store_link link = {.id = 1000 + i, .octets_low = 1};
        store_link_add(bed.logs[0], SPAN("many"), &link);
    }
    ck_assert_int_eq(store_bed_drop(&bed, SPAN("many"), &drop), STATUS_OK);
    for (uint32_t i = 0; i < MANY; i++)
        if (i % 10)
            drop->deleted[i / 8] |= (uint8_t)(1 << i % 8);
    store_expunge(bed.logs[0], drop, 5);
    while (bed.expunged_count == 0)
        store_bed_turn(&bed);
    ck_assert_int_eq(bed.expunged_status, STATUS_OK);
    store_maildrop_close(bed.logs[0], drop);
    ck_assert_int_eq(store_bed_drop(&bed, SPAN("many"), &drop), STATUS_OK);
    ck_assert_uint_eq(drop->count, MANY / 10);
    for (uint32_t i = 0; i < drop->count; i++)
        ck_assert(drop->links[i].id == 1000 + i * 10);
    store_maildrop_close(bed.logs[0], drop);
    ck_assert_uint_eq(store_log_counters(bed.logs[0])->expunged, MANY - MANY / 10);
}
END_TEST

START_TEST(a_failing_disk_deletes_nothing)
{
    sim_disk_set_errors(bed.disk, 1000000, 0);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 3), STATUS_IO);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 10);
    sim_disk_set_errors(bed.disk, 0, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("expunge");
    TCase *tcase = tcase_create("expunge");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, what_is_deleted_stays_deleted);
    tcase_add_test(tcase, nothing_marked_is_done_at_once);
    tcase_add_test(tcase, deletions_apply_from_any_log);
    tcase_add_test(tcase, many_at_once);
    tcase_add_test(tcase, a_failing_disk_deletes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
