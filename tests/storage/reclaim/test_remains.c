#include "storage/reclaim/remains.h"

#include "storage/index/index_memory.h"
#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/reclaim/compact_bed.h"

#include <stdlib.h>

static struct compact_bed bed;

static void open_bed(void)
{
    compact_bed_open(&bed);
}

static void close_bed(void)
{
    compact_bed_close(&bed);
}

/* All of 'a' is in the first segment, which is sealed. */
static void fill_first(void)
{
    for (int i = 0; i < 15; i++)
        compact_bed_put(&bed, COMPACT_BED_BYTES, "a");
    compact_bed_put(&bed, 500, "bc");
    compact_bed_fill(&bed, 1, "z");
}

/* How many deletions of the segment must stay, and how many need not. */
static void count_deletions(uint32_t number, uint32_t *needed, uint32_t *idle)
{
    struct survey *survey = calloc(1, sizeof(*survey));
    struct remains remains;
    struct catalog_log around;
    catalog_copy(bed.bed.store->catalog, 0, &around);
    survey_begin(survey, bed.bed.logs[0], 0, number, &around);
    while (!survey_turn(survey))
        store_bed_turn(&bed.bed);
    ck_assert_int_eq(survey->status, STATUS_OK);
    remains_begin(&remains, bed.bed.logs[0], survey);
    while (!remains_turn(&remains))
        store_bed_turn(&bed.bed);
    *needed = *idle = 0;
    for (uint32_t i = 0; i < survey->own; i++)
        if (survey->items[i].kind == HINT_DELETE)
            *(survey->items[i].live ? needed : idle) += 1;
    remains_end(&remains);
    survey_end(survey);
    free(survey);
    free(around.segments);
}

static void assert_deletions(uint32_t number, uint32_t expected_needed, uint32_t expected_idle)
{
    uint32_t needed, idle;
    count_deletions(number, &needed, &idle);
    ck_assert_uint_eq(needed, expected_needed);
    ck_assert_uint_eq(idle, expected_idle);
}

START_TEST(needed_while_the_record_is_there)
{
    fill_first();
    compact_bed_thin_out(&bed, 'a', 3);
    ck_assert_int_eq(store_bed_expunge(&bed.bed, 'b', 1), STATUS_OK); /* 'c' has it still */
    compact_bed_fill(&bed, 2, "d");
    assert_deletions(2, 2, 0);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK); /* others of it live on */
    assert_deletions(2, 1, 1);
    ck_assert_int_eq(store_bed_expunge(&bed.bed, 'c', 1), STATUS_OK);
    assert_deletions(2, 1, 1); /* nobody has the message, but it is there */
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 100), STATUS_OK);
    assert_deletions(2, 0, 2);
    compact_bed_reopen(&bed);
    assert_deletions(2, 0, 2);
}
END_TEST

START_TEST(needed_while_it_cannot_be_told)
{
    fill_first();
    compact_bed_thin_out(&bed, 'a', 3);
    compact_bed_fill(&bed, 2, "d");
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK);
    assert_deletions(2, 0, 1);
    sim_disk_damage(bed.bed.disk, segment_name(0, 1), 4096 + 60, 1);
    struct recovered_segment compact = compact_bed_segment(&bed, 1);
    sim_disk_damage(bed.bed.disk, segment_name(0, 1),
                    compact.bytes - (compact.bytes > 4 * 4096 ? 2 : 1) * 4096 + 60, 1);
    assert_deletions(2, 1, 0);
    sim_disk_damage(bed.bed.disk, segment_name(0, 1), 4096 + 60, 1);
    assert_deletions(2, 0, 1);
}
END_TEST

/* The base of an index that outlives the process may have what the deletion deletes. */
START_TEST(needed_until_the_index_has_it)
{
    compact_bed_close(&bed);
    compact_bed_open(&bed);
    store_bed_close(&bed.bed);
    bed.bed.options.delta_bytes = 8 << 20;
    ck_assert_int_eq(index_memory_open(&bed.bed.options.index, true), STATUS_OK);
    store_bed_open(&bed.bed);
    fill_first();
    compact_bed_thin_out(&bed, 'a', 0);
    compact_bed_fill(&bed, 2, "d");
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 50), STATUS_OK);
    assert_deletions(2, 1, 0);
    compact_bed_reopen(&bed); /* closing puts all into the base */
    assert_deletions(2, 0, 1);
    ck_assert_int_eq(compact_bed_compact(&bed, 2, 100), STATUS_OK);
    ck_assert_uint_gt(compact_bed_segment(&bed, 2).forgotten, 0);
    /* A base from before that would miss the deletion: it is made anew. */
    store_bed_close(&bed.bed);
    index_memory_rewind(bed.bed.options.index, 1);
    store_bed_open(&bed.bed);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 0);
    compact_bed_verify(&bed);
    store_bed_close(&bed.bed);
    bed.bed.options.index->calls->close(bed.bed.options.index);
    bed.bed.options.index = NULL;
    store_bed_open(&bed.bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("remains");
    TCase *tcase = tcase_create("remains");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, needed_while_the_record_is_there);
    tcase_add_test(tcase, needed_while_it_cannot_be_told);
    tcase_add_test(tcase, needed_until_the_index_has_it);
    suite_add_tcase(suite, tcase);
    return suite;
}
