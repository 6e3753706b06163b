#include "engine/load/tally.h"

#include "tests/check_main.h"

#include <stdlib.h>

START_TEST(every_phase_has_a_name_of_its_own)
{
    for (enum tally_phase a = 0; a < TALLY_PHASES; a++)
        for (enum tally_phase b = 0; b < a; b++)
            ck_assert_str_ne(tally_phase_name(a), tally_phase_name(b));
}
END_TEST

/* A tally is counters all through, but for the maxima of its histograms. */
START_TEST(merging_adds_everything)
{
    struct tally *a = calloc(1, sizeof *a), *b = calloc(1, sizeof *b);
    ck_assert(a != NULL && b != NULL);
    size_t counters = offsetof(struct tally, latency) / sizeof(uint64_t);
    for (size_t i = 0; i < counters; i++) {
        ((uint64_t *)a)[i] = i;
        ((uint64_t *)b)[i] = 1000000 - i;
    }
    for (enum tally_phase phase = 0; phase < TALLY_PHASES; phase++) {
        histogram_record(&a->latency[phase], 10);
        histogram_record(&b->latency[phase], 20 + phase);
    }
    tally_merge(a, b);
    for (size_t i = 0; i < counters; i++)
        ck_assert_msg(((uint64_t *)a)[i] == 1000000, "counter %zu", i);
    for (enum tally_phase phase = 0; phase < TALLY_PHASES; phase++) {
        ck_assert_uint_eq(a->latency[phase].count, 2);
        ck_assert_uint_eq(a->latency[phase].max, 20 + phase);
    }
    free(a);
    free(b);
}
END_TEST

START_TEST(what_is_under_way_has_not_ended)
{
    struct tally_outcomes outcomes = {
        .sent = 20, .acked = 1, .refused = 2, .failed = 3, .doubtful = 4};
    ck_assert_uint_eq(tally_in_flight(&outcomes), 10);
    outcomes.acked = 12; /* one was sent since that was looked at */
    ck_assert_uint_eq(tally_in_flight(&outcomes), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tally");
    TCase *tcase = tcase_create("tally");
    tcase_add_test(tcase, every_phase_has_a_name_of_its_own);
    tcase_add_test(tcase, merging_adds_everything);
    tcase_add_test(tcase, what_is_under_way_has_not_ended);
    suite_add_tcase(suite, tcase);
    return suite;
}
