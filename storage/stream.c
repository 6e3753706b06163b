/* The logs as one stream: a follower per log, taken in turns. */
#include "base/clock.h"
#include "storage/follower.h"
#include "storage/store_log.h"

#include <inttypes.h>
#include <stdlib.h>

#define TURN_PACKS 64u /* of one log before the next has its turn */

struct store_stream {
    struct store *store;
    struct follower *followers[STORE_SHARDS_MAX]; /* NULL: no such log yet */
    uint64_t places[STORE_SHARDS_MAX];
    struct follower_window window;
    struct pack pack;     /* of the follower whose turn it is */
    bool inside;          /* the pack may have more records */
    uint32_t turn, packs; /* whose turn it is, and how many it has given in it */
    uint32_t idle;        /* followers in a row that had none */
    uint64_t listed_ns;
};

/* ---- opening ---- */

/* Logs that are not on disk yet, too. */
static const struct recovered *recovered_of(const struct store *store, uint32_t shard)
{
    return shard < store->logs_count ? &store->logs[shard] : &recovered_none;
}

static enum status follow(struct store_stream *stream, uint32_t shard)
{
    const struct store *store = stream->store;
    struct follower *follower = calloc(1, sizeof(*follower));
    if (!follower)
        return STATUS_SYSTEM;
    *follower = (struct follower){
        .medium = store->medium,
        .store = store->identity.id,
        .record_seed = store->record_seed,
        .shard = shard,
        .window = &stream->window,
        .judged = recovered_of(store, shard),
        .from = stream->places[shard] + 1,
    };
    stream->followers[shard] = follower;
    return follower_open(follower);
}

/* The first place of a log that nothing was reclaimed behind. */
static uint64_t first_place(const struct recovered *log)
{
    for (uint32_t i = 0; log->count > 0 && log->segments[0].number > 1 && i < log->count; i++)
        if (log->segments[i].end_lsn > 0)
            return log->segments[i].first_lsn - 1;
    return 0;
}

static enum status check_place(const struct store *store, uint32_t shard, uint64_t place,
                               struct fault *fault)
{
    const struct recovered *log = recovered_of(store, shard);
    uint64_t first = first_place(log);
    if (place < first)
        return fault_set(fault, STATUS_ABSENT,
                         "position %" PRIu32 ":%" PRIu64 " is no longer there: the first that is: "
                         "%" PRIu32 ":%" PRIu64,
                         shard, place, shard, first);
    if (place >= log->next_lsn)
        return fault_set(fault, STATUS_ABSENT,
                         "position %" PRIu32 ":%" PRIu64 " is behind the end of the log", shard,
                         place);
    return STATUS_OK;
}

static enum status open_logs(struct store_stream *stream, const uint64_t *places,
                             struct fault *fault)
{
    struct store *store = stream->store;
    enum status status = STATUS_OK;
    for (uint32_t shard = 0; places && shard < STORE_SHARDS_MAX && status == STATUS_OK; shard++) {
        stream->places[shard] = places[shard];
        status = check_place(store, shard, places[shard], fault);
    }
    if (status != STATUS_OK)
        return status;
    stream->window.bytes = malloc(SCAN_WINDOW_BYTES);
    if (!stream->window.bytes)
        return fault_set(fault, STATUS_SYSTEM, "out of memory");
    for (uint32_t shard = 0; shard < store->logs_count && status == STATUS_OK; shard++)
        status = follow(stream, shard);
    if (status == STATUS_ABSENT) /* a segment was removed meanwhile */
        status = STATUS_CORRUPT;
    if (status != STATUS_OK)
        return fault_set(fault, status, "reading the logs: %s", status_text(status));
    return STATUS_OK;
}

enum status store_stream_open(struct store_stream **stream, struct store *store,
                              const uint64_t *places, struct fault *fault)
{
    struct store_stream *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return fault_set(fault, STATUS_SYSTEM, "out of memory");
    opened->store = store;
    enum status status = open_logs(opened, places, fault);
    if (status != STATUS_OK) {
        store_stream_close(opened);
        return status;
    }
    *stream = opened;
    return STATUS_OK;
}

void store_stream_close(struct store_stream *stream)
{
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX; shard++)
        if (stream->followers[shard]) {
            follower_close(stream->followers[shard]);
            free(stream->followers[shard]);
        }
    free(stream->window.bytes);
    free(stream);
}

/* ---- going on ---- */

static void listed(void *context, struct medium_name name, uint64_t bytes)
{
    struct store_stream *stream = context;
    (void)bytes;
    if (name.kind != MEDIUM_SEGMENT || name.shard >= STORE_SHARDS_MAX)
        return;
    if (!stream->followers[name.shard] && follow(stream, name.shard) != STATUS_OK)
        return; /* no memory now: the next listing tries again */
    follower_listed(stream->followers[name.shard], name.number);
}

/* Once a second at most, when all is read: logs that are new, and numbers that were left out. */
static void list(struct store_stream *stream, uint64_t now_ns)
{
    struct medium *medium = stream->store->medium;
    if (stream->listed_ns != 0 && now_ns - stream->listed_ns < NS_PER_S)
        return;
    stream->listed_ns = now_ns;
    if (medium->calls->list(medium, listed, stream, NULL) != STATUS_OK)
        stream->listed_ns = 0;
}

static void next_turn(struct store_stream *stream)
{
    stream->turn = (stream->turn + 1) % STORE_SHARDS_MAX;
    stream->packs = 0;
}

/* The next pack of whatever log. */
static enum status next_pack(struct store_stream *stream)
{
    uint64_t now_ns = clock_monotonic_ns(stream->store->options.clock);
    if (stream->packs >= TURN_PACKS)
        next_turn(stream);
    while (stream->idle < STORE_SHARDS_MAX) {
        struct follower *follower = stream->followers[stream->turn];
        enum status status =
            follower ? follower_next(follower, now_ns, &stream->pack) : STATUS_AGAIN;
        if (status == STATUS_OK) {
            stream->inside = true;
            stream->packs++;
            stream->idle = 0;
        }
        if (status != STATUS_AGAIN)
            return status == STATUS_ABSENT ? STATUS_CORRUPT : status;
        next_turn(stream);
        stream->idle++;
    }
    stream->idle = 0;
    list(stream, now_ns);
    return STATUS_AGAIN;
}

/* The next wanted message of the pack. */
static bool next_message(struct store_stream *stream, struct store_entry *entry)
{
    uint32_t shard = stream->turn, slot;
    uint64_t *place = &stream->places[shard];
    struct record record;
    while (pack_next(&stream->pack, &record, &slot)) {
        if (record.header.lsn <= *place)
            continue;
        *place = record.header.lsn;
        if (record.header.type != RECORD_MESSAGE)
            continue;
        *entry = (struct store_entry){
            .shard = shard,
            .lsn = record.header.lsn,
            .link = link_of(&record.header, stream->pack.segment, slot),
            .received_ns = record.header.received_ns,
            .envelope = record.envelope,
            .fresh = follower_is_fresh(stream->followers[shard], record.header.lsn),
        };
        return true;
    }
    uint64_t end_lsn = stream->pack.end_lsn;
    if (end_lsn > 0 && end_lsn - 1 > *place)
        *place = end_lsn - 1;
    return false;
}

enum status store_stream_next(struct store_stream *stream, struct store_entry *entry)
{
    for (;;) {
        if (stream->inside && next_message(stream, entry))
            return STATUS_OK;
        stream->inside = false;
        enum status status = next_pack(stream);
        if (status != STATUS_OK)
            return status;
    }
}

bool store_stream_waits(const struct store_stream *stream)
{
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX; shard++)
        if (stream->followers[shard] && stream->followers[shard]->waits)
            return true;
    return false;
}

const uint64_t *store_stream_places(const struct store_stream *stream)
{
    return stream->places;
}
