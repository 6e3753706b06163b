#include "base/blocks.h"

const uint32_t block_bytes[BLOCK_CLASSES] = {
    [BLOCK_1K] = 1024,       [BLOCK_4K] = 4 * 1024,     [BLOCK_16K] = 16 * 1024,
    [BLOCK_64K] = 64 * 1024, [BLOCK_512K] = 512 * 1024,
};

enum status blocks_init(struct blocks *blocks, const uint32_t counts[BLOCK_CLASSES])
{
    *blocks = (struct blocks){0};
    for (unsigned class = 0; class < BLOCK_CLASSES; class ++) {
        enum status status = pool_init(&blocks->pools[class], block_bytes[class], counts[class]);
        if (status != STATUS_OK) {
            blocks_deinit(blocks);
            return status;
        }
    }
    return STATUS_OK;
}

void blocks_deinit(struct blocks *blocks)
{
    for (unsigned class = 0; class < BLOCK_CLASSES; class ++)
        pool_deinit(&blocks->pools[class]);
}
