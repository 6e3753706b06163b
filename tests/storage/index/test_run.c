#include "storage/index/run.h"

#include "storage/index/index_key.h"
#include "storage/index/index_memory.h"
#include "storage/link.h"
#include "tests/check_main.h"

#include <inttypes.h>
#include <stdio.h>

static struct index *base;
static struct delta one, two;
static const struct delta *const deltas[] = {&one, &two};
static char text[4096];

enum { WAYS = 4 };

static void open_all(void)
{
    ck_assert_int_eq(index_memory_open(&base, false), STATUS_OK);
    delta_init(&one);
    delta_init(&two);
}

static void close_all(void)
{
    delta_deinit(&one);
    delta_deinit(&two);
    base->calls->close(base);
}

static struct store_link link_to(uint64_t number, uint32_t segment)
{
    return (struct store_link){.id = link_id(1, number), .segment = segment, .record_bytes = 10};
}

static void add(struct delta *delta, const char *name, uint64_t number, uint32_t segment, bool dead)
{
    struct store_link link = link_to(number, segment);
    struct delta_mailbox *mailbox =
        delta_obtain(delta, span_text(name), link_hash(span_text(name)));
    if (dead)
        delta_bury(delta, mailbox, &link);
    else
        delta_add(delta, mailbox, &link);
}

/* Every key in words. */
static bool show(void *context, struct span key, struct span value)
{
    size_t size = strlen(text);
    char *out = text + size;
    uint64_t hash, id, number = 0;
    uint32_t log, segment, count, first, last;
    struct span name;
    struct store_link link;
    (void)context;
    memcpy(&number, value.data, value.size < 8 ? value.size : 8);
    size = sizeof(text) - size;
    if (index_key_parse_link(key, &hash, &name, &id) && index_link_parse(id, value, &link))
        snprintf(out, size, "%.*s:%" PRIu64 " ", (int)name.size, name.data, link_lsn(id));
    else if (index_key_parse_coverage(key, &first, &last))
        snprintf(out, size, "%08" PRIx32 "-%08" PRIx32 "=%" PRIu64 " ", first, last, number);
    else if (!index_key_parse_count(key, &log, &segment, &count))
        snprintf(out, size, "I%zu ", value.size);
    else if (count == INDEX_LINKS)
        snprintf(out, size, "%" PRIu32 "/%" PRIu32 "=%" PRIu64 " ", log, segment, number);
    return true;
}

static const char *contents(void)
{
    text[0] = 0;
    ck_assert_int_eq(base->calls->scan(base, span_of(NULL, 0), show, NULL), STATUS_OK);
    return text;
}

static void write(const struct run_plan *plan)
{
    ck_assert_int_eq(run_write(base, plan), STATUS_OK);
}

START_TEST(links_and_counts)
{
    add(&one, "a", 5, 1, false);
    add(&one, "a", 4, 1, false); /* received later, so listed later: no matter here */
    add(&two, "a", 7, 1, false);
    add(&two, "a", 6, 2, false);
    write(&(struct run_plan){.deltas = deltas, .deltas_count = 1});
    ck_assert_str_eq(contents(), "1/1=2 a:4 a:5 ");
    delta_deinit(&one);
    delta_init(&one);
    add(&one, "a", 5, 1, true);
    write(&(struct run_plan){.deltas = deltas, .deltas_count = 1});
    write(&(struct run_plan){.deltas = deltas + 1, .deltas_count = 1});
    ck_assert_str_eq(contents(), "1/1=2 1/2=1 a:4 a:6 a:7 ");
}
END_TEST

START_TEST(several_deltas_in_one_run)
{
    static const char *const names[] = {"b", "c", "d", "e"};
    for (uint64_t i = 0; i < 4; i++)
        add(i % 2 ? &one : &two, names[i], i + 1, 1, false);
    write(&(struct run_plan){.deltas = deltas, .deltas_count = 2});
    const char *all = contents();
    for (uint64_t i = 0; i < 4; i++) {
        char wanted[16];
        snprintf(wanted, sizeof(wanted), "%s:%" PRIu64 " ", names[i], i + 1);
        ck_assert_ptr_nonnull(strstr(all, wanted));
    }
    ck_assert(strncmp(all, "1/1=4 ", 6) == 0 && strlen(all) == 22);
}
END_TEST

static bool count_links(void *context, struct span key, struct span value)
{
    uint64_t hash, id;
    struct span name;
    uint32_t *links = context;
    (void)value;
    *links += index_key_parse_link(key, &hash, &name, &id);
    return true;
}

/* The base in memory takes nothing out of order. */
START_TEST(in_order_however_hashes_lie)
{
    for (uint64_t i = 1; i <= 1000; i++) {
        const uint64_t spread = i * 0x9e3779b97f4a7c15;
        const uint64_t hashes[WAYS] = {
            7,                                    /* all the same */
            i < 3 ? 0 - (i - 1) : spread,         /* evenly, and both ends */
            i == 500 ? UINT64_MAX : spread >> 48, /* one far from the others */
            UINT64_MAX - (spread >> 63),          /* two, next to each other */
        };
        char name[16];
        struct store_link link = link_to(i, 1);
        snprintf(name, sizeof(name), "%x", (unsigned)(i * 7919 % 1009));
        delta_add(&one, delta_obtain(&one, span_text(name), hashes[_i]), &link);
    }
    write(&(struct run_plan){.deltas = deltas, .deltas_count = 1});
    uint32_t links = 0;
    ck_assert_int_eq(base->calls->scan(base, span_of(NULL, 0), count_links, &links), STATUS_OK);
    ck_assert_uint_eq(links, 1000);
}
END_TEST

START_TEST(coverage_is_replaced)
{
    static const uint8_t identity[16];
    uint64_t seven = 7, eight = 8;
    struct coverage_range halves[] = {
        {.first = 0, .last = 0x7fffffff, .logs = 1, .upto = &seven},
        {.first = 0x80000000, .last = UINT32_MAX, .logs = 1, .upto = &seven}};
    struct coverage_range whole = {.first = 0, .last = UINT32_MAX, .logs = 1, .upto = &eight};
    struct coverage old = {.ranges = halves, .count = 2}, newer = {.ranges = &whole, .count = 1};
    write(&(struct run_plan){
        .covers = halves, .covers_count = 2, .kind = RUN_COMPLETES, .identity = identity});
    ck_assert_str_eq(contents(), "I20 00000000-7fffffff=7 80000000-ffffffff=7 ");
    halves[0].upto = &eight;
    write(&(struct run_plan){.covers = halves, .covers_count = 1, .kind = RUN_BEGINS});
    ck_assert_str_eq(contents(), "00000000-7fffffff=8 80000000-ffffffff=7 ");
    write(&(struct run_plan){.covers = &whole, .covers_count = 1, .replaces = &old});
    ck_assert_str_eq(contents(), "00000000-ffffffff=8 ");
    write(&(struct run_plan){.covers = halves, .covers_count = 2, .replaces = &newer});
    ck_assert_str_eq(contents(), "00000000-7fffffff=8 80000000-ffffffff=7 ");
    write(&(struct run_plan){.covers = halves, .covers_count = 2, .replaces = &old});
    ck_assert_str_eq(contents(), "00000000-7fffffff=8 80000000-ffffffff=7 ");
}
END_TEST

START_TEST(a_run_that_fails_changes_nothing)
{
    add(&one, "a", 5, 1, false);
    index_memory_fail(base, 1);
    struct run_plan plan = {.deltas = deltas, .deltas_count = 1};
    ck_assert_int_eq(run_write(base, &plan), STATUS_FULL);
    ck_assert_str_eq(contents(), "");
    write(&plan);
    ck_assert_str_eq(contents(), "1/1=1 a:5 ");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("run");
    TCase *tcase = tcase_create("run");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_add_test(tcase, links_and_counts);
    tcase_add_test(tcase, several_deltas_in_one_run);
    tcase_add_loop_test(tcase, in_order_however_hashes_lie, 0, WAYS);
    tcase_add_test(tcase, coverage_is_replaced);
    tcase_add_test(tcase, a_run_that_fails_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
