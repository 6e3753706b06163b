/* The batch: one group commit, one durable write, a whole number of 4 KiB blocks.
 *
 * Header, records, zeroes. The header's checksum starts from the segment's epoch and covers the
 * checksum of the header before it, so that only what was written in this segment, in this order,
 * makes a chain. Records carry their own checksums; their numbers follow from the header's. */
#ifndef STORAGE_BATCH_H
#define STORAGE_BATCH_H

#include "storage/medium/medium.h"
#include "storage/record.h"

#include <assert.h>

#define BATCH_HEADER_BYTES 72u
#define BATCH_BYTES_MIN (64u * 1024)
#define BATCH_BYTES_MAX (4u * 1024 * 1024)

enum batch_flag { /* on disk */
                  BATCH_ANCHOR = 1
                                 << 0, /* the first of a run or after a failed write: no records */
                  BATCH_CLOSING = 1 << 1, /* the last of a run that ended in order: no records */
};

struct batch_header { /* on disk */
    uint32_t magic;
    uint32_t crc; /* of the header from `epoch` on, from the epoch's seed */
    uint64_t epoch;
    uint64_t sequence;     /* of the batch in its log: 1, 2, … over all segments */
    uint64_t durable_upto; /* every batch up to this one was durable when this one was written */
    uint64_t first_lsn;    /* of its first record (or of the next one, if it has none) */
    uint32_t shard;
    uint32_t segment;
    uint32_t block; /* own offset in the segment, in blocks of 4 KiB */
    uint32_t bytes; /* with padding: whole blocks */
    uint32_t used;  /* header and records */
    uint32_t records;
    uint32_t previous_crc; /* `crc` of the batch with sequence - 1 */
    uint16_t format;
    uint16_t flags;
};
static_assert(sizeof(struct batch_header) == BATCH_HEADER_BYTES, "the batch header on disk");
static_assert(offsetof(struct batch_header, shard) == 40, "the batch header on disk");

static inline uint32_t batch_round(uint32_t bytes)
{
    return (bytes + MEDIUM_BLOCK_BYTES - 1) & ~(MEDIUM_BLOCK_BYTES - 1);
}

/* Completes the header (magic, format, bytes, checksum), writes it to the start of `bytes` and
 * zeroes the padding behind `header->used`. Returns the header's checksum. */
uint32_t batch_seal(uint8_t *bytes, struct batch_header *header);

/* Where a batch is expected. */
struct batch_place {
    uint64_t epoch;
    uint64_t offset; /* in the segment */
    uint32_t shard;
    uint32_t segment;
};

/* True when `block` (at least BATCH_HEADER_BYTES) begins with a good header of this place; says
 * nothing about the records. */
bool batch_header_check(const uint8_t *block, const struct batch_place *place,
                        struct batch_header *header);

/* The records of a batch, good ones only. */
struct batch_cursor {
    const uint8_t *bytes;
    struct batch_header header;
    uint32_t seed; /* of the records */
    uint32_t offset, next;
    uint64_t lsn; /* of the next record */
    uint32_t bad; /* records that failed their checks so far */
};

/* `bytes` holds all of header->bytes. */
void batch_walk(struct batch_cursor *cursor, const uint8_t *bytes,
                const struct batch_header *header, uint32_t seed);
/* The next good record and, in cursor->offset, where it is in the batch. Records that fail their
 * checks are counted and passed over; the next is found again by its number. False at the end:
 * then every record of the header was either given or counted. */
bool batch_next(struct batch_cursor *cursor, struct record *record);

#endif
