/* The client session and the server session talking to each other in memory, in every mode: what
 * the client says became of each recipient is what the server did with the message, byte by byte.
 * Bytes travel in pieces of any size, and commits take their time. */
#include "base/random.h"
#include "engine/smtp/client_session.h"
#include "engine/smtp/session.h"
#include "tests/check_main.h"

#include <stdio.h>

#define RECIPIENTS_MAX 3
#define BODY_BYTES_MAX 4000
#define WIRE_BYTES_MAX 16000

/* "no…": unknown, "later…": not now, others are taken; "FULL…": the store has no space. */
struct mail {
    const char *recipients[RECIPIENTS_MAX];
    const char *body; /* as meant; repeated `copies` times */
    unsigned copies;
};

static const struct mail mails[] = {
    {{"a@x"}, "Subject: one\r\n\r\nHello\r\n", 1},
    {{"a@x", "b@x", "c@x"}, ".\r\n..\r\n.dots\r\n", 1},
    {{"a@x", "no@x", "b@x"}, "x\r\n", 1},
    {{"no@x"}, "nobody\r\n", 1},
    {{"a@x"}, "after nobody\r\n", 1},
    {{"later@x", "no@x"}, "nobody again\r\n", 20},
    {{"no@x", "b@x"}, "after nobody again\r\n", 1},
    {{"a@x", "b@x"}, "FULL\r\n", 1},
    {{"a@x"}, "after a full store\r\n", 1},
    {{"a@x"}, "a long line of a long message ......\r\n", 100},
    {{"c@x"}, "", 1},
    {{"a@x", "b@x"}, "the last one\r\n", 1},
};
#define MAILS (sizeof mails / sizeof *mails)

struct bytes {
    uint8_t data[WIRE_BYTES_MAX];
    size_t size;
};

struct stored {
    uint8_t body[BODY_BYTES_MAX]; /* unstuffed */
    size_t size;
    unsigned recipients;
};

struct world {
    struct random random;
    bool chunking;

    struct smtp_config server_config;
    struct smtp_session server;
    struct blocks blocks;
    struct bytes staged, to_server, to_client;
    enum status pending[MAILS]; /* what will be said of messages under way */
    unsigned pending_count;
    struct stored stored[MAILS];
    unsigned stored_count;
    bool server_gone;

    struct smtp_client_config client_config;
    struct smtp_client client;
    struct smtp_client_message messages[MAILS];
    struct smtp_client_recipient recipients[MAILS][RECIPIENTS_MAX];
    struct bytes bodies[MAILS];
    unsigned sent, done;
    unsigned phases[SMTP_CLIENT_PHASES];
};

static void append(struct bytes *bytes, struct span piece)
{
    ck_assert_uint_le(piece.size, sizeof bytes->data - bytes->size);
    memcpy(bytes->data + bytes->size, piece.data, piece.size);
    bytes->size += piece.size;
}

/* ------------------------------------------------------------------------- the server ---- */

static enum smtp_verdict host_recipient(void *owner, struct span mailbox)
{
    (void)owner;
    if (mailbox.size >= 2 && memcmp(mailbox.data, "no", 2) == 0)
        return SMTP_UNKNOWN_MAILBOX;
    return mailbox.size >= 5 && memcmp(mailbox.data, "later", 5) == 0 ? SMTP_TRY_LATER
                                                                      : SMTP_ACCEPT;
}

static enum status host_stage(void *owner, struct span piece)
{
    struct world *world = owner;
    append(&world->staged, piece);
    return STATUS_OK;
}

static void host_discard(void *owner)
{
    struct world *world = owner;
    world->staged.size = 0;
}

static void unstuff(const struct bytes *wire, struct stored *stored)
{
    bool start = true;
    stored->size = 0;
    for (size_t i = 0; i < wire->size - 3; i++) {
        if (!(start && wire->data[i] == '.'))
            stored->body[stored->size++] = wire->data[i];
        start = wire->data[i] == '\n';
    }
}

static enum status host_store(void *owner, const struct smtp_message *message)
{
    struct world *world = owner;
    append(&world->staged, message->tail);
    ck_assert_uint_eq(world->staged.size, message->wire_bytes);
    struct stored *stored = &world->stored[world->stored_count];
    unstuff(&world->staged, stored);
    stored->recipients = message->envelope->recipients;
    bool full = stored->size >= 4 && memcmp(stored->body, "FULL", 4) == 0;
    world->pending[world->pending_count++] = full ? STATUS_FULL : STATUS_OK;
    world->stored_count += !full;
    world->staged.size = 0;
    return STATUS_OK;
}

static const struct smtp_host server_host = {host_recipient, host_stage, host_store, host_discard};

static void server_commit(struct world *world, struct output *out)
{
    smtp_stored(&world->server, world->pending[0], SPAN("ID"), out);
    world->pending_count--;
    memmove(world->pending, world->pending + 1, world->pending_count * sizeof *world->pending);
}

static void server_turn(struct world *world)
{
    uint8_t text[4 * SMTP_REPLY_BYTES_MAX];
    struct output out = {text, 0, sizeof text};
    if (world->pending_count > 0 && random_below(&world->random, 3) == 0)
        server_commit(world, &out);
    size_t size = random_below(&world->random, world->to_server.size + 1);
    size_t used = smtp_feed(&world->server, span_of(world->to_server.data, size), &out);
    world->to_server.size -= used;
    memmove(world->to_server.data, world->to_server.data + used, world->to_server.size);
    append(&world->to_client, span_of(text, out.size));
    world->server_gone = smtp_wish(&world->server) == SMTP_CLOSE;
}

/* ------------------------------------------------------------------------- the client ---- */

static void on_phase(void *owner, enum smtp_client_phase phase, uint16_t code, struct span text,
                     struct smtp_client_message *message)
{
    struct world *world = owner;
    ck_assert_uint_ge(code, 200);
    ck_assert_uint_gt(text.size, 0);
    ck_assert((message != NULL) == (phase >= SMTP_CLIENT_RSET && phase <= SMTP_CLIENT_COMMIT));
    world->phases[phase]++;
}

static void on_done(void *owner, struct smtp_client_message *message)
{
    struct world *world = owner;
    ck_assert_ptr_eq(message, &world->messages[world->done]);
    world->done++;
}

static const struct smtp_client_host client_host = {on_phase, on_done};

static void body_make(struct bytes *body, const struct mail *mail)
{
    body->size = 0;
    for (unsigned i = 0; i < mail->copies; i++)
        append(body, span_text(mail->body));
}

static void body_send(struct world *world, const struct bytes *body, struct bytes *to)
{
    bool start = true;
    for (size_t i = 0; i < body->size; i++) {
        if (!world->chunking && start && body->data[i] == '.')
            append(to, SPAN("."));
        append(to, span_of(body->data + i, 1));
        start = body->data[i] == '\n';
    }
    if (!world->chunking)
        append(to, SPAN(".\r\n"));
}

static void message_send(struct world *world, struct output *out)
{
    unsigned number = world->sent++;
    const struct mail *mail = &mails[number];
    struct smtp_client_message *message = &world->messages[number];
    body_make(&world->bodies[number], mail);
    *message = (struct smtp_client_message){.reverse_path = SPAN("sender@x"),
                                            .recipients = world->recipients[number],
                                            .octets = world->bodies[number].size};
    for (unsigned i = 0; i < RECIPIENTS_MAX && mail->recipients[i]; i++)
        message->recipients[message->recipient_count++].path = span_text(mail->recipients[i]);
    smtp_client_send(&world->client, message, out);
}

/* One wish; false: none. What is in `out` goes first. */
static bool client_wish(struct world *world, struct output *out)
{
    append(&world->to_server, span_of(out->data, out->size));
    out->size = 0;
    enum smtp_client_wish wish = smtp_client_wish(&world->client);
    switch (wish) {
    case SMTP_CLIENT_READY:
        if (world->sent < MAILS)
            message_send(world, out);
        else
            smtp_client_quit(&world->client, out);
        return true;
    case SMTP_CLIENT_SEND_DATA:
    case SMTP_CLIENT_SEND_CHUNK:
        ck_assert_int_eq(wish == SMTP_CLIENT_SEND_CHUNK, world->chunking);
        body_send(world, &world->bodies[smtp_client_body(&world->client) - world->messages],
                  &world->to_server);
        smtp_client_body_sent(&world->client, out);
        return true;
    case SMTP_CLIENT_SPEAK:
        smtp_client_feed(&world->client, SPAN(""), out);
        return true;
    default:
        return false;
    }
}

static void client_turn(struct world *world)
{
    uint8_t text[SMTP_CLIENT_COMMAND_BYTES_MAX + 100];
    struct output out = {text, 0, sizeof text};
    size_t size = random_below(&world->random, world->to_client.size + 1);
    smtp_client_feed(&world->client, span_of(world->to_client.data, size), &out);
    world->to_client.size -= size;
    memmove(world->to_client.data, world->to_client.data + size, world->to_client.size);
    while (client_wish(world, &out))
        ;
}

/* ------------------------------------------------------------------------- the check ---- */

static void world_open(struct world *world, unsigned mode, uint64_t seed)
{
    bool lmtp = mode & 1, pipeline = mode & 2;
    *world = (struct world){.random = {seed}, .chunking = mode & 4};
    world->server_config = (struct smtp_config){.hostname = SPAN("mx.x"),
                                                .message_bytes_max = BODY_BYTES_MAX,
                                                .recipients_max = 100,
                                                .text_line_bytes_max = 1000,
                                                .errors_max = 100,
                                                .hops_max = 100,
                                                .lmtp = lmtp,
                                                .host = &server_host};
    world->client_config = (struct smtp_client_config){.hello = SPAN("client.x"),
                                                       .lmtp = lmtp,
                                                       .pipeline = pipeline,
                                                       .chunking = world->chunking,
                                                       .host = &client_host};
    const uint32_t counts[BLOCK_CLASSES] = {8, 8, 1, 1, 0};
    ck_assert_int_eq(blocks_init(&world->blocks, counts), STATUS_OK);
    uint8_t text[SMTP_REPLY_BYTES_MAX];
    struct output out = {text, 0, sizeof text};
    smtp_open(&world->server, &world->server_config, &world->blocks, world, SPAN("test"), false,
              &out);
    append(&world->to_client, span_of(text, out.size));
    smtp_client_start(&world->client, &world->client_config, world, false);
}

static void world_close(struct world *world)
{
    smtp_close(&world->server);
    for (unsigned class = 0; class < BLOCK_CLASSES; class ++)
        ck_assert_uint_eq(world->blocks.pools[class].taken, 0);
    blocks_deinit(&world->blocks);
}

/* Returns how many of the recipients were accepted. */
static unsigned check_outcomes(const struct mail *mail, const struct smtp_client_message *message)
{
    unsigned accepted = 0;
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        const char *name = mail->recipients[i];
        unsigned code = 250;
        if (strncmp(name, "no", 2) == 0)
            code = 550;
        else if (strncmp(name, "later", 5) == 0)
            code = 451;
        else if (strncmp(mail->body, "FULL", 4) == 0)
            code = 452;
        ck_assert_uint_eq(message->recipients[i].code, code);
        ck_assert_int_eq(message->recipients[i].outcome,
                         code == 250 ? SMTP_CLIENT_ACCEPTED : SMTP_CLIENT_REFUSED);
        accepted += code == 250;
    }
    return accepted;
}

static void check_all(const struct world *world)
{
    unsigned stored = 0;
    ck_assert_uint_eq(world->done, MAILS);
    for (unsigned i = 0; i < MAILS; i++) {
        unsigned accepted = check_outcomes(&mails[i], &world->messages[i]);
        if (accepted == 0)
            continue;
        const struct stored *message = &world->stored[stored++];
        ck_assert_uint_eq(message->recipients, accepted);
        ck_assert(span_equal(span_of(message->body, message->size),
                             span_of(world->bodies[i].data, world->bodies[i].size)));
    }
    ck_assert_uint_eq(stored, world->stored_count);
}

static struct world world;

START_TEST(talk)
{
    unsigned mode = (unsigned)_i;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        world_open(&world, mode, seed);
        for (unsigned turn = 0; turn < 100000 && !world.server_gone; turn++) {
            server_turn(&world);
            client_turn(&world);
        }
        while (world.to_client.size > 0)
            client_turn(&world);
        ck_assert_int_eq(smtp_client_wish(&world.client), SMTP_CLIENT_CLOSE);
        ck_assert_int_eq(smtp_client_failure(&world.client), SMTP_CLIENT_FINE);
        ck_assert_uint_eq(world.to_server.size, 0);
        check_all(&world);
        ck_assert_uint_eq(world.phases[SMTP_CLIENT_MAIL], MAILS);
        ck_assert_uint_eq(world.phases[SMTP_CLIENT_QUIT], 1);
        ck_assert_uint_eq(world.phases[SMTP_CLIENT_DATA] > 0, !world.chunking);
        world_close(&world);
    }
}
END_TEST

/* The server vanishes at any moment: what the client holds for accepted is stored, and what is
 * stored is accepted or in doubt. */
START_TEST(server_vanishes)
{
    unsigned mode = (unsigned)_i;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        world_open(&world, mode, seed);
        unsigned turns = (unsigned)random_below(&world.random, 150);
        for (unsigned turn = 0; turn < turns && !world.server_gone; turn++) {
            server_turn(&world);
            client_turn(&world);
        }
        smtp_client_fail(&world.client, SMTP_CLIENT_LOST);
        ck_assert_uint_eq(world.done, world.sent);
        unsigned accepted = 0, doubtful = 0;
        for (unsigned i = 0; i < world.sent; i++) {
            bool any[SMTP_CLIENT_DOUBTFUL + 1] = {false};
            for (uint32_t r = 0; r < world.messages[i].recipient_count; r++)
                any[world.recipients[i][r].outcome] = true;
            ck_assert(!any[SMTP_CLIENT_PENDING] && !any[SMTP_CLIENT_TAKEN]);
            accepted += any[SMTP_CLIENT_ACCEPTED];
            doubtful += any[SMTP_CLIENT_DOUBTFUL] && !any[SMTP_CLIENT_ACCEPTED];
        }
        ck_assert_uint_le(accepted, world.stored_count);
        ck_assert_uint_le(world.stored_count, accepted + doubtful);
        world_close(&world);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp/client_server");
    TCase *tcase = tcase_create("client_server");
    tcase_add_loop_test(tcase, talk, 0, 8);
    tcase_add_loop_test(tcase, server_vanishes, 0, 8);
    suite_add_tcase(suite, tcase);
    return suite;
}
