#include "tests/engine/shard_bed.h"

#include "tests/check_main.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

extern const struct smtp_host door_smtp_host;
extern const struct pop3_host door_pop3_host;

enum { EPOCH_S = 1700000000, HEARING_MS = 120000, FIRST_PORT = 1000 };

/* --------------------------------------------------------------------------- building ---- */

static uint64_t bed_monotonic(void *context)
{
    return ((struct bed *)context)->now_ns;
}

static uint64_t bed_wall(void *context)
{
    return EPOCH_S * NS_PER_S + ((struct bed *)context)->now_ns;
}

struct bed_options bed_options(void)
{
    return (struct bed_options){.seed = 1,
                                .shards = 1,
                                .connections_max = 64,
                                .window_bytes = 65536,
                                .segment_bytes_max = 8192,
                                .recipients_max = 1000,
                                .staging_bytes = 4 << 20,
                                .drain_ms = 5000,
                                .disk_ns = NS_PER_MS,
                                .link_queue_bytes = 1 << 16,
                                .auth_requests_max = 16};
}

static void configure(struct bed *bed, const struct bed_options *options)
{
    struct auth_options auth;
    struct fault fault;
    auth_options_default(&auth);
    auth.any_password = options->passwd_file == NULL;
    auth.passwd_file = options->passwd_file;
    auth.requests_max = options->auth_requests_max;
    auth.workers = 1;
    ck_assert_int_eq(auth_open(&bed->config.auth, &auth, &fault), STATUS_OK);
    bed->config.tls = options->tls;
    bed->config.connections_max = options->connections_max;
    bed->config.recipients = &bed->recipients;
    bed->config.clock = &bed->clock;
    bed->config.drain_ms = options->drain_ms;
    bed->config.smtp = bed->config.lmtp = (struct smtp_config){
        .hostname = SPAN("mx.bed.test"),
        .message_bytes_max = 16 << 20,
        .recipients_max = options->recipients_max,
        .text_line_bytes_max = 1000,
        .errors_max = 20,
        .starttls = options->tls != NULL,
        .hops_max = 100,
        .host = &door_smtp_host,
        .clock = &bed->clock,
    };
    bed->config.lmtp.lmtp = true;
    bed->config.pop3 = (struct pop3_config){.hostname = SPAN("mx.bed.test"),
                                            .plaintext_login = true,
                                            .stls = options->tls != NULL,
                                            .errors_max = 10,
                                            .host = &door_pop3_host};
}

static union net_address address_of(enum door_kind door)
{
    union net_address address = {0};
    address.ipv4.sin_family = AF_INET;
    address.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.ipv4.sin_port = htons((uint16_t)(FIRST_PORT + door));
    return address;
}

/* A turn that must not wait is one that could have been part of the turn before. */
static void watched_poll(struct net *net, uint64_t wait_ns)
{
    struct bed *bed = (struct bed *)((uintptr_t)net->calls - offsetof(struct bed, calls));
    bed->sleepless += wait_ns == 0;
    bed->poll(net, 0);
}

static void watch(struct bed *bed, struct net *net)
{
    bed->poll = net->calls->poll;
    bed->calls = *net->calls;
    bed->calls.poll = watched_poll;
    net->calls = &bed->calls;
}

static void open_shard(struct bed *bed, uint32_t index)
{
    struct fault fault;
    const struct net_listener_options listen = {.backlog = 128, .reuse_port = true};
    ck_assert_int_eq(net_sim_open(&bed->nets[index], bed->network), STATUS_OK);
    watch(bed, bed->nets[index]);
    ck_assert_int_eq(medium_sim_open(&bed->media[index], bed->disk), STATUS_OK);
    ck_assert_int_eq(
        shard_open(&bed->shards[index], &bed->config, index, bed->nets[index], bed->mesh),
        STATUS_OK);
    enum door_kind last = bed->config.tls != NULL ? DOOR_POP3S : DOOR_POP3;
    for (enum door_kind door = DOOR_SMTP; door <= last; door++) {
        const union net_address address = address_of(door);
        ck_assert_int_eq(shard_listen(bed->shards[index], door, &address, &listen, NULL, &fault),
                         STATUS_OK);
    }
    ck_assert_int_eq(shard_attach(bed->shards[index], bed->store, bed->media[index], &fault),
                     STATUS_OK);
}

void bed_open(struct bed *bed, const struct bed_options *options)
{
    struct fault fault;
    *bed = (struct bed){.now_ns = NS_PER_S,
                        .shards_count = options->shards,
                        .idle_per_thousand = options->idle_per_thousand,
                        .random = {options->seed}};
    bed->clock = (struct clock){bed_monotonic, bed_wall, bed};
    const struct sim_network_options network = {.seed = options->seed,
                                                .latency_ns_min = 10000,
                                                .latency_ns_max = 50000,
                                                .segment_bytes_max = options->segment_bytes_max,
                                                .window_bytes = options->window_bytes,
                                                .connections_max = BED_CLIENTS_MAX + 8};
    ck_assert_int_eq(sim_network_open(&bed->network, &network, &bed->clock), STATUS_OK);
    const struct sim_disk_options disk = {.seed = options->seed,
                                          .latency_ns_min = options->disk_ns,
                                          .latency_ns_max = options->disk_ns};
    ck_assert_int_eq(sim_disk_open(&bed->disk, &disk, &bed->clock), STATUS_OK);
    ck_assert_int_eq(net_sim_open(&bed->clients_net, bed->network), STATUS_OK);
    configure(bed, options);

    struct store_options store;
    store_options_default(&store);
    store.shards = options->shards;
    store.segment_bytes = 8 << 20;
    store.batch_bytes = 256 << 10;
    store.chunk_bytes = 64 << 10;
    store.staging_bytes = options->staging_bytes;
    store.fetches_max = 4;
    store.seed = options->seed;
    store.clock = &bed->clock;
    ck_assert_int_eq(medium_sim_open(&bed->main_medium, bed->disk), STATUS_OK);
    ck_assert_int_eq(store_open(&bed->store, bed->main_medium, STORE_WRITE, &store, &fault),
                     STATUS_OK);
    ck_assert_int_eq(mesh_open(&bed->mesh, options->shards, options->link_queue_bytes), STATUS_OK);
    for (uint32_t i = 0; i < options->shards; i++)
        open_shard(bed, i);
}

static bool all_drained(const struct bed *bed)
{
    for (uint32_t i = 0; i < bed->shards_count; i++)
        if (!shard_is_drained(bed->shards[i]))
            return false;
    return true;
}

void bed_close(struct bed *bed)
{
    uint64_t deadline_ns = bed->now_ns + (bed->config.drain_ms + HEARING_MS) * NS_PER_MS;
    for (uint32_t i = 0; i < bed->shards_count; i++)
        shard_drain(bed->shards[i]);
    while (!all_drained(bed) && bed->now_ns < deadline_ns)
        bed_step(bed);
    ck_assert_msg(all_drained(bed), "the shards never drained");
    for (uint32_t i = 0; i < bed->shards_count; i++)
        bed->nets[i]->calls->deinit(bed->nets[i]);
    for (uint32_t i = 0; i < bed->shards_count; i++)
        shard_close(bed->shards[i]);
    for (uint32_t i = 0; i < bed->shards_count; i++)
        bed->media[i]->calls->deinit(bed->media[i]);
    store_close(bed->store);
    bed->main_medium->calls->deinit(bed->main_medium);
    mesh_close(bed->mesh);
    auth_close(bed->config.auth);
    bed->clients_net->calls->deinit(bed->clients_net);
    for (uint32_t i = 0; i < bed->clients_count; i++)
        free(bed->clients[i].input);
    sim_network_close(bed->network);
    sim_disk_close(bed->disk);
}

/* ------------------------------------------------------------------------------- time ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void bed_step(struct bed *bed)
{
    for (uint32_t i = 0; i < bed->shards_count; i++) {
        if (random_below(&bed->random, 1000) < bed->idle_per_thousand)
            continue;
        bed->media[i]->calls->poll(bed->media[i], false);
        shard_turn(bed->shards[i], NS_PER_S);
    }
    net_poll(bed->clients_net, 0);
    uint64_t next = earlier(sim_network_next_ns(bed->network), sim_disk_next_ns(bed->disk));
    next = earlier(next, bed->now_ns + 100 * NS_PER_MS);
    bed->now_ns = next > bed->now_ns ? next : bed->now_ns + 1000;
}

void bed_run(struct bed *bed, uint64_t ms)
{
    uint64_t until_ns = bed->now_ns + ms * NS_PER_MS;
    while (bed->now_ns < until_ns)
        bed_step(bed);
}

/* ---------------------------------------------------------------------------- clients ---- */

static void *client_opened(void *context, struct net_conn conn, const union net_address *peer)
{
    struct client *client = context;
    (void)peer;
    client->conn = conn;
    client->open = true;
    return client;
}

static size_t client_received(void *session, struct span bytes)
{
    struct client *client = session;
    if (client->deaf) {
        client->deaf_now = true;
        return 0;
    }
    ck_assert_uint_lt(client->size + bytes.size, BED_INPUT_BYTES);
    memcpy(client->input + client->size, bytes.data, bytes.size);
    client->size += bytes.size;
    client->input[client->size] = '\0';
    return bytes.size;
}

static void client_peer_finished(void *session)
{
    struct client *client = session;
    client->ended = true;
    net_finish(client->bed->clients_net, client->conn);
}

static void client_drained(void *session)
{
    (void)session;
}

static void client_closed(void *session, enum net_close_reason reason)
{
    struct client *client = session;
    (void)reason;
    client->open = false;
    client->over = client->ended = true;
}

static const struct net_handler client_handler = {.opened = client_opened,
                                                  .received = client_received,
                                                  .peer_finished = client_peer_finished,
                                                  .drained = client_drained,
                                                  .closed = client_closed};

struct client *bed_connect(struct bed *bed, enum door_kind door)
{
    ck_assert_uint_lt(bed->clients_count, BED_CLIENTS_MAX);
    struct client *client = &bed->clients[bed->clients_count++];
    const union net_address address = address_of(door);
    *client = (struct client){.bed = bed, .input = malloc(BED_INPUT_BYTES)};
    ck_assert_ptr_nonnull(client->input);
    client->input[0] = '\0';
    ck_assert_int_eq(bed->clients_net->calls->connect(bed->clients_net, &address, NULL,
                                                      &client_handler, client, &client->conn),
                     STATUS_OK);
    return client;
}

struct client *bed_greet(struct bed *bed, enum door_kind door)
{
    struct client *client = bed_connect(bed, door);
    ck_assert(bed_hears(client, "mx.bed.test"));
    ck_assert(bed_hears(client, "\n"));
    return client;
}

struct sent {
    struct net_tx tx;
    uint8_t bytes[];
};

static void release_sent(struct net_tx *tx, void *context)
{
    (void)context;
    free(tx);
}

void bed_send(struct client *client, struct span bytes)
{
    struct sent *sent = malloc(sizeof *sent + bytes.size);
    ck_assert_ptr_nonnull(sent);
    memcpy(sent->bytes, bytes.data, bytes.size);
    sent->tx =
        (struct net_tx){.data = sent->bytes, .size = (uint32_t)bytes.size, .release = release_sent};
    net_send(client->bed->clients_net, client->conn, &sent->tx);
}

void bed_say(struct client *client, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ck_assert(size > 0 && (size_t)size < sizeof text);
    bed_send(client, span_of(text, (size_t)size));
}

bool bed_hears(struct client *client, const char *text)
{
    struct bed *bed = client->bed;
    uint64_t until_ns = bed->now_ns + HEARING_MS * NS_PER_MS;
    for (;;) {
        const char *found = strstr((const char *)client->input + client->at, text);
        if (found != NULL) {
            client->at = (size_t)(found - (const char *)client->input) + strlen(text);
            return true;
        }
        if (client->over || bed->now_ns >= until_ns) {
            fprintf(stderr, "# '%s' is not in '%.300s'\n", text, client->input + client->at);
            return false;
        }
        bed_step(bed);
    }
}

bool bed_ends(struct client *client, uint64_t ms)
{
    uint64_t until_ns = client->bed->now_ns + ms * NS_PER_MS;
    while (!client->ended && client->bed->now_ns < until_ns)
        bed_step(client->bed);
    return client->ended;
}

void bed_finish(struct client *client)
{
    net_finish(client->bed->clients_net, client->conn);
}

void bed_abort(struct client *client)
{
    net_abort(client->bed->clients_net, client->conn);
}

void bed_deafen(struct client *client, bool deaf)
{
    client->deaf = deaf;
    if (!deaf && client->deaf_now)
        net_resume(client->bed->clients_net, client->conn);
    client->deaf_now = false;
}

/* --------------------------------------------------------------------- whole conversations ---- */

void bed_deliver(struct bed *bed, const char *recipient, size_t bytes)
{
    struct client *client = bed_greet(bed, DOOR_SMTP);
    bed_say(client, "EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\n", recipient);
    ck_assert(bed_hears(client, "354"));
    bed_say(client, "Subject: test\r\n\r\n");
    static const char line[] =
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678\r\n";
    uint8_t *body = malloc(bytes + sizeof line);
    size_t size = 0;
    ck_assert_ptr_nonnull(body);
    for (; size < bytes; size += sizeof line - 1)
        memcpy(body + size, line, sizeof line - 1);
    if (size > 0)
        bed_send(client, span_of(body, size));
    free(body);
    bed_say(client, ".\r\n");
    ck_assert(bed_hears(client, "250 2.0.0 queued"));
    bed_say(client, "QUIT\r\n");
    ck_assert(bed_ends(client, 1000));
}

struct client *bed_log_in(struct bed *bed, const char *mailbox)
{
    struct client *client = bed_greet(bed, DOOR_POP3);
    bed_say(client, "USER %s\r\nPASS secret\r\n", mailbox);
    ck_assert(bed_hears(client, "+OK send PASS\r\n"));
    ck_assert(bed_hears(client, "+OK"));
    ck_assert(bed_hears(client, "\n"));
    return client;
}

uint32_t bed_sessions(const struct bed *bed)
{
    uint32_t sessions = 0;
    for (uint32_t i = 0; i < bed->shards_count; i++)
        sessions += shard_sessions(bed->shards[i]);
    return sessions;
}
