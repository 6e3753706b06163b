#include "storage/reclaim/rewrite.h"

#include "base/invariant.h"

#include <stdlib.h>
#include <string.h>

#define OUT_CAPACITY (2 * REWRITE_PIECE_BYTES + MEDIUM_BLOCK_BYTES)

static_assert(REWRITE_PIECE_BYTES >= RECORD_BYTES_MAX, "a record fits a window");

static void step_done(struct medium_op *op)
{
    struct rewrite *rewrite =
        (struct rewrite *)(void *)((uint8_t *)op - offsetof(struct rewrite, op));
    rewrite->under_way = false;
}

static void finish(struct rewrite *rewrite, enum status status)
{
    rewrite->status = status;
    rewrite->step = REWRITE_OVER;
}

/* Leads to the next step when the operation just started has ended. */
static void started(struct rewrite *rewrite, enum rewrite_step next)
{
    rewrite->under_way = true;
    rewrite->step = next;
}

static void write_bytes(struct rewrite *rewrite, const void *bytes, uint32_t size, uint64_t offset)
{
    rewrite->under_way = true;
    rewrite->moved += size;
    medium_write(rewrite->medium, rewrite->object, bytes, size, offset, &rewrite->op);
}

/* ---- the records ---- */

static uint64_t source_offset(const struct rewrite *rewrite)
{
    uint64_t offset = 0;
    bool found =
        contents_find(rewrite->source, rewrite->plan->pieces[rewrite->piece].slot, &offset);
    INVARIANT(found); /* what a hint names is in the map */
    return offset;
}

static void read_window(struct rewrite *rewrite, uint64_t offset)
{
    uint64_t left = rewrite->source->size > offset ? rewrite->source->size - offset : 0;
    rewrite->in_offset = offset;
    rewrite->in_bytes = left < REWRITE_PIECE_BYTES ? (uint32_t)left : REWRITE_PIECE_BYTES;
    rewrite->moved += rewrite->in_bytes;
    rewrite->reading = rewrite->under_way = true;
    medium_read(rewrite->medium, rewrite->source->object, rewrite->in, rewrite->in_bytes, offset,
                &rewrite->op);
}

static bool window_holds(const struct rewrite *rewrite, uint64_t offset, uint32_t bytes)
{
    return offset >= rewrite->in_offset && offset + bytes <= rewrite->in_offset + rewrite->in_bytes;
}

/* Copies the record at hand; false: it fails its checks. */
static bool take_over(struct rewrite *rewrite, uint64_t offset, uint32_t bytes)
{
    const uint8_t *from = rewrite->in + (offset - rewrite->in_offset);
    struct record record;
    if (record_check(span_of(from, bytes), rewrite->record_seed, &record) != RECORD_GOOD ||
        record.header.record_bytes != bytes)
        return false;
    memcpy(rewrite->out + rewrite->out_bytes, from, bytes);
    rewrite->out_bytes += bytes;
    rewrite->piece++;
    return true;
}

static void write_out(struct rewrite *rewrite)
{
    uint32_t size = rewrite->out_bytes & ~(MEDIUM_BLOCK_BYTES - 1);
    if (rewrite->piece == rewrite->plan->count && size < rewrite->out_bytes) {
        size += MEDIUM_BLOCK_BYTES;
        memset(rewrite->out + rewrite->out_bytes, 0, size - rewrite->out_bytes);
        rewrite->out_bytes = size;
    }
    rewrite->step = REWRITE_COPIED;
    write_bytes(rewrite, rewrite->out, size, rewrite->out_offset);
    rewrite->out_offset += size;
}

/* Takes over records until something must be read or written. */
static void copy(struct rewrite *rewrite)
{
    const struct plan *plan = rewrite->plan;
    bool fresh = rewrite->reading;
    rewrite->reading = false;
    if (fresh && rewrite->op.result != rewrite->in_bytes) {
        finish(rewrite, STATUS_IO);
        return;
    }
    while (rewrite->piece < plan->count && rewrite->out_bytes < REWRITE_PIECE_BYTES) {
        uint32_t bytes = plan->pieces[rewrite->piece].bytes;
        uint64_t offset = source_offset(rewrite);
        bool inside = window_holds(rewrite, offset, bytes);
        if (!inside && !(fresh && offset == rewrite->in_offset)) {
            read_window(rewrite, offset);
            return;
        }
        if (!inside || !take_over(rewrite, offset, bytes)) {
            finish(rewrite, STATUS_CORRUPT);
            return;
        }
    }
    if (rewrite->out_bytes > 0)
        write_out(rewrite);
    else
        rewrite->step = REWRITE_FRONT;
}

/* What was left of the last block moves to the front. */
static void copied(struct rewrite *rewrite)
{
    uint32_t size = rewrite->out_bytes & ~(MEDIUM_BLOCK_BYTES - 1);
    memmove(rewrite->out, rewrite->out + size, rewrite->out_bytes - size);
    rewrite->out_bytes -= size;
    rewrite->step = REWRITE_COPY;
}

/* ---- what says where they are ---- */

static void write_body(struct rewrite *rewrite, uint64_t copy, enum rewrite_step next)
{
    const struct plan *plan = rewrite->plan;
    uint64_t left = plan->body_bytes - rewrite->body_offset;
    uint32_t size = left < REWRITE_PIECE_BYTES ? (uint32_t)left : REWRITE_PIECE_BYTES;
    if (size == 0) {
        rewrite->body_offset = 0;
        rewrite->step = next;
        return;
    }
    write_bytes(rewrite, plan->body + rewrite->body_offset, size, copy + rewrite->body_offset);
    rewrite->body_offset += size;
}

static void begin(struct rewrite *rewrite)
{
    struct compact_header header = rewrite->plan->header;
    compact_header_seal(rewrite->block, &header);
    started(rewrite, REWRITE_OPEN);
    rewrite->medium->calls->begin_rewrite(rewrite->medium, rewrite->name.shard, header.bytes,
                                          &rewrite->op);
}

static void open_object(struct rewrite *rewrite)
{
    struct medium_name name = {.kind = MEDIUM_REWRITE, .shard = rewrite->name.shard};
    enum status status = rewrite->medium->calls->open(rewrite->medium, name, &rewrite->object);
    rewrite->step = REWRITE_COPY;
    if (status != STATUS_OK) {
        rewrite->object = NULL;
        finish(rewrite, STATUS_IO);
    }
}

static void replace(struct rewrite *rewrite)
{
    started(rewrite, REWRITE_REPLACED);
    if (rewrite->spare)
        spare_retiring(rewrite->spare);
    rewrite->medium->calls->replace(rewrite->medium, rewrite->name.shard, rewrite->name.number,
                                    rewrite->spare != NULL, &rewrite->op);
}

static void take_step(struct rewrite *rewrite)
{
    const struct compact_header *header = &rewrite->plan->header;
    switch (rewrite->step) {
    case REWRITE_BEGIN:
        begin(rewrite);
        break;
    case REWRITE_OPEN:
        open_object(rewrite);
        break;
    case REWRITE_COPY:
        copy(rewrite);
        break;
    case REWRITE_COPIED:
        copied(rewrite);
        break;
    case REWRITE_FRONT:
        write_body(rewrite, header->front, REWRITE_BACK);
        break;
    case REWRITE_BACK:
        write_body(rewrite, header->back, REWRITE_LAST);
        break;
    case REWRITE_LAST:
        rewrite->step = REWRITE_FIRST;
        write_bytes(rewrite, rewrite->block, MEDIUM_BLOCK_BYTES,
                    header->bytes - MEDIUM_BLOCK_BYTES);
        break;
    case REWRITE_FIRST:
        rewrite->step = REWRITE_REPLACE;
        write_bytes(rewrite, rewrite->block, MEDIUM_BLOCK_BYTES, 0);
        break;
    case REWRITE_REPLACE:
        replace(rewrite);
        break;
    case REWRITE_REPLACED:
        if (rewrite->spare)
            spare_has_retired(rewrite->spare);
        rewrite->step = REWRITE_OVER;
        break;
    case REWRITE_OVER:
        break;
    }
}

bool rewrite_turn(struct rewrite *rewrite)
{
    if (rewrite->under_way)
        return false;
    if (rewrite->op.result < 0) {
        bool full = status_from_errno((int)-rewrite->op.result) == STATUS_FULL;
        rewrite->op.result = 0;
        finish(rewrite, full ? STATUS_FULL : STATUS_IO);
    }
    take_step(rewrite);
    return rewrite->step == REWRITE_OVER && !rewrite->under_way;
}

void rewrite_begin(struct rewrite *rewrite, struct medium *medium, struct medium_name name,
                   const struct contents *source, const struct plan *plan, uint32_t record_seed,
                   struct spare *spare)
{
    *rewrite = (struct rewrite){
        .medium = medium,
        .name = name,
        .source = source,
        .plan = plan,
        .spare = spare,
        .record_seed = record_seed,
        .out_offset = plan->header.records,
        .in = malloc(REWRITE_PIECE_BYTES),
        .out = aligned_alloc(MEDIUM_BLOCK_BYTES, OUT_CAPACITY),
        .block = aligned_alloc(MEDIUM_BLOCK_BYTES, MEDIUM_BLOCK_BYTES),
    };
    INVARIANT(rewrite->in && rewrite->out && rewrite->block);
    rewrite->op.done = step_done;
}

void rewrite_end(struct rewrite *rewrite)
{
    INVARIANT(!rewrite->under_way);
    if (rewrite->object && rewrite->medium)
        rewrite->medium->calls->close(rewrite->medium, rewrite->object);
    free(rewrite->in);
    free(rewrite->out);
    free(rewrite->block);
    *rewrite = (struct rewrite){.status = STATUS_OK};
}

void rewrite_abandon(struct rewrite *rewrite)
{
    rewrite->under_way = false;
    rewrite->medium = NULL;
    rewrite_end(rewrite);
}
