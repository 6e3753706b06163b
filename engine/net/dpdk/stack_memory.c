#include "engine/net/dpdk/stack_memory.h"

#include "base/invariant.h"
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

enum { CLASSES = 5 };

/* Segments and references; headers; lwIP's side of a connection; a frame; a jumbo frame. */
static const size_t class_bytes[CLASSES] = {64, 192, 448, STACK_MEMORY_FRAME_BYTES,
                                            STACK_MEMORY_JUMBO_BYTES};

static struct pool pools[CLASSES]; /* lwIP has no context to carry them in */

enum status stack_memory_open(uint32_t connections, uint64_t kept_bytes)
{
    const uint64_t counts[CLASSES] = {
        65536 + (uint64_t)connections * 64,
        65536 + (uint64_t)connections * 48,
        8192 + (uint64_t)connections * 3,
        1024 + connections + kept_bytes / STACK_MEMORY_FRAME_BYTES,
        128 + connections + kept_bytes / STACK_MEMORY_JUMBO_BYTES,
    };
    for (unsigned i = 0; i < CLASSES; i++) {
        if (counts[i] < UINT32_MAX &&
            pool_init(&pools[i], class_bytes[i], (uint32_t)counts[i]) == STATUS_OK)
            continue;
        while (i-- > 0)
            pool_deinit(&pools[i]);
        return STATUS_FULL;
    }
    return STATUS_OK;
}

void stack_memory_close(void)
{
    for (unsigned i = 0; i < CLASSES; i++) {
        INVARIANT(pools[i].taken == 0);
        pool_deinit(&pools[i]);
    }
}

#if defined(__SANITIZE_ADDRESS__)
void *stack_memory_take(size_t size)
{
    return malloc(size);
}

void stack_memory_give(void *block)
{
    free(block);
}
#else
void *stack_memory_take(size_t size)
{
    for (unsigned i = 0; i < CLASSES; i++) {
        if (size > class_bytes[i])
            continue;
        void *block = pool_take(&pools[i]);
        if (block)
            return block;
    }
    return NULL;
}

static bool has(const struct pool *pool, const void *block)
{
    const uint8_t *at = block;
    return at >= pool->blocks && at < pool->blocks + pool->block_bytes * pool->count;
}

void stack_memory_give(void *block)
{
    unsigned i = 0;
    while (i < CLASSES && !has(&pools[i], block))
        i++;
    INVARIANT(i < CLASSES);
    pool_give(&pools[i], block);
}
#endif

void *stack_memory_take_zeroed(size_t count, size_t size)
{
    void *block = stack_memory_take(count * size);
    return block ? memset(block, 0, count * size) : NULL;
}
