/* store_verify and store_find: reading a whole store, for tools.
 *
 * A verification is a recovery that believes no hint and changes nothing. On the way it notes every
 * good message, every good chunk and every reference to one; then each reference must lead to a
 * chunk, and each link of the index to a message. */
#include "storage/listing.h"
#include "storage/store_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct place {   /* of a message or chunk record, or of what refers to one */
    uint64_t id; /* of a message; 0 for chunks */
    uint32_t shard;
    uint32_t segment, slot;
    uint32_t crc;   /* chunk: of its payload */
    uint32_t bytes; /* message: record; chunk: body */
    uint32_t zero;  /* places are compared as bytes */
};
static_assert(sizeof(struct place) == 32, "no padding");

struct note { /* a place, and the record that says so */
    struct place place;
    uint32_t shard, segment, slot;
};

struct notes {
    struct note *items;
    size_t count, capacity;
};

struct verification {
    struct store *store;
    void (*report)(void *context, const char *line);
    void *context;
    struct notes messages, chunks, references;
    struct notes held;      /* where the messages of mailboxes are */
    struct recovered *logs; /* as they were read */
    uint32_t logs_count;
    bool damaged, failed;
};

static void add_note(struct verification *verification, struct notes *notes, struct note note)
{
    if (notes->count == notes->capacity) {
        size_t capacity = notes->capacity ? notes->capacity * 2 : 256;
        struct note *items = realloc(notes->items, capacity * sizeof(*items));
        verification->failed = verification->failed || !items;
        if (!items)
            return;
        notes->items = items;
        notes->capacity = capacity;
    }
    notes->items[notes->count++] = note;
}

/* Forgets what records between two slots have said. */
static void drop_notes(struct notes *notes, const struct note *from, uint32_t end_slot)
{
    size_t kept = 0;
    for (size_t i = 0; i < notes->count; i++) {
        const struct note *note = &notes->items[i];
        if (note->shard != from->shard || note->segment != from->segment ||
            note->slot < from->slot || note->slot >= end_slot)
            notes->items[kept++] = *note;
    }
    notes->count = kept;
}

static int compare_notes(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(struct place)); /* the place is a note's first member */
}

/* Is the very same place noted there? */
static bool has_place(const struct notes *notes, const struct place *place)
{
    return notes->count > 0 &&
           bsearch(place, notes->items, notes->count, sizeof(*notes->items), compare_notes) != NULL;
}

static void note_record(void *context, const struct record *record, uint32_t segment, uint32_t slot)
{
    struct verification *verification = context;
    const struct record_header *header = &record->header;
    struct note note = {.shard = header->shard, .segment = segment, .slot = slot};
    note.place = (struct place){.shard = header->shard, .segment = segment, .slot = slot};
    if (header->type == RECORD_CHUNK) {
        note.place.crc = header->payload_crc;
        note.place.bytes = header->body_bytes;
        add_note(verification, &verification->chunks, note);
        return;
    }
    if (header->type != RECORD_MESSAGE)
        return;
    note.place.id = link_of(header, segment, slot).id;
    note.place.bytes = header->record_bytes;
    add_note(verification, &verification->messages, note);
    for (uint32_t i = 0; i < header->chunk_count; i++) {
        struct chunk_ref ref = record_chunk(record, i);
        note.place = (struct place){.shard = header->shard,
                                    .segment = ref.segment,
                                    .slot = ref.slot,
                                    .crc = ref.crc,
                                    .bytes = ref.bytes};
        add_note(verification, &verification->references, note);
    }
}

/* The batch turned out to be no part of the log, and so its records. */
static void drop_batch(void *context, uint32_t shard, uint32_t segment, uint64_t offset,
                       uint64_t bytes)
{
    struct verification *verification = context;
    struct note from = {
        .shard = shard, .segment = segment, .slot = (uint32_t)(offset / RECORD_ALIGN)};
    uint32_t end_slot = (uint32_t)((offset + bytes) / RECORD_ALIGN);
    drop_notes(&verification->messages, &from, end_slot);
    drop_notes(&verification->chunks, &from, end_slot);
    drop_notes(&verification->references, &from, end_slot);
}

static void tell(void *context, bool damage, const char *line)
{
    struct verification *verification = context;
    verification->damaged = verification->damaged || damage;
    verification->report(verification->context, line);
}

static uint64_t epoch_in(const struct recovered *log, uint32_t segment)
{
    for (uint32_t i = 0; i < log->count; i++)
        if (log->segments[i].number == segment)
            return log->segments[i].epoch;
    return 0;
}

/* Beside a writer a segment may have been compacted since the mailboxes were read: what is not
 * there any more was deleted. */
static bool has_changed(const struct verification *verification, const struct place *place)
{
    const struct store *store = verification->store;
    return store->mode == STORE_READ &&
           epoch_in(&store->logs[place->shard], place->segment) !=
               epoch_in(&verification->logs[place->shard], place->segment);
}

static void tell_place(struct verification *verification, const char *what,
                       const struct place *place)
{
    char line[160], id[STORE_ID_TEXT_BYTES];
    if (has_changed(verification, place))
        return;
    store_id_text(place->id, id);
    snprintf(line, sizeof(line),
             "log %" PRIu32 ", segment %08" PRIu32 ", offset %" PRIu64 ": %s (message %.*s)",
             place->shard, place->segment, (uint64_t)place->slot * RECORD_ALIGN, what,
             STORE_ID_TEXT_BYTES, id);
    tell(verification, true, line);
}

/* Whether a mailbox has the message that refers to the chunk: those of others may be gone. */
static bool is_needed(const struct verification *verification, const struct note *reference)
{
    const struct place by = {
        .shard = reference->shard, .segment = reference->segment, .slot = reference->slot};
    return has_place(&verification->held, &by);
}

static void check_references(struct verification *verification)
{
    for (size_t i = 0; i < verification->references.count; i++) {
        const struct place *place = &verification->references.items[i].place;
        if (is_needed(verification, &verification->references.items[i]) &&
            !has_place(&verification->chunks, place))
            tell_place(verification, "a message needs a chunk that is not here", place);
    }
}

static void check_link(struct verification *verification, const struct store_link *link)
{
    struct note held = {
        .place = {.shard = link_shard(link->id), .segment = link->segment, .slot = link->slot}};
    struct place place = held.place;
    place.id = link->id;
    place.bytes = link->record_bytes;
    add_note(verification, &verification->held, held);
    if (!has_place(&verification->messages, &place))
        tell_place(verification, "a mailbox has a message that is not here", &place);
}

static void check_mailbox(void *context, struct span mailbox, const struct store_link *links,
                          uint32_t count)
{
    (void)mailbox;
    for (uint32_t i = 0; i < count; i++)
        check_link(context, &links[i]);
}

static void check_links(struct verification *verification)
{
    enum status status = listing_walk(verification->store, check_mailbox, verification);
    if (status != STATUS_OK)
        tell(verification, true, "the index can't be read");
}

static void sort_notes(struct notes *notes)
{
    if (notes->count > 0)
        qsort(notes->items, notes->count, sizeof(*notes->items), compare_notes);
}

/* Reads all logs with `use_hints` off; what they say of mailboxes is not used. */
static enum status read_logs(struct verification *verification)
{
    struct store *store = verification->store;
    struct recovered *logs = calloc(STORE_SHARDS_MAX, sizeof(*logs));
    verification->logs = logs;
    struct recover recover = {
        .medium = store->medium,
        .store = store->identity.id,
        .record_seed = store->record_seed,
        .thorough = true,
        .report = tell,
        .record = note_record,
        .dropped = drop_batch,
        .context = verification,
    };
    enum status status =
        logs ? recover_logs(&recover, logs, &verification->logs_count, NULL) : STATUS_SYSTEM;
    return status == STATUS_OK && verification->failed ? STATUS_SYSTEM : status;
}

static void verification_deinit(struct verification *verification)
{
    for (uint32_t shard = 0; shard < verification->logs_count; shard++)
        recovered_deinit(&verification->logs[shard]);
    free(verification->logs);
    free(verification->messages.items);
    free(verification->chunks.items);
    free(verification->references.items);
    free(verification->held.items);
}

enum status store_verify(struct store *store, void (*report)(void *context, const char *line),
                         void *context)
{
    struct verification verification = {.store = store, .report = report, .context = context};
    enum status status = read_logs(&verification);
    if (status == STATUS_OK) {
        sort_notes(&verification.messages);
        sort_notes(&verification.chunks);
        check_links(&verification);
        sort_notes(&verification.held);
        check_references(&verification);
        status = verification.damaged ? STATUS_CORRUPT : STATUS_OK;
    }
    verification_deinit(&verification);
    return status;
}
