/* Random numbers: from the system for secrets, from a seed for simulations and workloads.
 * The generator is SplitMix64 (Steele, Lea, Flood 2014): tiny, and any seed is a good seed. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Fills from getrandom(2). */
enum status random_system(void *out, size_t size) MUST_CHECK;

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = (random->state += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

/* Uniform in 0 … limit-1; `limit` > 0. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return (uint64_t)(__extension__(unsigned __int128) random_next(random) * limit >> 64);
}

#endif
