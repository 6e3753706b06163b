#include "storage/store.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "storage/formats.h"
#include "storage/index/restore.h"
#include "storage/store_log.h"

#include <inttypes.h>
#include <stdlib.h>

void store_options_default(struct store_options *options)
{
    *options = (struct store_options){
        .shards = 1,
        .segment_bytes = 256ull << 20,
        .batch_bytes = 1u << 20,
        .commit_depth = 1,
        .chunk_bytes = 128u << 10,
        .staging_bytes = 64ull << 20,
        .fetches_max = 64,
        .delta_bytes = 8u << 20,
        .clock = &clock_system,
    };
}

static enum status check_options(const struct store_options *options, struct fault *fault)
{
    if (options->shards < 1 || options->shards > STORE_SHARDS_MAX)
        return fault_set(fault, STATUS_USAGE, "shards: 1 to %u", STORE_SHARDS_MAX);
    if (options->batch_bytes < BATCH_BYTES_MIN || options->batch_bytes > BATCH_BYTES_MAX ||
        options->batch_bytes % MEDIUM_BLOCK_BYTES != 0)
        return fault_set(fault, STATUS_USAGE, "batch bytes: a multiple of 4 KiB, 64 KiB to 4 MiB");
    if (options->segment_bytes < 4ull * options->batch_bytes ||
        options->segment_bytes % MEDIUM_BLOCK_BYTES != 0 || options->segment_bytes > 32ull << 30)
        return fault_set(fault, STATUS_USAGE,
                         "segment bytes: a multiple of 4 KiB, 4 batches to 32 GiB");
    if (options->commit_depth < 1 || options->commit_depth > COMMIT_DEPTH_MAX)
        return fault_set(fault, STATUS_USAGE, "commit depth: 1 to %u", COMMIT_DEPTH_MAX);
    if (options->fetches_max < 1 || options->chunk_bytes < MEDIUM_BLOCK_BYTES)
        return fault_set(fault, STATUS_USAGE, "at least 1 fetch, chunks of at least 4 KiB");
    return STATUS_OK;
}

/* ---- identity ---- */

static const struct medium_name identity_name = {.kind = MEDIUM_STORE};

static enum status create_identity(struct store *store, struct fault *fault)
{
    const struct store_options *options = &store->options;
    identity_make(&store->identity, options->seed, options->shards, clock_wall_ns(options->clock));
    int64_t result = medium_publish_wait(store->medium, identity_name, &store->identity,
                                         sizeof(store->identity));
    if (result >= 0)
        return STATUS_OK;
    enum status status = status_from_errno((int)-result);
    return fault_set(fault, status, "creating the store: %s", status_text(status));
}

static void count_segments(void *context, struct medium_name name, uint64_t bytes)
{
    (void)bytes;
    *(bool *)context = *(bool *)context || name.kind == MEDIUM_SEGMENT;
}

static enum status identity_absent(struct store *store, struct fault *fault)
{
    bool segments = false;
    if (store->mode == STORE_READ)
        return fault_set(fault, STATUS_ABSENT, "there is no store");
    enum status status =
        store->medium->calls->list(store->medium, count_segments, &segments, fault);
    if (status != STATUS_OK)
        return status;
    if (segments)
        return fault_set(fault, STATUS_CORRUPT, "there are segments, but no STORE object");
    return create_identity(store, fault);
}

static enum status open_identity(struct store *store, struct fault *fault)
{
    struct medium *medium = store->medium;
    struct medium_object *object;
    uint8_t bytes[STORE_IDENTITY_BYTES];
    enum status status = medium->calls->open(medium, identity_name, &object);
    if (status == STATUS_ABSENT)
        return identity_absent(store, fault);
    if (status != STATUS_OK)
        return fault_set(fault, status, "the STORE object: %s", status_text(status));
    int64_t got = medium_read_wait(medium, object, bytes, sizeof(bytes), 0);
    medium->calls->close(medium, object);
    if (got < 0)
        return fault_set(fault, STATUS_IO, "the STORE object can't be read");
    return identity_parse(span_of(bytes, (size_t)got), &store->identity, fault);
}

/* ---- opening ---- */

static enum status store_allocate(struct store **store, const struct store_options *options)
{
    struct store *made = calloc(1, sizeof(*made));
    if (!made)
        return STATUS_SYSTEM;
    pthread_mutex_init(&made->run_lock, NULL);
    pthread_mutex_init(&made->desks_lock, NULL);
    made->logs = calloc(STORE_SHARDS_MAX, sizeof(*made->logs));
    made->settled = calloc(STORE_SHARDS_MAX, sizeof(*made->settled));
    made->owners = calloc(options->shards, sizeof(*made->owners));
    made->desks = calloc(options->shards, sizeof(*made->desks));
    made->options = *options;
    *store = made;
    bool all = made->logs && made->settled && made->owners && made->desks;
    return all ? STATUS_OK : STATUS_SYSTEM;
}

static enum status start_clerks(struct store *store, struct fault *fault)
{
    bool threaded = store->index->calls->blocks;
    if (store->mode == STORE_READ)
        return STATUS_OK;
    enum status status = clerk_init(&store->reader, threaded);
    if (status == STATUS_OK) {
        status = clerk_init(&store->writer, threaded);
        if (status != STATUS_OK)
            clerk_deinit(&store->reader);
    }
    store->clerks = status == STATUS_OK;
    if (status != STATUS_OK)
        return fault_set(fault, status, "no thread for the index");
    return STATUS_OK;
}

enum status store_open(struct store **store, struct medium *medium, enum store_mode mode,
                       const struct store_options *options, struct fault *fault)
{
    struct store *opened = NULL;
    enum status status = check_options(options, fault);
    if (status == STATUS_OK)
        status = medium->calls->fence(medium, mode == STORE_READ, fault);
    if (status != STATUS_OK)
        return status;
    status = store_allocate(&opened, options);
    if (status != STATUS_OK) {
        fault_set(fault, status, "out of memory");
    } else {
        opened->medium = medium;
        opened->mode = mode;
        status = open_identity(opened, fault);
    }
    if (status == STATUS_OK) {
        opened->record_seed = identity_record_seed(&opened->identity);
        status = formats_check(medium, opened->identity.id, fault);
    }
    if (status == STATUS_OK)
        status = restore_store(opened, fault);
    if (status == STATUS_OK && mode == STORE_WRITE) {
        opened->catalog = catalog_open(opened->logs, opened->logs_count, options->shards);
        if (!opened->catalog)
            status = fault_set(fault, STATUS_SYSTEM, "out of memory");
    }
    if (status == STATUS_OK)
        status = start_clerks(opened, fault);
    if (status != STATUS_OK) {
        store_close(opened);
        return status;
    }
    *store = opened;
    return STATUS_OK;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    if (store->clerks) {
        clerk_deinit(&store->reader);
        clerk_deinit(&store->writer);
    }
    for (uint32_t i = 0; i < store->owners_count; i++)
        owner_deinit(&store->owners[i]);
    for (uint32_t shard = 0; shard < store->logs_count; shard++)
        recovered_deinit(&store->logs[shard]);
    if (store->own_index)
        store->own_index->calls->close(store->own_index);
    tallies_deinit(&store->tallies);
    pthread_mutex_destroy(&store->run_lock);
    catalog_close(store->catalog);
    pthread_mutex_destroy(&store->desks_lock);
    free(store->desks);
    free(store->owners);
    free((void *)store->settled);
    free(store->logs);
    free(store);
}

uint32_t store_owner(const struct store *store, struct span mailbox)
{
    return link_owner(link_hash(mailbox), store->options.shards);
}

/* Of every segment that there may be: those found by recovery, and those begun since. */
static void add_tallies(const struct store *store, uint32_t shard, struct store_stats *stats)
{
    uint64_t parts = 0, records = 0;
    for (uint32_t number = 1; tallies_find(&store->tallies, shard, number); number++) {
        struct tally tally;
        tally_read(store, shard, number, &tally);
        stats->links += tally.links;
        stats->live_bytes += tally.bytes;
        parts += tally.parts;
        records += tally.record_bytes;
    }
    stats->messages = (parts + TALLY_WHOLE - 1) / TALLY_WHOLE;
    stats->dead_bytes = records > stats->live_bytes ? records - stats->live_bytes : 0;
}

void store_stats(const struct store *store, uint32_t shard, struct store_stats *stats)
{
    INVARIANT(shard < STORE_SHARDS_MAX);
    struct store_stats read = store->logs[shard].stats;
    add_tallies(store, shard, &read);
    *stats = read;
}

uint32_t store_shards_on_disk(const struct store *store)
{
    return store->logs_count;
}

const uint8_t *store_identity(const struct store *store)
{
    return store->identity.id;
}
