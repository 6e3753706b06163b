#include "storage/reclaim/contents.h"

#include "base/invariant.h"

#include <stdlib.h>

#define COPIES 2u
#define COPY_ATTEMPTS 2u /* a disk may give the bytes of another place once */

static void read_header(struct contents *contents);
static void read_body(struct contents *contents);

static void finish(struct contents *contents, enum status status)
{
    contents->status = status;
    contents->done(contents);
}

/* ---- hint and map ---- */

static uint64_t hint_part(const struct contents *contents)
{
    return contents->want == CONTENTS_ALL ? contents->header.hint_bytes : 0;
}

static uint64_t body_size(const struct contents *contents)
{
    return hint_part(contents) + compact_map_bytes(&contents->header);
}

static bool body_is_good(struct contents *contents)
{
    const struct compact_header *header = &contents->header;
    const struct compact_place *map =
        (const struct compact_place *)(const void *)(contents->bytes + hint_part(contents));
    struct span hint = span_of(contents->bytes, hint_part(contents));
    if (compact_map_checksum(header, map) != header->map_crc)
        return false;
    struct hint_header parsed;
    if (contents->want == CONTENTS_ALL &&
        !hint_parse(hint, contents->store, contents->name.shard, contents->name.number,
                    contents->epoch, &parsed))
        return false;
    contents->map = map;
    contents->hint = hint;
    return true;
}

static void body_read(struct medium_op *op)
{
    struct contents *contents = (struct contents *)op; /* op is the first member */
    if (op->result == (int64_t)body_size(contents) && body_is_good(contents)) {
        finish(contents, STATUS_OK);
        return;
    }
    contents->mended = true;
    if (++contents->attempt < COPIES * COPY_ATTEMPTS)
        read_body(contents);
    else
        finish(contents, op->result < 0 ? STATUS_IO : STATUS_CORRUPT);
}

static void read_body(struct contents *contents)
{
    const struct compact_header *header = &contents->header;
    uint64_t copy = contents->attempt % COPIES ? header->back : header->front;
    contents->op.done = body_read;
    medium_read(contents->medium, contents->object, contents->bytes, (uint32_t)body_size(contents),
                copy + header->hint_bytes - hint_part(contents), &contents->op);
}

static void begin_body(struct contents *contents)
{
    uint64_t size = body_size(contents);
    uint8_t *bytes = size <= UINT32_MAX ? realloc(contents->bytes, size + 1) : NULL;
    if (!bytes) {
        finish(contents, STATUS_SYSTEM);
        return;
    }
    contents->bytes = bytes;
    contents->attempt = 0;
    read_body(contents);
}

/* ---- the header ---- */

static bool is_last_attempt(const struct contents *contents)
{
    return contents->attempt + 1 == COPIES * COPY_ATTEMPTS;
}

static void header_read(struct medium_op *op)
{
    struct contents *contents = (struct contents *)op; /* op is the first member */
    bool whole = op->result == MEDIUM_BLOCK_BYTES, first = contents->attempt % COPIES == 0;
    enum segment_check check = whole ? segment_header_check(contents->bytes, contents->store,
                                                            contents->name, &contents->epoch)
                                     : SEGMENT_BAD;
    if (check == SEGMENT_COMPACT &&
        compact_header_check(contents->bytes, contents->store, contents->name, contents->size,
                             &contents->header)) {
        contents->check = SEGMENT_COMPACT;
        contents->mended = contents->attempt > 0;
        if (contents->want == CONTENTS_HEAD)
            finish(contents, STATUS_OK);
        else
            begin_body(contents);
        return;
    }
    contents->mended = contents->mended || check == SEGMENT_COMPACT;
    if (first && check != SEGMENT_COMPACT && check != SEGMENT_BAD) {
        contents->check = check;
        contents->mended = false;
        finish(contents, check == SEGMENT_NEWER ? STATUS_NEWER : STATUS_OK);
        return;
    }
    contents->check = SEGMENT_BAD;
    if (is_last_attempt(contents)) {
        finish(contents, op->result < 0     ? STATUS_IO
                         : contents->mended ? STATUS_CORRUPT
                                            : STATUS_OK);
        return;
    }
    contents->attempt++;
    read_header(contents);
}

static void read_header(struct contents *contents)
{
    uint64_t last = contents->size < MEDIUM_BLOCK_BYTES ? 0 : contents->size - MEDIUM_BLOCK_BYTES;
    contents->op.done = header_read;
    medium_read(contents->medium, contents->object, contents->bytes, MEDIUM_BLOCK_BYTES,
                contents->attempt % COPIES ? last : 0, &contents->op);
}

void contents_load(struct contents *contents)
{
    contents->bytes = malloc(MEDIUM_BLOCK_BYTES);
    contents->size = contents->medium->calls->size(contents->object);
    contents->check = SEGMENT_BAD;
    contents->attempt = 0;
    contents->mended = false;
    contents->map = NULL;
    INVARIANT(contents->bytes);
    read_header(contents);
}

static void loaded(struct contents *contents)
{
    contents->done = NULL;
}

void contents_load_wait(struct contents *contents)
{
    contents->done = loaded;
    contents_load(contents);
    while (contents->done)
        contents->medium->calls->poll(contents->medium, true);
}

void contents_deinit(struct contents *contents)
{
    free(contents->bytes);
    contents->bytes = NULL;
    contents->map = NULL;
}

bool contents_find(const struct contents *contents, uint32_t slot, uint64_t *offset)
{
    const struct compact_place *place;
    if (!contents_are_compact(contents)) {
        *offset = (uint64_t)slot * RECORD_ALIGN;
        return true;
    }
    place = compact_find(contents->map, contents->header.count, slot);
    if (!place)
        return false;
    *offset = (uint64_t)place->offset * RECORD_ALIGN;
    return true;
}
