#include "storage/pack.h"

void pack_batch(struct pack *pack, const uint8_t *bytes, const struct batch_header *header,
                uint32_t record_seed)
{
    *pack =
        (struct pack){.segment = header->segment, .end_lsn = header->first_lsn + header->records};
    batch_walk(&pack->batch, bytes, header, record_seed);
}

void pack_stretch(struct pack *pack, uint32_t segment, const struct compact_place *map,
                  uint32_t count, struct span bytes, uint32_t record_seed)
{
    *pack = (struct pack){
        .segment = segment, .map = map, .count = count, .bytes = bytes.data, .size = bytes.size};
    pack->batch.seed = record_seed;
}

static bool batch_record(struct pack *pack, struct record *record, uint32_t *slot)
{
    if (!batch_next(&pack->batch, record))
        return false;
    uint64_t offset = (uint64_t)pack->batch.header.block * MEDIUM_BLOCK_BYTES;
    *slot = (uint32_t)((offset + pack->batch.offset) / RECORD_ALIGN);
    return true;
}

bool pack_next(struct pack *pack, struct record *record, uint32_t *slot)
{
    if (!pack->map)
        return batch_record(pack, record, slot);
    while (pack->next < pack->count) {
        const struct compact_place *place = &pack->map[pack->next++];
        uint64_t at = (uint64_t)(place->offset - pack->map[0].offset) * RECORD_ALIGN;
        struct span rest = span_of(pack->bytes + at, at <= pack->size ? pack->size - at : 0);
        if (record_check(rest, pack->batch.seed, record) != RECORD_GOOD)
            continue;
        *slot = place->slot;
        return true;
    }
    return false;
}
