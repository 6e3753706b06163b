/* A simulated sender. Each connection sends a few messages, in one of three ways: a command at a
 * time, in pipelined groups, or several whole messages in one burst of BDAT; sometimes it breaks
 * off. */
#include "base/invariant.h"
#include "tests/sim/world.h"

#include <stdlib.h>

enum expectation {
    EXPECT_BANNER,
    EXPECT_HELLO,
    EXPECT_MAIL,
    EXPECT_RCPT,
    EXPECT_DATA,
    EXPECT_END,
    EXPECT_QUIT
};

enum way { WAY_STEPS, WAY_PIPELINE, WAY_BURST, WAYS };

#define EXPECTED_MAX 64

struct sender {
    struct {
        enum expectation what;
        uint32_t message, mailbox;
    } expected[EXPECTED_MAX];
    uint32_t first, count; /* of the expectations, a ring */
    enum way way;
    uint32_t messages_left;
};

static void expect(struct sender *sender, enum expectation what, uint32_t message, uint32_t mailbox)
{
    INVARIANT(sender->count < EXPECTED_MAX);
    uint32_t place = (sender->first + sender->count++) % EXPECTED_MAX;
    sender->expected[place].what = what;
    sender->expected[place].message = message;
    sender->expected[place].mailbox = mailbox;
}

static uint32_t draw_message(struct actor *actor)
{
    struct world *world = actor->world;
    uint8_t mailboxes = (uint8_t)(1u << random_below(&world->random, LEDGER_MAILBOXES));
    while (world_chance(world, 300))
        mailboxes |= (uint8_t)(1u << random_below(&world->random, LEDGER_MAILBOXES));
    uint32_t bytes = (uint32_t)random_below(&world->random, 3000);
    if (world_chance(world, 80))
        bytes = (uint32_t)random_below(&world->random, 120000);
    return ledger_add(world->ledger, mailboxes, bytes, (uint32_t)random_next(&world->random));
}

static void send_envelope(struct actor *actor, uint32_t number)
{
    struct sender *sender = actor->state;
    const struct ledger_message *message = &actor->world->ledger->messages[number];
    actor_print(actor, "MAIL FROM:<sender%u@" WORLD_DOMAIN ">\r\n", number);
    expect(sender, EXPECT_MAIL, number, 0);
    if (sender->way == WAY_STEPS)
        return;
    for (uint32_t i = 0; i < LEDGER_MAILBOXES; i++)
        if (message->mailboxes & 1u << i) {
            actor_print(actor, "RCPT TO:<box%u@" WORLD_DOMAIN ">\r\n", i);
            expect(sender, EXPECT_RCPT, number, i);
        }
}

/* The body as BDAT chunks: unstuffed, without the end of data. */
static void send_chunk(struct actor *actor, uint32_t number)
{
    struct ledger *ledger = actor->world->ledger;
    struct span wire = ledger_body(ledger, number);
    uint8_t *plain = malloc(wire.size);
    size_t size = 0;
    INVARIANT(plain != NULL);
    for (size_t i = 0; i < wire.size - 3; i++)
        if (!(wire.data[i] == '.' && i > 0 && wire.data[i - 1] == '\n'))
            plain[size++] = wire.data[i];
    actor_print(actor, "BDAT %zu LAST\r\n", size);
    actor_send(actor, span_of(plain, size));
    free(plain);
    ledger->messages[number].outcome = LEDGER_DOUBTFUL;
    expect(actor->state, EXPECT_END, number, 0);
}

static void next_message(struct actor *actor)
{
    struct sender *sender = actor->state;
    struct world *world = actor->world;
    if (sender->messages_left == 0 || world->ledger->count + 8 >= LEDGER_MESSAGES_MAX) {
        actor_print(actor, "QUIT\r\n");
        expect(sender, EXPECT_QUIT, 0, 0);
        return;
    }
    if (sender->way == WAY_BURST) {
        for (uint32_t burst = 0; burst < 4 && sender->messages_left > 0; burst++) {
            uint32_t number = draw_message(actor);
            sender->messages_left--;
            send_envelope(actor, number);
            send_chunk(actor, number);
        }
        return;
    }
    uint32_t number = draw_message(actor);
    sender->messages_left--;
    send_envelope(actor, number);
    if (sender->way == WAY_PIPELINE) {
        actor_print(actor, "DATA\r\n");
        expect(sender, EXPECT_DATA, number, 0);
    }
}

static void send_body(struct actor *actor, uint32_t number)
{
    struct world *world = actor->world;
    struct span body = ledger_body(world->ledger, number);
    if (world_chance(world, 40)) { /* breaks off somewhere in the message */
        size_t part = random_below(&world->random, body.size - 1);
        if (part > 0)
            actor_send(actor, span_of(body.data, part));
        actor_hang_up(actor, world_chance(world, 500));
        actor->open = false;
        return;
    }
    actor_send(actor, body);
    world->ledger->messages[number].outcome = LEDGER_DOUBTFUL;
    expect(actor->state, EXPECT_END, number, 0);
}

/* Step by step: the next recipient that was not asked yet, or DATA. */
static void next_step(struct actor *actor, uint32_t number, uint32_t mailbox)
{
    struct sender *sender = actor->state;
    const struct ledger_message *message = &actor->world->ledger->messages[number];
    for (; mailbox < LEDGER_MAILBOXES; mailbox++)
        if (message->mailboxes & 1u << mailbox) {
            actor_print(actor, "RCPT TO:<box%u@" WORLD_DOMAIN ">\r\n", mailbox);
            expect(sender, EXPECT_RCPT, number, mailbox);
            return;
        }
    actor_print(actor, "DATA\r\n");
    expect(sender, EXPECT_DATA, number, 0);
}

static void answered(struct actor *actor, enum expectation what, uint32_t number, uint32_t mailbox,
                     char code)
{
    struct sender *sender = actor->state;
    struct ledger_message *message = &actor->world->ledger->messages[number];
    switch (what) {
    case EXPECT_BANNER:
        actor_print(actor, "EHLO client." WORLD_DOMAIN "\r\n");
        expect(sender, EXPECT_HELLO, 0, 0);
        break;
    case EXPECT_HELLO:
        next_message(actor);
        break;
    case EXPECT_MAIL:
        if (sender->way == WAY_STEPS)
            next_step(actor, number, 0);
        break;
    case EXPECT_RCPT:
        if (code != '2')
            message->mailboxes &= (uint8_t) ~(1u << mailbox);
        if (sender->way == WAY_STEPS)
            next_step(actor, number, mailbox + 1);
        break;
    case EXPECT_DATA:
        if (code == '3') {
            send_body(actor, number);
        } else {
            message->outcome = LEDGER_REFUSED;
            next_message(actor);
        }
        break;
    case EXPECT_END:
        message->outcome = code == '2' ? LEDGER_ACKED : LEDGER_REFUSED;
        if (sender->count == 0)
            next_message(actor);
        break;
    case EXPECT_QUIT:
        actor_hang_up(actor, false);
        break;
    }
}

static size_t received(struct actor *actor, struct span bytes)
{
    struct sender *sender = actor->state;
    const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
    if (end == NULL)
        return 0;
    size_t size = (size_t)(end - bytes.data) + 1;
    if (size < 6 || end[-1] != '\r') {
        world_blame(actor->world, "a reply that is no reply", 0);
        return size;
    }
    if (bytes.data[3] == '-')
        return size;
    if (memcmp(bytes.data, "421", 3) == 0) {
        actor_hang_up(actor, false);
        actor->open = false;
        return size;
    }
    if (sender->count == 0) {
        world_blame(actor->world, "a reply that nothing asked for", 0);
        return size;
    }
    uint32_t place = sender->first;
    sender->first = (sender->first + 1) % EXPECTED_MAX;
    sender->count--;
    answered(actor, sender->expected[place].what, sender->expected[place].message,
             sender->expected[place].mailbox, (char)bytes.data[0]);
    return size;
}

static void start(struct actor *actor)
{
    struct sender *sender = actor->state;
    struct world *world = actor->world;
    sender->first = sender->count = 0;
    sender->way = (enum way)random_below(&world->random, WAYS);
    sender->messages_left = 1 + (uint32_t)random_below(&world->random, 8);
    actor_connect(actor, WORLD_SMTP_PORT);
}

static void connected(struct actor *actor)
{
    expect(actor->state, EXPECT_BANNER, 0, 0);
}

static void closed(struct actor *actor)
{
    (void)actor; /* messages under way stay doubtful */
}

const struct actor_kind actor_smtp = {
    .start = start, .connected = connected, .received = received, .closed = closed};

struct actor *smtp_actor_open(struct world *world)
{
    return actor_open(world, &actor_smtp, sizeof(struct sender));
}
