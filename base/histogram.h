/* A histogram of times: log-linear buckets with three significant digits (as in HdrHistogram),
 * constant memory, recorded into on the hot path and merged afterwards.
 *
 * Values are 0 … HISTOGRAM_VALUE_MAX in any unit; larger ones count as that. Values below 2048 have
 * a bucket each; above, every power of two is cut into 1024 buckets, so that a value read back is
 * less than one thousandth too large and never too small. Zeroed memory is an empty histogram. Not
 * thread-safe: one per thread, merged by whoever reports. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#define HISTOGRAM_BITS 40 /* of a value: 18 minutes in nanoseconds, 12 days in microseconds */
#define HISTOGRAM_VALUE_MAX ((UINT64_C(1) << HISTOGRAM_BITS) - 1)
#define HISTOGRAM_LINEAR_BITS 11 /* values of so many bits are kept exactly */
#define HISTOGRAM_HALF (1u << (HISTOGRAM_LINEAR_BITS - 1)) /* buckets of a power of two */
#define HISTOGRAM_BUCKETS ((HISTOGRAM_BITS - HISTOGRAM_LINEAR_BITS + 2) * HISTOGRAM_HALF)

struct histogram {
    uint64_t count; /* values recorded */
    uint64_t sum;   /* of the values as recorded: exact up to 2^64 */
    uint64_t max;   /* exact; 0 when empty */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* The bucket of a value ≤ HISTOGRAM_VALUE_MAX: its leading HISTOGRAM_LINEAR_BITS bits, and how far
 * they were shifted. */
static inline uint32_t histogram_bucket_of(uint64_t value)
{
    unsigned bits = 64u - (unsigned)__builtin_clzll(value | 1);
    unsigned shift = bits > HISTOGRAM_LINEAR_BITS ? bits - HISTOGRAM_LINEAR_BITS : 0;
    return shift * HISTOGRAM_HALF + (uint32_t)(value >> shift);
}

static inline void histogram_record(struct histogram *histogram, uint64_t value)
{
    if (value > HISTOGRAM_VALUE_MAX)
        value = HISTOGRAM_VALUE_MAX;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max)
        histogram->max = value;
    histogram->buckets[histogram_bucket_of(value)]++;
}

/* How many buckets, from the first on, may hold anything. The rest is not touched, not even to be
 * read: memory that nothing was ever recorded in stays with the system. */
static inline uint32_t histogram_used(const struct histogram *histogram)
{
    return histogram->count == 0 ? 0 : histogram_bucket_of(histogram->max) + 1;
}

/* Empty again; touches what was used. */
void histogram_clear(struct histogram *histogram);

/* Adds everything recorded in `from`: the same as if it had been recorded in `into`. */
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The least value, rounded up to the end of its bucket but never beyond the maximum, that at least
 * `parts_per_million` of all values do not exceed: 500000 is the median, 1000000 the maximum. 0
 * when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t parts_per_million);

double histogram_mean(const struct histogram *histogram); /* exact; 0 when empty */

struct histogram_summary {
    uint64_t p50, p90, p99, p999, max;
    double mean;
};

/* The figures of a report. */
struct histogram_summary histogram_summary(const struct histogram *histogram);

struct histogram_bucket {
    uint64_t low, high; /* the values it stands for, both included */
    uint64_t count;     /* > 0 */
};

/* The next bucket that is not empty, in order of values; false: there is none. `*next` begins at 0
 * and is the iteration's own. */
bool histogram_next(const struct histogram *histogram, uint32_t *next,
                    struct histogram_bucket *bucket);

#endif
