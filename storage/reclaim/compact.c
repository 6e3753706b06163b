#include "storage/reclaim/compact.h"

#include "base/crc32c.h"
#include "storage/identity.h"
#include "storage/record.h"

#include <stddef.h>
#include <string.h>

static uint64_t round_up(uint64_t bytes)
{
    return (bytes + MEDIUM_BLOCK_BYTES - 1) & ~(uint64_t)(MEDIUM_BLOCK_BYTES - 1);
}

void compact_header_lay_out(struct compact_header *header, uint64_t hint_bytes, uint32_t count,
                            uint64_t record_bytes)
{
    header->hint_bytes = hint_bytes;
    header->count = count;
    uint64_t words = round_up(hint_bytes + compact_map_bytes(header));
    header->front = MEDIUM_BLOCK_BYTES;
    header->records = header->front + words;
    header->back = header->records + round_up(record_bytes);
    header->bytes = header->back + words + MEDIUM_BLOCK_BYTES;
}

static uint32_t checksum(const struct compact_header *header)
{
    const size_t start = offsetof(struct compact_header, generation);
    return crc32c(header->segment.crc, (const uint8_t *)header + start, sizeof(*header) - start);
}

uint32_t compact_map_checksum(const struct compact_header *header, const struct compact_place *map)
{
    return crc32c(header->segment.crc, map, compact_map_bytes(header));
}

void compact_header_seal(uint8_t block[MEDIUM_BLOCK_BYTES], struct compact_header *header)
{
    header->crc = checksum(header);
    memset(block, 0, MEDIUM_BLOCK_BYTES);
    memcpy(block, header, sizeof(*header));
}

/* A header that passes its checksum was laid out by us; the object may have been cut since. */
bool compact_header_check(const uint8_t block[MEDIUM_BLOCK_BYTES], const uint8_t store[16],
                          struct medium_name name, uint64_t bytes, struct compact_header *header)
{
    struct compact_header read;
    uint64_t epoch;
    memcpy(&read, block, sizeof(read));
    if (segment_header_check(block, store, name, &epoch) != SEGMENT_COMPACT ||
        read.crc != checksum(&read) || read.bytes != bytes)
        return false;
    *header = read;
    return true;
}

const struct compact_place *compact_find(const struct compact_place *map, uint32_t count,
                                         uint32_t slot)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (map[middle].slot < slot)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && map[low].slot == slot ? &map[low] : NULL;
}
