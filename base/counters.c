#include "base/counters.h"

#include "base/invariant.h"

#include <stdint.h>

/* The race is meant: aligned words are never torn, and each is read once, as it is volatile. */
__attribute__((no_sanitize("thread"))) void counters_copy(const void *from, size_t bytes, void *to)
{
    const volatile uint64_t *source = from;
    uint64_t *copy = to;
    INVARIANT(bytes % sizeof *copy == 0);
    for (size_t i = 0; i < bytes / sizeof *copy; i++)
        copy[i] = source[i];
}
