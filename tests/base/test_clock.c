#include "tests/check_main.h"

#include "base/clock.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

START_TEST(known_dates)
{
    static const struct {
        uint64_t second;
        const char *text;
    } table[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 +0000"},
        {951782399, "Mon, 28 Feb 2000 23:59:59 +0000"},
        {951782400, "Tue, 29 Feb 2000 00:00:00 +0000"},
        {951868800, "Wed, 01 Mar 2000 00:00:00 +0000"},
        {4107542399, "Sun, 28 Feb 2100 23:59:59 +0000"},
        {4107542400, "Mon, 01 Mar 2100 00:00:00 +0000"},
        {1795449600, "Mon, 23 Nov 2026 16:00:00 +0000"},
        {1798761599, "Thu, 31 Dec 2026 23:59:59 +0000"},
    };
    struct clock_date_cache cache = {0};
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        char text[CLOCK_DATE_BYTES + 1] = {0};
        clock_date(&cache, table[i].second * NS_PER_S + NS_PER_S - 1, text);
        ck_assert_str_eq(text, table[i].text);
    }
}
END_TEST

/* The C library's calendar, in the "C" locale that a program begins with. */
START_TEST(agrees_with_the_library)
{
    struct random random = {7};
    struct clock_date_cache cache = {0};
    unsigned wrong = 0;
    for (unsigned i = 0; i < 50000; i++) {
        uint64_t second = random_below(&random, UINT64_MAX / NS_PER_S);
        time_t time = (time_t)second;
        struct tm parts;
        char expected[64], text[CLOCK_DATE_BYTES + 1] = {0};
        wrong += gmtime_r(&time, &parts) == NULL;
        wrong += strftime(expected, sizeof expected, "%a, %d %b %Y %T +0000", &parts) == 0;
        clock_date(&cache, second * NS_PER_S, text);
        wrong += strcmp(text, expected) != 0;
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

START_TEST(caches_one_second)
{
    struct clock_date_cache cache = {0};
    char a[CLOCK_DATE_BYTES], b[CLOCK_DATE_BYTES];
    clock_date(&cache, 5 * NS_PER_S, a);
    memset(cache.text, '?', sizeof cache.text);
    clock_date(&cache, 6 * NS_PER_S - 1, b);
    ck_assert_mem_eq(b, cache.text, sizeof b);
    clock_date(&cache, 6 * NS_PER_S, b);
    ck_assert_mem_ne(a, b, sizeof a);
    clock_date(&cache, 5 * NS_PER_S, b); /* a wall clock may go back */
    ck_assert_mem_eq(a, b, sizeof a);
}
END_TEST

START_TEST(system_clocks_run)
{
    uint64_t before = clock_monotonic_ns(&clock_system);
    struct timespec pause = {.tv_nsec = 2 * (long)NS_PER_MS};
    ck_assert_int_eq(nanosleep(&pause, NULL), 0);
    ck_assert_uint_ge(clock_monotonic_ns(&clock_system) - before, 2 * NS_PER_MS);
    uint64_t wall_s = clock_wall_ns(&clock_system) / NS_PER_S;
    ck_assert_int_le(llabs((long long)wall_s - (long long)time(NULL)), 1);
}
END_TEST

static uint64_t frozen(void *context)
{
    return *(uint64_t *)context;
}

START_TEST(can_be_injected)
{
    uint64_t now = 42;
    struct clock clock = {frozen, frozen, &now};
    ck_assert_uint_eq(clock_monotonic_ns(&clock), 42);
    now = 43;
    ck_assert_uint_eq(clock_wall_ns(&clock), 43);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("clock");
    TCase *tcase = tcase_create("clock");
    tcase_add_test(tcase, known_dates);
    tcase_add_test(tcase, agrees_with_the_library);
    tcase_add_test(tcase, caches_one_second);
    tcase_add_test(tcase, system_clocks_run);
    tcase_add_test(tcase, can_be_injected);
    suite_add_tcase(suite, tcase);
    return suite;
}
