#include "tests/check_main.h"

#include "base/random.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

/* Reference outputs of SplitMix64 (Vigna's splitmix64.c). */
START_TEST(is_splitmix64)
{
    struct random random = {1234567};
    static const uint64_t expected[] = {6457827717110365317u, 3203168211198807973u,
                                        9817491932198370423u, 4593380528125082431u,
                                        16408922859458223821u};
    for (unsigned i = 0; i < sizeof expected / sizeof *expected; i++)
        ck_assert_uint_eq(random_next(&random), expected[i]);
}
END_TEST

START_TEST(below_stays_below_and_is_even)
{
    static const unsigned limits[] = {1, 2, 3, 10, 1000};
    for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct random random = {i};
        unsigned hits[1000] = {0}, outside = 0, uneven = 0;
        for (unsigned draw = 0; draw < limits[i] * 1000; draw++) {
            uint64_t number = random_below(&random, limits[i]);
            if (number < limits[i])
                hits[number]++;
            else
                outside++;
        }
        for (unsigned number = 0; number < limits[i]; number++)
            uneven += hits[number] < 800 || hits[number] > 1200;
        ck_assert_uint_eq(outside, 0);
        ck_assert_uint_eq(uneven, 0);
    }
}
END_TEST

static void ignore_signal(int number)
{
    (void)number;
}

/* A large getrandom(2) ends early when a signal comes. */
START_TEST(system_fills_all_of_it_and_no_more)
{
    const size_t size = (1 << 24) + 100;
    uint8_t *bytes = calloc(1, size + 1);
    ck_assert_ptr_nonnull(bytes);
    struct sigaction action = {.sa_handler = ignore_signal};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    struct itimerval often = {{.tv_usec = 5000}, {.tv_usec = 5000}};
    ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
    ck_assert(random_system(bytes, size) == STATUS_OK);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL), 0);
    ck_assert_uint_eq(bytes[size], 0);
    static const uint8_t zeros[32];
    for (size_t at = 0; at + sizeof zeros <= size; at += size / 100)
        ck_assert_mem_ne(bytes + at, zeros, sizeof zeros);
    ck_assert_mem_ne(bytes + size - sizeof zeros, zeros, sizeof zeros);
    ck_assert_mem_ne(bytes, bytes + size / 2, sizeof zeros);
    ck_assert(random_system(NULL, 0) == STATUS_OK);
    free(bytes);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("random");
    TCase *tcase = tcase_create("random");
    tcase_add_test(tcase, is_splitmix64);
    tcase_add_test(tcase, below_stays_below_and_is_even);
    tcase_add_test(tcase, system_fills_all_of_it_and_no_more);
    suite_add_tcase(suite, tcase);
    return suite;
}
