/* A fixed number of equal blocks, allocated once, handed out last-in first-out.
 *
 * Single-threaded. Never grows: pool_take returns NULL when all are out, and the caller turns that
 * into backpressure. Last-in first-out keeps the blocks in use few and warm in the cache. Memory is
 * touched only when a block is first taken, so a generous pool costs address space, not RAM. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

struct pool {
    uint8_t *blocks;    /* one mapping of block_bytes * count, and of what follows */
    uint32_t *returned; /* a stack of slots: taking one does not wait for the block's memory */
    size_t block_bytes; /* multiple of 64: */
    uint64_t inverse;   /* its odd part's, modulo 2^64, */
    unsigned shift;     /* and its power of two */
    uint32_t count;
    uint32_t returned_count;
    uint32_t fresh; /* blocks [fresh, count) were never taken */
    uint32_t taken; /* blocks out now */
};

/* `block_bytes` is rounded up to a multiple of 64 (4096 and above: of 4096, and aligned so that
 * direct I/O can use the blocks). FULL when the system has no memory. */
enum status pool_init(struct pool *pool, size_t block_bytes, uint32_t count) MUST_CHECK;
void pool_deinit(struct pool *pool);

void *pool_take(struct pool *pool);
/* Gives a block back; its contents stay as they are until it is taken. */
void pool_give(struct pool *pool, void *block);

/* Blocks that can still be taken. */
static inline uint32_t pool_left(const struct pool *pool)
{
    return pool->count - pool->taken;
}

/* How many blocks lie before an address, without dividing: a multiple of the block's size times the
 * inverse is the quotient, anything else becomes larger than any quotient (Granlund and Montgomery,
 * Division by Invariant Integers using Multiplication, section 9). */
static inline uint64_t pool_place(const struct pool *pool, const void *address)
{
    uint64_t product = (uint64_t)((uintptr_t)address - (uintptr_t)pool->blocks) * pool->inverse;
    return product >> pool->shift | product << (64 - pool->shift);
}

/* The place of a block in its pool, 0 … count-1, and back: slots for handles. */
static inline uint32_t pool_slot(const struct pool *pool, const void *block)
{
    return (uint32_t)pool_place(pool, block);
}

static inline void *pool_at(const struct pool *pool, uint32_t slot)
{
    return pool->blocks + (size_t)slot * pool->block_bytes;
}

#endif
