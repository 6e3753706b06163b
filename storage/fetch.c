#include "storage/fetch.h"

#include "base/invariant.h"
#include "storage/store_log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

enum fetch_step {
    FETCH_RECORD, /* reads the message's record */
    FETCH_CHECK,  /* reads chunks, nothing given yet */
    FETCH_READ,   /* reads the chunk to give next */
    FETCH_GIVEN,  /* the session has a piece */
    FETCH_LAST,   /* the end of the body is to be given, from the record */
    FETCH_FAILED, /* `failure` is to be told */
};

struct fetch_job {
    struct medium_op op;
    struct reader_wait wait;
    struct fetch_job *next, *next_of_all;
    struct store_log *log;
    struct store_fetch *fetch; /* NULL: ended, the job is to go */
    struct reader *reader;     /* while an operation is under way */
    uint8_t *record_buffer, *chunk_buffer;
    struct store_link link;
    struct record record;
    uint32_t chunk;       /* at hand: 0 … chunk_count */
    uint32_t slot, bytes; /* asked for */
    uint8_t *into;
    enum fetch_step step;
    enum status failure;
};

enum status fetches_init(struct fetches *fetches, uint32_t count)
{
    *fetches = (struct fetches){.reading = 0};
    enum status status = readers_init(&fetches->readers, count);
    if (status == STATUS_OK)
        status = pool_init(&fetches->buffers, RECORD_BYTES_MAX, 2 * count);
    return status;
}

static void queue_append(struct fetch_queue *queue, struct fetch_job *job)
{
    job->next = NULL;
    *(queue->first ? &queue->last->next : &queue->first) = job;
    queue->last = job;
}

static struct fetch_job *queue_take(struct fetch_queue *queue)
{
    struct fetch_job *job = queue->first;
    if (job)
        queue->first = job->next;
    return job;
}

void fetches_deinit(struct fetches *fetches)
{
    for (struct fetch_job *job = fetches->all, *next; job; job = next) {
        next = job->next_of_all;
        free(job);
    }
    readers_deinit(&fetches->readers);
    pool_deinit(&fetches->buffers);
}

static void job_release(struct fetch_job *job)
{
    struct fetches *fetches = &job->log->fetches;
    INVARIANT(!job->reader);
    if (job->record_buffer) {
        pool_give(&fetches->buffers, job->record_buffer);
        pool_give(&fetches->buffers, job->chunk_buffer);
    }
    queue_append(&fetches->free, job);
}

static void job_fail(struct fetch_job *job, enum status failure)
{
    struct store_fetch *fetch = job->fetch;
    struct store_log *log = job->log;
    char id[STORE_ID_TEXT_BYTES];
    store_id_text(job->link.id, id);
    log->counters.damaged += failure == STATUS_CORRUPT;
    if (log_allowed(&log->fetches.alarms, clock_monotonic_ns(log->clock), 10))
        log_error("message %.*s (shard %" PRIu32 ", segment %08" PRIu32 ", offset %" PRIu64 "): %s",
                  STORE_ID_TEXT_BYTES, id, link_shard(job->link.id), job->link.segment,
                  (uint64_t)job->link.slot * RECORD_ALIGN, status_text(failure));
    job_release(job);
    fetch->private = NULL;
    fetch->piece(fetch, failure, span_of(NULL, 0), true);
}

/* For outcomes known inside a call of the session: told by the next turn. */
static void job_tell_later(struct fetch_job *job, enum fetch_step step)
{
    job->step = step;
    queue_append(&job->log->fetches.ready, job);
}

static void job_give(struct fetch_job *job, struct span wire, bool last)
{
    struct store_fetch *fetch = job->fetch;
    job->step = FETCH_GIVEN;
    fetch->piece(fetch, STATUS_OK, wire, last);
}

/* ---- reading ---- */

static void read_done(struct medium_op *op);

/* The reader knows where its slots are. */
static void job_submit(struct fetch_job *job)
{
    struct store_log *log = job->log;
    uint64_t offset;
    job->failure = reader_find(job->reader, job->slot, &offset);
    if (job->failure != STATUS_OK) {
        reader_release(job->reader);
        job->reader = NULL;
        job_tell_later(job, FETCH_FAILED);
        return;
    }
    job->op.done = read_done;
    log->fetches.reading++;
    medium_read(log->medium, job->reader->contents.object, job->into, job->bytes, offset, &job->op);
}

static void reader_ready(struct reader_wait *wait)
{
    struct fetch_job *job =
        (struct fetch_job *)(void *)((uint8_t *)wait - offsetof(struct fetch_job, wait));
    job->log->fetches.reading--;
    job_submit(job);
}

static void job_read(struct fetch_job *job, uint32_t segment, uint32_t slot, uint64_t bytes,
                     uint8_t *buffer)
{
    struct store_log *log = job->log;
    job->failure = STATUS_CORRUPT;
    if (bytes <= RECORD_BYTES_MAX)
        job->failure =
            readers_obtain(&log->fetches.readers, link_shard(job->link.id), segment, &job->reader);
    if (job->failure != STATUS_OK) {
        job_tell_later(job, FETCH_FAILED);
        return;
    }
    job->slot = slot;
    job->bytes = (uint32_t)bytes;
    job->into = buffer;
    job->wait.ready = reader_ready;
    if (reader_await(job->reader, &job->wait))
        job_submit(job);
    else
        log->fetches.reading++;
}

static void read_chunk(struct fetch_job *job, enum fetch_step step)
{
    struct chunk_ref ref = record_chunk(&job->record, job->chunk);
    job->step = step;
    job_read(job, ref.segment, ref.slot, record_size(ref.bytes), job->chunk_buffer);
}

static struct span trace_of(const struct fetch_job *job)
{
    return span_of(job->record.wire.data, job->record.header.trace_bytes);
}

static bool record_is_ours(struct fetch_job *job)
{
    const struct store_link *link = &job->link;
    struct record *record = &job->record;
    if (record_check(span_of(job->record_buffer, job->bytes), job->log->store->record_seed,
                     record) != RECORD_GOOD)
        return false;
    return record->header.type == RECORD_MESSAGE && link_of(&record->header, 0, 0).id == link->id &&
           record->header.record_bytes == link->record_bytes;
}

static bool chunk_is_ours(struct fetch_job *job, struct span *body)
{
    struct chunk_ref ref = record_chunk(&job->record, job->chunk);
    struct record chunk;
    if (record_check(span_of(job->chunk_buffer, job->bytes), job->log->store->record_seed,
                     &chunk) != RECORD_GOOD)
        return false;
    *body = chunk.wire;
    return chunk.header.type == RECORD_CHUNK && chunk.header.payload_crc == ref.crc &&
           chunk.wire.size == ref.bytes && chunk.header.shard == job->record.header.shard;
}

static void record_arrived(struct fetch_job *job)
{
    if (!record_is_ours(job)) {
        job_fail(job, STATUS_CORRUPT);
        return;
    }
    job->fetch->octets = job->record.header.octets;
    job->fetch->header_bytes = job->record.header.header_bytes;
    if (job->record.header.chunk_count == 0)
        job_give(job, job->record.wire, true);
    else
        read_chunk(job, FETCH_CHECK);
}

static void chunk_arrived(struct fetch_job *job)
{
    struct span body;
    bool checking = job->step == FETCH_CHECK;
    if (!chunk_is_ours(job, &body)) {
        job_fail(job, STATUS_CORRUPT);
        return;
    }
    job->chunk++;
    if (!checking)
        job_give(job, body, false);
    else if (job->chunk < job->record.header.chunk_count)
        read_chunk(job, FETCH_CHECK);
    else {
        job->chunk = 0;
        if (trace_of(job).size > 0)
            job_give(job, trace_of(job), false);
        else
            read_chunk(job, FETCH_READ);
    }
}

static void read_done(struct medium_op *op)
{
    struct fetch_job *job = (struct fetch_job *)op; /* op is the first member */
    job->log->fetches.reading--;
    reader_release(job->reader);
    job->reader = NULL;
    if (!job->fetch)
        job_release(job);
    else if (op->result < 0)
        job_fail(job, op->result == -ENOENT ? STATUS_ABSENT : STATUS_IO);
    else if (op->result != job->bytes)
        job_fail(job, STATUS_CORRUPT);
    else if (job->step == FETCH_RECORD)
        record_arrived(job);
    else
        chunk_arrived(job);
}

/* ---- turns ---- */

static void start_waiting(struct store_log *log)
{
    struct fetches *fetches = &log->fetches;
    while (fetches->waiting.first && pool_left(&fetches->buffers) >= 2) {
        struct fetch_job *job = queue_take(&fetches->waiting);
        if (!job->fetch) {
            job_release(job);
            continue;
        }
        job->record_buffer = pool_take(&fetches->buffers);
        job->chunk_buffer = pool_take(&fetches->buffers);
        job->step = FETCH_RECORD;
        job_read(job, job->link.segment, job->link.slot, job->link.record_bytes,
                 job->record_buffer);
    }
}

bool fetch_turn(struct store_log *log)
{
    struct fetch_queue ready = log->fetches.ready;
    log->fetches.ready = (struct fetch_queue){NULL, NULL};
    for (struct fetch_job *job; (job = queue_take(&ready));) {
        if (!job->fetch)
            job_release(job);
        else if (job->step == FETCH_FAILED)
            job_fail(job, job->failure);
        else
            job_give(job, span_from(job->record.wire, job->record.header.trace_bytes), true);
    }
    start_waiting(log);
    return log->fetches.ready.first != NULL;
}

void store_fetch_start(struct store_log *log, struct store_fetch *fetch,
                       const struct store_link *link)
{
    struct fetch_job *job = queue_take(&log->fetches.free);
    if (!job) {
        job = malloc(sizeof(*job));
        INVARIANT(job);
        job->next_of_all = log->fetches.all;
        log->fetches.all = job;
    }
    *job = (struct fetch_job){
        .log = log, .fetch = fetch, .link = *link, .next_of_all = job->next_of_all};
    fetch->private = job;
    queue_append(&log->fetches.waiting, job);
    start_waiting(log);
}

void store_fetch_about(const struct store_fetch *fetch, struct store_about *about)
{
    const struct fetch_job *job = fetch->private;
    INVARIANT(job && job->step == FETCH_GIVEN);
    *about = (struct store_about){
        .envelope = job->record.envelope,
        .received_ns = job->record.header.received_ns,
        .trace_bytes = job->record.header.trace_bytes,
        .flags = job->record.header.flags,
    };
}

void store_fetch_next(struct store_log *log, struct store_fetch *fetch)
{
    struct fetch_job *job = fetch->private;
    INVARIANT(job && job->log == log && job->step == FETCH_GIVEN);
    if (job->chunk < job->record.header.chunk_count)
        read_chunk(job, FETCH_READ);
    else
        job_tell_later(job, FETCH_LAST);
}

void store_fetch_end(struct store_log *log, struct store_fetch *fetch)
{
    struct fetch_job *job = fetch->private;
    if (!job)
        return;
    INVARIANT(job->log == log);
    fetch->private = NULL;
    job->fetch = NULL;
    if (job->step == FETCH_GIVEN)
        job_release(job);
}
