#include "tests/storage/index/index_bed.h"

#include "base/random.h"
#include "tests/check_main.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const struct index_bed *used;
static struct index *base;
static char text[1 << 16];

/* ---- runs and what they leave, as text ---- */

enum status index_bed_run(struct index *index, const char *changes)
{
    enum status status = index->calls->begin(index);
    while (status == STATUS_OK && *changes) {
        size_t size = strcspn(changes, " "), key = strcspn(changes, "=+-");
        struct span name = span_of(changes, key),
                    value = span_of(changes + key + 1, size - key - 1);
        if (changes[key] == '=')
            index->calls->put(index, name, value);
        else if (changes[key] == '+')
            index->calls->add(index, name, strtoull(changes + key + 1, NULL, 10));
        else
            index->calls->remove(index, name);
        changes += size + (changes[size] == ' ');
    }
    return status == STATUS_OK ? index->calls->end(index, true) : status;
}

struct shown {
    size_t size;
    uint32_t count, most;
};

static bool show(void *context, struct span key, struct span value)
{
    struct shown *shown = context;
    size_t room = sizeof(text) - shown->size;
    uint64_t number;
    memcpy(&number, value.data, value.size == 8 ? 8 : 0);
    int size = value.size == 8 ? snprintf(text + shown->size, room, "%.*s=%" PRIu64 " ",
                                          (int)key.size, key.data, number)
                               : snprintf(text + shown->size, room, "%.*s=%.*s ", (int)key.size,
                                          key.data, (int)value.size, value.data);
    ck_assert(size > 0 && (size_t)size < room);
    shown->size += (size_t)size;
    return ++shown->count < shown->most;
}

const char *index_bed_text(struct index *index, const char *prefix)
{
    struct shown shown = {.most = UINT32_MAX};
    text[0] = 0;
    ck_assert_int_eq(index->calls->scan(index, span_text(prefix), show, &shown), STATUS_OK);
    if (shown.size > 0)
        text[shown.size - 1] = 0;
    return text;
}

static void see(void *context, struct span value)
{
    char *out = context;
    ck_assert_uint_lt(value.size, 64);
    memcpy(out, value.data, value.size);
    out[value.size] = 0;
}

static const char *get(const char *key)
{
    static char value[64];
    enum status status = base->calls->get(base, span_text(key), see, value);
    ck_assert(status == STATUS_OK || status == STATUS_ABSENT);
    return status == STATUS_OK ? value : NULL;
}

static void open_base(void)
{
    base = used->open();
    ck_assert_ptr_nonnull(base);
}

static void close_base(void)
{
    base->calls->close(base);
    used->remove();
}

/* ---- the contract ---- */

START_TEST(runs_are_one_map)
{
    ck_assert_str_eq(index_bed_text(base, ""), "");
    ck_assert_int_eq(index_bed_run(base, "Lmailbox.a1=one Lmailbox.a2=two Lmailbox.b1=three"),
                     STATUS_OK);
    ck_assert_int_eq(index_bed_run(base, "I=me Lmailbox.a1- Lmailbox.a3=four Lmailbox.b1=five"),
                     STATUS_OK);
    ck_assert_str_eq(index_bed_text(base, ""),
                     "I=me Lmailbox.a2=two Lmailbox.a3=four Lmailbox.b1=five");
    ck_assert_str_eq(index_bed_text(base, "Lmailbox.a"), "Lmailbox.a2=two Lmailbox.a3=four");
    ck_assert_str_eq(index_bed_text(base, "Lmailbox.c"), "");
    ck_assert_str_eq(index_bed_text(base, "I"), "I=me");
    ck_assert_str_eq(index_bed_text(base, "L"),
                     "Lmailbox.a2=two Lmailbox.a3=four Lmailbox.b1=five");
    ck_assert_str_eq(get("Lmailbox.a2"), "two");
    ck_assert_str_eq(get("I"), "me");
    ck_assert_ptr_null(get("Lmailbox.a1"));
    ck_assert_ptr_null(get("Lmailbox.a"));
}
END_TEST

START_TEST(a_scan_may_end_early)
{
    struct shown shown = {.most = 2};
    ck_assert_int_eq(index_bed_run(base, "a=1 b=2 c=3"), STATUS_OK);
    ck_assert_int_eq(base->calls->scan(base, span_of(NULL, 0), show, &shown), STATUS_OK);
    ck_assert_uint_eq(shown.count, 2);
}
END_TEST

START_TEST(sums)
{
    ck_assert_int_eq(index_bed_run(base, "C1+5 C2+7"), STATUS_OK);
    ck_assert_int_eq(index_bed_run(base, "C1+5 C3+1"), STATUS_OK);
    ck_assert_int_eq(index_bed_run(base, "C1+18446744073709551613 C2-"), STATUS_OK); /* -3 */
    ck_assert_int_eq(index_bed_run(base, "C2+2"), STATUS_OK);
    ck_assert_str_eq(index_bed_text(base, "C"), "C1=7 C2=2 C3=1");
}
END_TEST

START_TEST(a_run_that_is_dropped)
{
    ck_assert_int_eq(index_bed_run(base, "a=1"), STATUS_OK);
    ck_assert_int_eq(base->calls->begin(base), STATUS_OK);
    base->calls->put(base, SPAN("a"), SPAN("2"));
    base->calls->remove(base, SPAN("b"));
    ck_assert_str_eq(index_bed_text(base, ""), "a=1");
    ck_assert_int_eq(base->calls->end(base, false), STATUS_OK);
    ck_assert_str_eq(index_bed_text(base, ""), "a=1");
    ck_assert_int_eq(index_bed_run(base, ""), STATUS_OK); /* an empty one */
    ck_assert_int_eq(index_bed_run(base, "b=2"), STATUS_OK);
    ck_assert_str_eq(index_bed_text(base, ""), "a=1 b=2");
}
END_TEST

START_TEST(what_is_cleared_is_gone)
{
    ck_assert_int_eq(index_bed_run(base, "C+4 a=1"), STATUS_OK);
    ck_assert_int_eq(base->calls->clear(base), STATUS_OK);
    ck_assert_str_eq(index_bed_text(base, ""), "");
    ck_assert_int_eq(index_bed_run(base, "C+4"), STATUS_OK);
    ck_assert_str_eq(index_bed_text(base, ""), "C=4");
}
END_TEST

/* Many small runs over few keys, against an array. */
START_TEST(many_runs)
{
    enum { KEYS = 40, RUNS = 300 };
    static char present[KEYS][8];
    struct random random = {.state = 5};
    memset(present, 0, sizeof(present));
    for (int run = 0; run < RUNS; run++) {
        char changes[2048] = "", expected[2048] = "";
        for (int key = 0; key < KEYS; key++) {
            uint64_t drawn = random_below(&random, 6);
            size_t size = strlen(changes);
            if (drawn > 1)
                continue;
            present[key][0] = 0;
            if (drawn)
                snprintf(present[key], sizeof(present[key]), "v%d", run);
            snprintf(changes + size, sizeof(changes) - size, "%sLmailbox%02d%s%s", size ? " " : "",
                     key, drawn ? "=" : "-", present[key]);
        }
        ck_assert_int_eq(index_bed_run(base, changes), STATUS_OK);
        for (int key = 0; key < KEYS; key++) {
            size_t size = strlen(expected);
            if (present[key][0])
                snprintf(expected + size, sizeof(expected) - size, "%sLmailbox%02d=%s",
                         size ? " " : "", key, present[key]);
        }
        ck_assert_str_eq(index_bed_text(base, ""), expected);
        ck_assert(base->calls->memory_bytes(base) < 1 << 20);
    }
}
END_TEST

START_TEST(it_lasts_or_not)
{
    ck_assert_int_eq(index_bed_run(base, "C+4 Lmailbox1=1"), STATUS_OK);
    ck_assert_int_eq(index_bed_run(base, "C+3 Lmailbox2=2"), STATUS_OK);
    base->calls->close(base);
    open_base();
    ck_assert_str_eq(index_bed_text(base, ""), used->lasts ? "C=7 Lmailbox1=1 Lmailbox2=2" : "");
}
END_TEST

void index_bed_add_tests(TCase *tcase, const struct index_bed *bed)
{
    used = bed;
    tcase_add_checked_fixture(tcase, open_base, close_base);
    tcase_add_test(tcase, runs_are_one_map);
    tcase_add_test(tcase, a_scan_may_end_early);
    tcase_add_test(tcase, sums);
    tcase_add_test(tcase, a_run_that_is_dropped);
    tcase_add_test(tcase, what_is_cleared_is_gone);
    tcase_add_test(tcase, many_runs);
    tcase_add_test(tcase, it_lasts_or_not);
}
