/* The segment: one object of a log. Its first block says whose it is; batches follow.
 *
 * The header block is durable before the first batch is written. The epoch is drawn anew for every
 * segment and seeds the checksums of its batches: bytes that an earlier life left in the same place
 * never validate. So a dead segment's object may become another segment; until that is begun, a
 * blank header tells what is left in it from damage. An open segment is shared by the batches
 * written to it and closed by the last. */
#ifndef STORAGE_SEGMENT_H
#define STORAGE_SEGMENT_H

#include "storage/medium/medium.h"

#include <assert.h>
#include <stdint.h>

#define SEGMENT_FIRST_BATCH MEDIUM_BLOCK_BYTES /* offset */
#define SEGMENT_EPOCH_RECYCLED 1ull /* in an epoch: the object was another segment before */

struct segment_header { /* the rest of the block is zero */
    uint8_t magic[8];
    uint32_t crc; /* of what follows */
    uint32_t format;
    uint8_t store[16];
    uint64_t epoch;
    uint32_t shard;
    uint32_t number;
};
static_assert(sizeof(struct segment_header) == 48, "the segment header on disk");

/* The header alone, of a segment or of a compacted one. */
struct segment_header segment_header_make(const uint8_t store[16], struct medium_name name,
                                          uint64_t epoch, uint32_t format);
/* Fills a whole block: `name` is begun, or (blank) is made of a dead segment's object and is not.
 */
void segment_blank_seal(uint8_t block[MEDIUM_BLOCK_BYTES], const uint8_t store[16],
                        struct medium_name name);
void segment_header_seal(uint8_t block[MEDIUM_BLOCK_BYTES], const uint8_t store[16],
                         struct medium_name name, uint64_t epoch);

enum segment_check {
    SEGMENT_GOOD,
    SEGMENT_COMPACT, /* good, of a compacted one (compact.h) */
    SEGMENT_UNBORN,  /* all zero: prepared, never begun */
    SEGMENT_BLANK,   /* recycled, never begun: what follows is of a former life */
    SEGMENT_BAD,     /* anything else, another store's too */
    SEGMENT_NEWER,   /* good, of a newer format */
};
/* `epoch` is filled when the block is good. */
enum segment_check segment_header_check(const uint8_t block[MEDIUM_BLOCK_BYTES],
                                        const uint8_t store[16], struct medium_name name,
                                        uint64_t *epoch);

/* One being written. */
struct segment {
    struct medium *medium; /* NULL: abandoned */
    struct medium_object *object;
    uint64_t epoch;
    uint64_t bytes; /* whole blocks */
    uint32_t number;
    uint32_t users;
};

/* With one user. ABSENT, FULL (memory), or what the medium says. */
enum status segment_open(struct segment **segment, struct medium *medium, struct medium_name name,
                         uint64_t epoch) MUST_CHECK;
/* One user more. */
struct segment *segment_use(struct segment *segment);
/* Closes it with its last user; NULL is allowed. */
void segment_drop(struct segment *segment);

#endif
