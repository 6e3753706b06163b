#include "engine/load/row_index.h"

#include "base/invariant.h"

#include <stdlib.h>
#include <string.h>

#define PLACES_MIN 1024u
#define PLACES_MAX (1u << 31)

static struct row_place *make_places(uint32_t count)
{
    struct row_place *places = malloc((size_t)count * sizeof *places);
    if (places != NULL)
        memset(places, 0xFF, (size_t)count * sizeof *places); /* ROW_NONE all over */
    return places;
}

enum status row_index_init(struct row_index *index)
{
    struct row_place *places = make_places(PLACES_MIN);
    if (places == NULL)
        return STATUS_FULL;
    *index = (struct row_index){.places = places, .mask = PLACES_MIN - 1};
    return STATUS_OK;
}

void row_index_deinit(struct row_index *index)
{
    free(index->places);
    index->places = NULL;
}

static void put(struct row_index *index, struct row_place place)
{
    uint32_t at = place.hash & index->mask;
    while (index->places[at].row != ROW_NONE)
        at = (at + 1) & index->mask;
    index->places[at] = place;
}

/* The hashes are kept, so no key is looked at. */
static enum status grow(struct row_index *index)
{
    uint32_t before = index->mask + 1;
    struct row_place *old = index->places;
    struct row_place *places = before < PLACES_MAX ? make_places(before * 2) : NULL;
    if (places == NULL)
        return STATUS_FULL;
    index->places = places;
    index->mask = before * 2 - 1;
    for (uint32_t i = 0; i < before; i++)
        if (old[i].row != ROW_NONE)
            put(index, old[i]);
    free(old);
    return STATUS_OK;
}

enum status row_index_add(struct row_index *index, uint64_t hash, uint32_t row)
{
    INVARIANT(row != ROW_NONE);
    uint64_t places = (uint64_t)index->mask + 1;
    if ((index->count + 1ull) * 3 > places * 2) {
        enum status status = grow(index);
        if (status != STATUS_OK)
            return status;
    }
    put(index, (struct row_place){.hash = (uint32_t)hash, .row = row});
    index->count++;
    return STATUS_OK;
}
