#include "storage/index/delta.h"

#include "storage/link.h"
#include "tests/check_main.h"

#include <stdio.h>

static struct delta delta;

static void open_delta(void)
{
    delta_init(&delta);
}

static void close_delta(void)
{
    delta_deinit(&delta);
}

static struct delta_mailbox *obtain(const char *name)
{
    return delta_obtain(&delta, span_text(name), link_hash(span_text(name)));
}

static void add(struct delta_mailbox *mailbox, uint64_t id)
{
    delta_add(&delta, mailbox, &(struct store_link){.id = id, .octets_low = 100});
}

START_TEST(names_and_links)
{
    char name[16];
    ck_assert_ptr_null(delta_find(&delta, SPAN("7"), link_hash(SPAN("7"))));
    for (uint32_t i = 0; i < 30000; i++) {
        snprintf(name, sizeof(name), "%u", i % 10000);
        add(obtain(name), i + 1);
    }
    ck_assert_uint_eq(delta.count, 10000);
    ck_assert_uint_eq(delta.links, 30000);
    ck_assert_uint_gt(delta.bytes, 30000 * sizeof(struct store_link));
    for (uint32_t i = 0; i < 10000; i++) {
        snprintf(name, sizeof(name), "%u", i);
        const struct delta_mailbox *found =
            delta_find(&delta, span_text(name), link_hash(span_text(name)));
        ck_assert_ptr_nonnull(found);
        ck_assert(span_equal(delta_name(found), span_text(name)));
        ck_assert_uint_eq(found->count, 3);
        for (uint32_t l = 0; l < 3; l++)
            ck_assert_uint_eq(found->links[l].id, i + 1 + l * 10000);
    }
}
END_TEST

START_TEST(the_same_hash_is_not_the_same_name)
{
    struct delta_mailbox *one = delta_obtain(&delta, SPAN("one"), 5);
    struct delta_mailbox *two = delta_obtain(&delta, SPAN("two"), 5);
    ck_assert_ptr_ne(one, two);
    ck_assert_ptr_eq(delta_find(&delta, SPAN("one"), 5), one);
    ck_assert_ptr_eq(delta_find(&delta, SPAN("two"), 5), two);
    ck_assert_ptr_null(delta_find(&delta, SPAN("three"), 5));
}
END_TEST

START_TEST(links_are_taken_in_any_order)
{
    static const uint64_t ids[] = {3, 4, 9, 1, 10};
    struct delta_mailbox *mailbox = obtain("a");
    struct store_link link;
    uint32_t cursor = 0;
    for (uint64_t id = 1; id <= 10; id++)
        add(mailbox, id);
    for (uint32_t i = 0; i < 5; i++) {
        ck_assert(delta_take(&delta, mailbox, ids[i], &cursor, &link));
        ck_assert_uint_eq(link.id, ids[i]);
    }
    ck_assert(!delta_take(&delta, mailbox, 3, &cursor, &link));
    ck_assert(!delta_take(&delta, mailbox, 11, &cursor, &link));
    delta_sweep(mailbox);
    ck_assert_uint_eq(mailbox->count, 5);
    ck_assert_uint_eq(delta.links, 5);
    ck_assert(!delta_has(mailbox, 9) && delta_has(mailbox, 8));
    for (uint32_t i = 1; i < 5; i++)
        ck_assert_uint_gt(mailbox->links[i].id, mailbox->links[i - 1].id);
}
END_TEST

START_TEST(what_is_buried)
{
    struct delta_mailbox *mailbox = obtain("a");
    for (uint64_t id = 1; id <= 100; id++)
        delta_bury(&delta, mailbox, &(struct store_link){.id = id});
    ck_assert_uint_eq(mailbox->dead_count, 100);
    ck_assert(delta_is_dead(mailbox, 1) && delta_is_dead(mailbox, 100));
    ck_assert(!delta_is_dead(mailbox, 101) && !delta_has(mailbox, 1));
    ck_assert_uint_eq(delta.links, 100);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("delta");
    TCase *tcase = tcase_create("delta");
    tcase_add_checked_fixture(tcase, open_delta, close_delta);
    tcase_add_test(tcase, names_and_links);
    tcase_add_test(tcase, the_same_hash_is_not_the_same_name);
    tcase_add_test(tcase, links_are_taken_in_any_order);
    tcase_add_test(tcase, what_is_buried);
    suite_add_tcase(suite, tcase);
    return suite;
}
