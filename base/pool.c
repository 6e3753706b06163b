#include "base/pool.h"

#include "base/invariant.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#define CACHE_LINE_BYTES 64u
#define PAGE_BYTES 4096u

static bool is_block(const struct pool *pool, const void *block)
{
    uintptr_t offset = (uintptr_t)block - (uintptr_t)pool->blocks;
    return offset < pool->block_bytes * pool->fresh && offset % pool->block_bytes == 0;
}

enum status pool_init(struct pool *pool, size_t block_bytes, uint32_t count)
{
    INVARIANT(block_bytes > 0);
    size_t unit = block_bytes < PAGE_BYTES ? CACHE_LINE_BYTES : PAGE_BYTES;
    size_t rounded, total;
    if (__builtin_add_overflow(block_bytes, unit - 1, &rounded))
        return STATUS_FULL;
    rounded -= rounded % unit;
    if (__builtin_mul_overflow(rounded, count, &total))
        return STATUS_FULL;

    void *blocks = NULL;
    if (total > 0) {
        blocks = mmap(NULL, total, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (blocks == MAP_FAILED)
            return STATUS_FULL;
    }
    *pool = (struct pool){.blocks = blocks, .block_bytes = rounded, .count = count};
    return STATUS_OK;
}

void pool_deinit(struct pool *pool)
{
    if (pool->blocks != NULL)
        munmap(pool->blocks, pool->block_bytes * pool->count);
    *pool = (struct pool){0};
}

void *pool_take(struct pool *pool)
{
    void *block = pool->free_list;
    if (block != NULL)
        memcpy(&pool->free_list, block, sizeof pool->free_list);
    else if (pool->fresh < pool->count)
        block = pool_at(pool, pool->fresh++);
    else
        return NULL;
    pool->taken++;
    return block;
}

void pool_give(struct pool *pool, void *block)
{
    INVARIANT(is_block(pool, block));
    INVARIANT(pool->taken > 0);
    INVARIANT(block != pool->free_list);
    memcpy(block, &pool->free_list, sizeof pool->free_list);
    pool->free_list = block;
    pool->taken--;
}
