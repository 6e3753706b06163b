#include "storage/index/flush.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"
#include "storage/index/run.h"
#include "storage/store_log.h"

#include <inttypes.h>

static struct store_log *log_of(struct job *job)
{
    struct flush *flush = (struct flush *)(void *)((uint8_t *)job - offsetof(struct flush, job));
    return (struct store_log *)(void *)((uint8_t *)flush - offsetof(struct store_log, flush));
}

/* On the clerk's thread: of the owner only what is frozen is touched. */
static void write_run(struct job *job)
{
    struct store_log *log = log_of(job);
    const struct delta *frozen = log->owner->frozen;
    struct run_plan plan = {.deltas = &frozen,
                            .deltas_count = 1,
                            .covers = &log->flush.covers,
                            .covers_count = 1,
                            .kind = RUN_ADDS};
    pthread_mutex_lock(&log->store->run_lock);
    log->flush.status = run_write(log->store->index, &plan);
    pthread_mutex_unlock(&log->store->run_lock);
}

static void run_written(struct job *job)
{
    struct store_log *log = log_of(job);
    struct flush *flush = &log->flush;
    flush->under_way = false;
    if (flush->status == STATUS_OK) {
        log->counters.index_runs++;
        owner_thaw(log->owner);
        return;
    }
    if (flush->retry_ns == 0)
        log_error("log %" PRIu32 ": the index can't be written: %s; trying again", log->shard,
                  status_text(flush->status));
    log->counters.index_failures++;
    flush->retry_ns = clock_monotonic_ns(log->clock) + NS_PER_S;
}

static void freeze(struct store_log *log)
{
    struct flush *flush = &log->flush;
    owner_freeze(log->owner);
    coverage_range_of(log->shard, log->store->options.shards, &flush->covers.first,
                      &flush->covers.last);
    flush->covers.logs = log->owner->logs;
    flush->covers.upto = log->owner->frozen_upto;
    flush->retry_ns = 0;
    flush->written = log->owner->changes;
}

static void give(struct store_log *log)
{
    struct flush *flush = &log->flush;
    flush->job = (struct job){.work = write_run, .done = run_written};
    flush->under_way = true;
    clerk_give(&log->store->writer, &log->desk, &flush->job);
}

static void count(_Atomic uint32_t *owners, bool *told, bool now)
{
    if (now != *told)
        atomic_fetch_add(owners, now ? 1 : -1);
    *told = now;
}

static void wake_all(struct store *store)
{
    pthread_mutex_lock(&store->desks_lock);
    for (uint32_t shard = 0; shard < store->options.shards; shard++)
        if (store->desks[shard])
            desk_wake(store->desks[shard]);
    pthread_mutex_unlock(&store->desks_lock);
}

/* Tells the store, which asks before it takes mail. */
static void watch(struct store_log *log)
{
    struct flush *flush = &log->flush;
    const struct owner *owner = log->owner;
    bool was_behind = flush->behind;
    bool behind = owner->frozen && owner->active->bytes / 2 >= log->store->options.delta_bytes;
    count(&log->store->stuck, &flush->stuck, behind && flush->retry_ns > 0);
    count(&log->store->behind, &flush->behind, behind);
    if (was_behind && !behind)
        wake_all(log->store);
}

static bool is_due(struct store_log *log, uint64_t now_ns)
{
    struct flush *flush = &log->flush;
    const struct owner *owner = log->owner;
    if (owner->changes != flush->changes) {
        flush->changes = owner->changes;
        flush->idle_ns = now_ns;
    }
    bool idle = owner->changes != flush->written && now_ns - flush->idle_ns >= FLUSH_IDLE_NS;
    return (idle || owner->active->bytes >= log->store->options.delta_bytes) &&
           owner_may_freeze(owner);
}

uint64_t flush_next_ns(const struct store_log *log)
{
    bool waits = log->owner->changes != log->flush.written && !log->owner->frozen;
    return waits ? log->flush.idle_ns + FLUSH_IDLE_NS : UINT64_MAX;
}

void flush_turn(struct store_log *log)
{
    struct flush *flush = &log->flush;
    const struct owner *owner = log->owner;
    uint64_t now_ns = clock_monotonic_ns(log->clock);
    log->counters.delta_links = owner->active->links;
    log->counters.delta_bytes = owner->active->bytes;
    if (is_due(log, now_ns))
        freeze(log);
    if (owner->frozen && !flush->under_way && (flush->retry_ns == 0 || now_ns >= flush->retry_ns))
        give(log);
    watch(log);
}

/* Nothing is tried twice here. */
void flush_all(struct store_log *log)
{
    struct flush *flush = &log->flush;
    INVARIANT(!flush->under_way);
    for (int i = 0; i < 2; i++) {
        if (!log->owner->frozen && log->owner->active->links > 0 && owner_may_freeze(log->owner))
            freeze(log);
        if (!log->owner->frozen)
            return;
        write_run(&flush->job);
        run_written(&flush->job);
        if (flush->status != STATUS_OK)
            return;
    }
}
