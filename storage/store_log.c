#include "storage/store_log.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

/* ---- opening ---- */

/* One that was cut short since, or made for smaller batches, goes. */
static enum status take_ready(struct store_log *log, struct medium_name name, uint64_t epoch)
{
    struct spare *spare = &log->commit.spare;
    enum status status = segment_open(&spare->segment, log->medium, name, epoch);
    if (status != STATUS_OK)
        return status;
    if (spare->segment->bytes >= SEGMENT_FIRST_BATCH + 2ull * log->commit.batch_bytes) {
        spare->state = SPARE_READY;
        spare->failure = STATUS_OK;
        return STATUS_OK;
    }
    segment_drop(spare->segment);
    spare->segment = NULL;
    spare->doomed = name.number;
    return STATUS_OK;
}

/* The log goes on where recovery says: in its last segment, or in one made ready before. */
static enum status resume(struct store_log *log, struct fault *fault)
{
    struct commit *commit = &log->commit;
    struct recovered *found = &log->store->logs[log->shard];
    const struct store_options *options = &log->store->options;
    enum status status = STATUS_OK;
    commit->sequence = commit->durable_sequence = found->sequence;
    commit->crc = commit->durable_crc = found->crc;
    commit->next_lsn = found->next_lsn;
    commit->spare.medium = log->medium;
    commit->spare.bytes = options->segment_bytes;
    commit->spare.seed = options->seed;
    commit->spare.shard = log->shard;
    commit->spare.number = found->count > 0 ? found->segments[found->count - 1].number : 0;
    if (log->medium->calls->space_left(log->medium) < options->segment_bytes)
        commit->spare.failure = STATUS_AGAIN; /* what is kept for deletions is, until it is known */
    memcpy(commit->spare.store, log->store->identity.id, sizeof(commit->spare.store));
    struct medium_name name = {.kind = MEDIUM_SEGMENT, .shard = log->shard};
    if (found->tail != UINT32_MAX) {
        name.number = found->segments[found->tail].number;
        status =
            segment_open(&commit->segment, log->medium, name, found->segments[found->tail].epoch);
        commit->offset = found->tail_offset;
        log->settle.hint = found->hint;
        found->hint = (struct hint){.size = 0};
    }
    if (status == STATUS_OK && found->ready != UINT32_MAX) {
        name.number = found->segments[found->ready].number;
        status = take_ready(log, name, found->segments[found->ready].epoch);
    }
    if (status != STATUS_OK)
        return fault_set(fault, status, "log %" PRIu32 ", segment %08" PRIu32 ": %s", log->shard,
                         name.number, status_text(status));
    return STATUS_OK;
}

static uint32_t chunk_size(const struct store_options *options)
{
    uint32_t most = options->batch_bytes / 4;
    return options->chunk_bytes < most ? options->chunk_bytes : most;
}

static enum status log_init(struct store_log *log, const struct store_options *options)
{
    enum status status = commit_init(&log->commit, options);
    if (status == STATUS_OK)
        status = link_names_init(&log->settle.names);
    if (status == STATUS_OK)
        status = staging_init(&log->staging, options->staging_bytes);
    if (status == STATUS_OK)
        status = fetches_init(&log->fetches, options->fetches_max);
    log->commit.medium = log->medium;
    log->commit.shard = log->shard;
    log->commit.record_seed = log->store->record_seed;
    log->commit.counters = &log->counters;
    log->fetches.readers.medium = log->medium;
    log->fetches.readers.store = log->store->identity.id;
    log->reclaim.bytes_per_second = options->reclaim_rate;
    log->retain.after_ns = options->expire_after_ns;
    log->retain.keep = options->keep_messages;
    return status;
}

static void set_desk(struct store_log *log, struct desk *desk)
{
    pthread_mutex_lock(&log->store->desks_lock);
    log->store->desks[log->shard] = desk;
    pthread_mutex_unlock(&log->store->desks_lock);
}

static void log_deinit(struct store_log *log)
{
    retain_deinit(&log->retain);
    set_desk(log, NULL);
    hint_deinit(&log->settle.hint);
    hint_deinit(&log->settle.publishing);
    link_names_deinit(&log->settle.names);
    if (log->fetches.readers.table)
        fetches_deinit(&log->fetches);
    locks_deinit(&log->locks);
    desk_deinit(&log->desk);
    if (log->staging.pages.blocks)
        staging_deinit(&log->staging);
    if (log->commit.memory)
        commit_deinit(&log->commit);
    free(log);
}

enum status store_log_open(struct store_log **log, struct store *store, uint32_t shard,
                           struct medium *medium, const struct store_events *events,
                           struct fault *fault)
{
    INVARIANT(shard < store->options.shards);
    struct store_log *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return fault_set(fault, STATUS_SYSTEM, "out of memory");
    opened->store = store;
    opened->medium = medium;
    opened->clock = store->options.clock;
    opened->events = *events;
    opened->shard = shard;
    opened->chunk_bytes = chunk_size(&store->options);
    opened->owner = &store->owners[shard];
    desk_init(&opened->desk, events->wake, events->context);
    set_desk(opened, &opened->desk);
    enum status status = log_init(opened, &store->options);
    if (status != STATUS_OK)
        fault_set(fault, status, "out of memory");
    else if (store->mode == STORE_WRITE)
        status = resume(opened, fault);
    if (status != STATUS_OK) {
        log_deinit(opened);
        return status;
    }
    if (store->mode == STORE_READ) {
        *log = opened;
        return STATUS_OK;
    }
    while (opened->commit.state != COMMIT_RUNNING && opened->commit.refusal == STATUS_OK) {
        store_turn(opened);
        medium->calls->poll(medium, opened->commit.flights > 0 || opened->commit.spare.under_way);
    }
    *log = opened;
    return STATUS_OK;
}

/* ---- turns ---- */

bool store_turn(struct store_log *log)
{
    if (log->store->mode == STORE_READ)
        return fetch_turn(log);
    if (!log->settle.closing) /* then what others send is no longer taken in */
        owner_catch_up(log->owner);
    bool stuck = settle_turn(log);
    desk_turn(&log->desk); /* a mailbox that is open now may be expunged in this turn */
    expunge_turn(log);
    commit_turn(&log->commit);
    flush_turn(log);
    reclaim_turn(log);
    bool more = retain_turn(log);
    owner_look(log->owner, log->store->settled);
    return fetch_turn(log) || stuck || more || desk_is_busy(&log->desk);
}

uint64_t store_next_ns(const struct store_log *log)
{
    uint64_t next_ns = flush_next_ns(log);
    const uint64_t others_ns[] = {reclaim_next_ns(log), retain_next_ns(log)};
    for (int i = 0; i < 2; i++)
        next_ns = others_ns[i] < next_ns ? others_ns[i] : next_ns;
    return next_ns;
}

void store_reclaim_all(struct store_log *log)
{
    log->reclaim.all = true;
    log->reclaim.satisfied = false;
    log->reclaim.look_ns = 0;
}

enum status store_reclaim_outcome(const struct store_log *log)
{
    return log->reclaim.satisfied && !log->reclaim.busy ? log->reclaim.failure : STATUS_AGAIN;
}

bool store_has_room(const struct store_log *log)
{
    const struct commit *commit = &log->commit;
    if (commit_refusal(commit, COMMIT_MAIL) != STATUS_OK)
        return true; /* the answer will be no, but there will be one */
    if (store_index_status(log->store) == STATUS_AGAIN)
        return false;
    return commit_room(commit) >= 2ull * log->chunk_bytes;
}

const struct store_counters *store_log_counters(const struct store_log *log)
{
    return &log->counters;
}

enum status store_expire_outcome(const struct store_log *log)
{
    return log->retain.satisfied ? log->retain.failure : STATUS_AGAIN;
}

/* ---- closing ---- */

static bool is_under_way(const struct store_log *log)
{
    return log->commit.flights > 0 || log->commit.spare.under_way || log->settle.under_way ||
           log->fetches.reading > 0 || reclaim_is_under_way(log);
}

static bool is_unsettled(const struct store_log *log)
{
    const struct commit *commit = &log->commit;
    bool filled = commit->begun > commit->settled &&
                  (commit->begun - commit->settled > 1 || commit->ended > commit->settled ||
                   commit->submitted > commit->settled ||
                   commit->batches[commit->settled % commit->count].header.records > 0);
    return filled || log->expunges.first || log->fetches.waiting.first || log->fetches.ready.first;
}

static void drain(struct store_log *log)
{
    const struct timespec moment = {.tv_nsec = NS_PER_MS};
    while (is_unsettled(log) || is_under_way(log) || log->desk.under_way > 0) {
        bool more = store_turn(log);
        log->medium->calls->poll(log->medium, is_under_way(log));
        if (!more && !is_under_way(log) && log->desk.under_way > 0)
            nanosleep(&moment, NULL); /* for a clerk */
    }
}

void store_log_abandon(struct store_log *log)
{
    commit_abandon(&log->commit);
    desk_abandon(&log->desk); /* first: jobs are parts of what goes next */
    reclaim_abandon(log);
    log->fetches.readers.medium = NULL;
    log_deinit(log);
}

void store_log_close(struct store_log *log)
{
    log->settle.closing = true;
    log->reclaim.closing = log->retain.closing = true;
    desk_quiet(&log->desk);
    drain(log);
    reclaim_end(log);
    if (log->store->mode == STORE_WRITE) {
        commit_close(&log->commit);
        drain(log);
        owner_has_seen(log->owner, log->shard, log->store->settled[log->shard]);
        flush_all(log);
        spare_close(&log->commit.spare);
    }
    INVARIANT(!log->staging.oldest);
    log_deinit(log);
}
