/* A simulated reader: fetches everything of a mailbox, checks every copy, deletes some, and leaves
 * by QUIT or without. The inspector is a reader that deletes nothing and counts. */
#include "base/invariant.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

enum step { STEP_BANNER, STEP_USER, STEP_PASS, STEP_UIDL, STEP_RETR, STEP_DELE, STEP_QUIT };

#define SEEN_MAX LEDGER_MESSAGES_MAX

struct reader {
    enum step step;
    uint32_t mailbox;
    bool inspects, done, deletes;
    uint32_t count, next; /* messages in the maildrop; the one being fetched, from 1 */
    char (*uidls)[24];
    uint32_t *marked; /* ledger numbers this session has deleted */
    uint32_t marked_count, fetched;
};

/* "+OK …CRLF", and for a multi-line reply everything through ".CRLF": 0 when not all is there. */
static size_t reply_size(struct span bytes, bool lines)
{
    const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
    if (end == NULL)
        return 0;
    size_t first = (size_t)(end - bytes.data) + 1;
    if (!lines || bytes.data[0] != '+')
        return first;
    if (bytes.size >= first + 3 && memcmp(end + 1, ".\r\n", 3) == 0)
        return first + 3;
    const uint8_t *dot = memmem(end, bytes.size - first + 1, "\n.\r\n", 4);
    return dot ? (size_t)(dot - bytes.data) + 4 : 0;
}

static void quit(struct actor *actor)
{
    struct reader *reader = actor->state;
    struct world *world = actor->world;
    if (!reader->inspects && world_chance(world, 250)) { /* leaves without QUIT: deletes nothing */
        actor_hang_up(actor, world_chance(world, 500));
        actor->open = false;
        return;
    }
    for (uint32_t i = 0; i < reader->marked_count; i++)
        world->ledger->messages[reader->marked[i]].deletions[reader->mailbox] = LEDGER_DELETING;
    actor_print(actor, "QUIT\r\n");
    reader->step = STEP_QUIT;
}

static void fetch_next(struct actor *actor)
{
    struct reader *reader = actor->state;
    if (++reader->next > reader->count) {
        quit(actor);
        return;
    }
    actor_print(actor, "RETR %u\r\n", reader->next);
    reader->step = STEP_RETR;
}

static void read_uidls(struct actor *actor, struct span reply)
{
    struct reader *reader = actor->state;
    const char *line = memchr(reply.data, '\n', reply.size);
    reader->count = 0;
    while (line != NULL && line[1] != '.') {
        unsigned number;
        char uidl[24] = "";
        if (sscanf(line + 1, "%u %23[^\r]", &number, uidl) != 2 || number != reader->count + 1 ||
            number >= SEEN_MAX) {
            world_blame(actor->world, "a UIDL list out of order", number);
            return;
        }
        memcpy(reader->uidls[reader->count++], uidl, sizeof uidl);
        line = strchr(line + 1, '\n');
    }
    reader->next = 0;
    fetch_next(actor);
}

static void read_message(struct actor *actor, struct span reply)
{
    struct reader *reader = actor->state;
    struct world *world = actor->world;
    if (reply.data[0] != '+') {
        if (reader->inspects)
            world_blame(world, "a message that can't be read", reader->next);
        fetch_next(actor);
        return;
    }
    uint32_t number = 0;
    const char *uidl = reader->uidls[reader->next - 1];
    const char *wrong =
        ledger_check_copy(world->ledger, reader->mailbox, reply, span_text(uidl), &number);
    if (wrong != NULL) {
        world_blame(world, wrong, number);
        fetch_next(actor);
        return;
    }
    struct ledger_message *message = &world->ledger->messages[number];
    if (reader->inspects)
        message->seen[reader->mailbox]++;
    if (reader->deletes && world_chance(world, 400)) {
        reader->marked[reader->marked_count++] = number;
        actor_print(actor, "DELE %u\r\n", reader->next);
        reader->step = STEP_DELE;
        return;
    }
    fetch_next(actor);
}

static void quitted(struct actor *actor, bool good)
{
    struct reader *reader = actor->state;
    for (uint32_t i = 0; good && i < reader->marked_count; i++)
        actor->world->ledger->messages[reader->marked[i]].deletions[reader->mailbox] =
            LEDGER_DELETED;
    reader->done = good;
    if (reader->inspects)
        actor->wake_ns = UINT64_MAX;
    actor_hang_up(actor, false);
}

static void answered(struct actor *actor, struct span reply)
{
    struct reader *reader = actor->state;
    bool good = reply.data[0] == '+';
    switch (reader->step) {
    case STEP_BANNER:
        actor_print(actor, "USER box%u@" WORLD_DOMAIN "\r\n", reader->mailbox);
        reader->step = STEP_USER;
        break;
    case STEP_USER:
        actor_print(actor, "PASS secret\r\n");
        reader->step = STEP_PASS;
        break;
    case STEP_PASS:
        if (!good) { /* another session has it: later */
            actor_hang_up(actor, false);
            actor->open = false;
            break;
        }
        actor_print(actor, "UIDL\r\n");
        reader->step = STEP_UIDL;
        break;
    case STEP_UIDL:
        read_uidls(actor, reply);
        break;
    case STEP_RETR:
        read_message(actor, reply);
        break;
    case STEP_DELE:
        if (!good)
            world_blame(actor->world, "a deletion refused", reader->next);
        fetch_next(actor);
        break;
    case STEP_QUIT:
        quitted(actor, good);
        break;
    }
}

static size_t received(struct actor *actor, struct span bytes)
{
    struct reader *reader = actor->state;
    bool lines = reader->step == STEP_UIDL || reader->step == STEP_RETR;
    size_t size = bytes.size == 0 ? 0 : reply_size(bytes, lines);
    if (size > 0)
        answered(actor, span_of(bytes.data, size));
    return size;
}

static void start(struct actor *actor)
{
    struct reader *reader = actor->state;
    reader->step = STEP_BANNER;
    reader->marked_count = 0;
    if (!reader->inspects) {
        reader->mailbox = (uint32_t)random_below(&actor->world->random, LEDGER_MAILBOXES);
        reader->deletes = world_chance(actor->world, 700);
    }
    actor_connect(actor, WORLD_POP3_PORT);
}

static void connected(struct actor *actor)
{
    (void)actor;
}

static void closed(struct actor *actor)
{
    const struct reader *reader = actor->state;
    if (reader->done && reader->inspects)
        actor->wake_ns = UINT64_MAX;
}

const struct actor_kind actor_pop3 = {
    .start = start, .connected = connected, .received = received, .closed = closed};

struct actor *pop3_actor_open(struct world *world)
{
    struct actor *actor = actor_open(world, &actor_pop3, sizeof(struct reader));
    struct reader *reader = actor->state;
    reader->uidls = calloc(SEEN_MAX, sizeof *reader->uidls);
    reader->marked = calloc(SEEN_MAX, sizeof *reader->marked);
    INVARIANT(reader->uidls != NULL && reader->marked != NULL);
    return actor;
}

struct actor *inspector_open(struct world *world, uint32_t mailbox)
{
    struct actor *actor = pop3_actor_open(world);
    struct reader *reader = actor->state;
    reader->inspects = actor->tireless = true;
    reader->mailbox = mailbox;
    return actor;
}

bool inspector_is_done(const struct actor *actor)
{
    const struct reader *reader = actor->state;
    return reader->done;
}
