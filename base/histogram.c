#include "base/histogram.h"

#include "base/invariant.h"

#include <stddef.h>
#include <string.h>

#define MILLION 1000000u

/* The largest value of a bucket; the smallest is what follows the largest of the one before. */
static uint64_t bucket_high(uint32_t index)
{
    if (index < 2 * HISTOGRAM_HALF)
        return index;
    unsigned shift = index / HISTOGRAM_HALF - 1;
    uint64_t leading = index - shift * HISTOGRAM_HALF;
    return ((leading + 1) << shift) - 1;
}

void histogram_clear(struct histogram *histogram)
{
    memset(histogram, 0,
           offsetof(struct histogram, buckets) +
               histogram_used(histogram) * sizeof *histogram->buckets);
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
    for (uint32_t i = 0, used = histogram_used(from); i < used; i++)
        into->buckets[i] += from->buckets[i];
}

/* How many values must not exceed the quantile: rounded up, so that 99.9 % of ten are all ten. */
static uint64_t rank_of(uint64_t count, uint32_t parts_per_million)
{
    return count / MILLION * parts_per_million +
           (count % MILLION * parts_per_million + MILLION - 1) / MILLION;
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t parts_per_million)
{
    INVARIANT(parts_per_million <= MILLION);
    uint64_t rank = rank_of(histogram->count, parts_per_million), seen = 0;
    struct histogram_bucket bucket;
    for (uint32_t next = 0; histogram_next(histogram, &next, &bucket);) {
        seen += bucket.count;
        if (seen >= rank)
            return bucket.high < histogram->max ? bucket.high : histogram->max;
    }
    INVARIANT(histogram->count == 0);
    return 0;
}

double histogram_mean(const struct histogram *histogram)
{
    return histogram->count ? (double)histogram->sum / (double)histogram->count : 0;
}

struct histogram_summary histogram_summary(const struct histogram *histogram)
{
    return (struct histogram_summary){
        .p50 = histogram_quantile(histogram, 500000),
        .p90 = histogram_quantile(histogram, 900000),
        .p99 = histogram_quantile(histogram, 990000),
        .p999 = histogram_quantile(histogram, 999000),
        .max = histogram->max,
        .mean = histogram_mean(histogram),
    };
}

bool histogram_next(const struct histogram *histogram, uint32_t *next,
                    struct histogram_bucket *bucket)
{
    while (*next < HISTOGRAM_BUCKETS && histogram->buckets[*next] == 0)
        ++*next;
    if (*next == HISTOGRAM_BUCKETS)
        return false;
    bucket->low = *next ? bucket_high(*next - 1) + 1 : 0;
    bucket->high = bucket_high(*next);
    bucket->count = histogram->buckets[*next];
    ++*next;
    return true;
}
