#include "storage/reclaim/synopsis.h"

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

/* How many messages it tells of. */
static uint32_t read_synopsis(uint32_t number, enum status status)
{
    struct synopsis synopsis;
    struct hint_entry entry;
    struct span content;
    uint32_t count = 0;
    synopsis_init(&synopsis, bed.bed.mediums[0], bed.bed.store->identity.id, 0, number);
    while (!synopsis_turn(&synopsis))
        store_bed_turn(&bed.bed);
    ck_assert_int_eq(synopsis.status, status);
    for (struct span body = synopsis.body; hint_next(&body, &entry, &content);)
        count += entry.kind == HINT_MESSAGE;
    if (status == STATUS_OK)
        ck_assert_uint_eq(synopsis.header.segment, number);
    synopsis_deinit(&synopsis);
    return count;
}

START_TEST(the_hint_beside_or_inside)
{
    uint32_t all = read_synopsis(1, STATUS_OK);
    ck_assert_uint_gt(all, 10);
    compact_bed_thin_out(&bed, 'a', 2);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK);
    ck_assert_uint_eq(read_synopsis(1, STATUS_OK), (all + 1) / 2);
}
END_TEST

START_TEST(without_a_good_hint)
{
    ck_assert_uint_eq(read_synopsis(99, STATUS_ABSENT), 0);
    ck_assert_uint_eq(read_synopsis(2, STATUS_ABSENT), 0); /* not sealed */
    sim_disk_damage(bed.bed.disk, hint_name(0, 1), 200, 1);
    (void)read_synopsis(1, STATUS_ABSENT);
    sim_disk_damage(bed.bed.disk, segment_name(0, 1), 9, 1);
    (void)read_synopsis(1, STATUS_CORRUPT);
    sim_disk_set_errors(bed.bed.disk, 0, 1000000);
    (void)read_synopsis(1, STATUS_IO);
    sim_disk_set_errors(bed.bed.disk, 0, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("synopsis");
    TCase *tcase = tcase_create("synopsis");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, the_hint_beside_or_inside);
    tcase_add_test(tcase, without_a_good_hint);
    suite_add_tcase(suite, tcase);
    return suite;
}
