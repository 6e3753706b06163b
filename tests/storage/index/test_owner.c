#include "storage/index/owner.h"

#include "storage/link.h"
#include "tests/check_main.h"

#include <stdlib.h>

static struct tallies tallies;
static struct owner owner;
static _Atomic uint64_t settled[2];

static void open_owner(void)
{
    const uint64_t ends[2] = {10, 20}, covered[2] = {5, 20};
    settled[0] = 10;
    settled[1] = 20;
    owner_init(&owner, &tallies);
    ck_assert_int_eq(owner_start(&owner, 2, ends, covered), STATUS_OK);
}

static void close_owner(void)
{
    owner_deinit(&owner);
    tallies_deinit(&tallies);
}

static struct store_link link_of_number(uint32_t log, uint64_t number)
{
    return (struct store_link){.id = link_id(log, number), .segment = 1, .record_bytes = 100};
}

static void add(const char *name, uint32_t log, uint64_t number)
{
    struct store_link link = link_of_number(log, number);
    owner_add(&owner, span_text(name), link_hash(span_text(name)), &link);
}

static void bury(const char *name, uint32_t log, uint64_t number)
{
    struct owner_deletion deletion;
    struct store_link link = link_of_number(log, number);
    owner_delete_begin(&deletion, &owner, span_text(name), link_hash(span_text(name)));
    owner_delete(&deletion, &link);
    owner_delete_end(&deletion);
}

static enum owner_view view(const char *name, uint32_t log, uint64_t number)
{
    return owner_view(&owner, span_text(name), link_hash(span_text(name)), link_id(log, number));
}

static struct glimpse glimpse(const char *name)
{
    struct glimpse seen;
    ck_assert_int_eq(owner_glimpse(&owner, span_text(name), link_hash(span_text(name)), &seen),
                     STATUS_OK);
    free(seen.links);
    return seen;
}

static void turn(void)
{
    owner_look(&owner, settled);
    owner_catch_up(&owner);
}

START_TEST(given_twice)
{
    add("a", 0, 9); /* recovery has seen it */
    ck_assert_uint_eq(glimpse("a").count, 0);
    add("a", 0, 10);
    add("b", 0, 10);
    add("a", 0, 10);
    ck_assert(glimpse("a").count == 1 && glimpse("b").count == 1);
    owner_freeze(&owner);
    add("b", 0, 10);
    add("c", 0, 10);
    ck_assert(glimpse("b").count == 1 && glimpse("c").count == 1);
    add("a", 0, 12);
    add("a", 0, 11); /* before what it was given last: so it had it */
    ck_assert_uint_eq(glimpse("a").count, 2);
}
END_TEST

START_TEST(frozen_and_active_are_one)
{
    add("a", 0, 10);
    add("a", 0, 11);
    settled[0] = 12;
    turn();
    owner_freeze(&owner);
    add("a", 0, 12);
    bury("a", 0, 10);
    struct glimpse seen = glimpse("a");
    ck_assert(seen.count == 3 && seen.dead_count == 1);
    bury("a", 0, 12);
    seen = glimpse("a");
    ck_assert(seen.count == 2 && seen.dead_count == 1);
    ck_assert(view("a", 0, 10) == OWNER_DEAD && view("a", 0, 11) == OWNER_LIVE);
    owner_thaw(&owner);
    ck_assert_uint_eq(glimpse("a").count, 0);
    ck_assert(view("a", 0, 10) == OWNER_DEAD && view("a", 0, 11) == OWNER_ASK_BASE);
}
END_TEST

/* What is still on its way may not be called dead. */
START_TEST(what_may_come_is_live)
{
    ck_assert_int_eq(view("a", 1, 19), OWNER_ASK_BASE);
    ck_assert_int_eq(view("a", 1, 20), OWNER_LIVE);
    settled[1] = 25;
    owner_look(&owner, settled);
    ck_assert_int_eq(view("a", 1, 24), OWNER_LIVE);
    owner_catch_up(&owner);
    ck_assert_int_eq(view("a", 1, 24), OWNER_ASK_BASE);
    ck_assert_int_eq(view("a", 1, 25), OWNER_LIVE);
    ck_assert_int_eq(view("a", 2, 1), OWNER_LIVE); /* of a log it knows nothing of */
    add("b", 1, 30);
    ck_assert_int_eq(view("a", 1, 29), OWNER_ASK_BASE);
    ck_assert_int_eq(view("a", 1, 30), OWNER_LIVE); /* its other links may follow */
}
END_TEST

/* A deletion that is covered while its message is not would bring the message back. */
START_TEST(frozen_is_only_what_is_whole)
{
    add("a", 1, 30);
    ck_assert(owner_may_freeze(&owner));
    bury("a", 1, 30);
    ck_assert(!owner_may_freeze(&owner));
    settled[1] = 31;
    owner_look(&owner, settled);
    ck_assert(!owner_may_freeze(&owner));
    owner_catch_up(&owner);
    ck_assert(owner_may_freeze(&owner));
    owner_freeze(&owner);
    ck_assert(!owner_may_freeze(&owner)); /* one at a time */
    ck_assert(owner.frozen_upto[0] == 10 && owner.frozen_upto[1] == 31);
    add("a", 1, 40);
    ck_assert_uint_eq(owner.frozen_upto[1], 31);
    owner_thaw(&owner);
    ck_assert(owner_may_freeze(&owner));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("owner");
    TCase *tcase = tcase_create("owner");
    tcase_add_checked_fixture(tcase, open_owner, close_owner);
    tcase_add_test(tcase, given_twice);
    tcase_add_test(tcase, frozen_and_active_are_one);
    tcase_add_test(tcase, what_may_come_is_live);
    tcase_add_test(tcase, frozen_is_only_what_is_whole);
    suite_add_tcase(suite, tcase);
    return suite;
}
