#include "storage/examine.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/reclaim/compact_bed.h"

#include <stdlib.h>

static struct compact_bed bed;
static uint32_t findings;

static void count_finding(void *context, bool damage, const char *line)
{
    (void)context;
    (void)line;
    findings += damage;
}

static void open_bed(void)
{
    compact_bed_open(&bed);
    compact_bed_fill(&bed, 2, "a");
    findings = 0;
}

static void close_bed(void)
{
    compact_bed_close(&bed);
}

/* What recovery learns of a segment, with hints or without. */
static struct recovered_segment examine(uint32_t number, bool use_hints, uint32_t *scanned)
{
    struct recover recover = {.medium = bed.bed.mediums[0],
                              .store = bed.bed.store->identity.id,
                              .record_seed = bed.bed.store->record_seed,
                              .use_hints = use_hints,
                              .report = count_finding,
                              .window = malloc(SCAN_WINDOW_BYTES)};
    struct recovered_segment segment = {.number = number};
    struct examined work = {.hinted = false};
    struct fault fault;
    ck_assert_int_eq(link_names_init(&recover.names), STATUS_OK);
    ck_assert_int_eq(examine_segment(&recover, 0, &segment, &work, false, &fault), STATUS_OK);
    *scanned = work.scan.count;
    scan_deinit(&work.scan);
    recover.medium->calls->close(recover.medium, work.object);
    link_names_deinit(&recover.names);
    free(recover.window);
    return segment;
}

START_TEST(a_good_hint_is_believed)
{
    uint32_t batches;
    struct recovered_segment hinted = examine(1, true, &batches);
    ck_assert(hinted.hinted && hinted.good && !hinted.compact);
    ck_assert_uint_eq(batches, 0);
    ck_assert_uint_eq(hinted.reach, 1);
    struct recovered_segment scanned = examine(1, false, &batches);
    ck_assert(!scanned.hinted);
    ck_assert_uint_gt(batches, 10);
    sim_disk_damage(bed.bed.disk, hint_name(0, 1), 10, 1);
    ck_assert(!examine(1, true, &batches).hinted);
    ck_assert_uint_gt(batches, 10);
    ck_assert_uint_eq(findings, 1);
}
END_TEST

START_TEST(a_compacted_one_speaks_for_itself)
{
    uint32_t batches;
    struct recovered_segment plain = examine(1, true, &batches);
    compact_bed_thin_out(&bed, 'a', 4);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        struct recovered_segment compact = examine(1, i == 0, &batches);
        ck_assert(compact.hinted && compact.compact);
        ck_assert_uint_eq(compact.generation, 2);
        ck_assert_uint_eq(compact.first_lsn, plain.first_lsn);
        ck_assert_uint_eq(compact.end_lsn, plain.end_lsn);
        ck_assert_uint_eq(compact.last_sequence, plain.last_sequence);
        ck_assert_uint_lt(compact.record_bytes, plain.record_bytes);
        ck_assert_uint_eq(batches, 0);
    }
    ck_assert_uint_eq(findings, 0);
    sim_disk_damage(bed.bed.disk, segment_name(0, 1), 70, 1);
    ck_assert(examine(1, true, &batches).compact);
    ck_assert_uint_eq(findings, 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("examine");
    TCase *tcase = tcase_create("examine");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_good_hint_is_believed);
    tcase_add_test(tcase, a_compacted_one_speaks_for_itself);
    suite_add_tcase(suite, tcase);
    return suite;
}
