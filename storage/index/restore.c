#include "storage/index/restore.h"

#include "base/log.h"
#include "storage/index/index_memory.h"
#include "storage/index/index_rocks.h"
#include "storage/store_log.h"

#include <inttypes.h>
#include <stdlib.h>

struct restore {
    struct store *store;
    struct coverage coverage;
    uint64_t ends[STORE_SHARDS_MAX];    /* of the logs: behind their last record */
    uint64_t covered[STORE_SHARDS_MAX]; /* by the base, for every mailbox */
    bool made_anew;                     /* the base covers all there is */
    uint32_t logs;                      /* on disk or of this run */
    bool complete;                      /* the index has this store's identity */
    bool empty;
    enum status status; /* of the index */
};

static void tell(void *context, bool damage, const char *line)
{
    const struct store *store = context;
    if (damage)
        log_error("%s", line);
    else if (store->mode == STORE_WRITE) /* a reader meets a writer's batch under way */
        log_info("%s", line);
}

/* ---- what the index says ---- */

static void see_identity(void *context, struct span value)
{
    struct restore *restore = context;
    uint32_t format = INDEX_FORMAT;
    restore->complete = value.size == 20 &&
                        memcmp(value.data, restore->store->identity.id, 16) == 0 &&
                        memcmp(value.data + 16, &format, sizeof(format)) == 0;
}

static bool see_coverage(void *context, struct span key, struct span value)
{
    struct restore *restore = context;
    uint32_t first, last;
    if (index_key_parse_coverage(key, &first, &last))
        restore->status = coverage_add(&restore->coverage, first, last, value);
    return restore->status == STATUS_OK;
}

static bool see_count(void *context, struct span key, struct span value)
{
    struct restore *restore = context;
    uint32_t log, segment, count;
    uint64_t number = 0;
    if (!index_key_parse_count(key, &log, &segment, &count))
        return true;
    memcpy(&number, value.data, value.size < 8 ? value.size : 8);
    if (log < STORE_SHARDS_MAX && segment < TALLIES_SEGMENTS && count < INDEX_COUNTS)
        atomic_store(&tallies_at(&restore->store->tallies, log, segment)->counts[count], number);
    return true;
}

static bool see_any(void *context, struct span key, struct span value)
{
    (void)key;
    (void)value;
    *(bool *)context = false;
    return false;
}

static enum status scan_kind(struct restore *restore, char kind,
                             bool (*visit)(void *context, struct span key, struct span value))
{
    struct index *index = restore->store->index;
    enum status status = index->calls->scan(index, span_of(&kind, 1), visit, restore);
    return status == STATUS_OK ? restore->status : status;
}

static enum status read_index(struct restore *restore)
{
    struct index *index = restore->store->index;
    struct index_key key;
    index_key_identity(&key);
    restore->complete = false;
    restore->empty = true;
    enum status status = index->calls->get(index, index_key_span(&key), see_identity, restore);
    if (status == STATUS_ABSENT || (status == STATUS_OK && !restore->complete))
        status = index->calls->scan(index, span_of(NULL, 0), see_any, &restore->empty);
    if (status != STATUS_OK || !restore->complete)
        return status;
    status = scan_kind(restore, 'V', see_coverage);
    return status == STATUS_OK ? scan_kind(restore, 'C', see_count) : status;
}

/* ---- what the logs say ---- */

static void find_ends(struct restore *restore)
{
    struct store *store = restore->store;
    restore->logs =
        store->logs_count > store->options.shards ? store->logs_count : store->options.shards;
    memset(restore->ends, 0, sizeof(restore->ends));
    for (uint32_t log = 0; log < store->logs_count; log++) {
        const struct recovered *found = &store->logs[log];
        for (uint32_t i = 0; i < found->count; i++) {
            const struct recovered_segment *segment = &found->segments[i];
            if (segment->end_lsn > restore->ends[log])
                restore->ends[log] = segment->end_lsn;
            atomic_store(&tallies_at(&store->tallies, log, segment->number)->record_bytes,
                         segment->record_bytes);
        }
    }
}

/* A log that lost its end (it was not durable, or is damaged) will use what numbers it had for
 * other messages. */
static bool is_ahead(const struct restore *restore)
{
    uint32_t logs = coverage_logs(&restore->coverage);
    for (uint32_t log = 0; log < logs && log < STORE_SHARDS_MAX; log++)
        if (coverage_highest(&restore->coverage, log) > restore->ends[log])
            return true;
    return false;
}

/* Deletions that it has not taken in yet have been forgotten since, because the index had them that
 * forgot them (remains.h): it is one of an earlier time. */
static bool is_behind(const struct restore *restore)
{
    for (uint32_t log = 0; restore->complete && log < restore->store->logs_count; log++) {
        const struct recovered *found = &restore->store->logs[log];
        for (uint32_t i = 0; i < found->count; i++)
            if (found->segments[i].forgotten > coverage_lowest(&restore->coverage, log))
                return true;
    }
    return false;
}

/* The base covers exactly the owners of this run. */
static bool is_of_this_run(const struct restore *restore)
{
    uint32_t shards = restore->store->options.shards, found = 0;
    for (uint32_t shard = 0; shard < shards; shard++) {
        uint32_t first, last;
        coverage_range_of(shard, shards, &first, &last);
        for (uint32_t i = 0; i < restore->coverage.count; i++)
            found += restore->coverage.ranges[i].first == first &&
                     restore->coverage.ranges[i].last == last;
    }
    return found == shards && restore->coverage.count == shards;
}

/* What the base covers for every mailbox: all there is when it has been made anew. */
static void find_covered(struct restore *restore)
{
    for (uint32_t log = 0; log < restore->logs; log++)
        restore->covered[log] =
            restore->made_anew ? restore->ends[log] : coverage_lowest(&restore->coverage, log);
}

static enum status start_owners(struct restore *restore)
{
    struct store *store = restore->store;
    enum status status = STATUS_OK;
    find_covered(restore);
    for (uint32_t i = 0; i < store->options.shards && status == STATUS_OK; i++)
        status = owner_start(&store->owners[i], restore->logs, restore->ends, restore->covered);
    for (uint32_t log = 0; log < STORE_SHARDS_MAX; log++) /* nobody else is there yet */
        atomic_store_explicit(&store->settled[log], restore->ends[log], memory_order_relaxed);
    return status;
}

/* The status of what is not the index is put into `fault`, whose status else stays OK. */
static enum status replay(struct restore *restore, struct fault *fault)
{
    struct store *store = restore->store;
    bool writable = !store->index->read_only;
    struct rebuild rebuild = {
        .index = store->index,
        .coverage = &restore->coverage,
        .owners = store->owners,
        .shards = store->options.shards,
        .delta_bytes = writable ? (uint64_t)store->options.delta_bytes * store->options.shards : 0,
        .identity = store->identity.id,
    };
    struct recover recover = {
        .medium = store->medium,
        .store = store->identity.id,
        .record_seed = store->record_seed,
        .use_hints = true,
        .repair = store->mode == STORE_WRITE,
        .running = store->options.shards,
        .rebuild = &rebuild,
        .report = tell,
        .context = store,
    };
    enum status status = recover_logs(&recover, store->logs, &store->logs_count, fault);
    if (status != STATUS_OK) {
        rebuild_deinit(&rebuild);
        return fault->status = status;
    }
    find_ends(restore);
    bool anew = !is_of_this_run(restore);
    status = is_ahead(restore) || is_behind(restore)
                 ? STATUS_CORRUPT
                 : rebuild_finish(&rebuild, restore->logs, restore->ends, writable && anew);
    if (status == STATUS_FULL) {
        log_error("the index can't be written: %s; it stays in memory", status_text(status));
        status = STATUS_OK;
    } else {
        restore->made_anew = status == STATUS_OK && ((writable && anew) || rebuild.flushed);
    }
    rebuild_deinit(&rebuild);
    return status;
}

/* ---- trying ---- */

static enum status attempt(struct restore *restore, struct fault *fault)
{
    struct store *store = restore->store;
    for (uint32_t i = 0; i < store->options.shards; i++)
        owner_init(&store->owners[i], &store->tallies);
    store->owners_count = store->options.shards;
    enum status status = read_index(restore);
    if (status == STATUS_OK && !restore->complete && !restore->empty)
        status = STATUS_CORRUPT;
    if (status == STATUS_OK)
        status = replay(restore, fault);
    if (status == STATUS_OK)
        status = start_owners(restore);
    return status;
}

static void forget(struct restore *restore)
{
    struct store *store = restore->store;
    for (uint32_t i = 0; i < store->owners_count; i++)
        owner_deinit(&store->owners[i]);
    store->owners_count = 0;
    for (uint32_t shard = 0; shard < store->logs_count; shard++)
        recovered_deinit(&store->logs[shard]);
    store->logs_count = 0;
    tallies_deinit(&store->tallies);
    coverage_deinit(&restore->coverage);
    restore->status = STATUS_OK;
}

static enum status use_memory(struct store *store)
{
    if (store->own_index)
        store->own_index->calls->close(store->own_index);
    store->own_index = NULL;
    enum status status = index_memory_open(&store->own_index, false);
    store->index = store->own_index;
    store->in_memory = true;
    return status;
}

static enum status find_index(struct store *store)
{
    const struct store_options *options = &store->options;
    store->index = options->index;
    if (!store->index && options->index_directory)
        store->index = store->own_index =
            index_rocks_open(options->index_directory, store->mode == STORE_READ);
    return store->index ? STATUS_OK : use_memory(store);
}

enum status restore_store(struct store *store, struct fault *fault)
{
    struct restore *restore = calloc(1, sizeof(*restore));
    struct fault found = {.status = STATUS_OK};
    enum status status = restore ? STATUS_OK : STATUS_SYSTEM;
    if (status == STATUS_OK)
        status = find_index(store);
    for (int tries = 0; status == STATUS_OK; tries++) {
        restore->store = store;
        forget(restore);
        status = attempt(restore, &found);
        if (status == STATUS_OK || status == STATUS_SYSTEM || found.status != STATUS_OK ||
            store->in_memory)
            break;
        log_warning("the index is %s: it is made anew from the logs",
                    status == STATUS_CORRUPT ? "not this store's, or damaged"
                                             : status_text(status));
        bool cleared = tries == 0 && !store->index->read_only &&
                       store->index->calls->clear(store->index) == STATUS_OK;
        status = cleared ? STATUS_OK : use_memory(store);
    }
    if (restore)
        coverage_deinit(&restore->coverage);
    free(restore);
    if (status == STATUS_OK)
        return status;
    return fault_set(fault, status, "%s",
                     found.status != STATUS_OK ? found.text : "out of memory for the index");
}
