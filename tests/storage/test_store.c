#include "tests/storage/store_bed.h"

#include "tests/check_main.h"

static struct store_bed bed;
static char line[256];

static void open_bed(void)
{
    store_bed_init(&bed, &(struct sim_disk_options){
                             .seed = 1, .latency_ns_min = 1000, .latency_ns_max = 100000});
}

static void close_bed(void)
{
    store_bed_deinit(&bed);
}

START_TEST(a_message_survives_closing_and_crashing)
{
    store_bed_open(&bed);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 4096, "ab", 1), STATUS_OK);
    ck_assert_uint_eq(bed.links, 2);
    store_bed_close(&bed);
    for (int i = 0; i < 4; i++) {
        store_bed_open(&bed);
        ck_assert_uint_eq(store_bed_count(&bed, 'a'), 1);
        struct maildrop *drop = store_bed_peek(&bed, 'b');
        ck_assert_uint_eq(drop->count, 1);
        ck_assert_uint_eq(drop->links[0].id, bed.stored[1].id);
        ck_assert_uint_eq(drop->links[0].place, 1);
        ck_assert(store_bed_has_body(&bed, &drop->links[0], 1, 4096));
        store_maildrop_free(drop);
        ck_assert_msg(store_bed_verify(&bed, line) == STATUS_OK, "%s", line);
        if (i % 2)
            store_bed_crash(&bed);
        else
            store_bed_close(&bed);
    }
}
END_TEST

START_TEST(segments_follow_each_other)
{
    enum { MESSAGES = 400 };
    store_bed_open(&bed);
    for (uint32_t i = 0; i < MESSAGES; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, 8000, "a", i), STATUS_OK);
    ck_assert_uint_gt(store_log_counters(bed.logs[0])->segments, 3);
    store_bed_close(&bed);
    store_bed_open(&bed);
    struct store_stats stats;
    store_stats(bed.store, 0, &stats);
    ck_assert_uint_eq(stats.messages, MESSAGES);
    ck_assert_uint_gt(stats.hints, 3);
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    ck_assert_uint_eq(drop->count, MESSAGES);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        ck_assert_uint_eq(drop->links[i].id, bed.stored[i].id);
        ck_assert(store_bed_has_body(&bed, &drop->links[i], i, 8000));
    }
    store_maildrop_free(drop);
    ck_assert_msg(store_bed_verify(&bed, line) == STATUS_OK, "%s", line);
    store_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_message_survives_closing_and_crashing);
    tcase_add_test(tcase, segments_follow_each_other);
    suite_add_tcase(suite, tcase);
    return suite;
}
