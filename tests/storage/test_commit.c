#include "storage/commit.h"

#include "base/log.h"
#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

static struct store_bed bed;

static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){
                             .seed = 9, .latency_ns_min = 1000, .latency_ns_max = 500000});
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static void turns(int count)
{
    while (count-- > 0)
        store_bed_turn(&bed);
}

/* While one batch is in flight the next one fills. */
START_TEST(messages_share_a_commit)
{
    store_bed_open(&bed);
    turns(10);
    uint64_t before = store_log_counters(bed.logs[0])->batches;
    for (uint32_t i = 0; i < 30; i++)
        ck_assert_int_eq(store_bed_append(&bed, 0, i, 500, "a", i), STATUS_OK);
    store_turn(bed.logs[0]);
    for (uint32_t i = 30; i < 60; i++)
        ck_assert_int_eq(store_bed_append(&bed, 0, i, 500, "a", i), STATUS_OK);
    store_bed_wait(&bed, 59);
    ck_assert_uint_eq(store_log_counters(bed.logs[0])->batches - before, 2);
    ck_assert_uint_eq(store_log_counters(bed.logs[0])->messages, 60);
}
END_TEST

static uint64_t count_of(const struct powers *powers)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < POWERS; i++)
        count += powers->counts[i];
    return count;
}

START_TEST(histograms_count_batches)
{
    store_bed_open(&bed);
    const struct store_counters *counters = store_log_counters(bed.logs[0]);
    ck_assert_uint_eq(count_of(&counters->batch_messages), 0); /* only the anchor so far */
    for (uint32_t i = 0; i < 4; i++)
        ck_assert_int_eq(store_bed_append(&bed, 0, i, 500, "a", i), STATUS_OK);
    store_bed_wait(&bed, 3);
    for (uint32_t i = 4; i < 9; i++)
        ck_assert_int_eq(store_bed_append(&bed, 0, i, 500, "a", i), STATUS_OK);
    store_bed_wait(&bed, 8);
    ck_assert_uint_eq(counters->batch_messages.counts[powers_index(4)], 1);
    ck_assert_uint_eq(counters->batch_messages.counts[powers_index(5)], 1);
    ck_assert_uint_eq(count_of(&counters->batch_messages), 2);
    ck_assert_uint_eq(count_of(&counters->commit_ns), counters->batches);
    ck_assert_uint_gt(counters->commit_ns.counts[powers_index(counters->commit_ns_max)], 0);
}
END_TEST

/* With several batches in flight, endings are told in the order of appending. */
START_TEST(order_is_kept_at_any_depth)
{
    bed.options.commit_depth = 1 + (uint32_t)_i;
    store_bed_open(&bed);
    uint32_t appended = 0, told = 0, most = 0;
    while (told < 300) {
        while (appended < 300 &&
               store_bed_append(&bed, 0, appended, 9000, "a", appended) == STATUS_OK)
            appended++;
        store_bed_turn(&bed);
        if (bed.logs[0]->commit.flights > most)
            most = bed.logs[0]->commit.flights;
        for (; told < appended && bed.stored[told].ended; told++)
            ck_assert_int_eq(bed.stored[told].status, STATUS_OK);
        for (uint32_t i = told; i < appended; i++)
            if (bed.stored[i].ended)
                ck_abort_msg("message %u before %u", i, told);
    }
    ck_assert_uint_eq(most, bed.options.commit_depth);
}
END_TEST

/* A failed write: its messages are refused, the log moves, and what was refused never comes back.
 */
START_TEST(a_failed_write_is_refused_for_ever)
{
    store_bed_open(&bed);
    turns(20);
    ck_assert_int_eq(store_bed_put(&bed, 0, 0, 5000, "a", 0), STATUS_OK);
    uint32_t segment = bed.logs[0]->commit.segment->number;
    ck_assert_int_eq(store_bed_append(&bed, 0, 1, 5000, "a", 1), STATUS_OK);
    sim_disk_set_errors(bed.disk, 1000000, 0);
    store_turn(bed.logs[0]);
    sim_disk_set_errors(bed.disk, 0, 0);
    store_bed_wait(&bed, 1);
    ck_assert_int_eq(bed.stored[1].status, STATUS_IO);
    ck_assert_uint_gt(bed.logs[0]->commit.segment->number, segment);
    ck_assert_int_eq(store_bed_put(&bed, 0, 2, 5000, "a", 2), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        struct maildrop *drop = store_bed_peek(&bed, 'a');
        ck_assert_uint_eq(drop->count, 2);
        ck_assert(store_bed_has_body(&bed, &drop->links[1], 2, 5000));
        store_maildrop_free(drop);
        store_bed_crash(&bed);
        store_bed_open(&bed);
    }
}
END_TEST

/* A full disk: mail is refused, deletions go on, and when there is space mail does, too. */
START_TEST(a_full_disk)
{
    uint32_t number = 0;
    char line[256];
    enum status status;
    store_bed_open(&bed);
    turns(20);
    sim_disk_set_capacity(bed.disk, (1 << 20) + 8192);
    while ((status = store_bed_put(&bed, 0, number, 8000, "a", number)) == STATUS_OK)
        number++;
    ck_assert_int_eq(status, STATUS_FULL);
    ck_assert(store_has_room(bed.logs[0]));
    ck_assert_uint_ge(number, 60);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 7), STATUS_OK);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), number - 3);
    store_bed_crash(&bed);
    store_bed_open(&bed);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), number - 3);
    ck_assert_int_eq(store_bed_put(&bed, 0, 900, 8000, "a", 900), STATUS_FULL);
    sim_disk_set_capacity(bed.disk, 0);
    bed.now_ns += 2 * NS_PER_S;
    turns(20);
    ck_assert_int_eq(store_bed_put(&bed, 0, 900, 8000, "a", 900), STATUS_OK);
    ck_assert_msg(store_bed_verify(&bed, line) == STATUS_OK, "%s", line);
}
END_TEST

static void fill_the_disk(uint32_t *number)
{
    enum status status;
    store_bed_open(&bed);
    turns(20);
    sim_disk_set_capacity(bed.disk, (1 << 20) + 8192);
    for (*number = 0; (status = store_bed_put(&bed, 0, *number, 500, "a", *number)) == STATUS_OK;)
        ++*number;
    ck_assert_int_eq(status, STATUS_FULL);
}

/* On a full disk a quarter of a segment is left for deletions that come one by one, and no mail
 * gets into their batches. */
START_TEST(deletions_have_a_reserve)
{
    uint32_t number;
    fill_the_disk(&number);
    const struct store_counters *counters = store_log_counters(bed.logs[0]);
    uint32_t commits = (uint32_t)(bed.options.segment_bytes / COMMIT_KEPT_SHARE / 4096);
    ck_assert_uint_gt(number, commits);
    ck_assert_uint_eq(counters->refused[COMMIT_MAIL], 1);
    for (uint32_t i = 0; i < commits; i++) {
        struct maildrop *drop;
        ck_assert_int_eq(store_bed_drop(&bed, bed_mailbox('a'), &drop), STATUS_OK);
        drop->deleted[0] = 1;
        store_expunge(bed.logs[0], drop, 1);
        expunge_turn(bed.logs[0]);
        ck_assert_int_eq(store_bed_append(&bed, 0, 1000, 500, "a", 1000), STATUS_FULL);
        for (uint32_t before = bed.expunged_count; bed.expunged_count == before;)
            store_bed_turn(&bed);
        ck_assert_int_eq(bed.expunged_status, STATUS_OK);
        store_maildrop_close(bed.logs[0], drop);
    }
    ck_assert_uint_eq(counters->refused[COMMIT_DELETION], 0);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), number - commits);
    store_bed_crash(&bed);
    store_bed_open(&bed);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), number - commits);
}
END_TEST

/* The reserve has an end, which is told; then nothing is deleted until there is room again. */
START_TEST(a_reserve_that_is_used_up)
{
    uint32_t number, deleted = 0;
    fill_the_disk(&number);
    const struct store_counters *counters = store_log_counters(bed.logs[0]);
    while (store_bed_expunge(&bed, 'a', 1) == STATUS_OK)
        deleted++;
    ck_assert_int_eq(bed.expunged_status, STATUS_FULL);
    ck_assert_uint_eq(counters->refused[COMMIT_DELETION], 1);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), number - deleted);
    sim_disk_set_capacity(bed.disk, 0);
    bed.now_ns += 2 * NS_PER_S;
    turns(20);
    ck_assert_uint_eq(counters->refused[COMMIT_MAIL] + counters->refused[COMMIT_DELETION], 0);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 1), STATUS_OK);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1000, 500, "a", 1000), STATUS_OK);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), number - deleted);
}
END_TEST

/* A disk on which nothing can be written: refused, told so, and again when it is well. */
START_TEST(a_dead_disk)
{
    store_bed_open(&bed);
    turns(20);
    sim_disk_set_errors(bed.disk, 1000000, 0);
    ck_assert_int_eq(store_bed_put(&bed, 0, 0, 500, "a", 0), STATUS_IO);
    turns(50);
    ck_assert_int_eq(store_bed_append(&bed, 0, 1, 500, "a", 1), STATUS_IO);
    for (int i = 0; i < 20; i++) {
        bed.now_ns += NS_PER_S;
        turns(10);
    }
    sim_disk_set_errors(bed.disk, 0, 0);
    bed.now_ns += 2 * NS_PER_S;
    turns(50);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 500, "a", 1), STATUS_OK);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("commit");
    TCase *tcase = tcase_create("commit");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, messages_share_a_commit);
    tcase_add_test(tcase, histograms_count_batches);
    tcase_add_loop_test(tcase, order_is_kept_at_any_depth, 0, 4);
    tcase_add_test(tcase, a_failed_write_is_refused_for_ever);
    tcase_add_test(tcase, a_full_disk);
    tcase_add_test(tcase, deletions_have_a_reserve);
    tcase_add_test(tcase, a_reserve_that_is_used_up);
    tcase_add_test(tcase, a_dead_disk);
    suite_add_tcase(suite, tcase);
    return suite;
}
