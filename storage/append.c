/* The last step of a message: its record joins the open batch. */
#include "base/invariant.h"
#include "storage/store_log.h"

#define TERMINATOR_BYTES 3u /* ".\r\n": part of the wire form, not of the octets of RFC 1939 */

static struct record_header header_of(const struct store_draft *draft,
                                      const struct store_message *message)
{
    uint64_t body = draft->chunked_bytes + draft->staged_bytes + message->tail.size;
    INVARIANT(body >= TERMINATOR_BYTES + (uint64_t)message->stuffed);
    return (struct record_header){
        .type = RECORD_MESSAGE,
        .flags = (uint16_t)message->flags,
        .received_ns = message->received_ns,
        .octets = message->trace.size + body - message->stuffed - TERMINATOR_BYTES,
        .envelope_bytes = message->envelope->size,
        .chunk_count = draft->chunk_count,
        .trace_bytes = (uint32_t)message->trace.size,
        .body_bytes = draft->staged_bytes + (uint32_t)message->tail.size,
        .stuffed = message->stuffed,
        .header_bytes = message->trace.size + message->header_bytes,
    };
}

/* Of the record as far as it is known before the body: envelope, references, trace. */
static uint64_t frame_size(const struct store_draft *draft, const struct store_message *message)
{
    return record_size((uint64_t)message->envelope->size + message->trace.size +
                       (uint64_t)draft->chunk_count * CHUNK_REF_BYTES) +
           RECORD_ALIGN;
}

/* The tail of a record that would be too long goes ahead, all but its last bytes: `message->tail`
 * becomes what is left. */
static enum status send_tail(struct store_log *log, struct store_draft *draft,
                             struct store_message *message)
{
    size_t ahead =
        message->tail.size > TERMINATOR_BYTES ? message->tail.size - TERMINATOR_BYTES : 0;
    uint64_t need =
        draft_spill_size(log, ahead) + 2 * frame_size(draft, message) + DRAFT_PAGE_BYTES;
    uint64_t most = (log->commit.depth + 2ull) * commit_record_max(&log->commit);
    if (frame_size(draft, message) > commit_record_max(&log->commit) / 2 || need > most)
        return STATUS_FULL;
    if (commit_room(&log->commit) < need)
        return STATUS_AGAIN;
    enum status status = draft_spill(log, draft, span_of(message->tail.data, ahead));
    if (status == STATUS_OK)
        message->tail = span_from(message->tail, ahead);
    return status;
}

/* A body that is too long for one record goes ahead as chunks. */
static enum status send_ahead(struct store_log *log, struct store_draft *draft,
                              struct store_message *message)
{
    uint32_t most = commit_record_max(&log->commit);
    uint64_t body = draft->staged_bytes + message->tail.size;
    if (draft->staged_bytes > 0 &&
        (body > log->chunk_bytes || frame_size(draft, message) + body > most)) {
        enum status status = draft_flush(log, draft);
        if (status != STATUS_OK)
            return status;
    }
    if (frame_size(draft, message) + draft->staged_bytes + message->tail.size <= most)
        return STATUS_OK;
    return send_tail(log, draft, message);
}

static enum status append_record(struct store_log *log, struct store_draft *draft,
                                 const struct store_message *message, uint64_t number,
                                 uint64_t cookie)
{
    struct commit_slot slot;
    struct record_header header = header_of(draft, message);
    uint64_t size = record_size((uint64_t)header.envelope_bytes +
                                (uint64_t)header.chunk_count * CHUNK_REF_BYTES +
                                header.trace_bytes + header.body_bytes);
    enum status status = commit_reserve(&log->commit, size, COMMIT_MAIL, &slot);
    if (status != STATUS_OK)
        return status;
    INVARIANT(slot.lsn - number <= UINT16_MAX);
    header.back = (uint16_t)(slot.lsn - number);
    uint8_t *out = slot.bytes + RECORD_HEADER_BYTES;
    memcpy(out, message->envelope->bytes, message->envelope->size);
    out = draft_copy_chunks(draft, out + message->envelope->size);
    if (message->trace.size > 0)
        memcpy(out, message->trace.data, message->trace.size);
    out = draft_copy_staged(draft, out + message->trace.size);
    if (message->tail.size > 0)
        memcpy(out, message->tail.data, message->tail.size);
    commit_add(&log->commit, &slot, &header, &cookie);
    if (draft->chunk_count > 0)
        commit_reach(&log->commit, draft_first_segment(draft));
    return STATUS_OK;
}

enum status store_append(struct store_log *log, struct store_draft *draft,
                         const struct store_message *message, uint64_t cookie)
{
    struct store_message rest = *message;
    uint64_t number = log->commit.next_lsn; /* as store_next_id said, whatever goes ahead */
    enum status status = STATUS_OK;
    if (!draft_is_whole(log, draft))
        status = STATUS_IO;
    else if (message->envelope->recipients > LINK_PLACES_MAX)
        status = STATUS_FULL;
    if (status == STATUS_OK)
        status = store_index_status(log->store);
    if (status == STATUS_OK)
        status = send_ahead(log, draft, &rest);
    if (status == STATUS_OK)
        status = append_record(log, draft, &rest, number, cookie);
    if (status != STATUS_AGAIN)
        draft_clear(log, draft);
    return status;
}

uint64_t store_next_id(const struct store_log *log)
{
    return link_id(log->shard, log->commit.next_lsn);
}
