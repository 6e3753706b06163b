/* What the machine's users do: send, in one go or in pieces, and delete. */
#include "base/hash.h"
#include "base/invariant.h"
#include "storage/store_log.h"
#include "tests/crash/machine.h"

#include <stdio.h>
#include <stdlib.h>

static const char trace[] = "Received: from here by there\r\n";
static const char headers[] = "Subject: test\r\n\r\n";
static const char terminator[] = "\r\n.\r\n";

#define HEADERS_BYTES (sizeof(headers) - 1)
#define TERMINATOR_BYTES (sizeof(terminator) - 1)

/* In wire form, `bytes` long or a little longer; no two are alike. */
static uint8_t *make_body(struct machine *machine, uint32_t *bytes)
{
    if (*bytes < HEADERS_BYTES + TERMINATOR_BYTES + 16)
        *bytes = HEADERS_BYTES + TERMINATOR_BYTES + 16;
    uint8_t *body = malloc(*bytes);
    INVARIANT(body);
    memcpy(body, headers, HEADERS_BYTES);
    for (uint32_t i = HEADERS_BYTES; i < *bytes - TERMINATOR_BYTES; i++)
        body[i] = (uint8_t)('a' + random_below(&machine->random, 26));
    memcpy(body + *bytes - TERMINATOR_BYTES, terminator, TERMINATOR_BYTES);
    return body;
}

static void make_envelope(struct envelope *envelope, const char *mailboxes)
{
    bool added = envelope_add(envelope, ENVELOPE_REVERSE_PATH, SPAN("sender@example.org"));
    for (const char *name = mailboxes; *name; name++) {
        char mailbox[3] = {*name, '@', 'x'};
        added =
            added && envelope_add(envelope, ENVELOPE_MAILBOX, span_of(mailbox, sizeof(mailbox)));
    }
    INVARIANT(added);
}

/* What a reader must be given. */
static struct letter letter_of(const uint8_t *body, uint32_t bytes, const char *mailboxes)
{
    size_t size = sizeof(trace) - 1 + bytes;
    uint8_t *wire = malloc(size);
    struct letter letter = {.octets = size - 3};
    INVARIANT(wire);
    memcpy(wire, trace, sizeof(trace) - 1);
    memcpy(wire + sizeof(trace) - 1, body, bytes);
    letter.digest = hash64(span_of(wire, size), 0);
    snprintf(letter.mailboxes, sizeof(letter.mailboxes), "%s", mailboxes);
    free(wire);
    return letter;
}

/* The end of a message: `staged` bytes of the body are in the draft. */
static enum status append(struct machine *machine, uint32_t shard, struct store_draft *draft,
                          const uint8_t *body, uint32_t bytes, uint32_t staged,
                          const char *mailboxes)
{
    uint8_t envelope_bytes[256];
    struct envelope envelope = {.bytes = envelope_bytes, .capacity = sizeof(envelope_bytes)};
    struct store_log *log = machine->logs[shard];
    uint32_t number = machine->letters->count;
    if (number == TRUTH_LETTERS_MAX)
        return STATUS_AGAIN;
    make_envelope(&envelope, mailboxes);
    struct store_message message = {
        .envelope = &envelope,
        .trace = span_of(trace, sizeof(trace) - 1),
        .tail = span_of(body + staged, bytes - staged),
        .received_ns = clock_wall_ns(&machine->clock),
        .header_bytes = HEADERS_BYTES,
    };
    struct letter letter = letter_of(body, bytes, mailboxes);
    letter.id = store_next_id(log);
    letter.received_ns = message.received_ns;
    enum status status = store_append(log, draft, &message, number);
    if (status != STATUS_OK)
        return status;
    machine->letters->items[machine->letters->count++] = letter;
    machine->in_the_air++;
    journal_note(machine->journal, NOTE_SENT, number, 0);
    return STATUS_OK;
}

void machine_send(struct machine *machine, uint32_t shard, uint32_t bytes, const char *mailboxes)
{
    struct store_draft draft = {.next = NULL};
    uint8_t *body = make_body(machine, &bytes);
    (void)append(machine, shard, &draft, body, bytes, 0, mailboxes);
    store_discard(machine->logs[shard], &draft);
    free(body);
}

static void end_draft(struct machine *machine, struct machine_draft *draft)
{
    store_discard(machine->logs[draft->shard], &draft->draft);
    free(draft->body);
    *draft = (struct machine_draft){.shard = 0};
}

void machine_send_piece(struct machine *machine, uint32_t number, uint32_t bytes,
                        const char *mailboxes)
{
    struct machine_draft *draft = &machine->drafts[number];
    if (!draft->body) {
        draft->bytes = 4 * bytes;
        draft->body = make_body(machine, &draft->bytes);
        draft->shard = (uint32_t)random_below(&machine->random, machine->options.shards);
    }
    uint32_t left = draft->bytes - draft->staged;
    if (left <= bytes) {
        if (append(machine, draft->shard, &draft->draft, draft->body, draft->bytes, draft->staged,
                   mailboxes) != STATUS_AGAIN)
            end_draft(machine, draft);
        return;
    }
    enum status status = store_stage(machine->logs[draft->shard], &draft->draft,
                                     span_of(draft->body + draft->staged, bytes));
    if (status == STATUS_OK)
        draft->staged += bytes;
    else if (status != STATUS_AGAIN)
        end_draft(machine, draft);
}

static uint32_t number_of(const struct machine *machine, uint64_t id)
{
    uint32_t number = machine->letters->count;
    while (machine->letters->items[--number].id != id)
        INVARIANT(number > 0);
    return number;
}

void machine_delete(struct machine *machine, uint32_t mailbox)
{
    struct machine_expunge *expunge = &machine->expunge;
    const char name[3] = {(char)('a' + mailbox), '@', 'x'};
    struct span span = span_of(name, sizeof(name));
    if (expunge->is_under_way)
        return;
    expunge->mailbox = mailbox;
    expunge->shard = store_owner(machine->store, span);
    expunge->is_under_way =
        store_maildrop_open(machine->logs[expunge->shard], span, mailbox) == STATUS_OK;
}

void machine_delete_goes_on(struct machine *machine)
{
    struct machine_expunge *expunge = &machine->expunge;
    if (!expunge->maildrop || expunge->is_told)
        return;
    for (uint32_t i = 0; i < expunge->maildrop->count; i++) {
        if (random_below(&machine->random, 8) >= machine->options.deleted_eighths)
            continue;
        expunge->maildrop->deleted[i / 8] |= (uint8_t)(1u << i % 8);
        journal_note(machine->journal, NOTE_DELETING,
                     number_of(machine, expunge->maildrop->links[i].id), expunge->mailbox);
    }
    expunge->is_told = true;
    store_expunge(machine->logs[expunge->shard], expunge->maildrop, expunge->mailbox);
}
