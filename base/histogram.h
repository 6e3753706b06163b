/* How often values of each power of two came: a histogram that costs one addition.
 *
 * Bucket i counts the values in 2^(i-1) < value ≤ 2^i, bucket 0 those up to 1, the last one all
 * that are larger. Zeroed memory is an empty histogram. Whoever wants the sum keeps it. */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 36u /* in nanoseconds: up to 34 s, then the rest */

struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS];
};

static inline uint32_t histogram_bucket(uint64_t value)
{
    uint32_t bucket = value > 1 ? 64 - (uint32_t)__builtin_clzll(value - 1) : 0;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static inline void histogram_add(struct histogram *histogram, uint64_t value)
{
    histogram->counts[histogram_bucket(value)]++;
}

#endif
