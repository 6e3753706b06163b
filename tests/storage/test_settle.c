#include "storage/settle.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

static struct store_bed bed;

static void open_bed(void)
{
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 12});
    store_bed_open(&bed);
    for (int i = 0; i < 20; i++)
        store_bed_turn(&bed);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

/* An owner without room is asked again; until it has taken the link, nothing is told. */
START_TEST(links_before_stored)
{
    bed.refuse_links = 3;
    ck_assert_int_eq(store_bed_append(&bed, 0, 0, 500, "abc", 0), STATUS_OK);
    ck_assert_int_eq(store_bed_append(&bed, 0, 1, 500, "a", 1), STATUS_OK);
    int refused_turns = 0;
    for (int turns = 0; !bed.stored[1].ended; turns++) {
        ck_assert_int_lt(turns, 100);
        store_bed_turn(&bed);
        if (bed.refused > 0)
            refused_turns++;
        if (bed.refused > 0)
            ck_assert(store_turn(bed.logs[0]) || bed.refused == 0);
        ck_assert_int_eq(bed.stored[0].ended, bed.links >= 3);
        ck_assert_int_eq(bed.stored[1].ended, bed.links == 4);
    }
    ck_assert_int_gt(refused_turns, 3);
    ck_assert_uint_eq(bed.links, 4);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 2);
}
END_TEST

/* A buffer is used again only after it was settled, so waiting owners hold back the rest. */
START_TEST(waiting_owners_hold_back_the_rest)
{
    bed.refuse_links = UINT32_MAX;
    uint32_t taken = 0;
    for (int turns = 0; turns < 50; turns++) {
        while (store_bed_append(&bed, 0, taken, 20000, "a", taken) == STATUS_OK)
            taken++;
        store_bed_turn(&bed);
    }
    ck_assert_uint_le(taken, 12);
    ck_assert(!store_has_room(bed.logs[0]));
    bed.refuse_links = 0;
    store_bed_wait(&bed, taken - 1);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), taken);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("settle");
    TCase *tcase = tcase_create("settle");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, links_before_stored);
    tcase_add_test(tcase, waiting_owners_hold_back_the_rest);
    suite_add_tcase(suite, tcase);
    return suite;
}
