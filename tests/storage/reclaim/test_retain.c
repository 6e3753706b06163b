#include "storage/reclaim/retain.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/reclaim/compact_bed.h"

static struct compact_bed bed;

/* Everything is looked at with an index that holds most of it, and with one that holds nothing. */
static void open_with(uint64_t after_ns, uint32_t keep, int i)
{
    compact_bed_open(&bed);
    bed.bed.options.delta_bytes = i == 0 ? 2000 : 8 << 20;
    bed.bed.options.expire_after_ns = after_ns;
    bed.bed.options.keep_messages = keep;
    compact_bed_reopen(&bed);
}

static void pass(uint32_t seconds)
{
    for (uint32_t i = 0; i < seconds; i++) {
        bed.bed.now_ns += NS_PER_S;
        for (int turns = 0; turns < 600; turns++)
            store_bed_turn(&bed.bed);
    }
}

START_TEST(old_messages_go)
{
    open_with(100 * NS_PER_S, 0, _i);
    for (int i = 0; i < 8; i++)
        compact_bed_put(&bed, 500, "ab");
    pass(60);
    for (int i = 0; i < 3; i++)
        compact_bed_put(&bed, 500, "a");
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 11);
    pass(60);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 3);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'b'), 0);
    ck_assert_uint_eq(store_log_counters(bed.bed.logs[0])->expired, 16);
    ck_assert_uint_eq(store_log_counters(bed.bed.logs[0])->expunged, 16);
    compact_bed_reopen(&bed);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 3);
    pass(60);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 0);
    compact_bed_verify(&bed);
    compact_bed_close(&bed);
}
END_TEST

START_TEST(the_newest_stay)
{
    open_with(0, 4, _i);
    for (int i = 0; i < 10; i++)
        compact_bed_put(&bed, 500, "a");
    compact_bed_put(&bed, 500, "b");
    struct maildrop *drop = store_bed_peek(&bed.bed, 'a');
    uint64_t fifth_last = drop->links[drop->count - 4].id;
    store_maildrop_free(drop);
    pass(70);
    drop = store_bed_peek(&bed.bed, 'a');
    ck_assert_uint_eq(drop->count, 4);
    ck_assert_uint_eq(drop->links[0].id, fifth_last);
    store_maildrop_free(drop);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'b'), 1);
    ck_assert_int_eq(store_expire_outcome(bed.bed.logs[0]), STATUS_OK);
    compact_bed_close(&bed);
}
END_TEST

START_TEST(a_mailbox_in_use_has_its_turn_later)
{
    struct maildrop *drop;
    open_with(10 * NS_PER_S, 0, _i);
    compact_bed_put(&bed, 500, "ab");
    ck_assert_int_eq(store_bed_drop(&bed.bed, bed_mailbox('a'), &drop), STATUS_OK);
    pass(30);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 1);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'b'), 0);
    store_maildrop_close(bed.bed.logs[0], drop);
    pass(30);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 0);
    compact_bed_close(&bed);
}
END_TEST

/* Turns only when the store has asked for one, or the disk has ended something. */
static void run_until_asleep(void)
{
    struct store_bed *at = &bed.bed;
    bool more = true;
    while (more || sim_disk_next_ns(at->disk) != UINT64_MAX ||
           store_next_ns(at->logs[0]) <= at->now_ns) {
        if (sim_disk_next_ns(at->disk) != UINT64_MAX)
            at->now_ns = sim_disk_next_ns(at->disk);
        at->mediums[0]->calls->poll(at->mediums[0], false);
        more = store_turn(at->logs[0]);
    }
}

START_TEST(a_round_waits_for_no_other_work)
{
    open_with(10 * NS_PER_S, 0, _i);
    for (int i = 0; i < 5; i++)
        compact_bed_put(&bed, 500, "abcd");
    run_until_asleep();
    bed.bed.now_ns += 20 * NS_PER_S;
    run_until_asleep();
    ck_assert_uint_eq(store_log_counters(bed.bed.logs[0])->expired, 20);
    compact_bed_close(&bed);
}
END_TEST

START_TEST(nothing_goes_unless_wanted)
{
    open_with(0, 0, _i);
    compact_bed_put(&bed, 500, "a");
    ck_assert_uint_eq(retain_next_ns(bed.bed.logs[0]), UINT64_MAX);
    pass(200);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 1);
    compact_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("retain");
    TCase *tcase = tcase_create("retain");
    tcase_add_loop_test(tcase, old_messages_go, 0, 2);
    tcase_add_loop_test(tcase, the_newest_stay, 0, 2);
    tcase_add_loop_test(tcase, a_mailbox_in_use_has_its_turn_later, 0, 2);
    tcase_add_loop_test(tcase, a_round_waits_for_no_other_work, 0, 2);
    tcase_add_loop_test(tcase, nothing_goes_unless_wanted, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
