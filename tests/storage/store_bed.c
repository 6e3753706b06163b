#include "tests/storage/store_bed.h"

#include "storage/store_log.h"
#include "tests/check_main.h"

#include <stdio.h>
#include <stdlib.h>

static const char trace_text[] = "Received: from here by there\r\n";
static const char header_text[] = "Subject: test\r\n\r\n";

static uint64_t bed_now(void *context)
{
    return ((struct store_bed *)context)->now_ns;
}

static uint64_t bed_wall(void *context)
{
    return 1700000000ull * NS_PER_S + ((struct store_bed *)context)->now_ns;
}

void store_bed_init(struct store_bed *bed, const struct sim_disk_options *disk)
{
    *bed = (struct store_bed){.now_ns = NS_PER_S};
    bed->clock = (struct clock){.monotonic_ns = bed_now, .wall_ns = bed_wall, .context = bed};
    store_options_default(&bed->options);
    bed->options.batch_bytes = 64 * 1024;
    bed->options.segment_bytes = 512 * 1024;
    bed->options.staging_bytes = 512 * 1024;
    bed->options.chunk_bytes = 16 * 1024;
    bed->options.fetches_max = 2;
    bed->options.delta_bytes = 2000;
    bed->options.clock = &bed->clock;
    bed->options.seed = disk->seed;
    bed->random.state = disk->seed;
    ck_assert_int_eq(sim_disk_open(&bed->disk, disk, &bed->clock), STATUS_OK);
}

void store_bed_deinit(struct store_bed *bed)
{
    sim_disk_close(bed->disk);
}

static void bed_patience(int turns)
{
    if (turns > 10000)
        ck_abort_msg("this does not come to an end");
}

/* ---- events ---- */

static bool bed_link(void *context, uint32_t owner, struct span mailbox,
                     const struct store_link *link)
{
    struct store_bed *bed = context;
    ck_assert_uint_eq(owner, store_owner(bed->store, mailbox));
    if (bed->refused < bed->refuse_links) {
        bed->refused++;
        return false;
    }
    bed->refused = 0;
    bed->links++;
    if (bed->logs[owner])
        store_link_add(bed->logs[owner], mailbox, link);
    return true;
}

static void bed_stored_event(void *context, uint64_t cookie, uint64_t id, enum status status)
{
    struct store_bed *bed = context;
    ck_assert_uint_lt(cookie, BED_STORED_MAX);
    ck_assert(!bed->stored[cookie].ended);
    const struct store_log *log = bed->logs[link_shard(id)];
    bed->stored[cookie] = (struct bed_stored){
        .id = id,
        .status = status,
        .ended = true,
        .unsure = status != STATUS_OK && log && log->commit.refusal != STATUS_OK,
    };
}

static void bed_expunged(void *context, uint64_t cookie, enum status status)
{
    struct store_bed *bed = context;
    bed->expunged_cookie = cookie;
    bed->expunged_status = status;
    bed->expunged_count++;
}

static void bed_opened(void *context, uint64_t cookie, enum status status,
                       struct maildrop *maildrop)
{
    struct store_bed *bed = context;
    ck_assert_uint_eq(cookie, 66);
    ck_assert(!bed->is_opened && (status == STATUS_OK) == (maildrop != NULL));
    bed->is_opened = true;
    bed->opened_status = status;
    bed->opened = maildrop;
}

/* ---- opening and closing ---- */

enum status store_bed_try(struct store_bed *bed, enum store_mode mode, struct fault *fault)
{
    ck_assert_int_eq(medium_sim_open(&bed->medium, bed->disk), STATUS_OK);
    enum status status = store_open(&bed->store, bed->medium, mode, &bed->options, fault);
    if (status != STATUS_OK) {
        bed->medium->calls->deinit(bed->medium);
        bed->medium = NULL;
        bed->store = NULL;
    }
    return status;
}

void store_bed_open(struct store_bed *bed)
{
    struct fault fault = {.text = ""};
    struct store_events events = {.link = bed_link,
                                  .stored = bed_stored_event,
                                  .expunged = bed_expunged,
                                  .opened = bed_opened,
                                  .context = bed};
    ck_assert_msg(store_bed_try(bed, STORE_WRITE, &fault) == STATUS_OK, "%s", fault.text);
    for (uint32_t i = 0; i < bed->options.shards; i++) {
        ck_assert_int_eq(medium_sim_open(&bed->mediums[i], bed->disk), STATUS_OK);
        enum status status =
            store_log_open(&bed->logs[i], bed->store, i, bed->mediums[i], &events, &fault);
        ck_assert_msg(status == STATUS_OK, "%s", fault.text);
    }
}

static void forget(struct store_bed *bed)
{
    store_close(bed->store);
    bed->medium->calls->deinit(bed->medium);
    bed->store = NULL;
    bed->medium = NULL;
}

void store_bed_close(struct store_bed *bed)
{
    for (uint32_t i = 0; i < BED_SHARDS_MAX; i++) {
        if (!bed->logs[i])
            continue;
        store_log_close(bed->logs[i]);
        bed->mediums[i]->calls->deinit(bed->mediums[i]);
        bed->logs[i] = NULL;
    }
    forget(bed);
}

void store_bed_crash(struct store_bed *bed)
{
    sim_disk_crash(bed->disk);
    for (uint32_t i = 0; i < BED_SHARDS_MAX; i++) {
        if (!bed->logs[i])
            continue;
        store_log_abandon(bed->logs[i]);
        bed->mediums[i]->calls->deinit(bed->mediums[i]);
        bed->logs[i] = NULL;
    }
    forget(bed);
}

void store_bed_turn(struct store_bed *bed)
{
    uint64_t next_ns = sim_disk_next_ns(bed->disk);
    if (next_ns != UINT64_MAX && next_ns > bed->now_ns)
        bed->now_ns = next_ns;
    bed->now_ns += 1000;
    for (uint32_t i = 0; i < bed->options.shards; i++) {
        bed->mediums[i]->calls->poll(bed->mediums[i], false);
        store_turn(bed->logs[i]);
    }
}

void store_bed_wait(struct store_bed *bed, uint64_t cookie)
{
    for (int turns = 0; !bed->stored[cookie].ended; turns++) {
        bed_patience(turns);
        store_bed_turn(bed);
    }
}

/* ---- messages ---- */

struct span bed_body(uint64_t number, size_t bytes)
{
    size_t head = sizeof(header_text) - 1;
    if (bytes < head + 5)
        bytes = head + 5;
    char *body = malloc(bytes);
    struct random random = {.state = number};
    memcpy(body, header_text, head);
    for (size_t i = head; i < bytes; i++)
        body[i] = (char)('a' + random_below(&random, 26));
    memcpy(body + bytes - 5, "\r\n.\r\n", 5);
    return span_of(body, bytes);
}

struct span bed_mailbox(char letter)
{
    static char names[26][3];
    char *name = names[letter - 'a'];
    memcpy(name, (char[]){letter, '@', 'x'}, 3);
    return span_of(name, 3);
}

static void bed_envelope(struct envelope *envelope, const char *mailboxes)
{
    ck_assert(envelope_add(envelope, ENVELOPE_REVERSE_PATH, SPAN("sender@example.org")));
    ck_assert(envelope_add(envelope, ENVELOPE_HELO, SPAN("client.example.org")));
    for (const char *letter = mailboxes; *letter; letter++)
        ck_assert(envelope_add(envelope, ENVELOPE_MAILBOX, bed_mailbox(*letter)));
}

enum status store_bed_append(struct store_bed *bed, uint32_t shard, uint64_t number, size_t bytes,
                             const char *mailboxes, uint64_t cookie)
{
    uint8_t envelope_bytes[1024];
    struct envelope envelope = {.bytes = envelope_bytes, .capacity = sizeof(envelope_bytes)};
    struct store_draft draft = {.next = NULL};
    bed_envelope(&envelope, mailboxes);
    struct span body = bed_body(number, bytes);
    struct store_message message = {
        .envelope = &envelope,
        .trace = SPAN("Received: from here by there\r\n"),
        .tail = body,
        .received_ns = bed_wall(bed),
        .header_bytes = sizeof(header_text) - 1,
    };
    bed->stored[cookie] = (struct bed_stored){.ended = false};
    enum status status = store_append(bed->logs[shard], &draft, &message, cookie);
    free((void *)(uintptr_t)body.data);
    store_discard(bed->logs[shard], &draft);
    return status;
}

enum status store_bed_put(struct store_bed *bed, uint32_t shard, uint64_t number, size_t bytes,
                          const char *mailboxes, uint64_t cookie)
{
    enum status status;
    for (int turns = 0;; turns++) {
        bed_patience(turns);
        status = store_bed_append(bed, shard, number, bytes, mailboxes, cookie);
        if (status != STATUS_AGAIN)
            break;
        store_bed_turn(bed);
    }
    if (status != STATUS_OK)
        return status;
    store_bed_wait(bed, cookie);
    return bed->stored[cookie].status;
}

/* ---- reading ---- */

struct bed_fetch {
    struct store_fetch fetch; /* first */
    struct store_log *log;
    uint8_t *bytes;
    size_t size;
    enum status status;
    bool over;
};

static void bed_piece(struct store_fetch *fetch, enum status status, struct span wire, bool last)
{
    struct bed_fetch *reading = (struct bed_fetch *)fetch;
    reading->status = status;
    reading->over = last;
    if (status != STATUS_OK)
        return;
    reading->bytes = realloc(reading->bytes, reading->size + wire.size + 1);
    memcpy(reading->bytes + reading->size, wire.data, wire.size);
    reading->size += wire.size;
    if (!last)
        store_fetch_next(reading->log, fetch);
}

enum status store_bed_fetch(struct store_bed *bed, uint32_t shard, const struct store_link *link,
                            struct span *wire, uint64_t *header_bytes)
{
    struct bed_fetch reading = {.fetch = {.piece = bed_piece}, .log = bed->logs[shard]};
    store_fetch_start(bed->logs[shard], &reading.fetch, link);
    ck_assert(!reading.over);
    for (int turns = 0; !reading.over; turns++) {
        bed_patience(turns);
        store_bed_turn(bed);
    }
    *header_bytes = reading.fetch.header_bytes;
    if (reading.status == STATUS_OK)
        ck_assert_uint_eq(reading.fetch.octets, store_link_octets(link));
    store_fetch_end(bed->logs[shard], &reading.fetch);
    *wire = span_of(reading.bytes, reading.size);
    return reading.status;
}

bool store_bed_has_body(struct store_bed *bed, const struct store_link *link, uint64_t number,
                        size_t bytes)
{
    struct span wire, body = bed_body(number, bytes);
    uint64_t header_bytes;
    size_t trace = sizeof(trace_text) - 1;
    enum status status = store_bed_fetch(bed, 0, link, &wire, &header_bytes);
    bool same =
        status == STATUS_OK && wire.size == trace + body.size &&
        memcmp(wire.data, trace_text, trace) == 0 && span_equal(span_from(wire, trace), body) &&
        header_bytes == trace + sizeof(header_text) - 1 && store_link_octets(link) == wire.size - 3;
    free((void *)(uintptr_t)wire.data);
    free((void *)(uintptr_t)body.data);
    return same;
}

enum status store_bed_drop(struct store_bed *bed, struct span mailbox, struct maildrop **maildrop)
{
    struct store_log *log = bed->logs[store_owner(bed->store, mailbox)];
    bed->is_opened = false;
    enum status status = store_maildrop_open(log, mailbox, 66);
    ck_assert(!bed->is_opened);
    for (int turns = 0; status == STATUS_OK && !bed->is_opened; turns++) {
        bed_patience(turns);
        store_bed_turn(bed);
    }
    if (status == STATUS_OK)
        status = bed->opened_status;
    if (status == STATUS_OK)
        *maildrop = bed->opened;
    return status;
}

enum status store_bed_expunge(struct store_bed *bed, char mailbox, uint64_t marks)
{
    struct maildrop *maildrop;
    struct store_log *log = bed->logs[store_owner(bed->store, bed_mailbox(mailbox))];
    ck_assert_int_eq(store_bed_drop(bed, bed_mailbox(mailbox), &maildrop), STATUS_OK);
    for (uint32_t i = 0; i < maildrop->count && i < 64; i++)
        if (marks >> i & 1)
            maildrop->deleted[i / 8] |= (uint8_t)(1 << (i % 8));
    uint32_t before = bed->expunged_count;
    store_expunge(log, maildrop, 77);
    for (int turns = 0; bed->expunged_count == before; turns++) {
        bed_patience(turns);
        store_bed_turn(bed);
    }
    ck_assert_uint_eq(bed->expunged_cookie, 77);
    store_maildrop_close(log, maildrop);
    return bed->expunged_status;
}

struct maildrop *store_bed_peek(struct store_bed *bed, char mailbox)
{
    struct maildrop *maildrop;
    ck_assert_int_eq(store_peek(bed->store, bed_mailbox(mailbox), &maildrop), STATUS_OK);
    return maildrop;
}

uint32_t store_bed_count(struct store_bed *bed, char mailbox)
{
    struct maildrop *maildrop = store_bed_peek(bed, mailbox);
    uint32_t count = maildrop->count;
    store_maildrop_free(maildrop);
    return count;
}

static void bed_report(void *context, const char *line)
{
    snprintf(context, 256, "%s", line);
}

enum status store_bed_verify(struct store_bed *bed, char line[256])
{
    line[0] = 0;
    return store_verify(bed->store, bed_report, line);
}
