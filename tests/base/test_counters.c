#include "base/counters.h"

#include "tests/check_main.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { COUNTERS = 4, READINGS = 20000 };

struct counted {
    volatile uint64_t counters[COUNTERS]; /* as a loop that calls others writes them: at once */
    atomic_bool stop;
};

static struct counted shared;
static pthread_t counter;

/* The upper half changes with the lower one: a torn number is found out. */
static void *count(void *argument)
{
    struct counted *counted = argument;
    for (uint64_t i = 1; !atomic_load_explicit(&counted->stop, memory_order_relaxed); i++)
        for (int c = 0; c < COUNTERS; c++)
            counted->counters[c] = i << 32 | i;
    return NULL;
}

static void start(void)
{
    memset(&shared, 0, sizeof shared);
    ck_assert_int_eq(pthread_create(&counter, NULL, count, &shared), 0);
}

static void stop(void)
{
    atomic_store(&shared.stop, true);
    pthread_join(counter, NULL);
}

START_TEST(every_number_is_whole_and_never_falls)
{
    uint64_t before[COUNTERS] = {0}, now[COUNTERS];
    while (before[0] == 0)
        counters_copy((const void *)shared.counters, sizeof before, before);
    for (int reading = 0; reading < READINGS; reading++) {
        counters_copy((const void *)shared.counters, sizeof now, now);
        for (int c = 0; c < COUNTERS; c++) {
            ck_assert_uint_eq(now[c] >> 32, now[c] & UINT32_MAX);
            ck_assert_uint_ge(now[c], before[c]);
            before[c] = now[c];
        }
    }
}
END_TEST

START_TEST(copies_just_so_many)
{
    static const uint64_t from[3] = {1, UINT64_MAX, 3};
    uint64_t to[4] = {9, 9, 9, 9};
    static const uint64_t expected[4] = {1, UINT64_MAX, 3, 9};
    counters_copy(from, sizeof from, to);
    ck_assert_mem_eq(to, expected, sizeof to);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("counters");
    TCase *still = tcase_create("still"), *moving = tcase_create("moving");
    tcase_add_test(still, copies_just_so_many);
    tcase_add_checked_fixture(moving, start, stop);
    tcase_add_test(moving, every_number_is_whole_and_never_falls);
    suite_add_tcase(suite, still);
    suite_add_tcase(suite, moving);
    return suite;
}
