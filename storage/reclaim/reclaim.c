#include "storage/reclaim/reclaim.h"

#include "storage/store_log.h"
#include "storage/index/tally.h"

#include <inttypes.h>
#include <stdlib.h>

#define PAUSE_NS_MIN 1000000000ull
#define PAUSE_NS_MAX 600000000000ull

/* ---- which ---- */

/* The first segment of the own log that messages under way may need. */
static uint32_t untouchable(struct store_log *log, uint32_t shard)
{
    if (shard != log->shard)
        return UINT32_MAX;
    uint32_t staged = staging_reach(&log->staging);
    uint32_t unsettled = commit_unsettled_reach(&log->commit);
    return staged < unsettled ? staged : unsettled;
}

/* Tried in vain before. What has changed since is tried again soon. */
static bool is_left_alone(const struct store_log *log, struct catalog_segment *candidate,
                          uint64_t live_bytes, uint64_t version)
{
    if (candidate->tried_version == 0)
        return false;
    if (candidate->tried_version != version ||
        live_bytes + candidate->segment.bytes / 16 < candidate->tried_bytes) {
        candidate->retry_ns += PAUSE_NS_MIN - candidate->pause_ns;
        candidate->pause_ns = 0;
        if (log->reclaim.all)
            return false;
    }
    return log->reclaim.all || clock_monotonic_ns(log->clock) < candidate->retry_ns;
}

/* Bytes that compacting the segment may give back, as far as is known; 0: leave it. */
static uint64_t gain(const struct store_log *log, const struct catalog_segment *candidate,
                     uint64_t live_bytes)
{
    const struct recovered_segment *segment = &candidate->segment;
    unsigned percent = log->reclaim.all ? RECLAIM_PERCENT_ALL : RECLAIM_PERCENT;
    if (!segment->hinted || segment->damaged || (segment->compact && segment->records == 0))
        return 0;
    return live_bytes * 100 <= segment->bytes * percent ? segment->bytes - live_bytes : 0;
}

/* The best of one log; false: there is none. */
static bool choose(struct store_log *log, uint32_t shard, struct catalog_segment *chosen)
{
    struct catalog_log around;
    uint64_t best = 0, version = atomic_load(&log->store->catalog->version);
    uint32_t end = untouchable(log, shard);
    catalog_copy(log->store->catalog, shard, &around);
    for (uint32_t i = 0; i + 1 < around.count && around.segments[i].segment.number < end; i++) {
        struct catalog_segment *candidate = &around.segments[i];
        struct tally tally;
        tally_read(log->store, shard, candidate->segment.number, &tally);
        uint64_t gained = gain(log, candidate, tally.bytes);
        if (gained <= best || is_left_alone(log, candidate, tally.bytes, version))
            continue;
        best = gained;
        candidate->tried_bytes = tally.bytes;
        candidate->tried_version = version;
        *chosen = *candidate;
    }
    free(around.segments);
    return best > 0;
}

static bool begin_one(struct store_log *log)
{
    struct reclaim *reclaim = &log->reclaim;
    uint32_t shards = log->store->options.shards;
    for (uint32_t shard = log->shard; shard < STORE_SHARDS_MAX; shard += shards) {
        if (!choose(log, shard, &reclaim->candidate))
            continue;
        reclaim->busy = true;
        reclaim->moved = 0;
        compactor_begin(&reclaim->job, log, shard, reclaim->candidate.segment.number,
                        reclaim->all ? RECLAIM_PERCENT_ALL : RECLAIM_PERCENT);
        return true;
    }
    return false;
}

/* ---- how it ends ---- */

static void leave_alone(struct store_log *log, struct catalog_segment *candidate)
{
    candidate->pause_ns = candidate->pause_ns == 0 ? PAUSE_NS_MIN : 2 * candidate->pause_ns;
    if (candidate->pause_ns > PAUSE_NS_MAX)
        candidate->pause_ns = PAUSE_NS_MAX;
    candidate->retry_ns = clock_monotonic_ns(log->clock) + candidate->pause_ns;
    catalog_tried(log->store->catalog, log->reclaim.job.shard, candidate);
}

static void tell(const struct store_log *log, const struct compactor *job)
{
    const struct recovered_segment *segment = &log->reclaim.candidate.segment;
    if (job->status == STATUS_OK)
        log_info("log %" PRIu32 ", segment %08" PRIu32 ": %s, %" PRIu64 " to %" PRIu64 " bytes",
                 job->shard, segment->number, job->plan.count > 0 ? "compacted" : "given back",
                 job->bytes_before, job->bytes_after);
    else if (job->status != STATUS_AGAIN)
        log_warning("log %" PRIu32 ", segment %08" PRIu32 ": not compacted: %s", job->shard,
                    segment->number, status_text(job->status));
}

static void end_one(struct store_log *log)
{
    struct reclaim *reclaim = &log->reclaim;
    struct compactor *job = &reclaim->job;
    struct store_counters *counters = &log->counters;
    tell(log, job);
    if (job->status == STATUS_OK) {
        counters->reclaimed_bytes += job->bytes_before - job->bytes_after;
        *(job->plan.count > 0 ? &counters->compactions : &counters->segments_reclaimed) += 1;
    } else {
        if (job->status != STATUS_AGAIN)
            reclaim->failure = job->status;
        reclaim->candidate.segment.damaged = job->status == STATUS_CORRUPT;
        leave_alone(log, &reclaim->candidate);
    }
    compactor_end(job);
    reclaim->busy = false;
}

/* ---- turns ---- */

static bool is_current(void *context, struct medium_name name, uint64_t epoch)
{
    return catalog_has(context, name.shard, name.number, epoch);
}

/* Files that are gone are not kept open for a next reader. */
static void refresh_readers(struct store_log *log)
{
    uint64_t version = atomic_load(&log->store->catalog->version);
    if (version == log->reclaim.version)
        return;
    log->reclaim.version = version;
    readers_refresh(&log->fetches.readers, is_current, log->store->catalog);
}

static void pay(struct reclaim *reclaim, uint64_t now_ns)
{
    uint64_t bytes = reclaim->job.moved - reclaim->moved;
    reclaim->moved = reclaim->job.moved;
    if (bytes == 0 || reclaim->all)
        return;
    uint64_t from_ns = reclaim->paid_ns > now_ns ? reclaim->paid_ns : now_ns;
    reclaim->paid_ns =
        from_ns + (uint64_t)((double)bytes / (double)reclaim->bytes_per_second * NS_PER_S);
}

static bool is_idle(struct store_log *log, uint64_t now_ns)
{
    struct reclaim *reclaim = &log->reclaim;
    if (log->counters.batches != reclaim->batches) {
        reclaim->batches = log->counters.batches;
        reclaim->idle_ns = now_ns;
    }
    return now_ns - reclaim->idle_ns >= RECLAIM_IDLE_NS;
}

/* An idle log whose last segment holds no mail any more, and that has the next one ready, goes on
 * there: then this one can be given back. */
static void leave_dead_segment(struct store_log *log)
{
    struct tally tally;
    if (!commit_can_move_on(&log->commit))
        return;
    tally_read(log->store, log->shard, log->commit.segment->number, &tally);
    if (tally.links == 0)
        commit_move_on(&log->commit);
}

void reclaim_turn(struct store_log *log)
{
    struct reclaim *reclaim = &log->reclaim;
    uint64_t now_ns = clock_monotonic_ns(log->clock);
    refresh_readers(log);
    if (!reclaim->busy) {
        if (reclaim->closing || (reclaim->bytes_per_second == 0 && !reclaim->all) ||
            now_ns < reclaim->look_ns)
            return;
        bool idle = is_idle(log, now_ns);
        if (idle)
            leave_dead_segment(log);
        reclaim->satisfied = !begin_one(log);
        if (reclaim->satisfied)
            reclaim->look_ns = now_ns + RECLAIM_LOOK_NS;
        if (reclaim->satisfied && idle)
            spare_let_go(&log->commit.spare);
    }
    if (!reclaim->busy || (now_ns < reclaim->paid_ns && !reclaim->all))
        return;
    if (compactor_turn(&reclaim->job))
        end_one(log);
    else
        pay(reclaim, now_ns);
}

uint64_t reclaim_next_ns(const struct store_log *log)
{
    const struct reclaim *reclaim = &log->reclaim;
    if (reclaim->bytes_per_second == 0 && !reclaim->all)
        return UINT64_MAX;
    if (!reclaim->busy)
        return reclaim->look_ns;
    if (compactor_is_under_way(&reclaim->job))
        return UINT64_MAX;
    return reclaim->all ? 0 : reclaim->paid_ns;
}

bool reclaim_is_under_way(const struct store_log *log)
{
    return log->reclaim.busy && compactor_is_under_way(&log->reclaim.job);
}

void reclaim_end(struct store_log *log)
{
    if (log->reclaim.busy)
        compactor_end(&log->reclaim.job);
    log->reclaim.busy = false;
}

void reclaim_abandon(struct store_log *log)
{
    if (log->reclaim.busy)
        compactor_abandon(&log->reclaim.job);
    log->reclaim.busy = false;
}
