#include "storage/listing.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

static struct store_bed bed;

static void open_bed(void)
{
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 17});
    bed.options.shards = 2;
    bed.options.delta_bytes = 600;
    store_bed_open(&bed);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static void put(uint64_t number, const char *mailboxes)
{
    ck_assert_int_eq(store_bed_put(&bed, (uint32_t)number % 2, number, 100, mailboxes, number),
                     STATUS_OK);
}

/* In the base, frozen, and active, in whatever order they came. */
START_TEST(by_the_time_of_receipt)
{
    for (uint64_t i = 0; i < 60; i++)
        put(i, "abc");
    for (char letter = 'a'; letter <= 'c'; letter++) {
        struct maildrop *drop = store_bed_peek(&bed, letter);
        ck_assert_uint_eq(drop->count, 60);
        for (uint32_t i = 0; i < 60; i++)
            ck_assert_uint_eq(drop->links[i].id, bed.stored[i].id);
        ck_assert(store_holds(bed.store, bed_mailbox(letter), &drop->links[0]));
        ck_assert(store_holds(bed.store, bed_mailbox(letter), &drop->links[59]));
        ck_assert(!store_holds(bed.store, bed_mailbox('d'), &drop->links[0]));
        store_maildrop_free(drop);
    }
}
END_TEST

struct seen {
    uint32_t links[26], visits[26];
};

static void see(void *context, struct span mailbox, const struct store_link *links, uint32_t count)
{
    struct seen *seen = context;
    ck_assert(mailbox.size == 3 && count > 0 && links[0].id > 0);
    seen->links[mailbox.data[0] - 'a'] += count;
    seen->visits[mailbox.data[0] - 'a']++;
}

START_TEST(every_mailbox_once)
{
    struct seen seen = {{0}, {0}};
    for (uint64_t i = 0; i < 40; i++)
        put(i, i < 20 ? "ab" : i < 39 ? "bc" : "d");
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', UINT64_MAX), STATUS_OK);
    ck_assert_int_eq(store_bed_expunge(&bed, 'b', 1), STATUS_OK);
    ck_assert_int_eq(listing_walk(bed.store, see, &seen), STATUS_OK);
    ck_assert(seen.links[0] == 0 && seen.visits[0] == 0);
    ck_assert(seen.links[1] == 38 && seen.visits[1] == 1);
    ck_assert(seen.links[2] == 19 && seen.visits[2] == 1);
    ck_assert(seen.links[3] == 1 && seen.visits[3] == 1);
}
END_TEST

/* The active delta knows the mailbox, but only of a deletion. */
START_TEST(what_only_a_frozen_delta_has)
{
    struct seen seen = {{0}, {0}};
    struct owner *owner = &bed.store->owners[store_owner(bed.store, bed_mailbox('e'))];
    put(0, "e");
    put(2, "e");
    for (int i = 0; i < 5; i++)
        store_bed_turn(&bed);
    bed.store->options.delta_bytes = UINT32_MAX;
    owner_freeze(owner);
    bed.logs[store_owner(bed.store, bed_mailbox('e'))]->flush.retry_ns = UINT64_MAX;
    ck_assert_int_eq(store_bed_expunge(&bed, 'e', 2), STATUS_OK);
    ck_assert_int_eq(listing_walk(bed.store, see, &seen), STATUS_OK);
    ck_assert(seen.links[4] == 1 && seen.visits[4] == 1);
    ck_assert_uint_eq(store_bed_count(&bed, 'e'), 1);
    owner_thaw(owner); /* as if written */
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("listing");
    TCase *tcase = tcase_create("listing");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, by_the_time_of_receipt);
    tcase_add_test(tcase, every_mailbox_once);
    tcase_add_test(tcase, what_only_a_frozen_delta_has);
    suite_add_tcase(suite, tcase);
    return suite;
}
