/* Records that stand together in a segment: those of a batch, or a stretch of a compacted segment.
 * Bytes and map are borrowed. */
#ifndef STORAGE_PACK_H
#define STORAGE_PACK_H

#include "storage/batch.h"
#include "storage/reclaim/compact.h"

struct pack {
    uint32_t segment;
    uint64_t end_lsn; /* of the record that comes next behind it; 0: not known */
    /* Its own. */
    struct batch_cursor batch; /* when there is no map */
    const struct compact_place *map;
    uint32_t count, next; /* entries of the map */
    const uint8_t *bytes; /* from the first entry's offset on */
    uint64_t size;
};

/* A batch, all of whose bytes are there. */
void pack_batch(struct pack *pack, const uint8_t *bytes, const struct batch_header *header,
                uint32_t record_seed);
/* `count` ≥ 1 entries of a compacted segment's map, and the bytes from the first one's offset. */
void pack_stretch(struct pack *pack, uint32_t segment, const struct compact_place *map,
                  uint32_t count, struct span bytes, uint32_t record_seed);

/* The next good record and the slot it goes by. False at the end. */
bool pack_next(struct pack *pack, struct record *record, uint32_t *slot);

#endif
