/* A shard's working memory: a few pools of blocks by size class, sized at start.
 *
 * Sessions hold blocks only while they need them (a half-received command, an envelope, replies
 * waiting for a commit), so an idle session costs none. Taking from an empty class gives NULL,
 * never a larger block: the caller turns that into backpressure or a 4xx. Single-threaded. */
#ifndef BASE_BLOCKS_H
#define BASE_BLOCKS_H

#include "base/pool.h"

enum block_class {
    BLOCK_1K,
    BLOCK_4K,
    BLOCK_16K,
    BLOCK_64K,
    BLOCK_512K,
    BLOCK_CLASSES,
};

extern const uint32_t block_bytes[BLOCK_CLASSES]; /* 1024, 4096, … */

struct blocks {
    struct pool pools[BLOCK_CLASSES];
};

/* `counts`: how many of each class. */
enum status blocks_init(struct blocks *blocks, const uint32_t counts[BLOCK_CLASSES]) MUST_CHECK;
void blocks_deinit(struct blocks *blocks);

static inline void *blocks_take(struct blocks *blocks, enum block_class class)
{
    return pool_take(&blocks->pools[class]);
}

static inline void blocks_give(struct blocks *blocks, enum block_class class, void *block)
{
    pool_give(&blocks->pools[class], block);
}

#endif
