/* How often values of each power of two came: a histogram that costs one addition.
 *
 * Bucket i counts the values in 2^(i-1) < value ≤ 2^i, bucket 0 those up to 1, the last one all
 * that are larger. Zeroed memory is an empty histogram. Whoever wants the sum keeps it. */
#ifndef BASE_POWERS_H
#define BASE_POWERS_H

#include <stdint.h>

#define POWERS 36u /* in nanoseconds: up to 34 s, then the rest */

struct powers {
    uint64_t counts[POWERS];
};

static inline uint32_t powers_index(uint64_t value)
{
    uint32_t bucket = value > 1 ? 64 - (uint32_t)__builtin_clzll(value - 1) : 0;
    return bucket < POWERS ? bucket : POWERS - 1;
}

static inline void powers_add(struct powers *powers, uint64_t value)
{
    powers->counts[powers_index(value)]++;
}

#endif
