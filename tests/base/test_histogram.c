#include "base/histogram.h"
#include "base/random.h"
#include "tests/check_main.h"

#include <stdlib.h>
#include <string.h>

static struct histogram *a, *b, *c;

static void setup(void)
{
    a = calloc(1, sizeof *a);
    b = calloc(1, sizeof *b);
    c = calloc(1, sizeof *c);
    ck_assert(a && b && c);
}

static void teardown(void)
{
    free(a);
    free(b);
    free(c);
}

/* Every value is in exactly one bucket, buckets follow each other without gaps, and none is wider
 * than a thousandth of what it holds. */
START_TEST(buckets_cover_all_values_once)
{
    memset(b->buckets, 1, sizeof b->buckets);
    uint64_t expected_low = 0;
    struct histogram_bucket bucket;
    uint32_t next = 0, count = 0;
    for (; histogram_next(b, &next, &bucket); count++) {
        ck_assert_uint_eq(bucket.low, expected_low);
        ck_assert_uint_ge(bucket.high, bucket.low);
        ck_assert_uint_le((bucket.high - bucket.low) * 1000, bucket.low);
        ck_assert_uint_eq(histogram_bucket_of(bucket.low), count);
        ck_assert_uint_eq(histogram_bucket_of(bucket.high), count);
        expected_low = bucket.high + 1;
    }
    ck_assert_uint_eq(count, HISTOGRAM_BUCKETS);
    ck_assert_uint_eq(expected_low, HISTOGRAM_VALUE_MAX + 1);
}
END_TEST

START_TEST(empty)
{
    uint32_t next = 0;
    struct histogram_bucket bucket;
    ck_assert_uint_eq(histogram_quantile(a, 500000), 0);
    ck_assert_uint_eq(histogram_quantile(a, 1000000), 0);
    ck_assert_double_eq(histogram_mean(a), 0);
    ck_assert_uint_eq(a->max, 0);
    ck_assert(!histogram_next(a, &next, &bucket));
}
END_TEST

/* As far as it is used, and no trace of it is left. */
START_TEST(cleared)
{
    static const uint64_t values[] = {0, 1, 2047, 2048, 99999, HISTOGRAM_VALUE_MAX};
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        ck_assert_uint_eq(histogram_used(a), 0);
        histogram_record(a, values[i] / 2);
        histogram_record(a, values[i]);
        ck_assert_uint_eq(histogram_used(a), histogram_bucket_of(values[i]) + 1);
        histogram_clear(a);
        ck_assert_mem_eq(a, b, sizeof *a);
    }
}
END_TEST

START_TEST(known_figures)
{
    for (uint64_t value = 1; value <= 1000; value++)
        histogram_record(a, value);
    struct histogram_summary summary = histogram_summary(a);
    ck_assert_uint_eq(summary.p50, 500);
    ck_assert_uint_eq(summary.p90, 900);
    ck_assert_uint_eq(summary.p99, 990);
    ck_assert_uint_eq(summary.p999, 999);
    ck_assert_uint_eq(summary.max, 1000);
    ck_assert_double_eq(summary.mean, 500.5);
    ck_assert_uint_eq(histogram_quantile(a, 0), 1);
    ck_assert_uint_eq(histogram_quantile(a, 1), 1);
    ck_assert_uint_eq(histogram_quantile(a, 1000000), 1000);
}
END_TEST

/* A quantile is no more than the maximum even where its bucket goes further. */
START_TEST(single_values_come_back)
{
    static const uint64_t values[] = {0, 1, 2047, 2048, 123456789, HISTOGRAM_VALUE_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        memset(a, 0, sizeof *a);
        histogram_record(a, values[i]);
        ck_assert_uint_eq(histogram_quantile(a, 1), values[i]);
        ck_assert_uint_eq(histogram_quantile(a, 999000), values[i]);
        ck_assert_double_eq(histogram_mean(a), (double)values[i]);
    }
}
END_TEST

START_TEST(too_large_values_count_as_the_largest)
{
    histogram_record(a, HISTOGRAM_VALUE_MAX + 1);
    histogram_record(a, UINT64_MAX);
    histogram_record(b, HISTOGRAM_VALUE_MAX);
    histogram_record(b, HISTOGRAM_VALUE_MAX);
    ck_assert_mem_eq(a, b, sizeof *a);
}
END_TEST

/* Enough values that count × 1,000,000 would not fit into 64 bits. */
START_TEST(astronomic_counts)
{
    a->buckets[7] = 1ull << 62;
    a->buckets[9] = 1ull << 62;
    a->count = 1ull << 63;
    a->max = 9;
    ck_assert_uint_eq(histogram_quantile(a, 499999), 7);
    ck_assert_uint_eq(histogram_quantile(a, 500000), 7);
    ck_assert_uint_eq(histogram_quantile(a, 500001), 9);
}
END_TEST

static uint64_t draw(struct random *random)
{
    return random_next(random) >> (24 + random_below(random, 40));
}

static int by_value(const void *left, const void *right)
{
    uint64_t x = *(const uint64_t *)left, y = *(const uint64_t *)right;
    return x < y ? -1 : x > y;
}

/* Against the definition: sort, and take the value of that rank. */
START_TEST(quantiles_are_those_of_the_sorted_values)
{
    enum { VALUES_MAX = 4000 };
    static const uint32_t quantiles[] = {0,      1,      1000,   250000, 500000,
                                         900000, 990000, 999000, 999999, 1000000};
    static uint64_t values[VALUES_MAX];
    struct random random = {(uint64_t)_i};
    size_t count = 1 + random_below(&random, VALUES_MAX);
    for (size_t i = 0; i < count; i++)
        histogram_record(a, values[i] = draw(&random));
    qsort(values, count, sizeof *values, by_value);
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        size_t rank = (count * quantiles[i] + 999999) / 1000000;
        uint64_t exact = values[rank ? rank - 1 : 0];
        uint64_t found = histogram_quantile(a, quantiles[i]);
        ck_assert_uint_ge(found, exact);
        ck_assert_uint_le((found - exact) * 1000, exact);
    }
    ck_assert_uint_eq(histogram_quantile(a, 1000000), values[count - 1]);
}
END_TEST

START_TEST(merging_is_recording_all)
{
    struct random random = {(uint64_t)_i};
    uint64_t count = random_below(&random, 3000);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value = draw(&random);
        histogram_record(c, value);
        histogram_record(random_below(&random, 2) ? a : b, value);
    }
    histogram_merge(a, b);
    ck_assert_mem_eq(a, c, sizeof *a);
}
END_TEST

/* What an export lists is all that was recorded, in order. */
START_TEST(iteration_lists_what_was_recorded)
{
    struct random random = {4711};
    for (unsigned i = 0; i < 2000; i++)
        histogram_record(a, draw(&random));
    uint64_t count = 0, before = 0;
    struct histogram_bucket bucket;
    for (uint32_t next = 0; histogram_next(a, &next, &bucket);) {
        ck_assert_uint_gt(bucket.count, 0);
        ck_assert(count == 0 || bucket.low > before);
        before = bucket.high;
        count += bucket.count;
    }
    ck_assert_uint_eq(count, 2000);
    ck_assert_uint_ge(before, a->max);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("histogram");
    TCase *tcase = tcase_create("histogram");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, buckets_cover_all_values_once);
    tcase_add_test(tcase, empty);
    tcase_add_test(tcase, cleared);
    tcase_add_test(tcase, known_figures);
    tcase_add_test(tcase, single_values_come_back);
    tcase_add_test(tcase, too_large_values_count_as_the_largest);
    tcase_add_test(tcase, astronomic_counts);
    tcase_add_loop_test(tcase, quantiles_are_those_of_the_sorted_values, 0, 50);
    tcase_add_loop_test(tcase, merging_is_recording_all, 0, 20);
    tcase_add_test(tcase, iteration_lists_what_was_recorded);
    suite_add_tcase(suite, tcase);
    return suite;
}
