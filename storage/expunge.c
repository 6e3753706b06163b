#include "storage/expunge.h"

#include "base/invariant.h"
#include "storage/store_log.h"
#include "storage/maildrop.h"

#define IDS_MAX 8192u /* per record: no deletion fills a batch by itself */

static bool is_marked(const struct maildrop *maildrop, uint32_t index)
{
    return maildrop->deleted[index / 8] >> (index % 8) & 1;
}

/* The envelope of a deletion: one item, the mailbox. */
static uint32_t put_mailbox(uint8_t *out, struct span mailbox)
{
    struct envelope envelope = {.bytes = out,
                                .capacity = ENVELOPE_ITEM_BYTES + (uint32_t)mailbox.size};
    bool added = envelope_add(&envelope, ENVELOPE_MAILBOX, mailbox);
    INVARIANT(added);
    return envelope.size;
}

/* Marked messages from the cursor on, `most` at most. */
static uint32_t count_marked(const struct drop *drop, uint32_t most)
{
    uint32_t count = 0;
    for (uint32_t i = drop->expunge.cursor; i < drop->maildrop.count && count < most; i++)
        count += is_marked(&drop->maildrop, i);
    return count;
}

static uint8_t *put_ids(struct drop *drop, uint8_t *out, uint32_t count)
{
    for (; count > 0; drop->expunge.cursor++) {
        if (!is_marked(&drop->maildrop, drop->expunge.cursor))
            continue;
        memcpy(out, &drop->maildrop.links[drop->expunge.cursor].id, 8);
        out += 8;
        count--;
    }
    return out;
}

/* How many ids a record may carry: what a small batch holds beside the longest name. */
static uint32_t ids_max(const struct store_log *log, const struct drop *drop)
{
    uint64_t frame = RECORD_HEADER_BYTES + ENVELOPE_ITEM_BYTES + drop->maildrop.mailbox.size + 8;
    uint64_t left = commit_record_max(&log->commit) - frame;
    return left / 8 < IDS_MAX ? (uint32_t)(left / 8) : IDS_MAX;
}

static enum status append_some(struct store_log *log, struct drop *drop)
{
    struct span mailbox = drop->maildrop.mailbox;
    uint32_t count = count_marked(drop, ids_max(log, drop));
    struct record_header header = {
        .type = RECORD_DELETE,
        .received_ns = clock_wall_ns(log->clock),
        .envelope_bytes = ENVELOPE_ITEM_BYTES + (uint32_t)mailbox.size,
        .body_bytes = count * 8,
    };
    struct commit_slot slot;
    uint64_t cookie = (uintptr_t)drop;
    if (count == 0) {
        drop->expunge.appended = true;
        return STATUS_OK;
    }
    uint64_t size = record_size((uint64_t)header.envelope_bytes + header.body_bytes);
    enum status status = commit_reserve(&log->commit, size, COMMIT_DELETION, &slot);
    if (status != STATUS_OK)
        return status;
    uint8_t *out = slot.bytes + RECORD_HEADER_BYTES;
    put_ids(drop, out + put_mailbox(out, mailbox), count);
    commit_add(&log->commit, &slot, &header, &cookie);
    drop->expunge.flights++;
    return STATUS_OK;
}

static void append_queued(struct store_log *log)
{
    for (struct expunge *expunge = log->expunges.first; expunge; expunge = expunge->next) {
        while (!expunge->appended && expunge->status == STATUS_OK) {
            enum status status = append_some(log, drop_of(expunge));
            if (status == STATUS_AGAIN)
                return;
            expunge->status = status;
        }
    }
}

void expunge_turn(struct store_log *log)
{
    struct expunges *queue = &log->expunges;
    append_queued(log);
    while (queue->first) {
        struct expunge *expunge = queue->first;
        if (expunge->flights > 0 || (!expunge->appended && expunge->status == STATUS_OK))
            return;
        queue->first = expunge->next;
        if (!queue->first)
            queue->last = NULL;
        drop_of(expunge)->expunging = false;
        if (!retain_ended(log, expunge->cookie, expunge->status))
            log->events.expunged(log->events.context, expunge->cookie, expunge->status);
    }
}

void expunge_settle(struct store_log *log, uint64_t cookie, const struct record *record,
                    enum status status)
{
    struct drop *drop = (struct drop *)(uintptr_t)cookie;
    struct owner_deletion deletion;
    drop->expunge.flights--;
    if (status != STATUS_OK) {
        drop->expunge.status = status;
        return;
    }
    owner_delete_begin(&deletion, log->owner, drop->maildrop.mailbox, drop->lock->hash);
    for (size_t at = 0; at + 8 <= record->wire.size; at += 8) {
        const struct store_link *link;
        do {
            INVARIANT(drop->expunge.settled < drop->maildrop.count);
            link = &drop->maildrop.links[drop->expunge.settled++];
        } while (memcmp(&link->id, record->wire.data + at, 8) != 0);
        owner_delete(&deletion, link);
        log->counters.expunged++;
    }
    owner_delete_end(&deletion);
}

void store_expunge(struct store_log *log, struct maildrop *maildrop, uint64_t cookie)
{
    struct drop *drop = (struct drop *)maildrop;
    INVARIANT(!drop->expunging && drop->lock);
    drop->expunging = true;
    drop->expunge = (struct expunge){.cookie = cookie, .status = STATUS_OK};
    *(log->expunges.last ? &log->expunges.last->next : &log->expunges.first) = &drop->expunge;
    log->expunges.last = &drop->expunge;
}
