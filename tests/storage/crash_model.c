#include "tests/storage/crash_model.h"

#include "tests/check_main.h"

#include <stdlib.h>

static const char trace_text[] = "Received: from here by there\r\n";

/* ---- comparing ---- */

static struct model_message *find(struct model *model, uint64_t id)
{
    for (uint32_t i = 0; i < model->count; i++)
        if (model->messages[i].id == id)
            return &model->messages[i];
    ck_abort_msg("a message that was never sent");
}

static uint32_t message_number(const struct model *model, const struct model_message *message)
{
    return (uint32_t)(message - model->messages);
}

/* Links found of each message, by mailbox. */
static void look(struct model *model, uint8_t found[][MODEL_MAILBOXES])
{
    for (uint32_t m = 0; m < MODEL_MAILBOXES; m++) {
        struct maildrop *drop = store_bed_peek(model->bed, (char)('a' + m));
        uint64_t octets = 0;
        for (uint32_t i = 0; i < drop->count; i++) {
            const struct store_link *link = &drop->links[i];
            struct model_message *message = find(model, link->id);
            ck_assert(link->place < strlen(message->mailboxes));
            ck_assert_int_eq(message->mailboxes[link->place], 'a' + m);
            ck_assert_uint_eq(found[message_number(model, message)][m]++, 0);
            octets += store_link_octets(link);
            if (m == 0 || link->place == 0)
                ck_assert(store_bed_has_body(model->bed, link, message->body, message->bytes));
        }
        ck_assert_uint_eq(octets, drop->octets);
        store_maildrop_free(drop);
    }
}

static void settle(struct model *model, struct model_message *message, const uint8_t *found)
{
    bool any = false;
    for (const char *letter = message->mailboxes; *letter; letter++)
        any = any || found[*letter - 'a'];
    if (message->state == MODEL_IN_THE_AIR) {
        message->state = any ? MODEL_STORED : MODEL_REFUSED;
        *(any ? &model->found : &model->lost) += 1;
    }
    for (const char *letter = message->mailboxes; *letter; letter++) {
        enum model_deletion *deletion = &message->deletions[*letter - 'a'];
        bool here = found[*letter - 'a'];
        if (*deletion == MODEL_MAYBE_DELETED)
            *deletion = here ? MODEL_KEPT : MODEL_DELETED;
        bool wanted = message->state == MODEL_STORED && *deletion == MODEL_KEPT;
        if (here != wanted)
            ck_abort_msg("id %lx message %u, mailbox %c: found %d, state %d, deletion %d",
                         message->id, message_number(model, message), *letter, here, message->state,
                         *deletion);
    }
}

/* Nothing is counted twice, nor forgotten, however often it was replayed. */
static void check_tallies(struct model *model, const uint8_t (*found)[MODEL_MAILBOXES])
{
    uint64_t links = 0, counted = 0;
    for (uint32_t i = 0; i < model->count; i++)
        for (uint32_t m = 0; m < MODEL_MAILBOXES; m++)
            links += found[i][m];
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX; shard++) {
        struct store_stats stats;
        store_stats(model->bed->store, shard, &stats);
        counted += stats.links;
    }
    ck_assert_uint_eq(counted, links);
}

static void see_mailbox(void *context, struct span mailbox, uint32_t count, uint64_t octets)
{
    struct model *model = context;
    ck_assert(mailbox.size == 3 && mailbox.data[0] >= 'a' &&
              mailbox.data[0] < 'a' + MODEL_MAILBOXES);
    struct maildrop *drop = store_bed_peek(model->bed, (char)mailbox.data[0]);
    ck_assert_uint_eq(drop->count, count);
    ck_assert_uint_eq(drop->octets, octets);
    store_maildrop_free(drop);
}

void model_check(struct model *model)
{
    ck_assert_int_eq(store_mailboxes(model->bed->store, see_mailbox, model), STATUS_OK);
    uint8_t(*found)[MODEL_MAILBOXES] = calloc(MODEL_MESSAGES_MAX, sizeof(*found));
    look(model, found);
    check_tallies(model, (const uint8_t(*)[MODEL_MAILBOXES])found);
    for (uint32_t i = 0; i < model->count; i++)
        settle(model, &model->messages[i], found[i]);
    free(found);
}

/* ---- working ---- */

static uint32_t draw(struct model *model, uint32_t limit)
{
    return (uint32_t)random_below(&model->bed->random, limit);
}

static struct model_message *new_message(struct model *model, uint64_t body, size_t bytes,
                                         uint64_t id)
{
    for (uint32_t i = 0; i < model->count; i++)
        if (model->messages[i].id == id)
            ck_abort_msg("an id is used twice");
    struct model_message *message = &model->messages[model->count++];
    *message = (struct model_message){.id = id, .body = body, .bytes = bytes};
    uint32_t wanted = 1 + (draw(model, 3) == 0) * draw(model, MODEL_MAILBOXES);
    uint32_t first = draw(model, MODEL_MAILBOXES);
    for (uint32_t i = 0; i < wanted; i++)
        message->mailboxes[i] = (char)('a' + (first + i) % MODEL_MAILBOXES);
    return message;
}

static void append(struct model *model, uint32_t shard, size_t bytes)
{
    struct store_bed *bed = model->bed;
    if (model->count == MODEL_MESSAGES_MAX)
        return;
    uint64_t id = store_next_id(bed->logs[shard]);
    uint32_t number = model->count;
    struct model_message *message = new_message(model, number, bytes, id);
    enum status status = store_bed_append(bed, shard, number, bytes, message->mailboxes, number);
    if (status == STATUS_AGAIN)
        model->count--;
    else if (status != STATUS_OK)
        *message = (struct model_message){.state = MODEL_REFUSED};
}

static void finish_draft(struct model *model, struct model_draft *draft)
{
    struct store_bed *bed = model->bed;
    uint8_t bytes[256];
    struct envelope envelope = {.bytes = bytes, .capacity = sizeof(bytes)};
    uint64_t id = store_next_id(bed->logs[draft->shard]);
    uint32_t number = model->count;
    struct model_message *message = new_message(model, draft->number, draft->body.size, id);
    ck_assert(envelope_add(&envelope, ENVELOPE_REVERSE_PATH, SPAN("")));
    for (const char *letter = message->mailboxes; *letter; letter++)
        ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, bed_mailbox(*letter)));
    bed->stored[number].ended = false;
    struct store_message sent = {
        .envelope = &envelope,
        .trace = span_of(trace_text, sizeof(trace_text) - 1),
        .tail = span_from(draft->body, draft->staged),
        .received_ns = clock_wall_ns(&bed->clock),
        .header_bytes = 17,
    };
    enum status status = store_append(bed->logs[draft->shard], &draft->draft, &sent, number);
    if (status != STATUS_OK)
        *message = (struct model_message){.state = MODEL_REFUSED};
    store_discard(bed->logs[draft->shard], &draft->draft);
    free((void *)(uintptr_t)draft->body.data);
    draft->body = span_of(NULL, 0);
}

static void stage(struct model *model, struct model_draft *draft)
{
    struct store_bed *bed = model->bed;
    if (!draft->body.data) {
        draft->shard = draw(model, bed->options.shards);
        draft->staged = 0;
        draft->number = draw(model, 1u << 30);
        draft->body = bed_body(draft->number, 1000 + draw(model, 150000));
    }
    size_t left = draft->body.size - draft->staged;
    size_t piece = 1 + draw(model, 40000);
    if (piece >= left) {
        if (model->count < MODEL_MESSAGES_MAX)
            finish_draft(model, draft);
        return;
    }
    enum status status = store_stage(bed->logs[draft->shard], &draft->draft,
                                     span_of(draft->body.data + draft->staged, piece));
    if (status == STATUS_OK)
        draft->staged += piece;
}

static void expunge(struct model *model)
{
    struct store_bed *bed = model->bed;
    if (model->expunging)
        return;
    model->expunge_mailbox = draw(model, MODEL_MAILBOXES);
    struct span name = bed_mailbox((char)('a' + model->expunge_mailbox));
    model->expunge_shard = store_owner(bed->store, name);
    struct store_log *log = bed->logs[model->expunge_shard];
    ck_assert_int_eq(store_bed_drop(bed, name, &model->expunging), STATUS_OK);
    ck_assert_int_eq(store_maildrop_open(log, name, 0), STATUS_BUSY);
    uint32_t of_four = 1 + draw(model, 4); /* so many of them go */
    for (uint32_t i = 0; i < model->expunging->count; i++) {
        if (draw(model, 4) >= of_four)
            continue;
        model->expunging->deleted[i / 8] |= (uint8_t)(1 << i % 8);
        find(model, model->expunging->links[i].id)->deletions[model->expunge_mailbox] =
            MODEL_MAYBE_DELETED;
    }
    bed->expunged_count = 0;
    store_expunge(log, model->expunging, 7);
}

void model_step(struct model *model)
{
    uint32_t shard = draw(model, model->bed->options.shards);
    switch (draw(model, 20)) {
    case 0:
        expunge(model);
        break;
    case 16:
        store_reclaim_all(model->bed->logs[shard]);
        break;
    case 17:
    case 18:
    case 19:
        store_bed_turn(model->bed);
        break;
    case 1:
    case 2:
    case 3:
        stage(model, &model->drafts[draw(model, MODEL_DRAFTS)]);
        break;
    case 4:
    case 5:
        store_bed_turn(model->bed);
        break;
    case 6:
        append(model, shard, 30000 + draw(model, 70000));
        break;
    default:
        append(model, shard, 30 + draw(model, 6000));
        break;
    }
    model_learn(model);
}

void model_learn(struct model *model)
{
    struct store_bed *bed = model->bed;
    for (uint32_t i = 0; i < model->count; i++) {
        struct model_message *message = &model->messages[i];
        if (message->state != MODEL_IN_THE_AIR || !bed->stored[i].ended || bed->stored[i].unsure)
            continue;
        ck_assert_uint_eq(bed->stored[i].id, message->id);
        message->state = bed->stored[i].status == STATUS_OK ? MODEL_STORED : MODEL_REFUSED;
    }
    if (!model->expunging || bed->expunged_count == 0)
        return;
    for (uint32_t i = 0; i < model->expunging->count; i++)
        if (bed->expunged_status == STATUS_OK && model->expunging->deleted[i / 8] >> i % 8 & 1)
            find(model, model->expunging->links[i].id)->deletions[model->expunge_mailbox] =
                MODEL_DELETED;
    store_maildrop_close(bed->logs[model->expunge_shard], model->expunging);
    model->expunging = NULL;
}

void model_release(struct model *model, bool crashed)
{
    struct store_bed *bed = model->bed;
    for (uint32_t i = 0; i < MODEL_DRAFTS; i++) {
        struct model_draft *draft = &model->drafts[i];
        if (draft->body.data && !crashed)
            store_discard(bed->logs[draft->shard], &draft->draft);
        free((void *)(uintptr_t)draft->body.data);
        *draft = (struct model_draft){.shard = 0};
    }
    if (model->expunging && crashed)
        store_maildrop_free(model->expunging);
    for (int turns = 0; model->expunging && !crashed; turns++) {
        if (turns > 10000)
            ck_abort_msg("the deletion does not end");
        store_bed_turn(bed);
        model_learn(model);
    }
    model->expunging = NULL;
}
