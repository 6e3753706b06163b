#include "storage/index/rebuild.h"

#include "storage/hint.h"
#include "storage/link.h"
#include "storage/index/run.h"

#include <stdlib.h>

struct rebuild_deletion {
    uint64_t hash, id; /* id 0: a free place */
};

void rebuild_deinit(struct rebuild *rebuild)
{
    free(rebuild->awaits);
    free(rebuild->key);
    rebuild->awaits = NULL;
    rebuild->key = NULL;
}

bool rebuild_wants(const struct rebuild *rebuild, uint32_t shard, uint64_t end_lsn)
{
    return end_lsn > coverage_lowest(rebuild->coverage, shard);
}

static void fail(struct rebuild *rebuild, enum status status)
{
    if (rebuild->status == STATUS_OK)
        rebuild->status = status;
}

/* ---- what the base has ---- */

struct found {
    uint64_t id;
    struct store_link link;
    bool good;
};

static void see_value(void *context, struct span value)
{
    struct found *found = context;
    found->good = index_link_parse(found->id, value, &found->link);
}

static bool find_in_base(struct rebuild *rebuild, struct span name, uint64_t hash, uint64_t id,
                         struct store_link *link)
{
    struct found found = {.id = id};
    if (!rebuild->key)
        rebuild->key = malloc(sizeof(*rebuild->key));
    if (!rebuild->key) {
        fail(rebuild, STATUS_SYSTEM);
        return false;
    }
    index_key_mailbox(rebuild->key, hash, name);
    index_key_link(rebuild->key, id);
    enum status status =
        rebuild->index->calls->get(rebuild->index, index_key_span(rebuild->key), see_value, &found);
    if (status == STATUS_OK && found.good)
        *link = found.link;
    else if (status != STATUS_ABSENT)
        fail(rebuild, status == STATUS_OK ? STATUS_CORRUPT : status);
    return status == STATUS_OK && found.good;
}

/* ---- deletions that came first ---- */

static size_t place_of(const struct rebuild *rebuild, uint64_t hash, uint64_t id)
{
    size_t at = (hash ^ id * 0x9E3779B97F4A7C15ull) & (rebuild->awaits_size - 1);
    while (rebuild->awaits[at].id != 0 &&
           (rebuild->awaits[at].id != id || rebuild->awaits[at].hash != hash))
        at = (at + 1) & (rebuild->awaits_size - 1);
    return at;
}

static bool grow_awaits(struct rebuild *rebuild)
{
    struct rebuild_deletion *old = rebuild->awaits;
    size_t old_size = rebuild->awaits_size, size = old_size ? old_size * 2 : 256;
    struct rebuild_deletion *awaits = calloc(size, sizeof(*awaits));
    if (!awaits)
        return false;
    rebuild->awaits = awaits;
    rebuild->awaits_size = size;
    for (size_t i = 0; i < old_size; i++)
        if (old[i].id != 0)
            awaits[place_of(rebuild, old[i].hash, old[i].id)] = old[i];
    free(old);
    return true;
}

static void await_message(struct rebuild *rebuild, uint64_t hash, uint64_t id)
{
    if (rebuild->awaits_count * 2 >= rebuild->awaits_size && !grow_awaits(rebuild)) {
        fail(rebuild, STATUS_SYSTEM);
        return;
    }
    struct rebuild_deletion *place = &rebuild->awaits[place_of(rebuild, hash, id)];
    rebuild->awaits_count += place->id == 0;
    *place = (struct rebuild_deletion){.hash = hash, .id = id};
}

static bool is_awaited(const struct rebuild *rebuild, uint64_t hash, uint64_t id)
{
    return rebuild->awaits_count > 0 && rebuild->awaits[place_of(rebuild, hash, id)].id != 0;
}

/* ---- taking in ---- */

static struct owner *owner_of(struct rebuild *rebuild, uint64_t hash)
{
    return &rebuild->owners[link_owner(hash, rebuild->shards)];
}

static void add_link(struct rebuild *rebuild, struct span name, const struct store_link *link)
{
    uint64_t hash = link_hash(name), number = link_lsn(link->id);
    uint64_t upto = coverage_upto(rebuild->coverage, hash, link_shard(link->id));
    struct store_link known;
    if (number < upto || is_awaited(rebuild, hash, link->id) ||
        (number == upto && upto > 0 && find_in_base(rebuild, name, hash, link->id, &known)))
        return;
    struct owner *owner = owner_of(rebuild, hash);
    delta_add(owner->active, delta_obtain(owner->active, name, hash), link);
    tallies_add(owner->tallies, link);
}

static void add_message(struct rebuild *rebuild, uint32_t shard, uint32_t segment,
                        const struct hint_entry *entry, struct span content)
{
    uint16_t place;
    struct span name;
    for (uint32_t i = 0; i < entry->links && hint_next_link(&content, &place, &name); i++) {
        const struct store_link link = {
            .id = link_id(shard, entry->number),
            .segment = segment,
            .slot = entry->slot,
            .record_bytes = entry->record_bytes,
            .octets_low = (uint32_t)entry->octets,
            .octets_high = (uint16_t)(entry->octets >> 32),
            .place = place,
            .copies = (uint16_t)entry->links,
            .received_ns = entry->received_ns,
        };
        add_link(rebuild, name, &link);
    }
}

static void delete_link(struct rebuild *rebuild, uint32_t shard, struct span name, uint64_t hash,
                        uint64_t id)
{
    struct owner *owner = owner_of(rebuild, hash);
    struct delta_mailbox *mailbox = delta_find(owner->active, name, hash);
    struct store_link link;
    uint32_t cursor = 0;
    if (mailbox && delta_take(owner->active, mailbox, id, &cursor, &link)) {
        delta_sweep(mailbox);
    } else if (mailbox && delta_is_dead(mailbox, id)) {
        return;
    } else {
        /* Also what the base has of the end of its coverage: when the message comes, a run on the
         * way may have taken it out there. */
        if (link_shard(id) > shard &&
            link_lsn(id) >= coverage_upto(rebuild->coverage, hash, link_shard(id)))
            await_message(rebuild, hash, id);
        if (!find_in_base(rebuild, name, hash, id, &link))
            return;
        delta_bury(owner->active, delta_obtain(owner->active, name, hash), &link);
    }
    tallies_remove(owner->tallies, &link);
}

static void add_deletion(struct rebuild *rebuild, uint32_t shard, const struct hint_entry *entry,
                         struct span content)
{
    struct span ids, name;
    hint_delete_parts(entry, content, &ids, &name);
    uint64_t hash = link_hash(name);
    if (entry->number < coverage_upto(rebuild->coverage, hash, shard))
        return;
    for (size_t at = 0; at < ids.size; at += 8) {
        uint64_t id;
        memcpy(&id, ids.data + at, sizeof(id));
        if (id != 0)
            delete_link(rebuild, shard, name, hash, id);
    }
}

/* ---- into the base ---- */

static enum status write_deltas(struct rebuild *rebuild, struct run_plan *plan)
{
    const struct delta **deltas = calloc(rebuild->shards, sizeof(*deltas));
    if (!deltas)
        return STATUS_SYSTEM;
    for (uint32_t i = 0; i < rebuild->shards; i++)
        deltas[i] = rebuild->owners[i].active;
    plan->deltas = deltas;
    plan->deltas_count = rebuild->shards;
    enum status status = run_write(rebuild->index, plan);
    free(deltas);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < rebuild->shards; i++) {
        delta_deinit(rebuild->owners[i].active);
        delta_init(rebuild->owners[i].active);
    }
    return STATUS_OK;
}

static bool is_due(const struct rebuild *rebuild)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < rebuild->shards; i++)
        bytes += rebuild->owners[i].active->bytes;
    return rebuild->delta_bytes > 0 && bytes >= rebuild->delta_bytes;
}

void rebuild_add(struct rebuild *rebuild, uint32_t shard, uint32_t segment, struct span body)
{
    struct hint_entry entry;
    struct span content;
    for (uint32_t i = 0; rebuild->status == STATUS_OK && hint_next(&body, &entry, &content); i++) {
        if (entry.kind == HINT_MESSAGE)
            add_message(rebuild, shard, segment, &entry, content);
        else if (entry.kind == HINT_DELETE)
            add_deletion(rebuild, shard, &entry, content);
        if (i % 64 == 0 && is_due(rebuild)) {
            struct run_plan plan = {.kind = RUN_BEGINS};
            enum status status = write_deltas(rebuild, &plan);
            rebuild->flushed = rebuild->flushed || status == STATUS_OK;
            if (status == STATUS_FULL)
                rebuild->delta_bytes = 0; /* it has to be memory, then */
            else
                fail(rebuild, status);
        }
    }
}

enum status rebuild_finish(struct rebuild *rebuild, uint32_t logs, uint64_t *ends, bool complete)
{
    if (rebuild->status != STATUS_OK || (!complete && !rebuild->flushed))
        return rebuild->status;
    struct coverage_range *covers = calloc(rebuild->shards, sizeof(*covers));
    if (!covers)
        return STATUS_SYSTEM;
    for (uint32_t i = 0; i < rebuild->shards; i++) {
        coverage_range_of(i, rebuild->shards, &covers[i].first, &covers[i].last);
        covers[i].logs = logs;
        covers[i].upto = ends;
    }
    struct run_plan plan = {.covers = covers,
                            .covers_count = rebuild->shards,
                            .replaces = rebuild->coverage,
                            .kind = RUN_COMPLETES,
                            .identity = rebuild->identity};
    enum status status = write_deltas(rebuild, &plan);
    free(covers);
    return status;
}
