#include "storage/mailboxes.h"

#include "storage/link.h"
#include "tests/check_main.h"

#include <stdio.h>

static struct mailboxes mailboxes;

static void open_mailboxes(void)
{
    mailboxes_init(&mailboxes);
}

static void close_mailboxes(void)
{
    mailboxes_deinit(&mailboxes);
}

static struct mailbox *obtain(const char *name)
{
    return mailboxes_obtain(&mailboxes, span_text(name), link_hash(span_text(name)));
}

static struct mailbox *find(const char *name)
{
    return mailboxes_find(&mailboxes, span_text(name), link_hash(span_text(name)));
}

static void add(struct mailbox *mailbox, uint64_t id)
{
    mailboxes_add(&mailboxes, mailbox, &(struct store_link){.id = id, .octets_low = 10});
}

START_TEST(names_are_found_through_growth_and_removal)
{
    enum { NAMES = 3000 };
    char name[16];
    ck_assert_ptr_null(find("0"));
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "%d", i);
        struct mailbox *mailbox = obtain(name);
        if (i % 3 == 0)
            add(mailbox, (uint64_t)i);
        mailbox->locked = i % 3 == 1;
    }
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "%d", i);
        mailboxes_tidy(&mailboxes, find(name));
    }
    ck_assert_uint_eq(mailboxes.count, NAMES / 3 * 2);
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof(name), "%d", i);
        struct mailbox *mailbox = find(name);
        ck_assert_int_eq(mailbox != NULL, i % 3 != 2);
        if (mailbox)
            ck_assert(span_equal(mailbox_name(mailbox), span_text(name)));
    }
}
END_TEST

START_TEST(a_link_twice_is_one_link)
{
    struct mailbox *mailbox = obtain("a");
    add(mailbox, link_id(0, 5));
    add(mailbox, link_id(1, 2));
    add(mailbox, link_id(0, 5));
    add(mailbox, link_id(0, 6));
    add(mailbox, link_id(1, 2));
    ck_assert_uint_eq(mailbox->count, 3);
    ck_assert_uint_eq(mailbox->octets, 30);
    ck_assert_uint_eq(mailboxes.links, 3);
}
END_TEST

START_TEST(removal_keeps_the_order)
{
    struct mailbox *mailbox = obtain("a");
    const uint64_t gone[] = {1, 4, 10};
    for (uint64_t id = 1; id <= 10; id++)
        add(mailbox, id);
    ck_assert_uint_eq(mailboxes_remove(&mailboxes, mailbox, span_of(gone, sizeof(gone))), 3);
    const uint64_t kept[] = {2, 3, 5, 6, 7, 8, 9};
    ck_assert_uint_eq(mailbox->count, 7);
    for (int i = 0; i < 7; i++)
        ck_assert_uint_eq(mailbox->links[i].id, kept[i]);
    ck_assert_uint_eq(mailbox->octets, 70);
    ck_assert_uint_eq(mailboxes.links, 7);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("mailboxes");
    TCase *tcase = tcase_create("mailboxes");
    tcase_add_checked_fixture(tcase, open_mailboxes, close_mailboxes);
    tcase_add_test(tcase, names_are_found_through_growth_and_removal);
    tcase_add_test(tcase, a_link_twice_is_one_link);
    tcase_add_test(tcase, removal_keeps_the_order);
    suite_add_tcase(suite, tcase);
    return suite;
}
