#include "storage/reclaim/catalog.h"

#include "storage/array.h"

#include <string.h>

/* The entry with this number, or where it belongs. */
static uint32_t position(const struct catalog_log *log, uint32_t number)
{
    uint32_t low = 0, high = log->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (log->segments[middle].segment.number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct catalog_segment *find(struct catalog_log *log, uint32_t number)
{
    uint32_t at = position(log, number);
    return at < log->count && log->segments[at].segment.number == number ? &log->segments[at]
                                                                         : NULL;
}

static void insert(struct catalog_log *log, const struct recovered_segment *segment)
{
    uint32_t at = position(log, segment->number);
    log->segments = array_room(log->segments, log->count, &log->capacity, sizeof(*log->segments));
    memmove(log->segments + at + 1, log->segments + at, (log->count - at) * sizeof(*log->segments));
    log->segments[at] = (struct catalog_segment){.segment = *segment};
    log->count++;
}

/* What is damaged may have held any number between its neighbours'. */
static void widen_damaged(struct catalog_log *log, uint32_t index)
{
    struct recovered_segment *segment = &log->segments[index].segment;
    if (!segment->damaged)
        return;
    segment->hinted = false;
    segment->early = UINT16_MAX;
    segment->first_lsn = index > 0 ? log->segments[index - 1].segment.end_lsn : 0;
    segment->end_lsn =
        index + 1 < log->count ? log->segments[index + 1].segment.first_lsn : UINT64_MAX;
}

static void add_log(struct catalog_log *log, const struct recovered *found, bool running)
{
    for (uint32_t i = 0; found->end != UINT32_MAX && i <= found->end; i++)
        insert(log, &found->segments[i]);
    for (uint32_t i = 0; i < log->count; i++)
        widen_damaged(log, i);
    if (running && found->tail != UINT32_MAX)
        log->segments[log->count - 1].segment.end_lsn = UINT64_MAX;
}

struct catalog *catalog_open(const struct recovered *logs, uint32_t count, uint32_t running)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));
    if (!catalog)
        return NULL;
    pthread_mutex_init(&catalog->lock, NULL);
    atomic_store(&catalog->version, 1);
    for (uint32_t shard = 0; shard < count; shard++)
        add_log(&catalog->logs[shard], &logs[shard], shard < running);
    return catalog;
}

void catalog_close(struct catalog *catalog)
{
    if (!catalog)
        return;
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX; shard++)
        free(catalog->logs[shard].segments);
    pthread_mutex_destroy(&catalog->lock);
    free(catalog);
}

static struct catalog_log *lock(struct catalog *catalog, uint32_t shard)
{
    INVARIANT(shard < STORE_SHARDS_MAX);
    pthread_mutex_lock(&catalog->lock);
    return &catalog->logs[shard];
}

static void unlock(struct catalog *catalog)
{
    pthread_mutex_unlock(&catalog->lock);
}

void catalog_begin(struct catalog *catalog, uint32_t shard, uint32_t number, uint64_t first_lsn,
                   uint64_t epoch, uint64_t bytes)
{
    struct catalog_log *log = lock(catalog, shard);
    const struct recovered_segment segment = {.number = number,
                                              .since = number,
                                              .good = true,
                                              .early = UINT16_MAX,
                                              .epoch = epoch,
                                              .bytes = bytes,
                                              .first_lsn = first_lsn,
                                              .end_lsn = UINT64_MAX};
    if (!find(log, number))
        insert(log, &segment);
    unlock(catalog);
}

void catalog_first(struct catalog *catalog, uint32_t shard, uint32_t number, uint64_t first_number)
{
    struct catalog_log *log = lock(catalog, shard);
    struct catalog_segment *found = find(log, number);
    INVARIANT(found);
    uint64_t first_lsn = found->segment.first_lsn;
    found->segment.early = first_number < first_lsn ? (uint32_t)(first_lsn - first_number) : 0;
    unlock(catalog);
}

void catalog_seal(struct catalog *catalog, uint32_t shard, const struct hint_header *hint,
                  bool hinted)
{
    struct catalog_log *log = lock(catalog, shard);
    struct catalog_segment *found = find(log, hint->segment);
    INVARIANT(found);
    found->segment.hinted = hinted;
    found->segment.reach = hint->reach;
    found->segment.early = hint->early;
    found->segment.first_sequence = hint->first_sequence;
    found->segment.last_sequence = hint->last_sequence;
    found->segment.end_lsn = hint->end_lsn;
    found->segment.record_bytes = hint->record_bytes;
    unlock(catalog);
}

void catalog_replace(struct catalog *catalog, uint32_t shard,
                     const struct recovered_segment *segment)
{
    struct catalog_log *log = lock(catalog, shard);
    struct catalog_segment *found = find(log, segment->number);
    INVARIANT(found);
    *found = (struct catalog_segment){.segment = *segment};
    unlock(catalog);
    atomic_fetch_add(&catalog->version, 1);
}

void catalog_remove(struct catalog *catalog, uint32_t shard, uint32_t number)
{
    struct catalog_log *log = lock(catalog, shard);
    struct catalog_segment *found = find(log, number);
    INVARIANT(found);
    memmove(found, found + 1, (size_t)(log->segments + --log->count - found) * sizeof(*found));
    unlock(catalog);
    atomic_fetch_add(&catalog->version, 1);
}

void catalog_tried(struct catalog *catalog, uint32_t shard, const struct catalog_segment *tried)
{
    struct catalog_log *log = lock(catalog, shard);
    struct catalog_segment *found = find(log, tried->segment.number);
    if (found)
        *found = *tried;
    unlock(catalog);
}

bool catalog_has(struct catalog *catalog, uint32_t shard, uint32_t number, uint64_t epoch)
{
    struct catalog_log *log = lock(catalog, shard);
    const struct catalog_segment *found = find(log, number);
    bool has = found && found->segment.epoch == epoch;
    unlock(catalog);
    return has;
}

void catalog_copy(struct catalog *catalog, uint32_t shard, struct catalog_log *copy)
{
    struct catalog_log *log = lock(catalog, shard);
    *copy = (struct catalog_log){.count = log->count, .capacity = log->count};
    copy->segments = malloc((log->count + 1) * sizeof(*copy->segments));
    INVARIANT(copy->segments);
    if (log->count > 0)
        memcpy(copy->segments, log->segments, log->count * sizeof(*copy->segments));
    unlock(catalog);
}
