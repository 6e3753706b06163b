#include "tests/crash/places.h"

#include "base/invariant.h"
#include "storage/batch.h"
#include "storage/reclaim/compact.h"
#include "storage/hint.h"
#include "storage/identity.h"
#include "storage/record.h"
#include "storage/segment.h"

#include <string.h>

static const char *const kinds[PLACE_KINDS] = {
    [PLACE_IDENTITY] = "STORE",
    [PLACE_SEGMENT_HEADER] = "headers of segments",
    [PLACE_BATCH_HEADER] = "headers of batches",
    [PLACE_RECORD_HEADER] = "headers of records",
    [PLACE_PAYLOAD] = "payloads of records",
    [PLACE_HINT_HEADER] = "headers of hints",
    [PLACE_HINT_BODY] = "bodies of hints",
    [PLACE_COMPACT_HEADER] = "headers of compacted segments",
    [PLACE_COMPACT_BODY] = "hints and maps of compacted segments",
};

const char *place_kind_text(enum place_kind kind)
{
    INVARIANT(kind < PLACE_KINDS);
    return kinds[kind];
}

/* A log's last batch so far. */
struct end {
    uint64_t sequence;
    uint32_t place; /* of its header */
};

static void add(struct places *places, enum place_kind kind, uint32_t node, uint64_t offset,
                uint64_t size)
{
    INVARIANT(places->count < PLACES_MAX);
    if (size > 0)
        places->items[places->count++] = (struct place){
            .kind = kind, .node = node, .offset = (uint32_t)offset, .size = (uint32_t)size};
}

static void add_records(struct places *places, const struct image *image, uint32_t node,
                        uint64_t offset, uint64_t end)
{
    while (offset < end) {
        struct record_header header;
        image_read(image, node, &header, sizeof(header), offset);
        uint64_t payload = (uint64_t)header.envelope_bytes +
                           (uint64_t)header.chunk_count * CHUNK_REF_BYTES + header.trace_bytes +
                           header.body_bytes;
        INVARIANT(header.record_bytes == record_size(payload));
        add(places, PLACE_RECORD_HEADER, node, offset, sizeof(header));
        add(places, PLACE_PAYLOAD, node, offset + sizeof(header), payload);
        offset += header.record_bytes;
    }
}

static void add_compact(struct places *places, const struct image *image, uint32_t node,
                        const struct compact_header *header)
{
    uint64_t body = header->hint_bytes + compact_map_bytes(header);
    uint64_t last = header->front + header->hint_bytes + compact_map_bytes(header);
    struct compact_place place = {.offset = 0};
    struct record_header record = {.record_bytes = 0};
    add(places, PLACE_COMPACT_HEADER, node, 0, sizeof(*header));
    add(places, PLACE_COMPACT_HEADER, node, header->bytes - IMAGE_PAGE_BYTES, sizeof(*header));
    add(places, PLACE_COMPACT_BODY, node, header->front, body);
    add(places, PLACE_COMPACT_BODY, node, header->back, body);
    if (header->count == 0)
        return;
    image_read(image, node, &place, sizeof(place), last - sizeof(place));
    uint64_t end = (uint64_t)place.offset * RECORD_ALIGN;
    image_read(image, node, &record, sizeof(record), end);
    add_records(places, image, node, header->records, end + record.record_bytes);
}

static void add_segment(struct places *places, const struct image *image, uint32_t node,
                        struct end *end)
{
    struct batch_header header;
    struct compact_header compact;
    uint64_t offset = SEGMENT_FIRST_BATCH;
    image_read(image, node, &compact, sizeof(compact), 0);
    if (compact.segment.format == STORE_FORMAT_COMPACT) {
        add_compact(places, image, node, &compact);
        return;
    }
    while (image_read(image, node, &header, sizeof(header), offset) == sizeof(header) &&
           header.used >= BATCH_HEADER_BYTES && header.epoch == compact.segment.epoch) {
        if (offset == SEGMENT_FIRST_BATCH)
            add(places, PLACE_SEGMENT_HEADER, node, 0, sizeof(struct segment_header));
        if (header.sequence > end->sequence)
            *end = (struct end){header.sequence, places->count};
        add(places, PLACE_BATCH_HEADER, node, offset, sizeof(header));
        add_records(places, image, node, offset + BATCH_HEADER_BYTES, offset + header.used);
        offset += header.bytes;
    }
}

static void add_log(struct places *places, const struct image *image, uint32_t folder)
{
    const struct image_node *directory = image->nodes[folder];
    struct end end = {0, 0};
    for (uint32_t i = 0; i < directory->entries_count; i++) {
        const struct image_entry *entry = &directory->entries[i];
        if (strstr(entry->name, ".seg"))
            add_segment(places, image, entry->node, &end);
        if (strstr(entry->name, ".idx")) {
            uint64_t size = image_size(image, entry->node);
            add(places, PLACE_HINT_HEADER, entry->node, 0, HINT_HEADER_BYTES);
            add(places, PLACE_HINT_BODY, entry->node, HINT_HEADER_BYTES, size - HINT_HEADER_BYTES);
        }
    }
    if (end.sequence > 0)
        places->items[end.place].last = true;
}

void places_find(struct places *places, const struct image *image, const char *folder)
{
    uint32_t store = image_find(image, IMAGE_ROOT, folder);
    places->count = 0;
    add(places, PLACE_IDENTITY, image_find(image, store, "STORE"), 0, STORE_IDENTITY_BYTES);
    for (uint32_t i = 0; i < image->nodes[store]->entries_count; i++) {
        const struct image_entry *entry = &image->nodes[store]->entries[i];
        if (image->nodes[entry->node]->is_directory)
            add_log(places, image, entry->node);
    }
}
