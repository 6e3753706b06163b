#include "storage/reclaim/synopsis.h"

#include "base/invariant.h"

#include <stddef.h>
#include <stdlib.h>

static void contents_known(struct contents *contents)
{
    struct synopsis *synopsis =
        (struct synopsis *)(void *)((uint8_t *)contents - offsetof(struct synopsis, contents));
    synopsis->under_way = false;
}

static void hint_read(struct medium_op *op)
{
    struct synopsis *synopsis =
        (struct synopsis *)(void *)((uint8_t *)op - offsetof(struct synopsis, op));
    synopsis->under_way = false;
}

static void finish(struct synopsis *synopsis, enum status status)
{
    synopsis->status = status;
    synopsis->step = SYNOPSIS_OVER;
}

static void open_segment(struct synopsis *synopsis)
{
    struct contents *contents = &synopsis->contents;
    struct medium *medium = contents->medium;
    enum status status = medium->calls->open(medium, contents->name, &contents->object);
    if (status != STATUS_OK) {
        contents->object = NULL;
        finish(synopsis, status);
        return;
    }
    synopsis->step = SYNOPSIS_CONTENTS;
    synopsis->under_way = true;
    contents_load(contents);
}

static void read_hint(struct synopsis *synopsis)
{
    struct medium *medium = synopsis->contents.medium;
    struct medium_name name = synopsis->contents.name;
    name.kind = MEDIUM_HINT;
    enum status status = medium->calls->open(medium, name, &synopsis->object);
    if (status != STATUS_OK) {
        synopsis->object = NULL;
        finish(synopsis, STATUS_ABSENT);
        return;
    }
    uint64_t size = medium->calls->size(synopsis->object);
    synopsis->bytes = size >= HINT_HEADER_BYTES && size <= UINT32_MAX ? malloc(size) : NULL;
    if (!synopsis->bytes) {
        finish(synopsis, STATUS_ABSENT);
        return;
    }
    synopsis->step = SYNOPSIS_HINT;
    synopsis->under_way = true;
    synopsis->op.done = hint_read;
    medium_read(medium, synopsis->object, synopsis->bytes, (uint32_t)size, 0, &synopsis->op);
}

static void know_contents(struct synopsis *synopsis)
{
    const struct contents *contents = &synopsis->contents;
    if (contents->status != STATUS_OK) {
        finish(synopsis, contents->status);
    } else if (contents_are_compact(contents)) {
        synopsis->header = contents->header.hint;
        synopsis->body = span_from(contents->hint, HINT_HEADER_BYTES);
        finish(synopsis, STATUS_OK);
    } else if (contents->check == SEGMENT_GOOD) {
        read_hint(synopsis);
    } else {
        finish(synopsis, STATUS_CORRUPT);
    }
}

static void know_hint(struct synopsis *synopsis)
{
    const struct contents *contents = &synopsis->contents;
    uint64_t size = contents->medium->calls->size(synopsis->object);
    struct span hint = span_of(synopsis->bytes, size);
    bool good = synopsis->op.result == (int64_t)size &&
                hint_parse(hint, contents->store, contents->name.shard, contents->name.number,
                           contents->epoch, &synopsis->header);
    synopsis->body = span_from(hint, HINT_HEADER_BYTES);
    finish(synopsis, good ? STATUS_OK : synopsis->op.result < 0 ? STATUS_IO : STATUS_ABSENT);
}

void synopsis_init(struct synopsis *synopsis, struct medium *medium, const uint8_t store[16],
                   uint32_t shard, uint32_t number)
{
    *synopsis = (struct synopsis){
        .contents = {.medium = medium,
                     .name = {.kind = MEDIUM_SEGMENT, .shard = shard, .number = number},
                     .store = store,
                     .want = CONTENTS_ALL,
                     .done = contents_known},
    };
}

bool synopsis_turn(struct synopsis *synopsis)
{
    while (!synopsis->under_way && synopsis->step != SYNOPSIS_OVER) {
        if (synopsis->step == SYNOPSIS_NEW)
            open_segment(synopsis);
        else if (synopsis->step == SYNOPSIS_CONTENTS)
            know_contents(synopsis);
        else
            know_hint(synopsis);
    }
    return synopsis->step == SYNOPSIS_OVER;
}

void synopsis_deinit(struct synopsis *synopsis)
{
    struct medium *medium = synopsis->contents.medium;
    INVARIANT(!synopsis->under_way);
    if (synopsis->object && medium)
        medium->calls->close(medium, synopsis->object);
    if (synopsis->contents.object && medium)
        medium->calls->close(medium, synopsis->contents.object);
    contents_deinit(&synopsis->contents);
    free(synopsis->bytes);
    *synopsis = (struct synopsis){.status = STATUS_OK};
}

void synopsis_abandon(struct synopsis *synopsis)
{
    synopsis->contents.medium = NULL;
    synopsis->under_way = false;
}
