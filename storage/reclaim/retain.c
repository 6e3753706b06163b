#include "storage/reclaim/retain.h"

#include "base/invariant.h"
#include "storage/index/index_key.h"
#include "storage/store_log.h"

#include <stddef.h>
#include <stdlib.h>

static bool is_on(const struct retain *retain)
{
    return retain->after_ns > 0 || retain->keep > 0;
}

static void add_name(struct retain *retain, struct span name)
{
    struct retain_name *added = malloc(sizeof(*added) + name.size);
    INVARIANT(added);
    added->bytes = (uint32_t)name.size;
    if (name.size > 0)
        memcpy(added->name, name.data, name.size);
    added->next = retain->names;
    retain->names = added;
}

/* ---- what the base has ---- */

struct slice { /* as a scan goes through it, mailbox by mailbox */
    struct retain *retain;
    uint8_t *name;
    uint32_t name_bytes, count;
    bool expired;
};

static void end_mailbox(struct slice *slice)
{
    struct retain *retain = slice->retain;
    struct span name = span_of(slice->name, slice->name_bytes);
    bool many = retain->keep > 0 && slice->count > retain->keep;
    if (slice->count > 0 && (many || slice->expired) &&
        store_owner(retain->log->store, name) == retain->log->shard)
        add_name(retain, name);
    slice->count = 0;
    slice->expired = false;
}

static bool see_link(void *context, struct span key, struct span value)
{
    struct slice *slice = context;
    struct store_link link;
    struct span name;
    uint64_t hash, id;
    if (!index_key_parse_link(key, &hash, &name, &id) || !index_link_parse(id, value, &link))
        return true;
    if (slice->count > 0 && !span_equal(name, span_of(slice->name, slice->name_bytes)))
        end_mailbox(slice);
    slice->name_bytes = (uint32_t)name.size;
    if (slice->count++ == 0 && name.size > 0)
        memcpy(slice->name, name.data, name.size);
    slice->expired = slice->expired || link.received_ns < slice->retain->before_ns;
    return true;
}

/* On the clerk's thread. */
static void read_slice(struct job *job)
{
    struct retain *retain =
        (struct retain *)(void *)((uint8_t *)job - offsetof(struct retain, job));
    struct index *index = retain->log->store->index;
    const uint8_t prefix[] = {'L', (uint8_t)retain->slice};
    struct slice slice = {.retain = retain, .name = malloc(INDEX_NAME_BYTES_MAX)};
    INVARIANT(slice.name);
    retain->read = index->calls->scan(index, span_of(prefix, sizeof(prefix)), see_link, &slice);
    end_mailbox(&slice);
    free(slice.name);
}

static void slice_read(struct job *job)
{
    struct retain *retain =
        (struct retain *)(void *)((uint8_t *)job - offsetof(struct retain, job));
    retain->reading = false;
    if (retain->read != STATUS_OK)
        retain->failure = retain->read;
    retain->slice++;
}

static void begin_slice(struct store_log *log)
{
    struct retain *retain = &log->retain;
    uint32_t first, last;
    coverage_range_of(log->shard, log->store->options.shards, &first, &last);
    if (retain->slice < first >> 24)
        retain->slice = first >> 24;
    if (retain->slice > last >> 24) {
        retain->slice = RETAIN_SLICES;
        return;
    }
    retain->log = log;
    retain->reading = true;
    retain->job = (struct job){.work = read_slice, .done = slice_read};
    clerk_give(&log->store->writer, &log->desk, &retain->job);
}

/* ---- what came since ---- */

static bool is_suspect(const struct retain *retain, const struct delta_mailbox *mailbox)
{
    if (!mailbox || mailbox->count == 0)
        return false;
    return retain->keep > 0 || mailbox->links[0].received_ns < retain->before_ns;
}

/* False: all of it was looked at. */
static bool look_at_deltas(struct store_log *log)
{
    struct retain *retain = &log->retain;
    const struct delta *active = log->owner->active, *frozen = log->owner->frozen;
    uint64_t all = (uint64_t)active->mask + 1 + (frozen ? (uint64_t)frozen->mask + 1 : 0);
    for (uint32_t looks = 0; looks < RETAIN_LOOKS; looks++) {
        if (retain->cursor >= all)
            return false;
        uint32_t at = retain->cursor++;
        const struct delta_mailbox *mailbox =
            at <= active->mask ? active->table[at] : frozen->table[at - active->mask - 1];
        if (is_suspect(retain, mailbox))
            add_name(retain, delta_name(mailbox));
    }
    return true;
}

/* ---- one mailbox ---- */

static void open_next(struct store_log *log)
{
    struct retain *retain = &log->retain;
    struct retain_name *name = retain->names;
    retain->names = name->next;
    enum status status =
        store_maildrop_open(log, span_of(name->name, name->bytes), (uintptr_t)retain);
    retain->opening = status == STATUS_OK;
    if (status != STATUS_OK && status != STATUS_BUSY)
        retain->failure = status;
    free(name);
}

/* How many links at the beginning of the list, which is in the order of receipt, are to go. */
static uint32_t count_expired(const struct retain *retain, const struct maildrop *maildrop)
{
    uint32_t count = maildrop->count;
    uint32_t expired = retain->keep > 0 && count > retain->keep ? count - retain->keep : 0;
    while (expired < count && maildrop->links[expired].received_ns < retain->before_ns)
        expired++;
    return expired;
}

bool retain_opened(struct store_log *log, uint64_t cookie, enum status status,
                   struct maildrop *maildrop)
{
    struct retain *retain = &log->retain;
    if (cookie != (uintptr_t)retain)
        return false;
    retain->opening = false;
    if (status != STATUS_OK) {
        retain->failure = status;
        return true;
    }
    uint32_t expired = retain->closing ? 0 : count_expired(retain, maildrop);
    if (expired == 0) {
        store_maildrop_close(log, maildrop);
        return true;
    }
    for (uint32_t i = 0; i < expired; i++)
        maildrop->deleted[i / 8] |= (uint8_t)(1u << (i % 8));
    retain->found = true;
    retain->maildrop = maildrop;
    store_expunge(log, maildrop, (uintptr_t)retain);
    return true;
}

bool retain_ended(struct store_log *log, uint64_t cookie, enum status status)
{
    struct retain *retain = &log->retain;
    if (cookie != (uintptr_t)retain)
        return false;
    for (uint32_t i = 0; status == STATUS_OK && i < retain->maildrop->count; i++)
        log->counters.expired += retain->maildrop->deleted[i / 8] >> (i % 8) & 1;
    if (status != STATUS_OK)
        retain->failure = status;
    store_maildrop_close(log, retain->maildrop);
    retain->maildrop = NULL;
    return true;
}

/* ---- rounds ---- */

static void begin_round(struct store_log *log)
{
    struct retain *retain = &log->retain;
    uint64_t now_ns = clock_wall_ns(log->clock);
    retain->before_ns =
        retain->after_ns > 0 && now_ns > retain->after_ns ? now_ns - retain->after_ns : 0;
    retain->began_ns = clock_monotonic_ns(log->clock);
    retain->failure = STATUS_OK;
    retain->found = false;
}

/* What was found may have left more to find, so then the pause is shorter: but mail that expires
 * all the time shall not keep a core busy all the time. */
static void end_round(struct retain *retain, uint64_t now_ns)
{
    uint64_t pause_ns = RETAIN_ROUND_NS, rest_ns = (now_ns - retain->began_ns) * RETAIN_REST;
    if (retain->after_ns > 0 && retain->after_ns / 8 < pause_ns)
        pause_ns = retain->after_ns / 8;
    retain->satisfied = !retain->found || retain->failure != STATUS_OK;
    retain->slice = retain->cursor = 0;
    retain->next_ns = now_ns + (retain->satisfied || rest_ns > pause_ns ? pause_ns : rest_ns);
}

bool retain_turn(struct store_log *log)
{
    struct retain *retain = &log->retain;
    if (!is_on(retain) || retain->closing || retain->reading || retain->opening || retain->maildrop)
        return false;
    uint64_t now_ns = clock_monotonic_ns(log->clock);
    if (now_ns < retain->next_ns)
        return false;
    if (retain->slice == 0 && retain->cursor == 0 && !retain->names)
        begin_round(log);
    if (retain->names)
        open_next(log);
    else if (retain->slice < RETAIN_SLICES)
        begin_slice(log);
    else if (!look_at_deltas(log) && !retain->names)
        end_round(retain, now_ns);
    return now_ns >= retain->next_ns;
}

uint64_t retain_next_ns(const struct store_log *log)
{
    const struct retain *retain = &log->retain;
    bool waits = retain->reading || retain->opening || retain->maildrop;
    return is_on(retain) && !waits ? retain->next_ns : UINT64_MAX;
}

void retain_deinit(struct retain *retain)
{
    while (retain->names) {
        struct retain_name *name = retain->names;
        retain->names = name->next;
        free(name);
    }
    store_maildrop_free(retain->maildrop);
}
