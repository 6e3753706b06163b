#include "storage/index/tally.h"

#include "base/invariant.h"
#include "storage/link.h"
#include "storage/store_log.h"

#include <stdlib.h>

static void free_group(struct tallies_group *group)
{
    for (uint32_t i = 0; i < TALLIES_GROUP; i++)
        free(atomic_load_explicit(&group->blocks[i], memory_order_relaxed));
    free(group);
}

void tallies_deinit(struct tallies *tallies)
{
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX; shard++) {
        struct tallies_log *log = atomic_load_explicit(&tallies->logs[shard], memory_order_relaxed);
        if (!log)
            continue;
        for (uint32_t i = 0; i < TALLIES_GROUPS; i++) {
            struct tallies_group *group =
                atomic_load_explicit(&log->groups[i], memory_order_relaxed);
            if (group)
                free_group(group);
        }
        free(log);
        atomic_store_explicit(&tallies->logs[shard], NULL, memory_order_relaxed);
    }
}

/* What is at the place, made if need be. Any thread may be the first to ask: one that comes second
 * takes what the first has made. */
static void *made_at(_Atomic(void *) *place, size_t bytes)
{
    void *there = atomic_load_explicit(place, memory_order_acquire);
    if (there)
        return there;
    void *made = calloc(1, bytes);
    INVARIANT(made);
    if (atomic_compare_exchange_strong(place, &there, made))
        return made;
    free(made);
    return there;
}

struct tallies_segment *tallies_at(struct tallies *tallies, uint32_t shard, uint32_t segment)
{
    INVARIANT(shard < STORE_SHARDS_MAX && segment < TALLIES_SEGMENTS);
    uint32_t number = segment / TALLIES_BLOCK;
    struct tallies_log *log = made_at(&tallies->logs[shard], sizeof(*log));
    struct tallies_group *group = made_at(&log->groups[number / TALLIES_GROUP], sizeof(*group));
    struct tallies_block *block = made_at(&group->blocks[number % TALLIES_GROUP], sizeof(*block));
    return &block->segments[segment % TALLIES_BLOCK];
}

const struct tallies_segment *tallies_find(const struct tallies *tallies, uint32_t shard,
                                           uint32_t segment)
{
    if (shard >= STORE_SHARDS_MAX || segment >= TALLIES_SEGMENTS)
        return NULL;
    uint32_t number = segment / TALLIES_BLOCK;
    const struct tallies_log *log =
        atomic_load_explicit(&tallies->logs[shard], memory_order_acquire);
    const struct tallies_group *group =
        log ? atomic_load_explicit(&log->groups[number / TALLIES_GROUP], memory_order_acquire)
            : NULL;
    const struct tallies_block *block =
        group ? atomic_load_explicit(&group->blocks[number % TALLIES_GROUP], memory_order_acquire)
              : NULL;
    return block ? &block->segments[segment % TALLIES_BLOCK] : NULL;
}

/* A message in chunks is larger than its last record; one in one piece never is. */
void tally_of_link(const struct store_link *link, uint64_t counts[INDEX_COUNTS])
{
    uint64_t octets = store_link_octets(link);
    uint64_t bytes = octets > link->record_bytes ? octets : link->record_bytes;
    uint64_t copies = link->copies > 0 ? link->copies : 1;
    counts[INDEX_LINKS] = 1;
    counts[INDEX_PARTS] = TALLY_WHOLE / copies;
    counts[INDEX_BYTES] = bytes / copies;
}

static void change(struct tallies *tallies, const struct store_link *link, bool add)
{
    struct tallies_segment *at = tallies_at(tallies, link_shard(link->id), link->segment);
    uint64_t counts[INDEX_COUNTS];
    tally_of_link(link, counts);
    for (uint32_t i = 0; i < INDEX_COUNTS; i++)
        atomic_fetch_add_explicit(&at->counts[i], add ? counts[i] : 0 - counts[i],
                                  memory_order_relaxed);
}

void tallies_add(struct tallies *tallies, const struct store_link *link)
{
    change(tallies, link, true);
}

void tallies_remove(struct tallies *tallies, const struct store_link *link)
{
    change(tallies, link, false);
}

void tally_read(const struct store *store, uint32_t shard, uint32_t segment, struct tally *tally)
{
    const struct tallies_segment *at = tallies_find(&store->tallies, shard, segment);
    *tally = (struct tally){.links = 0};
    if (!at)
        return;
    tally->links = atomic_load_explicit(&at->counts[INDEX_LINKS], memory_order_relaxed);
    tally->parts = atomic_load_explicit(&at->counts[INDEX_PARTS], memory_order_relaxed);
    tally->bytes = atomic_load_explicit(&at->counts[INDEX_BYTES], memory_order_relaxed);
    tally->record_bytes = atomic_load_explicit(&at->record_bytes, memory_order_relaxed);
}
