#include "storage/reclaim/compactor.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "storage/store_log.h"

#include <stddef.h>
#include <stdlib.h>

static void finish(struct compactor *compactor, enum status status)
{
    compactor->status = status;
    compactor->step = COMPACTOR_OVER;
}

static const struct recovered_segment *segment_at(const struct compactor *compactor, uint32_t index)
{
    return &compactor->around.segments[index].segment;
}

/* ---- what stays ---- */

static void survey_step(struct compactor *compactor)
{
    if (!survey_turn(&compactor->survey))
        return;
    if (compactor->survey.status != STATUS_OK) {
        finish(compactor, compactor->survey.status);
        return;
    }
    remains_begin(&compactor->remains, compactor->log, &compactor->survey);
    compactor->step = COMPACTOR_REMAINS;
}

static bool is_empty(const struct compactor *compactor)
{
    const struct survey *survey = &compactor->survey;
    for (uint32_t i = 0; i < survey->own; i++)
        if (survey->items[i].live)
            return false;
    return survey->chunk_count == 0;
}

/* A neighbour that holds nothing, with no batch missing between the two, nor a segment: one whose
 * first write has failed may hold batches that only what is before and behind it makes void. */
static bool is_absorbed(const struct recovered_segment *before,
                        const struct recovered_segment *behind, bool is_before)
{
    const struct recovered_segment *neighbour = is_before ? before : behind;
    return neighbour->compact && neighbour->records == 0 && !neighbour->damaged &&
           before->last_sequence + 1 == behind->first_sequence &&
           behind->since <= before->number + 1;
}

static void remains_step(struct compactor *compactor)
{
    if (!remains_turn(&compactor->remains))
        return;
    compactor->first = compactor->place = compactor->target;
    while (compactor->first > 0 && is_absorbed(segment_at(compactor, compactor->first - 1),
                                               segment_at(compactor, compactor->first), true))
        compactor->first--;
    if (is_empty(compactor))
        while (compactor->place + 1 < compactor->around.count &&
               is_absorbed(segment_at(compactor, compactor->place),
                           segment_at(compactor, compactor->place + 1), false))
            compactor->place++;
    if (compactor->place != compactor->target)
        synopsis_init(&compactor->heir, compactor->log->medium, compactor->log->store->identity.id,
                      compactor->shard, segment_at(compactor, compactor->place)->number);
    compactor->step = COMPACTOR_PLACE;
}

static void place_step(struct compactor *compactor)
{
    if (compactor->place != compactor->target) {
        if (!synopsis_turn(&compactor->heir))
            return;
        if (compactor->heir.status != STATUS_OK) {
            finish(compactor, STATUS_AGAIN);
            return;
        }
    }
    compactor->step = COMPACTOR_PLAN;
}

/* ---- the new form ---- */

static uint64_t new_epoch(const struct compactor *compactor, uint32_t number, uint32_t generation)
{
    uint64_t seed = compactor->log->store->options.seed;
    const uint64_t parts[] = {seed, compactor->shard, number, generation};
    return hash64(span_of(parts, sizeof(parts)), seed);
}

static uint64_t bytes_now(const struct compactor *compactor)
{
    uint64_t bytes = 0;
    for (uint32_t i = compactor->first; i <= compactor->place; i++)
        bytes += segment_at(compactor, i)->bytes;
    return bytes;
}

/* Behind the last deletion that is left out, now or before. */
static uint64_t forgotten(const struct compactor *compactor)
{
    const struct survey *survey = &compactor->survey;
    uint64_t forgotten = 0;
    for (uint32_t i = compactor->first; i <= compactor->place; i++)
        if (segment_at(compactor, i)->forgotten > forgotten)
            forgotten = segment_at(compactor, i)->forgotten;
    for (uint32_t i = 0; i < survey->own; i++)
        if (survey->items[i].kind == HINT_DELETE && !survey->items[i].live &&
            survey->items[i].number >= forgotten)
            forgotten = survey->items[i].number + 1;
    return forgotten;
}

/* The log's next segment may be made of the old form, if it is the log's own and as large. */
static struct spare *spare_of(const struct compactor *compactor,
                              const struct recovered_segment *old)
{
    struct store_log *log = compactor->log;
    bool fits = !old->compact && old->bytes == log->commit.spare.bytes;
    return compactor->shard == log->shard && fits ? &log->commit.spare : NULL;
}

static void plan_step(struct compactor *compactor)
{
    struct store_log *log = compactor->log;
    const struct recovered_segment *old = segment_at(compactor, compactor->place);
    uint32_t generation = (old->generation ? old->generation : 1) + 1;
    bool inherited = compactor->place != compactor->target;
    struct plan_place place = {
        .name = {.kind = MEDIUM_SEGMENT, .shard = compactor->shard, .number = old->number},
        .store = log->store->identity.id,
        .epoch = new_epoch(compactor, old->number, generation),
        .generation = generation,
        .first_sequence = segment_at(compactor, compactor->first)->first_sequence,
        .first_lsn = segment_at(compactor, compactor->first)->first_lsn,
        .forgotten = forgotten(compactor),
        .last = inherited ? &compactor->heir.header : &compactor->survey.target.header,
    };
    if (is_empty(compactor))
        plan_make_empty(&compactor->plan, &place);
    else
        plan_make(&compactor->plan, &compactor->survey, &place);
    const struct compact_header *header = &compactor->plan.header;
    compactor->bytes_before = bytes_now(compactor);
    compactor->bytes_after = header->bytes;
    if (header->bytes * 100 > compactor->bytes_before * compactor->percent) {
        finish(compactor, STATUS_AGAIN);
        return;
    }
    compactor->made = (struct recovered_segment){
        .number = old->number,
        .since = segment_at(compactor, compactor->first)->since,
        .hinted = true,
        .compact = true,
        .reach = header->hint.reach,
        .early = old->early,
        .records = header->count,
        .generation = generation,
        .forgotten = place.forgotten,
        .epoch = place.epoch,
        .bytes = header->bytes,
        .first_lsn = place.first_lsn,
        .end_lsn = header->hint.end_lsn,
        .first_sequence = place.first_sequence,
        .last_sequence = header->hint.last_sequence,
        .record_bytes = header->hint.record_bytes,
    };
    rewrite_begin(&compactor->rewrite, log->medium, place.name, &compactor->survey.target.contents,
                  &compactor->plan, log->store->record_seed, spare_of(compactor, old));
    compactor->step = COMPACTOR_REWRITE;
}

/* For the figures of what is dead. */
static void count_records(const struct compactor *compactor, uint32_t number, uint64_t bytes)
{
    struct tallies *tallies = &compactor->log->store->tallies;
    atomic_store(&tallies_at(tallies, compactor->shard, number)->record_bytes, bytes);
}

static void rewrite_step(struct compactor *compactor)
{
    uint64_t before = compactor->rewrite.moved;
    bool over = rewrite_turn(&compactor->rewrite);
    compactor->moved += compactor->rewrite.moved - before;
    if (!over)
        return;
    if (compactor->rewrite.status != STATUS_OK) {
        finish(compactor, compactor->rewrite.status);
        return;
    }
    catalog_replace(compactor->log->store->catalog, compactor->shard, &compactor->made);
    count_records(compactor, compactor->made.number, compactor->made.record_bytes);
    compactor->sweep = compactor->place * 2 + 2;
    compactor->step = COMPACTOR_SWEEP;
}

/* ---- what it stands for ---- */

static void removed(struct medium_op *op)
{
    struct compactor *compactor =
        (struct compactor *)(void *)((uint8_t *)op - offsetof(struct compactor, op));
    uint32_t index = --compactor->sweep / 2;
    bool segment = compactor->sweep % 2 == 0;
    compactor->under_way = false;
    if (!segment)
        return; /* a hint is nobody's any more */
    if (op->result < 0) {
        compactor->sweep = compactor->first * 2; /* what stays says what its heir says, too */
        return;
    }
    catalog_remove(compactor->log->store->catalog, compactor->shard,
                   segment_at(compactor, index)->number);
    count_records(compactor, segment_at(compactor, index)->number, 0);
    compactor->removed++;
}

/* Segments that the new form stands for, and hints beside what is compacted now. From the last one
 * back: so what is left after a crash follows what is before it, and no batch seems to be missing.
 */
static void sweep_step(struct compactor *compactor)
{
    struct medium *medium = compactor->log->medium;
    for (; compactor->sweep > compactor->first * 2; compactor->sweep--) {
        uint32_t index = (compactor->sweep - 1) / 2;
        bool segment = (compactor->sweep - 1) % 2 == 0;
        const struct recovered_segment *old = segment_at(compactor, index);
        if (segment ? index == compactor->place : old->compact)
            continue;
        struct medium_name name = {.kind = segment ? MEDIUM_SEGMENT : MEDIUM_HINT,
                                   .shard = compactor->shard,
                                   .number = old->number};
        compactor->under_way = true;
        compactor->op.done = removed;
        medium->calls->remove(medium, name, &compactor->op);
        return;
    }
    finish(compactor, STATUS_OK);
}

/* ---- all of it ---- */

void compactor_begin(struct compactor *compactor, struct store_log *log, uint32_t shard,
                     uint32_t number, unsigned percent)
{
    *compactor =
        (struct compactor){.log = log, .shard = shard, .number = number, .percent = percent};
    catalog_copy(log->store->catalog, shard, &compactor->around);
    while (compactor->target < compactor->around.count &&
           segment_at(compactor, compactor->target)->number != number)
        compactor->target++;
    INVARIANT(compactor->target + 1 < compactor->around.count);
    survey_begin(&compactor->survey, log, shard, number, &compactor->around);
}

bool compactor_is_under_way(const struct compactor *compactor)
{
    return survey_is_under_way(&compactor->survey) || compactor->remains.synopsis.under_way ||
           compactor->heir.under_way || compactor->rewrite.under_way || compactor->under_way;
}

bool compactor_turn(struct compactor *compactor)
{
    static void (*const steps[])(struct compactor *) = {
        [COMPACTOR_SURVEY] = survey_step,   [COMPACTOR_REMAINS] = remains_step,
        [COMPACTOR_PLACE] = place_step,     [COMPACTOR_PLAN] = plan_step,
        [COMPACTOR_REWRITE] = rewrite_step, [COMPACTOR_SWEEP] = sweep_step,
    };
    if (compactor->step != COMPACTOR_OVER && !compactor_is_under_way(compactor))
        steps[compactor->step](compactor);
    return compactor->step == COMPACTOR_OVER && !compactor_is_under_way(compactor);
}

void compactor_end(struct compactor *compactor)
{
    survey_end(&compactor->survey);
    remains_end(&compactor->remains);
    synopsis_deinit(&compactor->heir);
    plan_deinit(&compactor->plan);
    rewrite_end(&compactor->rewrite);
    free(compactor->around.segments);
    compactor->around.segments = NULL;
}

void compactor_abandon(struct compactor *compactor)
{
    survey_abandon(&compactor->survey);
    remains_abandon(&compactor->remains);
    synopsis_abandon(&compactor->heir);
    rewrite_abandon(&compactor->rewrite);
    compactor->under_way = false;
    compactor_end(compactor);
}
