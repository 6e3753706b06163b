#include "storage/scan.h"

#include "base/invariant.h"

#include <stdlib.h>
#include <string.h>

#define READ_ATTEMPTS 3
#define SEARCH_AFTER_CLOSE SCAN_WINDOW_BYTES

/* ---- the window ---- */

/* Block by block, when a read of many failed: what can't be read reads as zeroes. */
static void read_blocks(struct scan *scan, uint64_t offset, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes; at += MEDIUM_BLOCK_BYTES) {
        int64_t got = -1;
        for (int i = 0; i < READ_ATTEMPTS && got != MEDIUM_BLOCK_BYTES; i++)
            got = medium_read_wait(scan->medium, scan->object, scan->window + at,
                                   MEDIUM_BLOCK_BYTES, offset + at);
        if (got != MEDIUM_BLOCK_BYTES) {
            memset(scan->window + at, 0, MEDIUM_BLOCK_BYTES);
            scan->unreadable += offset + at >= scan->read_upto; /* not when it is read again */
        }
    }
}

/* `need` bytes (up to a window) at `offset`, or NULL when the segment ends before. */
static const uint8_t *window_at(struct scan *scan, uint64_t offset, uint32_t need)
{
    if (offset > scan->bytes || need > scan->bytes - offset)
        return NULL;
    if (offset >= scan->window_offset && offset + need <= scan->window_offset + scan->window_bytes)
        return scan->window + (offset - scan->window_offset);
    uint64_t left = scan->bytes - offset;
    uint32_t bytes = left < SCAN_WINDOW_BYTES ? (uint32_t)left : SCAN_WINDOW_BYTES;
    scan->window_offset = offset;
    scan->window_bytes = bytes;
    if (medium_read_wait(scan->medium, scan->object, scan->window, bytes, offset) != bytes)
        read_blocks(scan, offset, bytes);
    if (offset + bytes > scan->read_upto)
        scan->read_upto = offset + bytes;
    return scan->window;
}

/* ---- batches ---- */

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static struct batch_place place_at(const struct scan *scan, uint64_t offset)
{
    return (struct batch_place){
        .epoch = scan->epoch,
        .offset = offset,
        .shard = scan->name.shard,
        .segment = scan->name.number,
    };
}

static bool header_at(struct scan *scan, uint64_t offset, struct batch_header *header)
{
    struct batch_place place = place_at(scan, offset);
    const uint8_t *block = window_at(scan, offset, MEDIUM_BLOCK_BYTES);
    if (!block || !batch_header_check(block, &place, header))
        return false;
    bool whole = header->bytes <= scan->bytes - offset;
    scan->cut = scan->cut || !whole;
    return whole;
}

static void read_records(struct scan *scan, struct scan_batch *batch)
{
    struct batch_cursor cursor;
    struct record record;
    const uint8_t *bytes = window_at(scan, batch->offset, batch->header.bytes);
    INVARIANT(bytes);
    batch->record_bytes = 0;
    scan->hint.size = batch->hint_start;
    batch_walk(&cursor, bytes, &batch->header, scan->record_seed);
    while (batch_next(&cursor, &record)) {
        uint32_t slot = (uint32_t)((batch->offset + cursor.offset) / RECORD_ALIGN);
        batch->record_bytes += record.header.record_bytes;
        hint_record(&scan->hint, &record, slot, scan->names);
        if (scan->record)
            scan->record(scan->context, &record, scan->name.number, slot);
    }
    batch->bad = cursor.bad;
    batch->hint_end = scan->hint.size;
}

static enum status add_batch(struct scan *scan, const struct batch_header *header, uint64_t offset)
{
    if (scan->count == scan->capacity) {
        uint32_t capacity = scan->capacity ? scan->capacity * 2 : 64;
        struct scan_batch *batches = realloc(scan->batches, capacity * sizeof(*scan->batches));
        if (!batches)
            return STATUS_SYSTEM;
        scan->batches = batches;
        scan->capacity = capacity;
    }
    struct scan_batch *batch = &scan->batches[scan->count++];
    *batch =
        (struct scan_batch){.header = *header, .offset = offset, .hint_start = scan->hint.size};
    read_records(scan, batch);
    if (batch->bad > 0) {
        scan->window_bytes = 0;
        read_records(scan, batch);
    }
    return scan->hint.failed ? STATUS_SYSTEM : STATUS_OK;
}

/* How far to look for batches behind `offset`, where none is. */
static uint64_t search_end(const struct scan *scan, uint64_t offset)
{
    bool closed = scan->count > 0 ? scan->batches[scan->count - 1].header.flags & BATCH_CLOSING
                                  : scan->after_close;
    if (scan->thorough || !closed || scan->bytes - offset < SEARCH_AFTER_CLOSE)
        return scan->bytes;
    return offset + SEARCH_AFTER_CLOSE;
}

static bool is_of_this_life(const struct scan *scan, const uint8_t *block)
{
    struct batch_header header;
    memcpy(&header, block, sizeof(header));
    return header.epoch == scan->epoch;
}

/* A batch of the segment that the object was before: it was recycled, which the epoch does not say
 * in older stores. */
static bool is_of_former_life(const struct scan *scan, const uint8_t *block, uint64_t offset)
{
    struct batch_place place = place_at(scan, offset);
    struct batch_header header;
    memcpy(&header, block, sizeof(header));
    place.epoch = header.epoch;
    place.segment = header.segment;
    return header.segment != scan->name.number && batch_header_check(block, &place, &header);
}

/* The next batch behind `offset`, where none is; the segment's size when there is none. */
static uint64_t search(struct scan *scan, uint64_t offset, struct batch_header *header)
{
    uint64_t end = search_end(scan, offset);
    bool any = false, ours = false, recycled = scan->epoch & SEGMENT_EPOCH_RECYCLED;
    for (; offset < end; offset += MEDIUM_BLOCK_BYTES) {
        if (header_at(scan, offset, header))
            return offset;
        const uint8_t *block = window_at(scan, offset, MEDIUM_BLOCK_BYTES);
        any = any || !is_zero(block, MEDIUM_BLOCK_BYTES);
        ours = ours || is_of_this_life(scan, block);
        recycled = recycled || is_of_former_life(scan, block, offset);
    }
    scan->leftovers = recycled ? ours : any;
    return scan->bytes;
}

static enum status scan_batches(struct scan *scan)
{
    struct batch_header header;
    uint64_t offset = SEGMENT_FIRST_BATCH;
    while (offset < scan->bytes) {
        if (header_at(scan, offset, &header)) {
            enum status status = add_batch(scan, &header, offset);
            if (status != STATUS_OK)
                return status;
            offset += header.bytes;
            continue;
        }
        uint64_t next = search(scan, offset, &header);
        /* A writer may have completed the batch here before it wrote the one there. */
        scan->window_bytes = 0;
        if (!header_at(scan, offset, &header))
            offset = next;
    }
    return STATUS_OK;
}

/* ---- compacted segments ---- */

static void compact_record(struct scan *scan, const struct contents *contents, uint32_t index)
{
    const struct compact_place *place = &contents->map[index];
    struct record record;
    uint64_t offset = (uint64_t)place->offset * RECORD_ALIGN;
    uint64_t end = index + 1 < contents->header.count
                       ? (uint64_t)contents->map[index + 1].offset * RECORD_ALIGN
                       : contents->header.back;
    for (int i = 0; i < 2; i++) { /* what looks damaged is read again */
        const uint8_t *bytes = window_at(scan, offset, (uint32_t)(end - offset));
        if (bytes &&
            record_check(span_of(bytes, end - offset), scan->record_seed, &record) == RECORD_GOOD) {
            hint_record(&scan->hint, &record, place->slot, scan->names);
            if (scan->record)
                scan->record(scan->context, &record, scan->name.number, place->slot);
            return;
        }
        scan->window_bytes = 0;
    }
    scan->bad++;
}

static enum status scan_compact(struct scan *scan, const struct contents *contents)
{
    scan->check = SEGMENT_COMPACT;
    scan->epoch = contents->epoch;
    scan->own = contents->header.hint;
    hint_init(&scan->hint, scan->store, scan->name.shard, scan->name.number, scan->epoch);
    for (uint32_t i = 0; i < contents->header.count; i++)
        compact_record(scan, contents, i);
    return scan->hint.failed ? STATUS_SYSTEM : STATUS_OK;
}

/* A header block that is not a plain segment's may be one copy of a compacted one's. */
static enum status look_for_compact(struct scan *scan, bool *found)
{
    struct contents contents = {.medium = scan->medium,
                                .object = scan->object,
                                .name = scan->name,
                                .store = scan->store,
                                .want = CONTENTS_ALL};
    contents_load_wait(&contents);
    *found = contents.status == STATUS_OK && contents_are_compact(&contents);
    enum status status = *found ? scan_compact(scan, &contents) : STATUS_OK;
    contents_deinit(&contents);
    return status;
}

/* With a damaged header block the first batch says the epoch, at its fixed place only. */
static bool epoch_of_first_batch(struct scan *scan)
{
    struct batch_header header;
    const uint8_t *block = window_at(scan, SEGMENT_FIRST_BATCH, MEDIUM_BLOCK_BYTES);
    if (!block)
        return false;
    memcpy(&header, block, sizeof(header));
    scan->epoch = header.epoch;
    return header_at(scan, SEGMENT_FIRST_BATCH, &header);
}

static bool is_all_zero(struct scan *scan)
{
    for (uint64_t offset = 0; offset < scan->bytes; offset += MEDIUM_BLOCK_BYTES)
        if (!is_zero(window_at(scan, offset, MEDIUM_BLOCK_BYTES), MEDIUM_BLOCK_BYTES))
            return false;
    return true;
}

enum status scan_segment(struct scan *scan)
{
    scan->bytes = scan->medium->calls->size(scan->object);
    scan->cut = scan->bytes % MEDIUM_BLOCK_BYTES != 0;
    scan->bytes -= scan->bytes % MEDIUM_BLOCK_BYTES;
    scan->check = SEGMENT_BAD; /* without a header block it was cut short */
    for (int i = 0; i < 2 && scan->check != SEGMENT_GOOD; i++) {
        scan->window_bytes = 0;
        const uint8_t *block = window_at(scan, 0, MEDIUM_BLOCK_BYTES);
        if (block)
            scan->check = segment_header_check(block, scan->store, scan->name, &scan->epoch);
    }
    if (scan->check == SEGMENT_NEWER)
        return STATUS_NEWER;
    if (scan->check == SEGMENT_COMPACT || scan->check == SEGMENT_BAD) {
        bool found;
        enum status status = look_for_compact(scan, &found);
        if (found)
            return status;
        scan->check = SEGMENT_BAD;
    }
    bool known = scan->check == SEGMENT_GOOD || epoch_of_first_batch(scan);
    if ((scan->check == SEGMENT_BLANK && known) ||
        (scan->check == SEGMENT_UNBORN && (known || !is_all_zero(scan))))
        scan->check = SEGMENT_BAD;
    hint_init(&scan->hint, scan->store, scan->name.shard, scan->name.number, scan->epoch);
    return known ? scan_batches(scan) : STATUS_OK;
}

void scan_deinit(struct scan *scan)
{
    free(scan->batches);
    hint_deinit(&scan->hint);
    scan->batches = NULL;
    scan->count = scan->capacity = 0;
}

void scan_drop_hint(struct scan *scan, uint32_t batch)
{
    struct scan_batch *dropped = &scan->batches[batch];
    size_t bytes = dropped->hint_end - dropped->hint_start;
    if (bytes == 0)
        return;
    memmove(scan->hint.bytes + dropped->hint_start, scan->hint.bytes + dropped->hint_end,
            scan->hint.size - dropped->hint_end);
    scan->hint.size -= bytes;
    dropped->hint_end = dropped->hint_start;
}
