#include "storage/segment.h"

#include "base/crc32c.h"
#include "base/invariant.h"
#include "storage/identity.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char segment_magic[8] = "mailseg\n";

static uint32_t checksum(const struct segment_header *header)
{
    const size_t start = offsetof(struct segment_header, format);
    return crc32c(0, (const uint8_t *)header + start, sizeof(*header) - start);
}

struct segment_header segment_header_make(const uint8_t store[16], struct medium_name name,
                                          uint64_t epoch, uint32_t format)
{
    struct segment_header header = {
        .format = format,
        .epoch = epoch,
        .shard = name.shard,
        .number = name.number,
    };
    memcpy(header.magic, segment_magic, sizeof(header.magic));
    memcpy(header.store, store, sizeof(header.store));
    header.crc = checksum(&header);
    return header;
}

static void seal(uint8_t block[MEDIUM_BLOCK_BYTES], const struct segment_header *header)
{
    memset(block, 0, MEDIUM_BLOCK_BYTES);
    memcpy(block, header, sizeof(*header));
}

void segment_blank_seal(uint8_t block[MEDIUM_BLOCK_BYTES], const uint8_t store[16],
                        struct medium_name name)
{
    const struct segment_header header = segment_header_make(store, name, 0, STORE_FORMAT_BLANK);
    seal(block, &header);
}

void segment_header_seal(uint8_t block[MEDIUM_BLOCK_BYTES], const uint8_t store[16],
                         struct medium_name name, uint64_t epoch)
{
    const struct segment_header header = segment_header_make(store, name, epoch, STORE_FORMAT);
    seal(block, &header);
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

enum segment_check segment_header_check(const uint8_t block[MEDIUM_BLOCK_BYTES],
                                        const uint8_t store[16], struct medium_name name,
                                        uint64_t *epoch)
{
    struct segment_header header;
    memcpy(&header, block, sizeof(header));
    if (is_zero(block, MEDIUM_BLOCK_BYTES))
        return SEGMENT_UNBORN;
    if (memcmp(header.magic, segment_magic, sizeof(header.magic)) != 0 ||
        header.crc != checksum(&header) || memcmp(header.store, store, 16) != 0 ||
        header.shard != name.shard || header.number != name.number)
        return SEGMENT_BAD;
    if (header.format > STORE_FORMAT_BLANK)
        return SEGMENT_NEWER;
    if (header.format == STORE_FORMAT_BLANK)
        return SEGMENT_BLANK;
    *epoch = header.epoch;
    return header.format == STORE_FORMAT_COMPACT ? SEGMENT_COMPACT : SEGMENT_GOOD;
}

enum status segment_open(struct segment **segment, struct medium *medium, struct medium_name name,
                         uint64_t epoch)
{
    struct segment *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return STATUS_FULL;
    enum status status = medium->calls->open(medium, name, &opened->object);
    if (status != STATUS_OK) {
        free(opened);
        return status;
    }
    opened->medium = medium;
    opened->epoch = epoch;
    opened->bytes = medium->calls->size(opened->object) & ~(uint64_t)(MEDIUM_BLOCK_BYTES - 1);
    opened->number = name.number;
    opened->users = 1;
    *segment = opened;
    return STATUS_OK;
}

struct segment *segment_use(struct segment *segment)
{
    segment->users++;
    return segment;
}

void segment_drop(struct segment *segment)
{
    if (!segment)
        return;
    INVARIANT(segment->users > 0);
    if (--segment->users > 0)
        return;
    if (segment->medium)
        segment->medium->calls->close(segment->medium, segment->object);
    free(segment);
}
