#include "storage/recover.h"

#include "base/invariant.h"
#include "storage/examine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define LSN_STEP (1ull << 20)

/* Records that one run may have in memory, and so may have told the numbers of, without any of
 * them being durable: fewer than half a step. */
uint64_t recover_next_lsn(uint64_t end_lsn)
{
    return (end_lsn + LSN_STEP / 2 + LSN_STEP - 1) / LSN_STEP * LSN_STEP;
}

const struct recovered recovered_none = {
    .next_lsn = 1, .tail = UINT32_MAX, .ready = UINT32_MAX, .end = UINT32_MAX};

/* ---- what is there ---- */

struct inventory {
    struct recovered *logs;
    uint32_t count;
    uint32_t known; /* of `logs`: they are as recovered_none or what was found */
    bool failed;
    bool leftovers[STORE_SHARDS_MAX]; /* a rewrite, or a retired segment */
};

/* Not of all that a store may have: they are many. */
static void know(struct inventory *inventory, uint32_t count)
{
    while (inventory->known < count)
        inventory->logs[inventory->known++] = recovered_none;
}

static void visit(void *context, struct medium_name name, uint64_t bytes)
{
    struct inventory *inventory = context;
    if ((name.kind == MEDIUM_REWRITE || name.kind == MEDIUM_RETIRED) &&
        name.shard < STORE_SHARDS_MAX)
        inventory->leftovers[name.shard] = true;
    if (name.kind != MEDIUM_SEGMENT || name.shard >= STORE_SHARDS_MAX)
        return;
    struct recovered *log = &inventory->logs[name.shard];
    know(inventory, name.shard + 1);
    if (log->count == log->capacity) {
        uint32_t capacity = log->capacity ? log->capacity * 2 : 16;
        struct recovered_segment *grown = realloc(log->segments, capacity * sizeof(*grown));
        inventory->failed = inventory->failed || !grown;
        if (!grown)
            return;
        log->segments = grown;
        log->capacity = capacity;
    }
    log->segments[log->count++] = (struct recovered_segment){.number = name.number, .bytes = bytes};
    if (name.shard >= inventory->count)
        inventory->count = name.shard + 1;
}

static int compare_segments(const void *left, const void *right)
{
    const struct recovered_segment *a = left, *b = right;
    return (a->number > b->number) - (a->number < b->number);
}

void recovered_deinit(struct recovered *log)
{
    free(log->segments);
    hint_deinit(&log->hint);
    *log = (struct recovered){.count = 0};
}

/* ---- one log ---- */

/* The hint's header as a scan that counts has it; drops what does not count. */
static void complete_hint(struct scan *scan, struct recovered_segment *segment)
{
    struct hint_header *header = &scan->hint.header;
    for (uint32_t b = scan->count; b > 0; b--)
        if (!scan->batches[b - 1].counts)
            scan_drop_hint(scan, b - 1);
    header->first_sequence = 1;
    header->last_sequence = 0;
    for (uint32_t b = 0; b < scan->count; b++) {
        const struct scan_batch *batch = &scan->batches[b];
        if (!batch->counts)
            continue;
        if (header->last_sequence == 0) {
            header->first_sequence = batch->header.sequence;
            header->first_lsn = batch->header.first_lsn;
        }
        header->last_sequence = batch->header.sequence;
        header->last_crc = batch->header.crc;
        header->end_lsn = batch->header.first_lsn + batch->header.records;
        header->end_offset = batch->offset + batch->header.bytes;
        header->record_bytes += batch->record_bytes;
    }
    segment->first_sequence = header->first_sequence;
    segment->last_sequence = header->last_sequence;
    segment->first_lsn = header->first_lsn;
    segment->end_lsn = header->end_lsn;
    segment->reach = header->reach;
    segment->early = hint_early(&scan->hint);
    segment->record_bytes = header->record_bytes;
}

static void tell_dropped(const struct recover *recover, const struct scan *scan)
{
    for (uint32_t b = 0; recover->dropped && b < scan->count; b++) {
        const struct scan_batch *batch = &scan->batches[b];
        if (!batch->counts)
            recover->dropped(recover->context, scan->name.shard, scan->name.number, batch->offset,
                             batch->header.bytes);
    }
}

/* Its own hint must say what its records say, unless some of those are damaged. */
static enum status compare_own_hint(struct recover *recover, uint32_t shard,
                                    const struct recovered_segment *segment, struct examined *work)
{
    struct medium_name name = examine_name(MEDIUM_SEGMENT, shard, segment->number);
    struct contents contents = examine_contents(recover, name, work, CONTENTS_ALL);
    struct span body = hint_body(&work->scan.hint);
    if (contents.status == STATUS_OK && work->scan.bad == 0 &&
        !span_equal(span_from(contents.hint, HINT_HEADER_BYTES), body))
        examine_report(recover, true, shard, segment->number, "its hint says something else",
                       body.size);
    if (contents.status == STATUS_OK && !examine_copies(recover, &contents))
        examine_report(recover, true, shard, segment->number,
                       "one copy of what it holds is damaged", 1);
    contents_deinit(&contents);
    return STATUS_OK;
}

static void compare_hint(struct recover *recover, uint32_t shard,
                         const struct recovered_segment *segment, struct examined *work)
{
    struct medium_name name = examine_name(MEDIUM_SEGMENT, shard, segment->number);
    struct hint_header published;
    uint8_t *bytes = examine_load_hint(recover, name, segment->epoch, &published, &work->bad_hint);
    struct span body = hint_body(&work->scan.hint);
    if (bytes && !span_equal(span_of(bytes + HINT_HEADER_BYTES, published.body_bytes), body))
        examine_report(recover, true, shard, segment->number, "its hint says something else",
                       body.size);
    free(bytes);
}

static void report_segment(struct recover *recover, uint32_t shard, struct recovered *log,
                           const struct chain_segment *judged, uint32_t number)
{
    if (judged->missing > 0)
        examine_report(recover, true, shard, number, "acknowledged batches are damaged",
                       judged->missing);
    if (judged->bad_records > 0)
        examine_report(recover, true, shard, number, "records fail their checksums",
                       judged->bad_records);
    bool bad_header = judged->scan->check == SEGMENT_BAD;
    if (bad_header)
        examine_report(recover, true, shard, number, "its header is damaged", 1);
    if (judged->scan->cut)
        examine_report(recover, true, shard, number, "it is cut short", judged->scan->bytes);
    if (judged->torn)
        examine_report(recover, false, shard, number, "a torn tail, never acknowledged", 1);
    log->stats.corrupt_batches += judged->missing;
    log->stats.corrupt_records += judged->bad_records;
    log->stats.corrupt_segments += bad_header || judged->scan->cut;
    log->stats.torn_tails += judged->torn;
}

static enum status absorb_hint(struct recover *recover, uint32_t shard,
                               const struct recovered_segment *segment, const struct examined *work)
{
    struct medium_name name = examine_name(MEDIUM_SEGMENT, shard, segment->number);
    struct contents contents = {.bytes = NULL};
    struct hint_header header = work->hint_header;
    bool bad = false;
    if (!examine_wants(recover, shard, segment->end_lsn))
        return STATUS_OK;
    if (segment->compact)
        contents = examine_contents(recover, name, work, CONTENTS_ALL);
    else
        contents.bytes = examine_load_hint(recover, name, segment->epoch, &header, &bad);
    bool good = contents.bytes && contents.status == STATUS_OK; /* it was a moment ago */
    if (good)
        rebuild_add(recover->rebuild, shard, segment->number,
                    span_of(contents.bytes + HINT_HEADER_BYTES, header.body_bytes));
    contents_deinit(&contents);
    return good ? STATUS_OK : STATUS_IO;
}

/* Takes in what the judged segment says. */
static enum status absorb(struct recover *recover, uint32_t shard, struct recovered *log,
                          uint32_t index, const struct chain_segment *judged, struct examined *work)
{
    struct recovered_segment *segment = &log->segments[index];
    segment->damaged = judged->bad_records > 0 || work->cut || (!judged->hint && judged->damaged);
    log->stats.segments++;
    log->stats.bytes += segment->bytes;
    log->stats.corrupt_hints += work->bad_hint;
    log->stats.corrupt_segments += work->cut;
    if (work->hinted) {
        log->stats.hints++;
        report_segment(recover, shard, log, judged, segment->number);
        if (!recover->use_hints)
            return compare_own_hint(recover, shard, segment, work);
        return absorb_hint(recover, shard, segment, work);
    }
    complete_hint(&work->scan, segment);
    tell_dropped(recover, &work->scan);
    if (recover->rebuild)
        rebuild_add(recover->rebuild, shard, segment->number, hint_body(&work->scan.hint));
    report_segment(recover, shard, log, judged, segment->number);
    if (!recover->use_hints && segment->good)
        compare_hint(recover, shard, segment, work);
    return STATUS_OK;
}

/* Sealed and sound, but without a hint: next time it need not be scanned. */
static void publish_hint(struct recover *recover, uint32_t shard, struct recovered_segment *segment,
                         struct scan *scan)
{
    if (segment->first_lsn == segment->end_lsn)
        return;
    struct span bytes = hint_seal(&scan->hint);
    segment->hinted =
        bytes.size <= UINT32_MAX &&
        medium_publish_wait(recover->medium, examine_name(MEDIUM_HINT, shard, segment->number),
                            bytes.data, (uint32_t)bytes.size) >= 0;
}

/* Where the log goes on: behind its last batch if that segment is sound, in the empty segment made
 * ready before if there is one. */
static void find_tail(struct recovered *log, const struct chain *chain,
                      const struct chain_segment *judged, struct examined *work)
{
    log->tail = log->ready = UINT32_MAX;
    uint32_t first_empty = chain->tail == UINT32_MAX ? 0 : chain->tail + 1;
    for (uint32_t i = first_empty; i < log->count; i++)
        if (log->segments[i].good && !judged[i].hint && judged[i].scan->count == 0 &&
            !judged[i].damaged && judged[i].scan->unreadable == 0)
            log->ready = i;
    if (chain->tail == UINT32_MAX || judged[chain->tail].hint || judged[chain->tail].damaged ||
        log->segments[chain->tail].bytes - chain->tail_offset < MEDIUM_BLOCK_BYTES)
        return;
    log->tail = chain->tail;
    log->tail_offset = chain->tail_offset;
    log->hint = work[chain->tail].scan.hint;
    work[chain->tail].scan.hint = (struct hint){.size = 0};
}

static bool has_counted(const struct scan *scan)
{
    for (uint32_t b = 0; b < scan->count; b++)
        if (scan->batches[b].counts)
            return true;
    return false;
}

/* Behind the end of the log: segments that were never begun, or torn from the start. */
static void remove_unborn(struct recover *recover, uint32_t shard, struct recovered *log,
                          const struct chain *chain, const struct chain_segment *judged)
{
    for (uint32_t i = 0; i < log->count; i++) {
        bool behind = chain->tail == UINT32_MAX || i > chain->tail;
        if (behind && i != log->ready && !judged[i].hint && !judged[i].damaged &&
            !has_counted(judged[i].scan) && judged[i].scan->check != SEGMENT_BAD &&
            judged[i].scan->unreadable == 0)
            (void)medium_remove_wait(recover->medium,
                                     examine_name(MEDIUM_SEGMENT, shard, log->segments[i].number));
    }
}

static enum status conclude(struct recover *recover, uint32_t shard, struct recovered *log,
                            struct chain_segment *judged, struct examined *work,
                            struct fault *fault)
{
    struct chain chain;
    chain_resolve(judged, log->count, &chain);
    uint32_t last = chain.tail == UINT32_MAX ? 0 : chain.tail;
    for (uint32_t i = last; i < log->count; i++)
        if (!judged[i].hint && judged[i].scan->unreadable > 0 && recover->repair)
            return fault_set(fault, STATUS_IO,
                             "log %" PRIu32 ", segment %08" PRIu32 ": %" PRIu32
                             " blocks at the end of the log can't be read",
                             shard, log->segments[i].number, judged[i].scan->unreadable);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < log->count && status == STATUS_OK; i++)
        status = absorb(recover, shard, log, i, &judged[i], &work[i]);
    if (status != STATUS_OK)
        return fault_set(fault, status, "log %" PRIu32 ": a hint can't be read", shard);
    /* What is damaged may have told numbers that nobody remembers. */
    uint64_t lost = chain.durable_upto == chain.sequence && chain.crc == 0 && log->count > 0
                        ? log->segments[log->count - 1].bytes / RECORD_HEADER_BYTES
                        : 0;
    log->sequence = chain.sequence;
    log->crc = chain.crc;
    log->end = chain.tail;
    log->end_offset = chain.tail_offset;
    log->durable_upto = chain.durable_upto;
    log->next_lsn = chain.sequence == 0 ? 1 : recover_next_lsn(chain.end_lsn + lost);
    find_tail(log, &chain, judged, work);
    if (shard >= recover->running)
        log->ready = UINT32_MAX;
    if (!recover->repair)
        return STATUS_OK;
    for (uint32_t i = 0; i < log->count && i <= last; i++)
        if (i != log->tail && !judged[i].hint && !judged[i].damaged)
            publish_hint(recover, shard, &log->segments[i], &work[i].scan);
    remove_unborn(recover, shard, log, &chain, judged);
    return STATUS_OK;
}

/* Seen beside a writer, what seems to be missing may have been written after its segment was
 * scanned, but before a later one was: from the last segment back, nothing can seem to be. */
static enum status look_again(struct recover *recover, uint32_t shard, struct recovered *log,
                              struct chain_segment *judged, struct examined *work)
{
    struct chain chain;
    bool missing = false;
    chain_resolve(judged, log->count, &chain);
    for (uint32_t i = 0; i < log->count; i++)
        missing = missing || judged[i].missing > 0;
    for (uint32_t i = log->count; missing && i > 0; i--) {
        struct medium_name name = examine_name(MEDIUM_SEGMENT, shard, log->segments[i - 1].number);
        if (work[i - 1].hinted || !work[i - 1].object)
            continue;
        scan_deinit(&work[i - 1].scan);
        enum status status = examine_scan(recover, &work[i - 1], name, false);
        if (status != STATUS_OK)
            return status;
    }
    for (uint32_t i = 0; i < log->count; i++)
        judged[i] = (struct chain_segment){.hint = judged[i].hint, .scan = judged[i].scan};
    return STATUS_OK;
}

static enum status recover_log(struct recover *recover, uint32_t shard, struct recovered *log,
                               struct fault *fault)
{
    struct examined *work = calloc(log->count + 1, sizeof(*work));
    struct chain_segment *judged = calloc(log->count + 1, sizeof(*judged));
    enum status status = work && judged ? STATUS_OK : STATUS_SYSTEM;
    bool after_close = false;
    if (log->count > 0)
        qsort(log->segments, log->count, sizeof(*log->segments), compare_segments);
    for (uint32_t i = 0; i < log->count && status == STATUS_OK; i++) {
        log->segments[i].since = i > 0 ? log->segments[i - 1].number + 1 : 1;
        status = examine_segment(recover, shard, &log->segments[i], &work[i], after_close, fault);
        const struct scan *scan = &work[i].scan;
        if (scan->count > 0)
            after_close = scan->batches[scan->count - 1].header.flags & BATCH_CLOSING;
        judged[i].hint = work[i].hinted ? &work[i].hint_header : NULL;
        judged[i].scan = &work[i].scan;
    }
    if (status == STATUS_OK && !recover->repair)
        status = look_again(recover, shard, log, judged, work);
    if (status == STATUS_OK)
        status = conclude(recover, shard, log, judged, work, fault);
    for (uint32_t i = 0; work && i < log->count; i++) {
        if (work[i].object)
            recover->medium->calls->close(recover->medium, work[i].object);
        scan_deinit(&work[i].scan);
    }
    free(work);
    free(judged);
    return status;
}

/* One run's only: which segment was on its way to which end, nobody knows any more. */
static void remove_leftovers(struct recover *recover, uint32_t shard)
{
    (void)medium_remove_wait(recover->medium, examine_name(MEDIUM_REWRITE, shard, 0));
    (void)medium_remove_wait(recover->medium, examine_name(MEDIUM_RETIRED, shard, 0));
}

enum status recover_logs(struct recover *recover, struct recovered *logs, uint32_t *count,
                         struct fault *fault)
{
    struct inventory inventory = {.logs = logs};
    know(&inventory, recover->running);
    enum status status = recover->medium->calls->list(recover->medium, visit, &inventory, fault);
    *count = inventory.count;
    if (status == STATUS_OK && inventory.failed)
        status = fault_set(fault, STATUS_SYSTEM, "out of memory");
    if (status != STATUS_OK)
        return status;
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX && recover->repair; shard++)
        if (inventory.leftovers[shard])
            remove_leftovers(recover, shard);
    status = link_names_init(&recover->names);
    if (status != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "out of memory");
    for (uint32_t shard = 0; shard < inventory.count && status == STATUS_OK; shard++)
        status = recover_log(recover, shard, &logs[shard], fault);
    free(recover->window);
    recover->window = NULL;
    recover->window_bytes = 0;
    link_names_deinit(&recover->names);
    return status;
}
