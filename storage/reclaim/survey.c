#include "storage/reclaim/survey.h"

#include "storage/array.h"
#include "storage/store_log.h"

#include <stddef.h>

static void finish(struct survey *survey, enum status status)
{
    survey->status = status;
    survey->step = SURVEY_OVER;
}

/* ---- entries ---- */

static void add_item(struct survey *survey, uint32_t segment, const struct hint_entry *entry,
                     size_t at)
{
    survey->items =
        array_room(survey->items, survey->count, &survey->capacity, sizeof(*survey->items));
    survey->items[survey->count++] = (struct survey_item){
        .number = entry->number,
        .chunk_bytes = entry->chunk_bytes,
        .at = at,
        .kind = entry->kind,
        .segment = segment,
        .slot = entry->slot,
        .bytes = entry->record_bytes,
    };
}

static void add_target(struct survey *survey)
{
    struct span body = survey->target.body, rest = body, content;
    struct hint_entry entry;
    for (size_t at = 0; hint_next(&rest, &entry, &content); at = body.size - rest.size)
        add_item(survey, survey->number, &entry, at);
    survey->own = survey->count;
}

static void keep_entry(struct survey *survey, uint32_t segment, const struct hint_entry *entry,
                       struct span content)
{
    uint32_t need = survey->entries_size + entry->bytes;
    INVARIANT(need >= entry->bytes);
    while (survey->entries_capacity < need)
        survey->entries =
            array_room(survey->entries, survey->entries_capacity, &survey->entries_capacity, 1);
    uint8_t *out = survey->entries + survey->entries_size;
    memcpy(out, entry, sizeof(*entry));
    memcpy(out + sizeof(*entry), content.data, content.size);
    add_item(survey, segment, entry, survey->entries_size);
    survey->entries_size = need;
}

/* Messages in chunks that live in another segment. */
static void add_other(struct survey *survey, uint32_t segment, struct span body)
{
    struct hint_entry entry;
    struct span content;
    while (hint_next(&body, &entry, &content))
        if (entry.kind == HINT_MESSAGE && entry.chunk_bytes > 0)
            keep_entry(survey, segment, &entry, content);
}

static const struct hint_entry *entry_of(const struct survey *survey, uint32_t index)
{
    const struct survey_item *item = &survey->items[index];
    const uint8_t *bytes = index < survey->own ? survey->target.body.data : survey->entries;
    return (const struct hint_entry *)(const void *)(bytes + item->at);
}

/* ---- the segments ---- */

static void know_target(struct survey *survey)
{
    if (!synopsis_turn(&survey->target))
        return;
    if (survey->target.status != STATUS_OK) {
        finish(survey, survey->target.status);
        return;
    }
    add_target(survey);
    survey->step = SURVEY_OTHERS;
}

/* The hint of the segment that is not sealed yet. */
static const struct hint *unsealed_hint(const struct survey *survey)
{
    const struct store_log *log = survey->log;
    return survey->shard == log->shard ? &log->settle.hint : &log->store->logs[survey->shard].hint;
}

/* Takes in the segment at hand; false when it has to be waited for. */
static bool know_other(struct survey *survey, const struct recovered_segment *segment)
{
    struct synopsis *other = &survey->other;
    const struct hint *unsealed = unsealed_hint(survey);
    if (!segment->hinted) {
        if (unsealed->header.segment != segment->number || unsealed->failed)
            finish(survey, STATUS_AGAIN);
        else
            add_other(survey, segment->number, hint_body(unsealed));
        return true;
    }
    if (!other->contents.medium)
        synopsis_init(other, survey->log->medium, survey->log->store->identity.id, survey->shard,
                      segment->number);
    if (!synopsis_turn(other))
        return false;
    if (other->status == STATUS_OK)
        add_other(survey, segment->number, other->body);
    else
        finish(survey, STATUS_AGAIN);
    synopsis_deinit(other);
    return true;
}

static void know_others(struct survey *survey)
{
    while (survey->step == SURVEY_OTHERS && survey->index < survey->around->count) {
        const struct recovered_segment *segment = &survey->around->segments[survey->index].segment;
        bool reaches = segment->number > survey->number && segment->reach <= survey->number;
        if (reaches && !know_other(survey, segment))
            return;
        survey->index++;
    }
    if (survey->step != SURVEY_OTHERS)
        return;
    survey->index = 0;
    survey->step = SURVEY_ASK;
}

/* ---- which messages live ---- */

static void answered(struct liveness *liveness)
{
    struct survey *survey = liveness->context;
    survey->asked = false;
    for (uint32_t i = 0; i < liveness->count; i++)
        if (survey->questions[i].live)
            survey->items[survey->question_items[i]].live = true;
}

/* Questions about the links of the item at hand, from survey->link on; false: there is no room for
 * all of them. */
static bool ask_item(struct survey *survey)
{
    const struct hint_entry *entry = entry_of(survey, survey->index);
    struct span content = span_of(entry + 1, entry->bytes - sizeof(*entry)), name;
    uint16_t place;
    for (uint32_t i = 0; i < entry->links && hint_next_link(&content, &place, &name); i++) {
        if (i < survey->link)
            continue;
        if (survey->liveness.count == SURVEY_QUESTIONS)
            return false;
        survey->question_items[survey->liveness.count] = survey->index;
        survey->questions[survey->liveness.count++] = (struct liveness_question){
            .id = link_id(survey->shard, entry->number), .mailbox = name};
        survey->link = i + 1;
    }
    survey->link = 0;
    return true;
}

static void ask(struct survey *survey)
{
    if (survey->liveness.status != STATUS_OK) {
        finish(survey, STATUS_AGAIN);
        return;
    }
    survey->liveness =
        (struct liveness){.questions = survey->questions, .answered = answered, .context = survey};
    for (; survey->index < survey->count; survey->index++)
        if (survey->items[survey->index].kind == HINT_MESSAGE && !ask_item(survey))
            break;
    if (survey->liveness.count == 0) {
        survey->index = 0;
        survey->step = SURVEY_READ;
        return;
    }
    survey->asked = true;
    liveness_ask(survey->log, &survey->liveness);
}

/* ---- which chunks they need ---- */

static void reader_known(struct reader_wait *wait)
{
    struct survey *survey =
        (struct survey *)(void *)((uint8_t *)wait - offsetof(struct survey, wait));
    survey->waiting = false;
}

static void record_read(struct medium_op *op)
{
    struct survey *survey = (struct survey *)(void *)((uint8_t *)op - offsetof(struct survey, op));
    const struct survey_item *item = &survey->items[survey->index++];
    struct record record;
    survey->reading = false;
    reader_release(survey->reader);
    survey->reader = NULL;
    if (op->result != item->bytes ||
        record_check(span_of(survey->record, item->bytes), survey->log->store->record_seed,
                     &record) != RECORD_GOOD) {
        finish(survey, STATUS_CORRUPT); /* nobody knows what chunks it has */
        return;
    }
    for (uint32_t i = 0; i < record.header.chunk_count; i++) {
        struct chunk_ref ref = record_chunk(&record, i);
        if (ref.segment != survey->number)
            continue;
        survey->chunks = array_room(survey->chunks, survey->chunk_count, &survey->chunk_capacity,
                                    sizeof(*survey->chunks));
        survey->chunks[survey->chunk_count++] =
            (struct survey_chunk){.slot = ref.slot, .bytes = (uint32_t)record_size(ref.bytes)};
    }
}

static void read_record(struct survey *survey, const struct survey_item *item)
{
    struct medium *medium = survey->log->medium;
    uint64_t offset;
    enum status status = STATUS_OK;
    if (!survey->reader) {
        status = readers_obtain(&survey->log->fetches.readers, survey->shard, item->segment,
                                &survey->reader);
        if (status == STATUS_OK && !reader_await(survey->reader, &survey->wait)) {
            survey->waiting = true;
            return;
        }
    }
    if (status == STATUS_OK)
        status = reader_find(survey->reader, item->slot, &offset);
    if (status != STATUS_OK) {
        finish(survey, STATUS_AGAIN);
        return;
    }
    survey->reading = true;
    survey->op.done = record_read;
    medium_read(medium, survey->reader->contents.object, survey->record, item->bytes, offset,
                &survey->op);
}

static void read_records(struct survey *survey)
{
    for (; survey->index < survey->count; survey->index++) {
        const struct survey_item *item = &survey->items[survey->index];
        if (!item->live || item->chunk_bytes == 0)
            continue;
        read_record(survey, item);
        return;
    }
    finish(survey, STATUS_OK);
}

/* ---- all of it ---- */

void survey_begin(struct survey *survey, struct store_log *log, uint32_t shard, uint32_t number,
                  const struct catalog_log *around)
{
    *survey = (struct survey){.log = log, .around = around, .shard = shard, .number = number};
    survey->wait.ready = reader_known;
    survey->record = malloc(RECORD_BYTES_MAX);
    INVARIANT(survey->record);
    synopsis_init(&survey->target, log->medium, log->store->identity.id, shard, number);
}

bool survey_is_under_way(const struct survey *survey)
{
    return survey->target.under_way || survey->other.under_way || survey->asked ||
           survey->waiting || survey->reading;
}

bool survey_turn(struct survey *survey)
{
    static void (*const steps[])(struct survey *) = {
        [SURVEY_TARGET] = know_target,
        [SURVEY_OTHERS] = know_others,
        [SURVEY_ASK] = ask,
        [SURVEY_READ] = read_records,
    };
    while (survey->step != SURVEY_OVER && !survey_is_under_way(survey))
        steps[survey->step](survey);
    return survey->step == SURVEY_OVER && !survey_is_under_way(survey);
}

void survey_end(struct survey *survey)
{
    INVARIANT(!survey_is_under_way(survey));
    reader_release(survey->reader);
    synopsis_deinit(&survey->target);
    synopsis_deinit(&survey->other);
    free(survey->items);
    free(survey->entries);
    free(survey->chunks);
    free(survey->record);
    *survey = (struct survey){.status = STATUS_OK};
}

void survey_abandon(struct survey *survey)
{
    survey->asked = survey->waiting = survey->reading = false;
    survey->reader = NULL;
    synopsis_abandon(&survey->target);
    synopsis_abandon(&survey->other);
    survey_end(survey);
}
