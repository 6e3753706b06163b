/* Finds rows of a table by the hash of their key: open addressing, 8 bytes a place, at most two
 * thirds full. The rows, and so their keys, are the owner's; nothing is ever taken out. */
#ifndef ENGINE_LOAD_ROW_INDEX_H
#define ENGINE_LOAD_ROW_INDEX_H

#include "base/status.h"

#include <stdint.h>

#define ROW_NONE UINT32_MAX

struct row_index {
    struct row_place {
        uint32_t hash;
        uint32_t row; /* ROW_NONE: free */
    } * places;       /* a power of two */
    uint32_t mask;
    uint32_t count;
};

/* FULL: no memory. */
enum status row_index_init(struct row_index *index) MUST_CHECK;
void row_index_deinit(struct row_index *index);

/* The rows whose keys may have this hash, one by one: begins at row_index_start, ends with
 * ROW_NONE. The caller compares keys. */
static inline uint32_t row_index_start(const struct row_index *index, uint64_t hash)
{
    return (uint32_t)hash & index->mask;
}

static inline uint32_t row_index_next(const struct row_index *index, uint64_t hash, uint32_t *at)
{
    for (;;) {
        const struct row_place *place = &index->places[*at];
        *at = (*at + 1) & index->mask;
        if (place->row == ROW_NONE || place->hash == (uint32_t)hash)
            return place->row;
    }
}

/* A row whose key is not there yet; `row` < ROW_NONE. FULL: no memory, or half of all numbers are
 * taken; nothing happened. */
enum status row_index_add(struct row_index *index, uint64_t hash, uint32_t row) MUST_CHECK;

#endif
