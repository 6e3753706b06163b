#include "storage/reclaim/catalog.h"

#include "tests/check_main.h"

#include <stdlib.h>

static struct recovered_segment segments[] = {
    {.number = 1, .hinted = true, .first_lsn = 1, .end_lsn = 10, .epoch = 7},
    {.number = 3, .damaged = true, .first_lsn = 12, .end_lsn = 13},
    {.number = 4, .first_lsn = 20, .end_lsn = 30},
    {.number = 5, .good = true}, /* made ready, not begun */
};
static struct recovered logs[1] = {{.segments = segments, .count = 4, .end = 2, .tail = 2}};
static struct catalog *catalog;
static struct catalog_log seen;

static void open_catalog(void)
{
    catalog = catalog_open(logs, 1, 1);
    ck_assert_ptr_nonnull(catalog);
}

static void close_catalog(void)
{
    free(seen.segments);
    seen.segments = NULL;
    catalog_close(catalog);
}

static const struct recovered_segment *look(uint32_t index, uint32_t count)
{
    free(seen.segments);
    catalog_copy(catalog, 0, &seen);
    ck_assert_uint_eq(seen.count, count);
    return &seen.segments[index].segment;
}

START_TEST(begins_with_what_was_found)
{
    ck_assert_uint_eq(look(0, 3)->number, 1);
    ck_assert_uint_eq(look(0, 3)->end_lsn, 10);
    ck_assert_uint_eq(look(1, 3)->first_lsn, 10); /* damaged: whatever is not its neighbours' */
    ck_assert_uint_eq(look(1, 3)->end_lsn, 20);
    ck_assert_uint_eq(look(2, 3)->end_lsn, UINT64_MAX); /* the log goes on in it */
    free(seen.segments);
    catalog_copy(catalog, 1, &seen);
    ck_assert_uint_eq(seen.count, 0);
}
END_TEST

START_TEST(segments_come_and_go)
{
    struct hint_header hint = {
        .segment = 6, .reach = 4, .first_sequence = 5, .last_sequence = 8, .end_lsn = 50};
    catalog_begin(catalog, 0, 6, 40, 99, 4096);
    catalog_begin(catalog, 0, 6, 41, 98, 4096); /* known already */
    ck_assert_uint_eq(look(3, 4)->first_lsn, 40);
    ck_assert(!look(3, 4)->hinted);
    ck_assert(catalog_has(catalog, 0, 6, 99));
    catalog_seal(catalog, 0, &hint, true);
    ck_assert(look(3, 4)->hinted);
    ck_assert_uint_eq(look(3, 4)->end_lsn, 50);
    ck_assert_uint_eq(look(3, 4)->reach, 4);
    uint64_t version = atomic_load(&catalog->version);
    struct recovered_segment compact = {.number = 6, .compact = true, .epoch = 100};
    catalog_replace(catalog, 0, &compact);
    ck_assert(!catalog_has(catalog, 0, 6, 99));
    ck_assert(catalog_has(catalog, 0, 6, 100));
    catalog_remove(catalog, 0, 1);
    ck_assert_uint_eq(look(0, 3)->number, 3);
    ck_assert(!catalog_has(catalog, 0, 1, 7));
    ck_assert_uint_eq(atomic_load(&catalog->version), version + 2);
}
END_TEST

START_TEST(what_was_tried_is_remembered)
{
    look(0, 3);
    struct catalog_segment tried = seen.segments[0];
    tried.tried_version = 3;
    tried.retry_ns = 77;
    catalog_tried(catalog, 0, &tried);
    look(0, 3);
    ck_assert_uint_eq(seen.segments[0].retry_ns, 77);
    tried.segment.number = 2; /* gone meanwhile */
    catalog_tried(catalog, 0, &tried);
    look(0, 3);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("catalog");
    TCase *tcase = tcase_create("catalog");
    tcase_add_checked_fixture(tcase, open_catalog, close_catalog);
    tcase_add_test(tcase, begins_with_what_was_found);
    tcase_add_test(tcase, segments_come_and_go);
    tcase_add_test(tcase, what_was_tried_is_remembered);
    suite_add_tcase(suite, tcase);
    return suite;
}
