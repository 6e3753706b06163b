#include "storage/reclaim/rewrite.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/reclaim/compact_bed.h"

static struct compact_bed bed;

static void open_bed(void)
{
    compact_bed_open(&bed);
    compact_bed_fill(&bed, 1, "a");
}

static void close_bed(void)
{
    compact_bed_close(&bed);
}

static uint64_t offset_of(uint32_t message)
{
    struct maildrop *drop = store_bed_peek(&bed.bed, 'a');
    uint64_t offset = (uint64_t)drop->links[message].slot * 8;
    store_maildrop_free(drop);
    return offset;
}

/* Whatever goes wrong, the old form stays, and can be compacted when all is well. */
static void still_whole(void)
{
    uint32_t count = compact_bed_check(&bed, 2);
    ck_assert(!compact_bed_segment(&bed, 1).compact);
    compact_bed_verify(&bed);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK);
    ck_assert_uint_eq(compact_bed_check(&bed, 2), count);
}

START_TEST(a_damaged_record_is_not_copied)
{
    compact_bed_thin_out(&bed, 'a', 2);
    uint64_t offset = offset_of(3) + 5000;
    sim_disk_damage(bed.bed.disk, segment_name(0, 1), offset, 1);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_CORRUPT);
    sim_disk_damage(bed.bed.disk, segment_name(0, 1), offset, 1);
    still_whole();
}
END_TEST

START_TEST(what_nobody_needs_may_be_damaged)
{
    uint64_t offset = offset_of(3) + 5000;
    compact_bed_thin_out(&bed, 'a', 2);
    sim_disk_damage(bed.bed.disk, segment_name(0, 1), offset, 1);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK);
    compact_bed_verify(&bed);
}
END_TEST

START_TEST(a_full_disk)
{
    compact_bed_thin_out(&bed, 'a', 2);
    sim_disk_set_capacity(bed.bed.disk, 1);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_FULL);
    sim_disk_set_capacity(bed.bed.disk, 0);
    still_whole();
}
END_TEST

START_TEST(a_disk_that_fails)
{
    compact_bed_thin_out(&bed, 'a', 2);
    sim_disk_set_errors(bed.bed.disk, 1000000, 0);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_IO);
    sim_disk_set_errors(bed.bed.disk, 0, 0);
    still_whole();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("rewrite");
    TCase *tcase = tcase_create("rewrite");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_damaged_record_is_not_copied);
    tcase_add_test(tcase, what_nobody_needs_may_be_damaged);
    tcase_add_test(tcase, a_full_disk);
    tcase_add_test(tcase, a_disk_that_fails);
    suite_add_tcase(suite, tcase);
    return suite;
}
