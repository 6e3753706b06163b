#include "storage/reclaim/remains.h"

#include "storage/array.h"
#include "storage/store_log.h"

static void add_names(struct remains *remains, uint32_t index)
{
    const struct survey *survey = remains->survey;
    struct span rest = span_from(survey->target.body, survey->items[index].at), content, ids, name;
    struct hint_entry entry;
    if (!hint_next(&rest, &entry, &content))
        return;
    hint_delete_parts(&entry, content, &ids, &name);
    for (size_t at = 0; at < ids.size; at += 8) {
        remains->names = array_room(remains->names, remains->name_count, &remains->name_capacity,
                                    sizeof(*remains->names));
        struct remains_name *added = &remains->names[remains->name_count++];
        added->item = index;
        memcpy(&added->id, ids.data + at, 8);
    }
}

static int compare_names(const void *left, const void *right)
{
    const struct remains_name *a = left, *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_checks(const void *left, const void *right)
{
    const struct remains_check *a = left, *b = right;
    if (a->shard != b->shard)
        return a->shard < b->shard ? -1 : 1;
    if (a->segment != b->segment)
        return a->segment < b->segment ? -1 : 1;
    return (a->number > b->number) - (a->number < b->number);
}

/* Whether the target keeps the message: its own messages are in the order of their numbers. */
static bool target_keeps(const struct survey *survey, uint64_t number)
{
    for (uint32_t low = 0, high = survey->own; low < high;) {
        uint32_t middle = low + (high - low) / 2, at = middle;
        while (at < high && survey->items[at].kind != HINT_MESSAGE)
            at++;
        if (at == high || survey->items[at].number > number)
            high = middle;
        else if (survey->items[at].number == number)
            return survey->items[at].live;
        else
            low = at + 1;
    }
    return false;
}

static void look_for(struct remains *remains, const struct remains_name *name,
                     const struct recovered_segment *segment)
{
    struct survey *survey = remains->survey;
    uint32_t shard = link_shard(name->id);
    bool here = shard == survey->shard && segment->number == survey->number;
    if (here || !segment->compact || segment->damaged) {
        if (!here || target_keeps(survey, link_lsn(name->id)))
            survey->items[name->item].live = true;
        return;
    }
    if (segment->records == 0)
        return;
    remains->checks = array_room(remains->checks, remains->check_count, &remains->check_capacity,
                                 sizeof(*remains->checks));
    remains->checks[remains->check_count++] = (struct remains_check){.shard = shard,
                                                                     .segment = segment->number,
                                                                     .number = link_lsn(name->id),
                                                                     .item = name->item};
}

/* Where the records of the names may be: where their numbers are, or in a segment behind that,
 * whose first message has a number from before it. Names ascend, and so do segments: `first` never
 * goes back. */
static void look_for_all(struct remains *remains)
{
    struct catalog_log log = {.segments = NULL};
    uint32_t shard = UINT32_MAX, first = 0;
    for (uint32_t i = 0; i < remains->name_count; i++) {
        const struct remains_name *name = &remains->names[i];
        uint64_t number = link_lsn(name->id);
        if (link_shard(name->id) != shard) {
            shard = link_shard(name->id);
            free(log.segments);
            catalog_copy(remains->log->store->catalog, shard, &log);
            first = 0;
        }
        while (first < log.count && log.segments[first].segment.end_lsn <= number)
            first++;
        for (uint32_t s = first; s < log.count; s++) {
            if (log.segments[s].segment.first_lsn > number + UINT16_MAX)
                break;
            const struct recovered_segment *segment = &log.segments[s].segment;
            if (segment->end_lsn > number && segment->first_lsn <= number + segment->early)
                look_for(remains, name, segment);
        }
    }
    free(log.segments);
}

/* Whether the base of the index has taken in everything below this number of the surveyed log: else
 * it would miss the deletion after a crash. One that is made anew at every start misses nothing. */
static bool is_covered(struct store *store, uint32_t log, uint64_t number)
{
    for (uint32_t i = 0; !store->in_memory && i < store->options.shards; i++)
        if (owner_covers(&store->owners[i], log) <= number)
            return false;
    return true;
}

void remains_begin(struct remains *remains, struct store_log *log, struct survey *survey)
{
    *remains = (struct remains){.log = log, .survey = survey};
    for (uint32_t i = 0; i < survey->own; i++)
        if (survey->items[i].kind == HINT_DELETE) {
            survey->items[i].live = !is_covered(log->store, survey->shard, survey->items[i].number);
            if (!survey->items[i].live)
                add_names(remains, i);
        }
    if (remains->name_count > 0)
        qsort(remains->names, remains->name_count, sizeof(*remains->names), compare_names);
    look_for_all(remains);
    if (remains->check_count > 0)
        qsort(remains->checks, remains->check_count, sizeof(*remains->checks), compare_checks);
}

/* ---- in compacted segments ---- */

/* Looks for the checks [next, end) in one segment's hint. */
static void check_segment(struct remains *remains, uint32_t end)
{
    struct span body = remains->synopsis.body, content;
    struct hint_entry entry;
    bool known = remains->synopsis.status == STATUS_OK;
    uint32_t at = remains->next;
    for (uint32_t i = at; !known && i < end; i++)
        remains->survey->items[remains->checks[i].item].live = true;
    while (known && hint_next(&body, &entry, &content)) {
        if (entry.kind != HINT_MESSAGE)
            continue;
        while (at < end && remains->checks[at].number < entry.number)
            at++;
        for (; at < end && remains->checks[at].number == entry.number; at++)
            remains->survey->items[remains->checks[at].item].live = true;
    }
}

bool remains_turn(struct remains *remains)
{
    while (remains->next < remains->check_count) {
        const struct remains_check *check = &remains->checks[remains->next];
        struct synopsis *synopsis = &remains->synopsis;
        uint32_t end = remains->next;
        while (end < remains->check_count && remains->checks[end].shard == check->shard &&
               remains->checks[end].segment == check->segment)
            end++;
        if (!synopsis->contents.medium)
            synopsis_init(synopsis, remains->log->medium, remains->log->store->identity.id,
                          check->shard, check->segment);
        if (!synopsis_turn(synopsis))
            return false;
        check_segment(remains, end);
        synopsis_deinit(synopsis);
        remains->next = end;
    }
    return true;
}

void remains_end(struct remains *remains)
{
    synopsis_deinit(&remains->synopsis);
    free(remains->names);
    free(remains->checks);
    *remains = (struct remains){.next = 0};
}

void remains_abandon(struct remains *remains)
{
    synopsis_abandon(&remains->synopsis);
    remains_end(remains);
}
