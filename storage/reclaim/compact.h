/* A compacted segment: what is still needed of a sealed one, in its place and under its number.
 *
 * It stands in the log as the original does, with the same batches' and records' numbers, but holds
 * only records that are live, unchanged, close together. Its map leads from the slots they had in
 * the original, which links and chunk references name for ever, to where they are now; its own hint
 * says of mailboxes what is left. Hint and map are there twice, at either end, and so is the
 * header: no single damage takes more than one record. It is complete when it appears, and never
 * changes.
 *
 *   header | hint, map | records | hint, map | header
 *
 * It may stand for dead segments before it, too: then its numbers begin where theirs did. */
#ifndef STORAGE_RECLAIM_COMPACT_H
#define STORAGE_RECLAIM_COMPACT_H

#include "storage/hint.h"
#include "storage/segment.h"

#include <assert.h>

struct compact_header { /* on disk; the rest of its block is zero */
    struct segment_header segment;
    uint32_t crc;        /* of what follows, starting from the segment header's */
    uint32_t generation; /* 2, 3, … of this number */
    uint64_t bytes;      /* of the whole object */
    uint64_t front;      /* where the first copy of hint and map is */
    uint64_t back;       /* and the second; records end before it */
    uint64_t records;    /* where the first record is */
    uint64_t hint_bytes; /* the map follows at once */
    uint32_t count;      /* of records */
    uint32_t map_crc;    /* starting from the segment header's crc */
    uint64_t forgotten;  /* behind the number of the last deletion that was left out; 0: none was */
    struct hint_header hint; /* as it begins at `front` and at `back` */
};
static_assert(sizeof(struct compact_header) == 240, "the compacted segment's header on disk");

struct compact_place { /* an entry of the map, on disk; ascending. In units of 8 bytes: */
    uint32_t slot;     /* where the record was in the original */
    uint32_t offset;   /* where it is */
};
static_assert(sizeof(struct compact_place) == 8, "the map on disk");

static inline uint64_t compact_map_bytes(const struct compact_header *header)
{
    return (uint64_t)header->count * sizeof(struct compact_place);
}

/* Fills in where everything is, for a hint of `hint_bytes` (a multiple of 8) and records of
 * `record_bytes` in all. */
void compact_header_lay_out(struct compact_header *header, uint64_t hint_bytes, uint32_t count,
                            uint64_t record_bytes);

/* The checksum that header->map_crc must be. */
uint32_t compact_map_checksum(const struct compact_header *header, const struct compact_place *map);
/* Completes the checksum and fills a whole block. */
void compact_header_seal(uint8_t block[MEDIUM_BLOCK_BYTES], struct compact_header *header);

/* True when the block is a good header of this segment, whose object has `bytes`. */
bool compact_header_check(const uint8_t block[MEDIUM_BLOCK_BYTES], const uint8_t store[16],
                          struct medium_name name, uint64_t bytes, struct compact_header *header);

/* The entry of a slot; NULL: the record is gone. */
const struct compact_place *compact_find(const struct compact_place *map, uint32_t count,
                                         uint32_t slot);

#endif
