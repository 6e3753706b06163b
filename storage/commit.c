#include "storage/commit.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

enum status commit_init(struct commit *commit, const struct store_options *options)
{
    uint32_t bytes = options->batch_bytes;
    uint32_t cookies = bytes / RECORD_HEADER_BYTES;
    size_t cookies_bytes = ((size_t)cookies * 8 + MEDIUM_BLOCK_BYTES) & ~(MEDIUM_BLOCK_BYTES - 1ul);
    *commit = (struct commit){
        .count = options->commit_depth + 3,
        .depth = options->commit_depth,
        .batch_bytes = bytes,
        .cookies_max = cookies,
        .clock = options->clock,
        .state = COMMIT_HOMELESS,
    };
    INVARIANT(commit->count <= COMMIT_BATCHES_MAX);
    commit->memory_bytes = commit->count * (bytes + cookies_bytes) + MEDIUM_BLOCK_BYTES;
    uint8_t *memory = mmap(NULL, commit->memory_bytes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return STATUS_FULL;
    commit->memory = memory;
    commit->spare.block = memory;
    memory += MEDIUM_BLOCK_BYTES;
    for (uint32_t i = 0; i < commit->count; i++) {
        commit->batches[i].commit = commit;
        commit->batches[i].bytes = memory + i * bytes;
        commit->batches[i].cookies =
            (uint64_t *)(memory + commit->count * (size_t)bytes + i * cookies_bytes);
    }
    return STATUS_OK;
}

void commit_deinit(struct commit *commit)
{
    INVARIANT(commit->flights == 0 && !commit->spare.under_way);
    for (; commit->settled < commit->begun; commit->settled++)
        segment_drop(commit_batch(commit, commit->settled)->segment);
    segment_drop(commit->segment);
    segment_drop(commit->spare.segment);
    if (commit->memory)
        munmap(commit->memory, commit->memory_bytes);
    *commit = (struct commit){.count = 0};
}

void commit_abandon(struct commit *commit)
{
    for (uint64_t i = commit->settled; i < commit->begun; i++)
        commit_batch(commit, i)->segment->medium = NULL;
    if (commit->segment)
        commit->segment->medium = NULL;
    if (commit->spare.segment)
        commit->spare.segment->medium = NULL;
    commit->spare.under_way = false;
    commit->flights = 0;
}

uint32_t commit_record_max(const struct commit *commit)
{
    uint32_t bytes = commit->batch_bytes - BATCH_HEADER_BYTES;
    return bytes < RECORD_BYTES_MAX ? bytes : RECORD_BYTES_MAX;
}

/* ---- the filling batch ---- */

static bool is_filling(const struct commit *commit)
{
    return commit->begun > commit->submitted &&
           commit->batches[(commit->begun - 1) % commit->count].state == BATCH_FILLING;
}

static struct batch *filling(struct commit *commit)
{
    return is_filling(commit) ? commit_batch(commit, commit->begun - 1) : NULL;
}

static void close_filling(struct commit *commit)
{
    struct batch *batch = filling(commit);
    if (!batch)
        return;
    batch->state = BATCH_WAITING;
    commit->offset = batch->offset + batch_round(batch->header.used);
}

static uint64_t remaining(const struct commit *commit)
{
    return commit->segment ? commit->segment->bytes - commit->offset : 0;
}

static bool is_followed(const struct commit *commit)
{
    return commit->spare.state == SPARE_READY;
}

/* What mail leaves of this segment to deletions, which must be possible on a full disk: the last
 * batch until a segment follows, much more when none can: each deletion may be a commit. */
static uint64_t kept(const struct commit *commit)
{
    if (is_followed(commit))
        return 0;
    uint64_t share = commit->spare.failure != STATUS_OK && commit->segment
                         ? commit->segment->bytes / COMMIT_KEPT_SHARE
                         : 0;
    return share > commit->batch_bytes ? share : commit->batch_bytes;
}

/* The batch that fills, or the next one, is in what mail leaves to deletions. */
static bool is_kept(const struct commit *commit)
{
    uint64_t bytes = kept(commit);
    return bytes > 0 && remaining(commit) < bytes + commit->batch_bytes;
}

static enum status unfollowed(const struct commit *commit)
{
    return commit->spare.failure != STATUS_OK ? commit->spare.failure : STATUS_AGAIN;
}

/* Finds a place for the next batch. */
static enum status find_place(struct commit *commit, uint64_t bytes, enum commit_purpose purpose)
{
    uint64_t need = purpose == COMMIT_DELETION ? BATCH_HEADER_BYTES + bytes
                                               : kept(commit) + commit->batch_bytes;
    if (remaining(commit) >= need)
        return STATUS_OK;
    if (!is_followed(commit))
        return unfollowed(commit);
    segment_drop(commit->segment);
    commit->segment = spare_take(&commit->spare);
    commit->offset = SEGMENT_FIRST_BATCH;
    commit->counters->segments++;
    return STATUS_OK;
}

static struct batch *begin_batch(struct commit *commit, uint16_t flags)
{
    struct batch *batch = commit_batch(commit, commit->begun++);
    uint64_t left = remaining(commit);
    INVARIANT(left >= MEDIUM_BLOCK_BYTES);
    batch->segment = segment_use(commit->segment);
    batch->offset = commit->offset;
    batch->capacity = left < commit->batch_bytes ? (uint32_t)left : commit->batch_bytes;
    batch->cookie_count = 0;
    batch->reach = commit->segment->number;
    batch->state = BATCH_FILLING;
    batch->header = (struct batch_header){
        .epoch = commit->segment->epoch,
        .first_lsn = commit->next_lsn,
        .shard = commit->shard,
        .segment = commit->segment->number,
        .block = (uint32_t)(commit->offset / MEDIUM_BLOCK_BYTES),
        .used = BATCH_HEADER_BYTES,
        .flags = flags,
    };
    return batch;
}

static bool fits(const struct commit *commit, const struct batch *batch, uint64_t bytes)
{
    return batch->capacity - batch->header.used >= bytes &&
           batch->cookie_count < commit->cookies_max;
}

enum status commit_reserve(struct commit *commit, uint64_t bytes, enum commit_purpose purpose,
                           struct commit_slot *slot)
{
    if (commit->state != COMMIT_RUNNING)
        return commit->refusal != STATUS_OK ? commit->refusal : STATUS_AGAIN;
    if (bytes > commit_record_max(commit))
        return STATUS_FULL;
    if (purpose == COMMIT_MAIL && is_kept(commit))
        return unfollowed(commit);
    struct batch *batch = filling(commit);
    if (!batch || !fits(commit, batch, bytes)) {
        if (commit->begun - commit->settled >= commit->count - 1)
            return STATUS_AGAIN;
        close_filling(commit);
        enum status status = find_place(commit, bytes, purpose);
        if (status != STATUS_OK)
            return status;
        batch = begin_batch(commit, 0);
    }
    slot->bytes = batch->bytes + batch->header.used;
    slot->lsn = commit->next_lsn;
    slot->segment = batch->segment->number;
    slot->slot = (uint32_t)((batch->offset + batch->header.used) / RECORD_ALIGN);
    return STATUS_OK;
}

void commit_add(struct commit *commit, const struct commit_slot *slot, struct record_header *header,
                const uint64_t *cookie)
{
    struct batch *batch = filling(commit);
    INVARIANT(batch && slot->bytes == batch->bytes + batch->header.used);
    header->shard = (uint16_t)commit->shard;
    header->lsn = commit->next_lsn++;
    record_seal(slot->bytes, header, commit->record_seed);
    batch->header.used += ((const struct record_header *)slot->bytes)->record_bytes;
    batch->header.records++;
    INVARIANT(batch->header.used <= batch->capacity);
    if (cookie)
        batch->cookies[batch->cookie_count++] = *cookie;
}

void commit_reach(struct commit *commit, uint32_t segment)
{
    struct batch *batch = filling(commit);
    INVARIANT(batch);
    if (segment < batch->reach)
        batch->reach = segment;
}

uint32_t commit_unsettled_reach(struct commit *commit)
{
    uint32_t reach = UINT32_MAX;
    for (uint64_t i = commit->settled; i < commit->begun; i++)
        if (commit_batch(commit, i)->reach < reach)
            reach = commit_batch(commit, i)->reach;
    return reach;
}

uint32_t commit_filling_room(const struct commit *commit)
{
    const struct batch *batch = &commit->batches[(commit->begun - 1) % commit->count];
    return is_filling(commit) ? batch->capacity - batch->header.used : 0;
}

uint64_t commit_room(const struct commit *commit)
{
    if (commit->state != COMMIT_RUNNING || is_kept(commit))
        return 0;
    uint64_t left = remaining(commit), keep = kept(commit);
    if (is_filling(commit)) /* it stands at commit->offset */
        left -= left < commit->batch_bytes ? left : commit->batch_bytes;
    uint64_t taken = commit->begun - commit->settled; /* an anchor may have the last one */
    uint64_t buffers = taken < commit->count ? commit->count - 1 - taken : 0;
    uint64_t places = left > keep ? (left - keep) / commit->batch_bytes : 0;
    if (is_followed(commit))
        places += (commit->spare.segment->bytes - SEGMENT_FIRST_BATCH) / commit->batch_bytes - 1;
    return commit_filling_room(commit) +
           (buffers < places ? buffers : places) * commit_record_max(commit);
}

/* ---- what can't be taken ---- */

enum status commit_refusal(const struct commit *commit, enum commit_purpose purpose)
{
    if (commit->state != COMMIT_RUNNING)
        return commit->refusal;
    bool none = purpose == COMMIT_MAIL
                    ? is_kept(commit)
                    : !is_followed(commit) && remaining(commit) < MEDIUM_BLOCK_BYTES;
    return none && commit->spare.failure != STATUS_AGAIN ? commit->spare.failure : STATUS_OK;
}

/* A line when it begins and when it is over, whoever asks meanwhile. */
static void tell_refusal(struct commit *commit, enum commit_purpose purpose)
{
    static const char *const names[] = {[COMMIT_MAIL] = "mail", [COMMIT_DELETION] = "deletions"};
    uint64_t *refused = &commit->counters->refused[purpose];
    enum status refusal = commit_refusal(commit, purpose);
    if (*refused == (refusal != STATUS_OK))
        return;
    *refused = refusal != STATUS_OK;
    if (refusal != STATUS_OK)
        log_error("log %" PRIu32 " takes no %s: %s", commit->shard, names[purpose],
                  status_text(refusal));
    else
        log_info("log %" PRIu32 " takes %s again", commit->shard, names[purpose]);
}

/* ---- writing ---- */

static void advance(struct commit *commit)
{
    while (commit->ended < commit->submitted) {
        struct batch *batch = commit_batch(commit, commit->ended);
        if (batch->state != BATCH_DURABLE)
            return;
        commit->durable_sequence = batch->header.sequence;
        commit->durable_crc = batch->header.crc;
        commit->ended++;
    }
}

static void batch_done(struct medium_op *op)
{
    struct batch *batch = (struct batch *)op; /* op is the first member */
    struct commit *commit = batch->commit;
    uint64_t took = clock_monotonic_ns(commit->clock) - batch->submitted_ns;
    commit->flights--;
    commit->counters->batches++;
    commit->counters->commit_ns_total += took;
    powers_add(&commit->counters->commit_ns, took);
    if (took > commit->counters->commit_ns_max)
        commit->counters->commit_ns_max = took;
    if (op->result >= 0) {
        batch->state = BATCH_DURABLE;
        commit->counters->bytes += batch->header.bytes;
        advance(commit);
        return;
    }
    batch->state = BATCH_FAILED;
    commit->counters->batch_errors++;
    commit->failure = status_from_errno((int)-op->result) == STATUS_FULL ? STATUS_FULL : STATUS_IO;
    commit->state = COMMIT_DRAINING;
    log_error("log %" PRIu32 ": writing %" PRIu32 " bytes to segment %08" PRIu32 " at %" PRIu64
              ": %s",
              commit->shard, batch->header.bytes, batch->segment->number, batch->offset,
              strerror((int)-op->result));
}

static void submit(struct commit *commit, struct batch *batch)
{
    if (batch->state == BATCH_FILLING)
        close_filling(commit);
    batch->header.sequence = ++commit->sequence;
    batch->header.durable_upto = commit->durable_sequence;
    batch->header.previous_crc = commit->crc;
    commit->crc = batch_seal(batch->bytes, &batch->header);
    batch->state = BATCH_FLIGHT;
    batch->op.done = batch_done;
    batch->submitted_ns = clock_monotonic_ns(commit->clock);
    commit->submitted++;
    commit->flights++;
    medium_write(commit->medium, batch->segment->object, batch->bytes, batch->header.bytes,
                 batch->offset, &batch->op);
}

/* Everything behind the last durable batch has failed. The next batches take over its numbers, in
 * another segment; recovery believes the later segment. */
static void give_up(struct commit *commit, uint64_t now_ns)
{
    close_filling(commit);
    struct batch *first = commit_batch(commit, commit->ended);
    bool anchor = first->header.flags & BATCH_ANCHOR;
    if (anchor && first->offset == SEGMENT_FIRST_BATCH)
        spare_discard(&commit->spare, first->segment->number, commit->failure, now_ns);
    for (; commit->ended < commit->begun; commit->ended++)
        commit_batch(commit, commit->ended)->state = BATCH_FAILED;
    commit->submitted = commit->begun;
    commit->sequence = commit->durable_sequence;
    commit->crc = commit->durable_crc;
    commit->failures++;
    segment_drop(commit->segment);
    commit->segment = NULL;
    commit->state = COMMIT_HOMELESS;
    if (anchor) {
        commit->refusal = commit->failure;
        commit->retry_ns = now_ns + SPARE_RETRY_NS;
    }
}

static void take_hold(struct commit *commit, uint64_t now_ns)
{
    if (commit->begun - commit->settled >= commit->count || now_ns < commit->retry_ns)
        return;
    if (remaining(commit) < MEDIUM_BLOCK_BYTES) {
        struct segment *segment = spare_take(&commit->spare);
        if (!segment) {
            if (unfollowed(commit) != STATUS_AGAIN)
                commit->refusal = commit->spare.failure;
            return;
        }
        segment_drop(commit->segment);
        commit->segment = segment;
        commit->offset = SEGMENT_FIRST_BATCH;
        commit->counters->segments++;
    }
    commit->state = COMMIT_ANCHORING;
    submit(commit, begin_batch(commit, BATCH_ANCHOR));
}

/* The next segment is made ready when half of this one is used: an idle log needs no more room than
 * it has. */
static bool wants_spare(const struct commit *commit)
{
    return commit->spare.state != SPARE_NONE || commit->spare.doomed != 0 || !commit->segment ||
           remaining(commit) < commit->segment->bytes / 2 ||
           remaining(commit) < 4ull * commit->batch_bytes;
}

bool commit_can_move_on(const struct commit *commit)
{
    return commit->state == COMMIT_RUNNING && commit->settled == commit->begun &&
           commit->spare.state == SPARE_READY;
}

void commit_move_on(struct commit *commit)
{
    INVARIANT(commit_can_move_on(commit));
    segment_drop(commit->segment);
    commit->segment = NULL;
    commit->state = COMMIT_HOMELESS;
}

void commit_turn(struct commit *commit)
{
    uint64_t now_ns = clock_monotonic_ns(commit->clock);
    if (commit->state == COMMIT_DRAINING && commit->flights == 0)
        give_up(commit, now_ns);
    if (wants_spare(commit))
        spare_turn(&commit->spare, now_ns);
    commit->counters->segments_recycled = commit->spare.recycled;
    if (commit->state == COMMIT_HOMELESS)
        take_hold(commit, now_ns);
    if (commit->state == COMMIT_ANCHORING && commit->flights == 0) {
        commit->state = COMMIT_RUNNING;
        commit->refusal = STATUS_OK;
    }
    while (commit->state == COMMIT_RUNNING && commit->flights < commit->depth &&
           commit->submitted < commit->begun) {
        struct batch *batch = commit_batch(commit, commit->submitted);
        if (batch->header.records == 0)
            break;
        submit(commit, batch);
    }
    tell_refusal(commit, COMMIT_MAIL);
    tell_refusal(commit, COMMIT_DELETION);
}

void commit_close(struct commit *commit)
{
    INVARIANT(commit->flights == 0);
    if (commit->state != COMMIT_RUNNING)
        return;
    struct batch *batch = filling(commit); /* begun, but nothing was added */
    if (!batch) {
        if (remaining(commit) < MEDIUM_BLOCK_BYTES)
            return;
        batch = begin_batch(commit, 0);
    }
    INVARIANT(batch->header.records == 0);
    batch->header.flags = BATCH_CLOSING;
    submit(commit, batch);
}
