#include "storage/batch.h"

#include "base/crc32c.h"
#include "base/invariant.h"
#include "storage/identity.h"

#include <string.h>

#define BATCH_MAGIC 0x6874624Du /* "Mbth" */

static uint32_t checksum(const struct batch_header *header)
{
    const size_t start = offsetof(struct batch_header, epoch);
    return crc32c((uint32_t)(header->epoch ^ header->epoch >> 32), (const uint8_t *)header + start,
                  sizeof(*header) - start);
}

uint32_t batch_seal(uint8_t *bytes, struct batch_header *header)
{
    INVARIANT(header->used >= BATCH_HEADER_BYTES && header->used <= BATCH_BYTES_MAX);
    header->magic = BATCH_MAGIC;
    header->format = STORE_FORMAT;
    header->bytes = batch_round(header->used);
    header->crc = checksum(header);
    memcpy(bytes, header, sizeof(*header));
    memset(bytes + header->used, 0, header->bytes - header->used);
    return header->crc;
}

bool batch_header_check(const uint8_t *block, const struct batch_place *place,
                        struct batch_header *header)
{
    struct batch_header read;
    memcpy(&read, block, sizeof(read));
    if (read.magic != BATCH_MAGIC || read.epoch != place->epoch || read.shard != place->shard ||
        read.segment != place->segment ||
        (uint64_t)read.block * MEDIUM_BLOCK_BYTES != place->offset || read.crc != checksum(&read))
        return false;
    if (read.format > STORE_FORMAT || read.used < BATCH_HEADER_BYTES ||
        read.used > BATCH_BYTES_MAX || read.bytes != batch_round(read.used))
        return false;
    *header = read;
    return true;
}

void batch_walk(struct batch_cursor *cursor, const uint8_t *bytes,
                const struct batch_header *header, uint32_t seed)
{
    *cursor = (struct batch_cursor){
        .bytes = bytes,
        .header = *header,
        .seed = seed,
        .next = BATCH_HEADER_BYTES,
        .lsn = header->first_lsn,
    };
}

bool batch_next(struct batch_cursor *cursor, struct record *record)
{
    const struct batch_header *header = &cursor->header;
    uint64_t end_lsn = header->first_lsn + header->records;
    uint32_t step;
    for (; cursor->next < header->used && cursor->lsn < end_lsn; cursor->next += step) {
        struct span rest = span_of(cursor->bytes + cursor->next, header->used - cursor->next);
        enum record_check check = record_check(rest, cursor->seed, record);
        bool ours = check != RECORD_BAD_HEADER && record->header.shard == header->shard &&
                    record->header.lsn >= cursor->lsn && record->header.lsn < end_lsn;
        step = ours ? record->header.record_bytes : RECORD_ALIGN;
        if (!ours)
            continue;
        cursor->bad += (uint32_t)(record->header.lsn - cursor->lsn);
        cursor->lsn = record->header.lsn + 1;
        if (check == RECORD_GOOD) {
            cursor->offset = cursor->next;
            cursor->next += step;
            return true;
        }
        cursor->bad++;
    }
    cursor->bad += (uint32_t)(end_lsn - cursor->lsn);
    cursor->lsn = end_lsn;
    return false;
}
