/* Having the cache fetch what will be used soon. A thread that is about to touch many objects waits
 * for the memory of all at once, if it fetches them first. Never faults. */
#ifndef BASE_FETCH_H
#define BASE_FETCH_H

#include <stddef.h>
#include <stdint.h>

static inline void fetch(const void *object, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64)
        __builtin_prefetch((const uint8_t *)object + at);
}

#endif
