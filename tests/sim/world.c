#include "tests/sim/world.h"

#include "base/invariant.h"
#include "storage/index/index_memory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECTIONS = 64, EPOCH_S = 1700000000 };

static uint64_t world_monotonic(void *context)
{
    return ((struct world *)context)->now_ns;
}

static uint64_t world_wall(void *context)
{
    return EPOCH_S * NS_PER_S + ((struct world *)context)->now_ns;
}

static void must(enum status status, const char *what)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "simulation: %s: %s\n", what, status_text(status));
    abort();
}

void world_set_faults(struct world *world, bool on)
{
    sim_network_set_faults(world->network, on ? 300 : 0, on ? 1000 : 0);
    sim_disk_set_errors(world->disk, on ? 300 : 0, on ? 1000 : 0);
}

void world_open(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->seed = seed;
    world->random.state = seed;
    world->now_ns = NS_PER_S;
    world->clock = (struct clock){world_monotonic, world_wall, world};
    world->ledger = calloc(1, sizeof *world->ledger);
    INVARIANT(world->ledger != NULL);
    const struct sim_network_options network = {
        .seed = random_next(&world->random),
        .latency_ns_min = 20000,
        .latency_ns_max = 400000,
        .segment_bytes_max = 1 + (uint32_t)random_below(&world->random, 6000),
        .window_bytes = 65536,
        .connections_max = 256,
    };
    must(sim_network_open(&world->network, &network, &world->clock), "network");
    const struct sim_disk_options disk = {
        .seed = random_next(&world->random),
        .latency_ns_min = 50000,
        .latency_ns_max = 3000000,
    };
    must(sim_disk_open(&world->disk, &disk, &world->clock), "disk");
    must(net_sim_open(&world->clients, world->network), "clients");
    must(index_memory_open(&world->index, true), "index");

    struct auth_options auth;
    auth_options_default(&auth);
    auth.any_password = true;
    struct fault fault;
    must(auth_open(&world->config.auth, &auth, &fault), "auth");
    world->config.connections_max = CONNECTIONS;
    world->config.recipients = &world->recipients;
    world->config.clock = &world->clock;
    world->config.drain_ms = 2000;
    world->config.smtp = world->config.lmtp = (struct smtp_config){
        .hostname = SPAN("mx.sim.test"),
        .message_bytes_max = 1 << 20,
        .recipients_max = 100,
        .text_line_bytes_max = 1000,
        .errors_max = 20,
        .hops_max = 100,
        .host = &door_smtp_host,
        .clock = &world->clock,
    };
    world->config.pop3 = (struct pop3_config){.hostname = SPAN("mx.sim.test"),
                                              .plaintext_login = true,
                                              .errors_max = 10,
                                              .host = &door_pop3_host};
}

/* ------------------------------------------------------------------------------- server ---- */

static union net_address address_of(uint16_t port)
{
    union net_address address = {0};
    address.ipv4.sin_family = AF_INET;
    address.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.ipv4.sin_port = htons(port);
    return address;
}

static void boot_shard(struct world *world, uint32_t index)
{
    struct fault fault;
    const struct net_listener_options listen = {.backlog = 64, .reuse_port = true};
    const union net_address smtp = address_of(WORLD_SMTP_PORT), pop3 = address_of(WORLD_POP3_PORT);
    must(net_sim_open(&world->nets[index], world->network), "net");
    must(medium_sim_open(&world->media[index], world->disk), "medium");
    must(shard_open(&world->shards[index], &world->config, index, world->nets[index], world->mesh),
         "shard");
    must(shard_listen(world->shards[index], DOOR_SMTP, &smtp, &listen, NULL, &fault), fault.text);
    must(shard_listen(world->shards[index], DOOR_POP3, &pop3, &listen, NULL, &fault), fault.text);
    must(shard_attach(world->shards[index], world->store, world->media[index], &fault), fault.text);
}

/* The index is derived: any of its last runs may be lost when the server is not there. */
static void shake_index(struct world *world)
{
    uint32_t runs = index_memory_runs(world->index);
    if (world_chance(world, 300))
        runs = (uint32_t)random_below(&world->random, runs + 1);
    else if (world_chance(world, 500))
        runs -= (uint32_t)random_below(&world->random, runs < 4 ? runs + 1 : 4);
    index_memory_rewind(world->index, runs);
    index_memory_fail(world->index, world_chance(world, 100) ? 2 : 0);
}

void world_boot(struct world *world)
{
    struct store_options options;
    struct fault fault;
    INVARIANT(!world->up);
    world->shards_count = 1 + (uint32_t)random_below(&world->random, WORLD_SHARDS_MAX);
    store_options_default(&options);
    options.shards = world->shards_count;
    options.segment_bytes = 512 << 10;
    options.reclaim_rate =
        world_chance(world, 200) ? 0 : 1ull << (20 + random_below(&world->random, 10));
    options.batch_bytes = 128 << 10;
    options.commit_depth = 1 + (uint32_t)random_below(&world->random, 3);
    options.chunk_bytes = 16 << 10;
    options.staging_bytes = 512 << 10;
    options.seed = random_next(&world->random);
    options.clock = &world->clock;
    options.index = world->index;
    options.delta_bytes = 300 + (uint32_t)random_below(&world->random, 4000);
    shake_index(world);
    world_set_faults(world, false);
    must(medium_sim_open(&world->main_medium, world->disk), "medium");
    must(store_open(&world->store, world->main_medium, STORE_WRITE, &options, &fault), fault.text);
    must(mesh_open(&world->mesh, world->shards_count, 4096), "mesh");
    for (uint32_t i = 0; i < world->shards_count; i++)
        boot_shard(world, i);
    world->up = true;
}

/* What is left of a dead process is not freed: like the real thing, it dies with its memory, here
 * with the simulation's own process. */
void world_crash(struct world *world)
{
    INVARIANT(world->up);
    for (uint32_t i = 0; i < world->shards_count; i++)
        net_sim_kill(world->nets[i]);
    sim_disk_crash(world->disk);
    world->up = false;
    world->crashes++;
}

static bool all_drained(const struct world *world)
{
    for (uint32_t i = 0; i < world->shards_count; i++)
        if (!shard_is_drained(world->shards[i]))
            return false;
    return true;
}

void world_shut_down(struct world *world)
{
    INVARIANT(world->up);
    for (uint32_t i = 0; i < world->shards_count; i++)
        shard_drain(world->shards[i]);
    while (!all_drained(world))
        world_step(world);
    for (uint32_t i = 0; i < world->shards_count; i++)
        world->nets[i]->calls->deinit(world->nets[i]);
    for (uint32_t i = 0; i < world->shards_count; i++)
        shard_close(world->shards[i]);
    for (uint32_t i = 0; i < world->shards_count; i++)
        world->media[i]->calls->deinit(world->media[i]);
    store_close(world->store);
    world->main_medium->calls->deinit(world->main_medium);
    mesh_close(world->mesh);
    world->up = false;
}

/* --------------------------------------------------------------------------------- time ---- */

static uint64_t wake_actors(struct world *world)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < world->actors_count; i++) {
        struct actor *actor = world->actors[i];
        if (actor->busy || actor->wake_ns == UINT64_MAX)
            continue;
        if (actor->wake_ns <= world->now_ns) {
            actor->busy = true;
            actor->kind->start(actor);
        } else if (actor->wake_ns < next) {
            next = actor->wake_ns;
        }
    }
    return next;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void world_step(struct world *world)
{
    for (uint32_t i = 0; world->up && i < world->shards_count; i++) {
        world->media[i]->calls->poll(world->media[i], false);
        shard_turn(world->shards[i], 0);
    }
    net_poll(world->clients, 0);
    uint64_t next = wake_actors(world);
    next = earlier(next, sim_network_next_ns(world->network));
    next = earlier(next, sim_disk_next_ns(world->disk));
    next = earlier(next, world->now_ns + 100 * NS_PER_MS);
    world->now_ns = next > world->now_ns ? next : world->now_ns + 1000;
}

void world_blame(struct world *world, const char *wrong, uint32_t message)
{
    if (world->wrong != NULL)
        return;
    world->wrong = wrong;
    world->wrong_message = message;
}

/* ------------------------------------------------------------------------------- actors ---- */

static void *actor_opened(void *context, struct net_conn conn, const union net_address *peer)
{
    struct actor *actor = context;
    (void)peer;
    actor->conn = conn;
    actor->open = true;
    actor->input_bytes = 0;
    actor->kind->connected(actor);
    return actor;
}

static size_t actor_received(void *session, struct span bytes)
{
    struct actor *actor = session;
    ledger_observe(actor->world->ledger, bytes, actor->world->now_ns);
    INVARIANT(actor->input_bytes + bytes.size <= ACTOR_INPUT_BYTES);
    memcpy(actor->input + actor->input_bytes, bytes.data, bytes.size);
    actor->input_bytes += (uint32_t)bytes.size;
    size_t used = 0, more;
    while (actor->open && (more = actor->kind->received(
                               actor, span_of(actor->input + used, actor->input_bytes - used))) > 0)
        used += more;
    memmove(actor->input, actor->input + used, actor->input_bytes - used);
    actor->input_bytes -= (uint32_t)used;
    return bytes.size;
}

static void actor_peer_finished(void *session)
{
    actor_hang_up(session, false);
}

static void actor_drained(void *session)
{
    (void)session;
}

static void actor_closed(void *session, enum net_close_reason reason)
{
    struct actor *actor = session;
    struct world *world = actor->world;
    (void)reason;
    actor->open = actor->busy = false;
    actor->wake_ns = world->resting && !actor->tireless
                         ? UINT64_MAX
                         : world->now_ns + random_below(&world->random, 50 * NS_PER_MS);
    actor->kind->closed(actor);
}

static const struct net_handler actor_handler = {.opened = actor_opened,
                                                 .received = actor_received,
                                                 .peer_finished = actor_peer_finished,
                                                 .drained = actor_drained,
                                                 .closed = actor_closed};

struct actor *actor_open(struct world *world, const struct actor_kind *kind, size_t state_bytes)
{
    struct actor *actor = calloc(1, sizeof *actor);
    INVARIANT(actor != NULL && world->actors_count < WORLD_ACTORS_MAX);
    actor->kind = kind;
    actor->world = world;
    actor->input = malloc(ACTOR_INPUT_BYTES);
    actor->state = calloc(1, state_bytes);
    INVARIANT(actor->input != NULL && actor->state != NULL);
    actor->wake_ns = world->now_ns + random_below(&world->random, 20 * NS_PER_MS);
    world->actors[world->actors_count++] = actor;
    return actor;
}

void actor_connect(struct actor *actor, uint16_t port)
{
    const union net_address address = address_of(port);
    struct net *clients = actor->world->clients;
    must(clients->calls->connect(clients, &address, NULL, &actor_handler, actor, &actor->conn),
         "connect");
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

void actor_send(struct actor *actor, struct span bytes)
{
    struct sent *sent = malloc(sizeof *sent + bytes.size);
    INVARIANT(sent != NULL && bytes.size > 0);
    memcpy(sent->bytes, bytes.data, bytes.size);
    sent->tx =
        (struct net_tx){.data = sent->bytes, .size = (uint32_t)bytes.size, .release = release_sent};
    net_send(actor->world->clients, actor->conn, &sent->tx);
}

void actor_print(struct actor *actor, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    INVARIANT(size > 0 && (size_t)size < sizeof text);
    actor_send(actor, span_of(text, (size_t)size));
}

void actor_hang_up(struct actor *actor, bool abruptly)
{
    if (abruptly)
        net_abort(actor->world->clients, actor->conn);
    else
        net_finish(actor->world->clients, actor->conn);
}
