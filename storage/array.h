/* Arrays that grow, for cold paths: running out of memory there is the end of the process. */
#ifndef STORAGE_ARRAY_H
#define STORAGE_ARRAY_H

#include "base/invariant.h"

#include <stdint.h>
#include <stdlib.h>

/* The array, wherever it is now, with room for one more than `count` of `size` bytes each. */
static inline void *array_room(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    INVARIANT(*capacity <= UINT32_MAX / 2);
    *capacity = *capacity ? *capacity * 2 : 64;
    array = realloc(array, *capacity * size);
    INVARIANT(array);
    return array;
}

#endif
