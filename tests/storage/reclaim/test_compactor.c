#include "storage/reclaim/compactor.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/reclaim/compact_bed.h"

#include <stdlib.h>

#define LAST_STEP 60 /* by then it is over */

static struct compact_bed bed;
static const struct medium_calls *usual; /* the medium's own */

static void open_bed(void)
{
    compact_bed_open(&bed);
}

static void close_bed(void)
{
    compact_bed_close(&bed);
}

START_TEST(what_lives_stays_where_links_say)
{
    compact_bed_fill(&bed, 1, "a");
    compact_bed_thin_out(&bed, 'a', 4);
    uint32_t count = compact_bed_check(&bed, 4);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK);
    ck_assert(compact_bed_segment(&bed, 1).compact);
    ck_assert_uint_lt(compact_bed_segment(&bed, 1).bytes, bed.bed.options.segment_bytes / 2);
    ck_assert(!medium_has(bed.bed.mediums[0], hint_name(0, 1)));
    ck_assert_uint_eq(compact_bed_check(&bed, 4), count);
    compact_bed_verify(&bed);
    compact_bed_reopen(&bed);
    ck_assert_uint_eq(compact_bed_check(&bed, 4), count);
    compact_bed_verify(&bed);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_AGAIN); /* nothing more to gain */
    compact_bed_thin_out(&bed, 'a', 2);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK);
    ck_assert_uint_eq(compact_bed_segment(&bed, 1).generation, 3);
    ck_assert_uint_eq(compact_bed_check(&bed, 8), (count + 1) / 2);
    compact_bed_verify(&bed);
}
END_TEST

START_TEST(too_little_to_gain)
{
    compact_bed_fill(&bed, 1, "a");
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_AGAIN);
    ck_assert(!compact_bed_segment(&bed, 1).compact);
    ck_assert(medium_has(bed.bed.mediums[0], hint_name(0, 1)));
}
END_TEST

/* Of dead neighbours one stone is left, whichever dies first; what lives between two parts them. */
START_TEST(empty_neighbours_become_one)
{
    static const uint32_t orders[][3] = {{1, 2, 3}, {3, 2, 1}, {1, 3, 2}, {2, 1, 3}};
    compact_bed_fill(&bed, 3, "b");
    compact_bed_thin_out(&bed, 'b', 0);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(compact_bed_compact(&bed, orders[_i][i], 50), STATUS_OK);
    ck_assert_uint_eq(compact_bed_segment(&bed, 1).number, 0);
    ck_assert_uint_eq(compact_bed_segment(&bed, 2).number, 0);
    struct recovered_segment stone = compact_bed_segment(&bed, 3);
    ck_assert(stone.compact);
    ck_assert_uint_eq(stone.records, 0);
    ck_assert_uint_eq(stone.first_sequence, 1);
    ck_assert(!medium_has(bed.bed.mediums[0], segment_name(0, 1)));
    ck_assert(!medium_has(bed.bed.mediums[0], hint_name(0, 2)));
    compact_bed_verify(&bed);
    compact_bed_reopen(&bed);
    ck_assert_uint_eq(bed.bed.store->logs[0].stats.corrupt_batches, 0);
    compact_bed_put(&bed, 500, "a");
    compact_bed_verify(&bed);
}
END_TEST

/* A segment that is lost is told from those that were given back. */
START_TEST(a_lost_segment_is_missed)
{
    struct store_stats stats;
    compact_bed_fill(&bed, 3, "b");
    compact_bed_thin_out(&bed, 'b', 0);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 50), STATUS_OK);
    ck_assert_int_eq(compact_bed_compact(&bed, 3, 50), STATUS_OK);
    ck_assert_int_ge(medium_remove_wait(bed.bed.mediums[0], segment_name(0, 2)), 0);
    compact_bed_reopen(&bed);
    store_stats(bed.bed.store, 0, &stats);
    ck_assert_uint_gt(stats.corrupt_batches, 0);
    compact_bed_fill(&bed, 4, "b"); /* what is done behind it does not hide it */
    compact_bed_thin_out(&bed, 'b', 0);
    ck_assert_int_eq(compact_bed_compact(&bed, 4, 50), STATUS_OK);
    ck_assert_uint_eq(compact_bed_segment(&bed, 3).number, 0);
    compact_bed_reopen(&bed);
    store_stats(bed.bed.store, 0, &stats);
    ck_assert_uint_gt(stats.corrupt_batches, 0);
}
END_TEST

/* Compacts the segment; the power goes after so many steps. */
static void crash_after(int steps, uint32_t number, unsigned percent)
{
    struct compactor *compactor = calloc(1, sizeof(*compactor));
    compactor_begin(compactor, bed.bed.logs[0], 0, number, percent);
    for (int i = 0; i < steps && !compactor_turn(compactor); i++)
        store_bed_turn(&bed.bed);
    sim_disk_crash(bed.bed.disk);
    compactor_abandon(compactor);
    free(compactor);
    store_bed_crash(&bed.bed);
    store_bed_open(&bed.bed);
}

/* Nothing seems to be lost, wherever the power goes. */
START_TEST(a_crash_while_they_become_one)
{
    struct store_stats stats;
    compact_bed_fill(&bed, 3, "b");
    compact_bed_thin_out(&bed, 'b', 0);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 50), STATUS_OK);
    ck_assert_int_eq(compact_bed_compact(&bed, 3, 50), STATUS_OK);
    crash_after(_i, 2, 50);
    store_stats(bed.bed.store, 0, &stats);
    ck_assert_uint_eq(stats.corrupt_batches, 0);
    compact_bed_verify(&bed);
    if (_i == LAST_STEP)
        ck_assert_uint_eq(compact_bed_segment(&bed, 1).number, 0);
}
END_TEST

static void refuse_removal(struct medium *medium, struct medium_name name, struct medium_op *op)
{
    if (name.kind == MEDIUM_SEGMENT && name.number == 2)
        name.number = 999; /* there is none */
    usual->remove(medium, name, op);
}

/* What is before one that can't be removed stays, too. */
START_TEST(a_removal_that_fails)
{
    struct store_stats stats;
    struct medium *medium = bed.bed.mediums[0];
    compact_bed_fill(&bed, 3, "b");
    compact_bed_thin_out(&bed, 'b', 0);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 50), STATUS_OK);
    ck_assert_int_eq(compact_bed_compact(&bed, 3, 50), STATUS_OK);
    usual = medium->calls;
    struct medium_calls calls = *usual;
    calls.remove = refuse_removal;
    medium->calls = &calls;
    ck_assert_int_eq(compact_bed_compact(&bed, 2, 50), STATUS_OK);
    medium->calls = usual;
    ck_assert(medium_has(medium, segment_name(0, 1)));
    compact_bed_reopen(&bed);
    store_stats(bed.bed.store, 0, &stats);
    ck_assert_uint_eq(stats.corrupt_batches, 0);
    compact_bed_verify(&bed);
}
END_TEST

/* The old form or the new one, wherever the power goes. */
START_TEST(a_crash_at_any_step)
{
    compact_bed_fill(&bed, 2, "a");
    compact_bed_thin_out(&bed, 'a', 8);
    for (int steps = 0; !compact_bed_segment(&bed, 1).compact; steps++) {
        crash_after(steps, 1, 90);
        (void)compact_bed_check(&bed, 8);
        compact_bed_verify(&bed);
        ck_assert(!medium_has(bed.bed.mediums[0],
                              (struct medium_name){.kind = MEDIUM_REWRITE, .shard = 0}));
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("compactor");
    TCase *tcase = tcase_create("compactor");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, what_lives_stays_where_links_say);
    tcase_add_test(tcase, too_little_to_gain);
    tcase_add_loop_test(tcase, empty_neighbours_become_one, 0, 4);
    tcase_add_test(tcase, a_lost_segment_is_missed);
    tcase_add_loop_test(tcase, a_crash_while_they_become_one, 0, LAST_STEP + 1);
    tcase_add_test(tcase, a_removal_that_fails);
    tcase_add_test(tcase, a_crash_at_any_step);
    suite_add_tcase(suite, tcase);
    return suite;
}
