#include "storage/settle.h"

#include "base/fetch.h"
#include "base/invariant.h"
#include "base/log.h"
#include "storage/store_log.h"

#include <inttypes.h>

static void hint_published(struct medium_op *op)
{
    struct settle *settle = (struct settle *)(void *)((uint8_t *)op - offsetof(struct settle, op));
    settle->under_way = false;
    catalog_seal(settle->catalog, settle->publishing.header.shard, &settle->publishing.header,
                 op->result >= 0);
    if (op->result < 0)
        log_warning("log %" PRIu32 ": no hint for segment %08" PRIu32 ": it will be scanned",
                    settle->publishing.header.shard, settle->publishing.header.segment);
    hint_deinit(&settle->publishing);
}

/* The segment is complete. Its hint is a help, not a promise: with the last one still on its way
 * this one is left out. */
static void hint_publish(struct store_log *log)
{
    struct settle *settle = &log->settle;
    if (settle->under_way || settle->hint.failed) {
        catalog_seal(log->store->catalog, log->shard, &settle->hint.header, false);
        hint_deinit(&settle->hint);
        return;
    }
    settle->publishing = settle->hint;
    settle->hint = (struct hint){.size = 0};
    struct span bytes = hint_seal(&settle->publishing);
    struct medium_name name = {
        .kind = MEDIUM_HINT, .shard = log->shard, .number = settle->publishing.header.segment};
    settle->under_way = true;
    settle->catalog = log->store->catalog;
    settle->op.done = hint_published;
    INVARIANT(bytes.size <= UINT32_MAX);
    log->medium->calls->publish(log->medium, name, bytes.data, (uint32_t)bytes.size, &settle->op);
}

static void enter_segment(struct store_log *log, const struct batch *batch)
{
    struct hint *hint = &log->settle.hint;
    if (hint->header.segment == batch->segment->number)
        return;
    if (hint->header.segment != 0)
        hint_publish(log);
    hint_init(hint, log->store->identity.id, log->shard, batch->segment->number,
              batch->segment->epoch);
    hint->header.first_sequence = batch->header.sequence;
    hint->header.first_lsn = batch->header.first_lsn;
    log->settle.has_message = false;
    catalog_begin(log->store->catalog, log->shard, batch->segment->number, batch->header.first_lsn,
                  batch->segment->epoch, batch->segment->bytes);
}

/* Those named twice are counted twice: to see that they are costs a walk. */
static uint16_t count_copies(struct span envelope)
{
    struct envelope_cursor cursor = envelope_read(envelope);
    unsigned tag;
    struct span value;
    uint32_t copies = 0;
    while (copies < LINK_PLACES_MAX && envelope_next(&cursor, &tag, &value))
        copies += tag == ENVELOPE_MAILBOX;
    return (uint16_t)copies;
}

static bool settle_message(struct store_log *log, uint64_t cookie)
{
    struct settle *settle = &log->settle;
    const struct batch *batch = commit_batch(&log->commit, log->commit.settled);
    uint32_t slot = (uint32_t)((batch->offset + settle->offset) / RECORD_ALIGN);
    struct store_link link = link_of(&settle->record.header, batch->segment->number, slot);
    if (!settle->in_record) {
        link_walk_begin(&settle->walk, &settle->names, settle->record.envelope);
        hint_message_begin(&settle->hint, &settle->record, slot);
        settle->copies = count_copies(settle->record.envelope);
        settle->in_record = true;
    }
    link.copies = settle->copies;
    while (settle->in_stop || link_walk_next(&settle->walk, &settle->stop)) {
        settle->in_stop = true;
        link.place = settle->stop.place;
        uint32_t owner = link_owner(settle->stop.hash, log->store->options.shards);
        /* After one is left out none may follow: an owner takes what comes for all there is. */
        bool taken = !settle->left &&
                     log->events.link(log->events.context, owner, settle->stop.mailbox, &link);
        if (!taken && !settle->closing)
            return false;
        settle->left = settle->left || !taken;
        hint_message_link(&settle->hint, &settle->stop);
        log->counters.links++;
        settle->in_stop = false;
    }
    hint_message_end(&settle->hint);
    settle->in_record = false;
    if (!settle->has_message)
        catalog_first(log->store->catalog, log->shard, batch->segment->number,
                      settle->hint.first_number);
    settle->has_message = true;
    log->counters.messages++;
    log->events.stored(log->events.context, cookie, link.id, STATUS_OK);
    return true;
}

/* What the record at settle->offset means; false: try again later. */
static bool settle_record(struct store_log *log, const struct batch *batch)
{
    struct settle *settle = &log->settle;
    const struct record *record = &settle->record;
    bool durable = batch->state == BATCH_DURABLE;
    if (record->header.type == RECORD_CHUNK)
        return true;
    uint64_t cookie = batch->cookies[settle->cookie_count];
    if (record->header.type == RECORD_DELETE) {
        if (durable)
            hint_record(&settle->hint, record,
                        (uint32_t)((batch->offset + settle->offset) / RECORD_ALIGN), NULL);
        expunge_settle(log, cookie, record, durable ? STATUS_OK : log->commit.failure);
    } else if (!durable) {
        log->events.stored(log->events.context, cookie, link_of(&record->header, 0, 0).id,
                           log->commit.failure);
    } else if (!settle_message(log, cookie)) {
        return false;
    }
    if (durable)
        settle->end_lsn = record->header.lsn + 1;
    settle->cookie_count++;
    return true;
}

static void tell_owners(struct store_log *log, const struct batch *batch)
{
    struct tallies_segment *tally =
        tallies_at(&log->store->tallies, log->shard, batch->segment->number);
    atomic_fetch_add_explicit(&tally->record_bytes, batch->header.used - BATCH_HEADER_BYTES,
                              memory_order_relaxed);
    if (!log->settle.left && log->settle.end_lsn > 0)
        atomic_store_explicit(&log->store->settled[log->shard], log->settle.end_lsn,
                              memory_order_release);
}

static bool settle_batch(struct store_log *log, const struct batch *batch)
{
    struct settle *settle = &log->settle;
    if (settle->offset == 0) {
        if (batch->state == BATCH_DURABLE)
            enter_segment(log, batch);
        settle->offset = BATCH_HEADER_BYTES;
        settle->cookie_count = 0;
        settle->messages = log->counters.messages;
    }
    while (settle->offset < batch->header.used) {
        record_view(batch->bytes + settle->offset, &settle->record);
        fetch(batch->bytes + settle->offset + settle->record.header.record_bytes,
              RECORD_HEADER_BYTES + ENVELOPE_BYTES_USUAL); /* of the next one */
        if (!settle_record(log, batch))
            return false;
        settle->offset += settle->record.header.record_bytes;
        if (batch->state == BATCH_DURABLE)
            settle->hint.header.record_bytes += settle->record.header.record_bytes;
    }
    if (batch->state == BATCH_DURABLE) {
        struct hint_header *hint = &settle->hint.header;
        hint->last_sequence = batch->header.sequence;
        hint->last_crc = batch->header.crc;
        hint->end_lsn = batch->header.first_lsn + batch->header.records;
        hint->end_offset = batch->offset + batch->header.bytes;
        tell_owners(log, batch);
    }
    if (log->counters.messages > settle->messages)
        powers_add(&log->counters.batch_messages, log->counters.messages - settle->messages);
    settle->offset = 0;
    return true;
}

bool settle_turn(struct store_log *log)
{
    struct commit *commit = &log->commit;
    while (commit->settled < commit->ended) {
        struct batch *batch = commit_batch(commit, commit->settled);
        if (batch->state == BATCH_FAILED && commit->state != COMMIT_RUNNING &&
            commit->refusal == STATUS_OK)
            return false;
        if (!settle_batch(log, batch))
            return true;
        segment_drop(batch->segment);
        batch->segment = NULL;
        commit->settled++;
    }
    return false;
}
