#include "tests/crash/machine.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "storage/medium/medium_file.h"
#include "storage/store_log.h"

#include <stdio.h>
#include <stdlib.h>

#define STORE_FOLDER "/store"
#define STORE_RING TRUTH_SHARDS_MAX
#define TURN_NS 5000000u
#define TURNS_MAX 3000

static uint64_t monotonic(void *context)
{
    return ((struct machine *)context)->now_ns += 1000;
}

static uint64_t wall(void *context)
{
    return 1700000000ull * NS_PER_S + ((struct machine *)context)->now_ns;
}

void machine_init(struct machine *machine, const struct image *image, struct journal *journal,
                  struct letters *letters, const struct machine_options *options)
{
    *machine = (struct machine){
        .options = *options,
        .journal = journal,
        .letters = letters,
        .clock = {.monotonic_ns = monotonic, .wall_ns = wall, .context = machine},
        .now_ns = NS_PER_S,
        .random = {.state = options->seed},
        .index_number = options->index_number,
    };
    machine->kernel = kernel_open(image, journal, &options->kernel);
    kernel_kill(machine->kernel);
}

void machine_deinit(struct machine *machine)
{
    INVARIANT(!machine->store);
    kernel_close(machine->kernel);
}

/* ---- what the store tells ---- */

static void blame(struct machine *machine, const char *what, uint64_t number)
{
    if (!machine->wrong[0])
        snprintf(machine->wrong, sizeof(machine->wrong), "%s (%llu)", what,
                 (unsigned long long)number);
}

static uint32_t letter_of(const struct machine *machine, uint64_t id)
{
    for (uint32_t i = machine->letters->count; i > 0; i--)
        if (machine->letters->items[i - 1].id == id)
            return i - 1;
    return UINT32_MAX;
}

static bool on_link(void *context, uint32_t owner, struct span mailbox,
                    const struct store_link *link)
{
    struct machine *machine = context;
    uint32_t letter = letter_of(machine, link->id);
    if (machine->options.links_stall && random_below(&machine->random, 4) == 0)
        return false;
    if (letter == UINT32_MAX || mailbox.size != 3)
        blame(machine, "a link of a message that was never sent", link->id);
    else
        machine->linked[letter] |= (uint8_t)(1u << (mailbox.data[0] - 'a'));
    if (machine->logs[owner])
        store_link_add(machine->logs[owner], mailbox, link);
    return true;
}

static bool has_links(const struct machine *machine, uint32_t letter)
{
    for (const char *name = machine->letters->items[letter].mailboxes; *name; name++)
        if (!(machine->linked[letter] >> (*name - 'a') & 1))
            return false;
    return true;
}

static void on_stored(void *context, uint64_t cookie, uint64_t id, enum status status)
{
    struct machine *machine = context;
    uint32_t letter = (uint32_t)cookie;
    const struct store_log *log = machine->logs[link_shard(id)];
    enum note_kind kind = NOTE_ACKED;
    if (machine->ended[letter] || machine->letters->items[letter].id != id)
        blame(machine, "told twice or by another id: message", letter);
    if (status == STATUS_OK && !machine->closing && !has_links(machine, letter))
        blame(machine, "acknowledged before its links: message", letter);
    if (status != STATUS_OK)
        kind = log && log->commit.refusal != STATUS_OK ? NOTE_UNSURE : NOTE_REFUSED;
    machine->ended[letter] = true;
    machine->in_the_air--;
    journal_note(machine->journal, kind, letter, 0);
}

static void on_expunged(void *context, uint64_t cookie, enum status status)
{
    struct machine *machine = context;
    const struct machine_expunge *expunge = &machine->expunge;
    const struct maildrop *maildrop = expunge->maildrop;
    for (uint32_t i = 0; status == STATUS_OK && i < maildrop->count; i++)
        if (maildrop->deleted[i / 8] >> i % 8 & 1)
            journal_note(machine->journal, NOTE_DELETED, letter_of(machine, maildrop->links[i].id),
                         (uint32_t)cookie);
    machine->expunge.is_over = true;
}

static void on_opened(void *context, uint64_t cookie, enum status status, struct maildrop *maildrop)
{
    struct machine *machine = context;
    if (cookie == MACHINE_LOOKS)
        machine->opening = (struct machine_opening){true, status, maildrop};
    else if (status == STATUS_OK)
        machine->expunge.maildrop = maildrop;
    else
        machine->expunge = (struct machine_expunge){false};
}

/* ---- power ---- */

static void count_stranger(void *context, struct span mailbox, uint32_t count, uint64_t octets)
{
    struct machine *machine = context;
    (void)count, (void)octets;
    bool known = mailbox.size == 3 && mailbox.data[0] >= 'a' &&
                 mailbox.data[0] < 'a' + TRUTH_MAILBOXES && mailbox.data[1] == '@';
    machine->strangers += !known;
}

static enum status open_medium(struct machine *machine, uint32_t place)
{
    struct medium_file_options options = {.create = true, .durable = true};
    kernel_ring_init(&machine->rings[place]);
    return medium_file_open(&machine->mediums[place], &machine->rings[place], STORE_FOLDER,
                            &options, &machine->fault);
}

static void set_options(const struct machine *machine, struct store_options *options)
{
    store_options_default(options);
    options->shards = machine->options.shards;
    options->segment_bytes = 256 * 1024;
    options->batch_bytes = 64 * 1024;
    options->commit_depth = machine->options.commit_depth;
    options->chunk_bytes = 8 * 1024;
    options->staging_bytes = 256 * 1024;
    options->fetches_max = 2;
    options->reclaim_rate = machine->options.reclaim_rate;
    options->expire_after_ns = machine->options.expire_after_ns;
    if (machine->options.delta_bytes > 0)
        options->delta_bytes = machine->options.delta_bytes;
    options->index = machine->index;
    options->clock = &machine->clock;
}

static enum status open_store(struct machine *machine)
{
    struct store_options options;
    if (machine->options.index_log)
        machine->index =
            index_log_open(machine->options.index_log, machine->index_number, machine->journal);
    set_options(machine, &options);
    options.seed = random_next(&machine->random);
    enum status status = open_medium(machine, STORE_RING);
    if (status == STATUS_OK)
        status = store_open(&machine->store, machine->mediums[STORE_RING], STORE_WRITE, &options,
                            &machine->fault);
    if (status == STATUS_OK)
        status = store_mailboxes(machine->store, count_stranger, machine);
    return status;
}

static enum status open_log(struct machine *machine, uint32_t shard)
{
    struct store_events events = {
        .link = on_link,
        .stored = on_stored,
        .expunged = on_expunged,
        .opened = on_opened,
        .context = machine,
    };
    enum status status = open_medium(machine, shard);
    if (status == STATUS_OK)
        status = store_log_open(&machine->logs[shard], machine->store, shard,
                                machine->mediums[shard], &events, &machine->fault);
    return status;
}

enum status machine_boot(struct machine *machine)
{
    INVARIANT(!machine->store);
    kernel_revive(machine->kernel);
    machine->closing = false;
    machine->in_the_air = machine->strangers = 0;
    machine->fault.text[0] = '\0';
    machine->kernel->alarms = 0;
    enum status status = open_store(machine);
    for (uint32_t i = 0; i < machine->options.shards && status == STATUS_OK; i++)
        status = open_log(machine, i);
    if (status != STATUS_OK)
        machine_kill(machine);
    return status;
}

static void close_index(struct machine *machine)
{
    if (!machine->index)
        return;
    machine->index_number = index_log_number(machine->index);
    machine->index->calls->close(machine->index);
    machine->index = NULL;
}

static void close_mediums(struct machine *machine)
{
    for (uint32_t i = 0; i <= STORE_RING; i++) {
        if (!machine->mediums[i])
            continue;
        machine->mediums[i]->calls->deinit(machine->mediums[i]);
        kernel_ring_deinit(&machine->rings[i]);
        machine->mediums[i] = NULL;
    }
    store_close(machine->store);
    machine->store = NULL;
}

static void count_recycled(struct machine *machine, uint32_t shard)
{
    if (machine->logs[shard])
        machine->recycled += machine->logs[shard]->commit.spare.recycled;
}

/* The media first: what they have under way belongs to the logs. */
void machine_kill(struct machine *machine)
{
    kernel_kill(machine->kernel);
    struct store *store = machine->store;
    machine->store = NULL;
    close_mediums(machine);
    for (uint32_t i = 0; i < TRUTH_SHARDS_MAX; i++) {
        count_recycled(machine, i);
        if (machine->logs[i])
            store_log_abandon(machine->logs[i]);
        machine->logs[i] = NULL;
    }
    store_close(store);
    close_index(machine);
    if (machine->expunge.maildrop)
        store_maildrop_free(machine->expunge.maildrop);
    machine->expunge = (struct machine_expunge){false};
    for (uint32_t i = 0; i < MACHINE_DRAFTS; i++)
        free(machine->drafts[i].body);
    memset(machine->drafts, 0, sizeof(machine->drafts));
}

void machine_close(struct machine *machine)
{
    if (!machine_rest(machine)) {
        machine_kill(machine);
        return;
    }
    for (uint32_t i = 0; i < MACHINE_DRAFTS; i++) {
        struct machine_draft *draft = &machine->drafts[i];
        if (draft->body)
            store_discard(machine->logs[draft->shard], &draft->draft);
        free(draft->body);
        *draft = (struct machine_draft){.shard = 0};
    }
    machine->closing = true;
    for (uint32_t i = 0; i < machine->options.shards; i++) {
        count_recycled(machine, i);
        store_log_close(machine->logs[i]);
        machine->logs[i] = NULL;
    }
    close_mediums(machine);
    close_index(machine);
    kernel_kill(machine->kernel);
}

/* ---- running ---- */

/* Notes which letters are old enough to go, before anybody else can know. */
static void age(struct machine *machine)
{
    uint64_t after_ns = machine->options.expire_after_ns, now_ns = wall(machine) + NS_PER_S;
    for (uint32_t i = 0; after_ns > 0 && i < machine->letters->count; i++)
        if (!machine->expires[i] && machine->letters->items[i].received_ns + after_ns < now_ns) {
            machine->expires[i] = true;
            journal_note(machine->journal, NOTE_EXPIRES, i, 0);
        }
}

void machine_wait(struct machine *machine, uint64_t ns)
{
    machine->now_ns += ns;
    machine_turn(machine);
}

void machine_turn(struct machine *machine)
{
    machine->now_ns += TURN_NS;
    age(machine);
    for (uint32_t i = 0; i < machine->options.shards; i++) {
        machine->mediums[i]->calls->poll(machine->mediums[i], false);
        store_turn(machine->logs[i]);
    }
    struct machine_expunge *expunge = &machine->expunge;
    machine_delete_goes_on(machine);
    if (!expunge->is_over)
        return;
    store_maildrop_close(machine->logs[expunge->shard], expunge->maildrop);
    *expunge = (struct machine_expunge){false};
}

bool machine_rest(struct machine *machine)
{
    for (int turns = 0; turns < TURNS_MAX; turns++) {
        if (machine->in_the_air == 0 && !machine->expunge.is_under_way)
            return true;
        machine_turn(machine);
    }
    return false;
}

/* ---- looking ---- */

struct reading {
    struct store_fetch fetch; /* first */
    struct machine *machine;
    struct sight *sight;
    uint8_t *bytes;
    size_t size;
    bool over;
};

static void on_piece(struct store_fetch *fetch, enum status status, struct span wire, bool last)
{
    struct reading *reading = (struct reading *)fetch;
    reading->sight->status = status;
    reading->over = last;
    if (status != STATUS_OK)
        return;
    reading->bytes = realloc(reading->bytes, reading->size + wire.size + 1);
    INVARIANT(reading->bytes);
    memcpy(reading->bytes + reading->size, wire.data, wire.size);
    reading->size += wire.size;
    if (!last)
        store_fetch_next(reading->machine->logs[0], fetch);
}

static void read_one(struct machine *machine, const struct store_link *link, struct sight *sight)
{
    struct store_log *log = machine->logs[0];
    struct reading reading = {.fetch = {.piece = on_piece}, .machine = machine, .sight = sight};
    store_fetch_start(log, &reading.fetch, link);
    for (int turns = 0; !reading.over; turns++) {
        INVARIANT(turns < TURNS_MAX);
        machine->mediums[0]->calls->poll(machine->mediums[0], true);
        store_turn(log);
    }
    sight->digest = hash64(span_of(reading.bytes, reading.size), 0);
    if (sight->status == STATUS_OK && reading.fetch.octets != sight->octets)
        blame(machine, "maildrop and message disagree on the size of", link->id);
    store_fetch_end(log, &reading.fetch);
    free(reading.bytes);
}

static void look_into(struct machine *machine, struct view *view, uint32_t mailbox)
{
    const char name[3] = {(char)('a' + mailbox), '@', 'x'};
    struct span span = span_of(name, sizeof(name));
    struct store_log *log = machine->logs[store_owner(machine->store, span)];
    machine->opening.is_over = false;
    enum status status = store_maildrop_open(log, span, MACHINE_LOOKS);
    for (int turns = 0; status == STATUS_BUSY && turns < TURNS_MAX; turns++) {
        machine_turn(machine); /* retention has it */
        status = store_maildrop_open(log, span, MACHINE_LOOKS);
    }
    for (int turns = 0; status == STATUS_OK && !machine->opening.is_over; turns++) {
        INVARIANT(turns < TURNS_MAX);
        store_turn(log);
    }
    if (status != STATUS_OK || machine->opening.status != STATUS_OK) {
        snprintf(view->fault, sizeof(view->fault), "a maildrop can't be opened");
        return;
    }
    struct maildrop *maildrop = machine->opening.maildrop;
    for (uint32_t i = 0; i < maildrop->count && view->count < TRUTH_SIGHTS_MAX; i++) {
        const struct store_link *link = &maildrop->links[i];
        struct sight *sight = &view->sights[view->count++];
        *sight = (struct sight){.mailbox = mailbox,
                                .id = link->id,
                                .place = link->place,
                                .octets = store_link_octets(link)};
        read_one(machine, link, sight);
    }
    store_maildrop_close(log, maildrop);
}

void machine_look(struct machine *machine, struct view *view, enum status boot)
{
    view->count = 0;
    view->shards = boot == STATUS_OK ? machine->options.shards : 0;
    view->strangers = machine->strangers;
    view->alarms = machine->kernel->alarms;
    view->fault[0] = '\0';
    snprintf(view->alarm, sizeof(view->alarm), "%s", machine->kernel->alarm);
    if (boot != STATUS_OK) {
        snprintf(view->fault, sizeof(view->fault), "%.199s", machine->fault.text);
        return;
    }
    for (uint32_t i = 0; i < view->shards; i++) {
        view->next_ids[i] = store_next_id(machine->logs[i]);
        if (machine->logs[i]->commit.state != COMMIT_RUNNING)
            snprintf(view->fault, sizeof(view->fault), "shard %u takes no mail", i);
    }
    for (uint32_t i = 0; i < TRUTH_MAILBOXES; i++)
        look_into(machine, view, i);
}

/* ---- verifying ---- */

static void on_finding(void *context, const char *text)
{
    char *line = context;
    if (!line[0])
        snprintf(line, TRUTH_TEXT_BYTES, "%.199s", text);
}

enum status machine_verify(struct machine *machine, char line[TRUTH_TEXT_BYTES])
{
    struct medium_file_options medium_options = {.durable = true};
    struct store_options options;
    struct ring ring;
    struct medium *medium;
    struct store *store = NULL;
    struct fault fault = {.text = ""};
    bool was_off = machine->kernel->dead;
    uint64_t alarms = machine->kernel->alarms;
    if (was_off)
        kernel_revive(machine->kernel);
    line[0] = '\0';
    set_options(machine, &options);
    kernel_ring_init(&ring);
    enum status status = medium_file_open(&medium, &ring, STORE_FOLDER, &medium_options, &fault);
    if (status == STATUS_OK) {
        status = store_open(&store, medium, STORE_READ, &options, &fault);
        if (status == STATUS_OK)
            status = store_verify(store, on_finding, line);
        store_close(store);
        medium->calls->deinit(medium);
    }
    if (fault.text[0])
        on_finding(line, fault.text);
    kernel_ring_deinit(&ring);
    if (was_off)
        kernel_kill(machine->kernel);
    machine->kernel->alarms = alarms;
    return status;
}
