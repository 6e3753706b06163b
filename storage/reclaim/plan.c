#include "storage/reclaim/plan.h"

#include "storage/array.h"
#include "storage/identity.h"

#include <string.h>

static void add_piece(struct plan *plan, uint32_t slot, uint32_t bytes)
{
    plan->pieces = array_room(plan->pieces, plan->count, &plan->capacity, sizeof(*plan->pieces));
    plan->pieces[plan->count++] = (struct plan_piece){.slot = slot, .bytes = bytes};
    plan->record_bytes += bytes;
}

static int compare_pieces(const void *left, const void *right)
{
    const struct plan_piece *a = left, *b = right;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

static void choose_pieces(struct plan *plan, const struct survey *survey)
{
    for (uint32_t i = 0; i < survey->own; i++)
        if (survey->items[i].live)
            add_piece(plan, survey->items[i].slot, survey->items[i].bytes);
    for (uint32_t i = 0; i < survey->chunk_count; i++)
        add_piece(plan, survey->chunks[i].slot, survey->chunks[i].bytes);
    if (plan->count > 0)
        qsort(plan->pieces, plan->count, sizeof(*plan->pieces), compare_pieces);
}

static void copy_entries(struct hint *hint, const struct survey *survey)
{
    struct span body = survey->target.body, content;
    struct hint_entry entry;
    for (uint32_t i = 0; hint_next(&body, &entry, &content); i++)
        if (survey->items[i].live)
            hint_copy(hint, &entry, content);
}

static void fill_map(const struct plan *plan, struct compact_place *map)
{
    uint64_t offset = plan->header.records;
    for (uint32_t i = 0; i < plan->count; i++) {
        map[i] = (struct compact_place){.slot = plan->pieces[i].slot,
                                        .offset = (uint32_t)(offset / RECORD_ALIGN)};
        offset += plan->pieces[i].bytes;
    }
}

/* Around pieces and the hint's entries, which are there. */
static void complete(struct plan *plan, struct hint *hint, const struct plan_place *place)
{
    struct compact_header *header = &plan->header;
    hint->header.reach = place->last->reach;
    hint->header.early = place->last->early;
    hint->header.first_sequence = place->first_sequence;
    hint->header.first_lsn = place->first_lsn;
    hint->header.last_sequence = place->last->last_sequence;
    hint->header.last_crc = place->last->last_crc;
    hint->header.end_lsn = place->last->end_lsn;
    hint->header.end_offset = place->last->end_offset;
    hint->header.record_bytes = plan->record_bytes;
    struct span bytes = hint_seal(hint);
    *header = (struct compact_header){
        .generation = place->generation, .forgotten = place->forgotten, .hint = hint->header};
    header->segment =
        segment_header_make(place->store, place->name, place->epoch, STORE_FORMAT_COMPACT);
    compact_header_lay_out(header, bytes.size, plan->count, plan->record_bytes);
    plan->body_bytes = header->records - header->front;
    plan->body = aligned_alloc(MEDIUM_BLOCK_BYTES, plan->body_bytes);
    INVARIANT(plan->body);
    memset(plan->body, 0, plan->body_bytes);
    memcpy(plan->body, bytes.data, bytes.size);
    struct compact_place *map = (struct compact_place *)(void *)(plan->body + bytes.size);
    fill_map(plan, map);
    header->map_crc = compact_map_checksum(header, map);
}

static void begin_hint(struct hint *hint, const struct plan_place *place)
{
    hint_init(hint, place->store, place->name.shard, place->name.number, place->epoch);
}

void plan_make(struct plan *plan, const struct survey *survey, const struct plan_place *place)
{
    struct hint hint;
    *plan = (struct plan){.count = 0};
    choose_pieces(plan, survey);
    begin_hint(&hint, place);
    copy_entries(&hint, survey);
    complete(plan, &hint, place);
    hint_deinit(&hint);
}

void plan_make_empty(struct plan *plan, const struct plan_place *place)
{
    struct hint hint;
    *plan = (struct plan){.count = 0};
    begin_hint(&hint, place);
    complete(plan, &hint, place);
    hint_deinit(&hint);
}

void plan_deinit(struct plan *plan)
{
    free(plan->pieces);
    free(plan->body);
    *plan = (struct plan){.count = 0};
}
