#include "storage/link.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

START_TEST(messages_by_their_ids)
{
    static struct store_bed bed;
    struct store_link found;
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 10});
    store_bed_open(&bed);
    for (uint32_t i = 0; i < 30; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, i % 10 ? 20000 : 70000, "ab", i), STATUS_OK);
    store_bed_close(&bed);
    for (int round = 0; round < 2; round++) {
        store_bed_open(&bed);
        struct maildrop *drop = store_bed_peek(&bed, 'a');
        for (uint32_t i = 0; i < 30; i++) {
            ck_assert_int_eq(store_find(bed.store, bed.stored[i].id, &found), STATUS_OK);
            ck_assert_uint_eq(drop->links[i].copies, 2);
            found.copies = 2; /* how many is not asked of the record */
            ck_assert_mem_eq(&found, &drop->links[i], sizeof(found));
        }
        ck_assert_int_eq(store_find(bed.store, 0, &found), STATUS_ABSENT);
        ck_assert_int_eq(store_find(bed.store, bed.stored[29].id + 1, &found), STATUS_ABSENT);
        ck_assert_int_eq(store_find(bed.store, link_id(1, 1), &found), STATUS_ABSENT);
        store_maildrop_free(drop);
        store_bed_close(&bed);
    }
    store_bed_deinit(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("find");
    TCase *tcase = tcase_create("find");
    tcase_add_test(tcase, messages_by_their_ids);
    suite_add_tcase(suite, tcase);
    return suite;
}
