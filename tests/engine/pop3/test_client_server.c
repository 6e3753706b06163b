/* The client session and the server session talking to each other in memory, in every mode: every
 * message arrives as it is stored, and what is expunged is what the client's host wanted deleted.
 * Bytes travel in pieces of any size, and the server's host takes its time. */
#include "base/random.h"
#include "engine/pop3/client_session.h"
#include "engine/pop3/session.h"
#include "tests/check_main.h"

#include <stdio.h>

#define BYTES_MAX 60000

/* In wire form. */
static const char *const wires[] = {"A: 1\r\n\r\nHello\r\n.\r\n", "..\r\n...\r\n.\r\n", ".\r\n",
                                    "B: 2\r\n\r\nsome more text\r\n..dot\r\nand the end\r\n.\r\n"};
#define WIRES (sizeof wires / sizeof *wires)
#define DAMAGED 3u /* of so many messages the last can't be read */

enum asked { NOTHING, LOG_IN, FETCH, EXPUNGE };

struct bytes {
    uint8_t data[BYTES_MAX];
    size_t size;
};

struct mode {
    bool sasl, uidl, pipeline, unstuff, stls;
    uint32_t messages;
};

struct world {
    struct mode mode;
    struct random random;

    struct pop3_config server_config;
    struct pop3_session server;
    struct blocks blocks;
    uint8_t deleted[16];
    enum asked asked;
    uint32_t asked_index;
    uint32_t expunged; /* messages */
    bool good_login;
    struct bytes to_server, to_client;

    struct pop3_client_config client_config;
    struct credentials credentials;
    struct pop3_client client;
    struct bytes message;
    uint32_t begun, fetched, refused, deleted_ok, listed;
};

static void append(struct bytes *bytes, struct span piece)
{
    ck_assert_uint_le(piece.size, sizeof bytes->data - bytes->size);
    memcpy(bytes->data + bytes->size, piece.data, piece.size);
    bytes->size += piece.size;
}

static void drop(struct bytes *bytes, size_t size)
{
    bytes->size -= size;
    memmove(bytes->data, bytes->data + size, bytes->size);
}

static bool is_damaged(uint32_t index)
{
    return index % DAMAGED == DAMAGED - 1;
}

static bool is_unwanted(uint32_t number)
{
    return number % 2 == 0;
}

/* ------------------------------------------------------------------------- the server ---- */

static void host_log_in(void *owner, struct span user, struct span password)
{
    struct world *world = owner;
    world->asked = LOG_IN;
    world->good_login = span_equal(user, SPAN("joe")) && span_equal(password, SPAN("sec ret"));
}

static void host_fetch(void *owner, uint32_t index)
{
    struct world *world = owner;
    world->asked = FETCH;
    world->asked_index = index;
}

static void host_expunge(void *owner)
{
    struct world *world = owner;
    world->asked = EXPUNGE;
    for (uint32_t i = 0; i < world->mode.messages; i++)
        if (world->deleted[i / 8] & 1 << i % 8) {
            ck_assert(is_unwanted(i + 1) && !is_damaged(i));
            world->expunged++;
        }
}

static uint64_t host_octets(void *owner, uint32_t index)
{
    (void)owner;
    return strlen(wires[index % WIRES]);
}

static size_t host_uidl(void *owner, uint32_t index, char out[70])
{
    (void)owner;
    return (size_t)snprintf(out, 70, "uid-%u", index + 1);
}

static const struct pop3_host server_host = {host_log_in, host_fetch, host_expunge, host_octets,
                                             host_uidl};

static void answer_fetch(struct world *world, struct output *out)
{
    const char *wire = wires[world->asked_index % WIRES];
    if (is_damaged(world->asked_index)) {
        pop3_fetched(&world->server, STATUS_CORRUPT, 0, 0, out);
        return;
    }
    pop3_fetched(&world->server, STATUS_OK, strlen(wire), strlen(wire), out);
    output_add(out, span_text(wire));
    pop3_fetch_done(&world->server, out);
}

static void answer(struct world *world, struct output *out)
{
    enum asked asked = world->asked;
    world->asked = NOTHING;
    if (asked == LOG_IN)
        pop3_logged_in(&world->server, world->good_login ? STATUS_OK : STATUS_DENIED,
                       world->mode.messages, world->mode.messages * 1000, world->deleted, out);
    else if (asked == FETCH)
        answer_fetch(world, out);
    else if (asked == EXPUNGE)
        pop3_expunged(&world->server, STATUS_OK, out);
}

static void server_turn(struct world *world)
{
    uint8_t text[4 * POP3_REPLY_BYTES_MAX];
    struct output out = {text, 0, sizeof text};
    if (random_below(&world->random, 2))
        answer(world, &out);
    size_t size = random_below(&world->random, world->to_server.size + 1);
    drop(&world->to_server, pop3_feed(&world->server, span_of(world->to_server.data, size), &out));
    append(&world->to_client, span_of(text, out.size));
}

/* ------------------------------------------------------------------------- the client ---- */

static void on_phase(void *owner, enum pop3_client_phase phase, bool ok, struct span text,
                     uint32_t number)
{
    struct world *world = owner;
    (void)text;
    if (phase == POP3_CLIENT_RETR && !ok) {
        ck_assert(is_damaged(number - 1));
        world->refused++;
    }
    ck_assert(ok || phase == POP3_CLIENT_RETR);
    world->deleted_ok += phase == POP3_CLIENT_DELE;
}

static void on_maildrop(void *owner, uint32_t messages, uint64_t octets)
{
    const struct world *world = owner;
    ck_assert_uint_eq(messages, world->mode.messages);
    ck_assert_uint_eq(octets, messages * 1000);
}

static void on_uidl(void *owner, uint32_t number, struct span uidl)
{
    struct world *world = owner;
    char expected[70];
    ck_assert_uint_eq(number, ++world->listed);
    snprintf(expected, sizeof expected, "uid-%u", number);
    ck_assert(span_equal(uidl, span_text(expected)));
}

static void on_begin(void *owner, uint32_t number)
{
    struct world *world = owner;
    world->begun = number;
    world->message.size = 0;
}

static void on_bytes(void *owner, struct span bytes)
{
    struct world *world = owner;
    append(&world->message, bytes);
}

static bool on_end(void *owner, uint32_t number)
{
    struct world *world = owner;
    const char *wire = wires[(number - 1) % WIRES];
    struct bytes expected = {.size = 0};
    size_t size = strlen(wire) - strlen(".\r\n");
    for (size_t i = 0; i < size; i++) {
        bool mark = wire[i] == '.' && (i == 0 || wire[i - 1] == '\n');
        if (!(mark && world->mode.unstuff))
            append(&expected, span_of(wire + i, 1));
    }
    ck_assert_uint_eq(number, world->begun);
    ck_assert(span_equal(span_of(world->message.data, world->message.size),
                         span_of(expected.data, expected.size)));
    world->fetched++;
    return is_unwanted(number);
}

static const struct pop3_client_host client_host = {on_phase, on_maildrop, on_uidl,
                                                    on_begin, on_bytes,    on_end};

static void start_tls(struct world *world, struct output *out)
{
    ck_assert_int_eq(pop3_wish(&world->server), POP3_STLS);
    ck_assert_uint_eq(world->to_server.size + world->to_client.size, 0);
    pop3_secured(&world->server);
    pop3_client_secured(&world->client, out);
}

static void client_turn(struct world *world)
{
    uint8_t text[POP3_CLIENT_COMMAND_BYTES_MAX + 100];
    struct output out = {text, 0, sizeof text};
    size_t size = random_below(&world->random, world->to_client.size + 1);
    pop3_client_feed(&world->client, span_of(world->to_client.data, size), &out);
    drop(&world->to_client, size);
    append(&world->to_server, span_of(text, out.size));
    out.size = 0;
    if (pop3_client_wish(&world->client) == POP3_CLIENT_STLS)
        start_tls(world, &out);
    append(&world->to_server, span_of(text, out.size));
}

/* ------------------------------------------------------------------------- the check ---- */

static struct world world;

static void world_open(const struct mode *mode, uint64_t seed)
{
    world = (struct world){.mode = *mode, .random = {seed}};
    world.server_config = (struct pop3_config){.hostname = SPAN("mx.x"),
                                               .plaintext_login = !mode->stls,
                                               .stls = mode->stls,
                                               .errors_max = 5,
                                               .host = &server_host};
    world.client_config = (struct pop3_client_config){.stls = mode->stls,
                                                      .sasl = mode->sasl,
                                                      .uidl = mode->uidl,
                                                      .pipeline = mode->pipeline,
                                                      .unstuff = mode->unstuff,
                                                      .host = &client_host};
    world.credentials = (struct credentials){SPAN("joe"), SPAN("sec ret")};
    const uint32_t counts[BLOCK_CLASSES] = {4, 0, 0, 0, 0};
    ck_assert_int_eq(blocks_init(&world.blocks, counts), STATUS_OK);
    uint8_t text[POP3_REPLY_BYTES_MAX];
    struct output out = {text, 0, sizeof text};
    pop3_open(&world.server, &world.server_config, &world.blocks, &world, false, &out);
    append(&world.to_client, span_of(text, out.size));
    pop3_client_start(&world.client, &world.client_config, &world.credentials, &world, false);
}

static void world_close(void)
{
    pop3_close(&world.server);
    ck_assert_uint_eq(pool_left(&world.blocks.pools[BLOCK_1K]), 4);
    blocks_deinit(&world.blocks);
}

static void check_all(const struct mode *mode)
{
    uint32_t damaged = mode->messages / DAMAGED, unwanted = 0;
    for (uint32_t i = 0; i < mode->messages; i++)
        unwanted += is_unwanted(i + 1) && !is_damaged(i);
    ck_assert_uint_eq(world.fetched, mode->messages - damaged);
    ck_assert_uint_eq(world.refused, damaged);
    ck_assert_uint_eq(world.deleted_ok, unwanted);
    ck_assert_uint_eq(world.expunged, unwanted);
    ck_assert_uint_eq(world.listed, mode->uidl ? mode->messages : 0);
}

START_TEST(talk)
{
    static const uint32_t counts[] = {0, 1, 7, 100};
    const struct mode mode = {.sasl = _i & 1,
                              .uidl = _i & 2,
                              .pipeline = _i & 4,
                              .unstuff = _i & 8,
                              .stls = _i & 16,
                              .messages = counts[_i >> 5]};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        world_open(&mode, seed);
        for (unsigned turn = 0;
             turn < 100000 && pop3_client_wish(&world.client) != POP3_CLIENT_CLOSE; turn++) {
            server_turn(&world);
            client_turn(&world);
        }
        ck_assert_int_eq(pop3_client_wish(&world.client), POP3_CLIENT_CLOSE);
        ck_assert_int_eq(pop3_client_failure(&world.client), POP3_CLIENT_FINE);
        ck_assert_int_eq(pop3_wish(&world.server), POP3_CLOSE);
        ck_assert_uint_eq(world.to_client.size + world.to_server.size, 0);
        check_all(&mode);
        world_close();
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/client_server");
    TCase *tcase = tcase_create("client_server");
    tcase_add_loop_test(tcase, talk, 0, 128);
    suite_add_tcase(suite, tcase);
    return suite;
}
