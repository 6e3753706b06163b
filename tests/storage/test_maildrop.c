#include "storage/maildrop.h"

#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

static struct store_bed bed;

static void open_bed(void)
{
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 6});
    store_bed_open(&bed);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static void put(uint64_t number)
{
    ck_assert_int_eq(store_bed_put(&bed, 0, number, 100 + number, "a", number), STATUS_OK);
}

START_TEST(an_unknown_mailbox_is_empty)
{
    struct maildrop *drop, *second;
    ck_assert_int_eq(store_bed_drop(&bed, SPAN("nobody"), &drop), STATUS_OK);
    ck_assert_uint_eq(drop->count, 0);
    ck_assert(span_equal(drop->mailbox, SPAN("nobody")));
    ck_assert_int_eq(store_bed_drop(&bed, SPAN("nobody"), &second), STATUS_BUSY);
    store_maildrop_close(bed.logs[0], drop);
    ck_assert_int_eq(store_bed_drop(&bed, SPAN("nobody"), &drop), STATUS_OK);
    store_maildrop_close(bed.logs[0], drop);
}
END_TEST

START_TEST(a_list_does_not_change)
{
    struct maildrop *drop;
    put(0);
    put(1);
    ck_assert_int_eq(store_bed_drop(&bed, bed_mailbox('a'), &drop), STATUS_OK);
    put(2);
    ck_assert_uint_eq(drop->count, 2);
    ck_assert_uint_eq(drop->octets,
                      store_link_octets(&drop->links[0]) + store_link_octets(&drop->links[1]));
    ck_assert_uint_eq(drop->links[1].id, bed.stored[1].id);
    ck_assert_uint_eq(drop->deleted[0], 0);
    store_maildrop_close(bed.logs[0], drop);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 3);
}
END_TEST

START_TEST(a_link_given_twice)
{
    put(0);
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    store_link_add(bed.logs[0], bed_mailbox('a'), &drop->links[0]);
    store_maildrop_free(drop);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 1);
}
END_TEST

static void see(void *context, struct span mailbox, uint32_t count, uint64_t octets)
{
    uint32_t *seen = context;
    ck_assert_uint_eq(mailbox.size, 3);
    ck_assert_uint_gt(octets, count);
    seen[mailbox.data[0] - 'a'] += count;
}

START_TEST(all_mailboxes)
{
    uint32_t seen[26] = {0};
    ck_assert_int_eq(store_bed_put(&bed, 0, 0, 100, "abc", 0), STATUS_OK);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 100, "cc", 1), STATUS_OK);
    ck_assert_int_eq(store_mailboxes(bed.store, see, seen), STATUS_OK);
    ck_assert(seen[0] == 1 && seen[1] == 1 && seen[2] == 2 && seen[3] == 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("maildrop");
    TCase *tcase = tcase_create("maildrop");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, an_unknown_mailbox_is_empty);
    tcase_add_test(tcase, a_list_does_not_change);
    tcase_add_test(tcase, a_link_given_twice);
    tcase_add_test(tcase, all_mailboxes);
    suite_add_tcase(suite, tcase);
    return suite;
}
