#include "base/pool.h"

#include "base/invariant.h"

#include <sys/mman.h>

#define CACHE_LINE_BYTES 64u
#define PAGE_BYTES 4096u

/* That of an odd number modulo 2^64 (Newton's iteration doubles the bits that are right). */
static uint64_t inverse_of(uint64_t odd)
{
    uint64_t inverse = odd;
    for (int i = 0; i < 5; i++)
        inverse *= 2 - odd * inverse;
    return inverse;
}

/* Of `count` blocks, and the stack of those that came back. */
static size_t mapped_bytes(size_t block_bytes, uint32_t count)
{
    size_t each, total;
    if (__builtin_add_overflow(block_bytes, sizeof(uint32_t), &each) ||
        __builtin_mul_overflow(each, count, &total))
        return SIZE_MAX;
    return total;
}

enum status pool_init(struct pool *pool, size_t block_bytes, uint32_t count)
{
    INVARIANT(block_bytes > 0);
    size_t unit = block_bytes < PAGE_BYTES ? CACHE_LINE_BYTES : PAGE_BYTES;
    size_t rounded;
    if (__builtin_add_overflow(block_bytes, unit - 1, &rounded))
        return STATUS_FULL;
    rounded -= rounded % unit;
    size_t total = mapped_bytes(rounded, count);
    if (total == SIZE_MAX)
        return STATUS_FULL;

    uint8_t *blocks = NULL;
    if (total > 0) {
        blocks = mmap(NULL, total, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (blocks == MAP_FAILED)
            return STATUS_FULL;
    }
    unsigned shift = (unsigned)__builtin_ctzll(rounded);
    *pool = (struct pool){.blocks = blocks,
                          .returned = (uint32_t *)(void *)(blocks + rounded * count),
                          .block_bytes = rounded,
                          .inverse = inverse_of(rounded >> shift),
                          .shift = shift,
                          .count = count};
    return STATUS_OK;
}

void pool_deinit(struct pool *pool)
{
    if (pool->blocks != NULL)
        munmap(pool->blocks, mapped_bytes(pool->block_bytes, pool->count));
    *pool = (struct pool){0};
}

void *pool_take(struct pool *pool)
{
    uint32_t slot;
    if (pool->returned_count > 0)
        slot = pool->returned[--pool->returned_count];
    else if (pool->fresh < pool->count)
        slot = pool->fresh++;
    else
        return NULL;
    pool->taken++;
    return pool_at(pool, slot);
}

void pool_give(struct pool *pool, void *block)
{
    uint64_t slot = pool_place(pool, block);
    INVARIANT(slot < pool->fresh);
    INVARIANT(pool->taken > 0);
    INVARIANT(pool->returned_count == 0 || pool->returned[pool->returned_count - 1] != slot);
    pool->returned[pool->returned_count++] = (uint32_t)slot;
    pool->taken--;
}
