#include "tests/engine/net/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define LAB_TURN_NS (100 * 1000ull)

struct packet {
    struct net_tx tx;
    struct world *world;
    bool released;
    uint8_t bytes[];
};

static uint64_t world_ns(void *context)
{
    return ((const struct world *)context)->now_ns;
}

/* A thousand connections have two ends each, more than the usual soft limit allows. */
static void raise_descriptors(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void open_uring(struct world *world, const struct world_options *options)
{
    raise_descriptors();
    struct net **nets[] = {&world->server, &world->client};
    struct net_uring_options mine = {
        .connections_max = options->connections_max ? options->connections_max : 1100,
        .buffers = options->buffers ? options->buffers : 64,
        .buffer_bytes = options->buffer_bytes ? options->buffer_bytes : 1024,
    };
    for (unsigned i = 0; i < 2; i++) {
        struct fault fault;
        enum status status = ring_open(&world->rings[i], 256, &fault);
        ck_assert_msg(status == STATUS_OK, "%s", fault.text);
        status = net_uring_open(nets[i], &world->rings[i], &mine, &fault);
        ck_assert_msg(status == STATUS_OK, "%s", fault.text);
        mine.buffers = 64; /* a scarcity is the server's */
        mine.connections_max = 1100;
    }
}

static void open_sim(struct world *world, const struct world_options *options)
{
    world->clock = (struct clock){world_ns, world_ns, world};
    struct sim_network_options mine = {
        .seed = 1,
        .latency_ns_min = 50000,
        .latency_ns_max = 400000,
        .segment_bytes_max = 1460,
        .window_bytes = 65536,
        .connections_max = options->connections_max ? options->connections_max : 1100,
    };
    ck_assert_int_eq(sim_network_open(&world->network, &mine, &world->clock), STATUS_OK);
    ck_assert_int_eq(net_sim_open(&world->server, world->network), STATUS_OK);
    mine.connections_max = 1100;
    ck_assert_int_eq(net_sim_open(&world->client, world->network), STATUS_OK);
}

#if WITH_DPDK
static void open_lab(struct world *world, const struct world_options *options)
{
    struct lab *lab = calloc(1, sizeof *lab);
    ck_assert_ptr_nonnull(lab);
    const struct net_stack_options mine[2] = {
        {.connections_max = options->connections_max, .kept_bytes = options->kept_bytes}};
    world_open_lab(world, lab, mine);
}

void world_open_lab(struct world *world, struct lab *lab, const struct net_stack_options options[2])
{
    *world = (struct world){.backend = BACKEND_DPDK, .lab = lab, .turn_ns = LAB_TURN_NS};
    lab_open(lab, 1, options);
    world->server = lab->nets[0];
    world->client = lab->nets[1];
}

static void close_lab_net(struct world *world, unsigned side)
{
    lab_close_net(world->lab, side);
}

static void close_lab(struct world *world)
{
    lab_close(world->lab);
    free(world->lab);
}

static void move_lab(struct world *world)
{
    world->lab->now_ns += world->turn_ns;
}
#else
static void open_lab(struct world *world, const struct world_options *options)
{
    (void)world, (void)options;
    ck_abort_msg("not in this build");
}

static void close_lab_net(struct world *world, unsigned side)
{
    (void)world, (void)side;
}

static void close_lab(struct world *world)
{
    (void)world;
}

static void move_lab(struct world *world)
{
    (void)world;
}
#endif

void world_open(struct world *world, enum backend backend, const struct world_options *options)
{
    static const struct world_options defaults;
    *world = (struct world){.backend = backend};
    void (*const open[])(struct world *, const struct world_options *) = {
        [BACKEND_URING] = open_uring, [BACKEND_SIM] = open_sim, [BACKEND_DPDK] = open_lab};
    open[backend](world, options ? options : &defaults);
}

static void close_net(struct world *world, struct net **net, unsigned side)
{
    if (!*net)
        return;
    world->polling = true;
    if (world->lab)
        close_lab_net(world, side);
    else
        (*net)->calls->deinit(*net);
    world->polling = false;
    *net = NULL;
    if (world->backend == BACKEND_URING)
        ring_close(&world->rings[side]);
}

void world_close_server(struct world *world)
{
    close_net(world, &world->server, 0);
}

void world_close_client(struct world *world)
{
    close_net(world, &world->client, 1);
}

void world_close(struct world *world)
{
    world_close_client(world);
    world_close_server(world);
    if (world->network)
        sim_network_close(world->network);
    if (world->lab)
        close_lab(world);
    ck_assert_uint_eq(world->sent, world->released);
}

const char *world_server_host(const struct world *world)
{
    return world->lab ? "10.77.0.1" : "127.0.0.1";
}

const char *world_client_host(const struct world *world)
{
    return world->lab ? "10.77.0.2" : "127.0.0.1";
}

void world_listen(struct world *world, struct sides *sides)
{
    struct fault fault;
    union net_address address;
    char text[NET_ADDRESS_TEXT_BYTES];
    snprintf(text, sizeof text, "%s:0", world_server_host(world));
    ck_assert_int_eq(net_address_parse(text, &address, &fault), STATUS_OK);
    struct net_listener_options options = {.backlog = 1024};
    sides->model.world = world;
    sides->model.net = world->server;
    enum status status = world->server->calls->listen(
        world->server, &address, &options, &accepting_handler, sides, &world->address, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
}

void world_connect(struct world *world, struct side *side)
{
    side->world = world;
    side->net = world->client;
    enum status status = world->client->calls->connect(world->client, &world->address, NULL,
                                                       &connecting_handler, side, &side->conn);
    ck_assert_int_eq(status, STATUS_OK);
}

static void poll(struct world *world, struct net *net, uint64_t wait_ns)
{
    if (!net)
        return;
    world->polling = true;
    net_poll(net, wait_ns);
    world->polling = false;
}

void world_turn(struct world *world)
{
    if (world->backend == BACKEND_SIM) {
        uint64_t next_ns = sim_network_next_ns(world->network);
        if (next_ns != UINT64_MAX && next_ns > world->now_ns)
            world->now_ns = next_ns;
    }
    if (world->lab)
        move_lab(world);
    poll(world, world->server, 0);
    poll(world, world->client, 20000);
}

void world_turns(struct world *world, unsigned count)
{
    while (count-- > 0)
        world_turn(world);
}

static void release(struct net_tx *tx, void *context)
{
    struct packet *packet = (struct packet *)tx;
    expect(context == packet->world);
    expect(packet->world->polling);
    expect(!packet->released);
    packet->released = true;
    packet->world->released++;
    free(packet);
}

void side_send(struct side *side, const void *data, size_t size)
{
    struct packet *packet = malloc(sizeof *packet + size);
    expect(packet);
    memcpy(packet->bytes, data, size);
    packet->world = side->world;
    packet->released = false;
    packet->tx = (struct net_tx){
        .data = packet->bytes, .size = (uint32_t)size, .release = release, .context = side->world};
    side->world->sent++;
    net_send(side->net, side->conn, &packet->tx);
}

static void enter(struct side *side)
{
    expect(side->world->polling);
    expect(!side->world->in_handler);
    expect(side->closed == 0);
    side->world->in_handler = true;
    side->calls++;
}

static void leave(struct side *side)
{
    side->world->in_handler = false;
}

static void *opened(struct side *side, struct net_conn conn, const union net_address *peer)
{
    enter(side);
    expect(side->opened == 0);
    expect(conn.generation != 0);
    side->opened++;
    side->conn = conn;
    side->peer = *peer;
    leave(side);
    return side->refuse ? NULL : side;
}

static void *connected(void *context, struct net_conn conn, const union net_address *peer)
{
    struct side *side = context;
    expect(side->conn.slot == conn.slot);
    expect(side->conn.generation == conn.generation);
    return opened(side, conn, peer);
}

static void *accepted(void *context, struct net_conn conn, const union net_address *peer)
{
    struct sides *sides = context;
    expect(sides->count < SIDES_MAX);
    struct side *side = malloc(sizeof *side);
    expect(side);
    *side = sides->model;
    side->group = sides;
    sides->sides[sides->count++] = side;
    return opened(side, conn, peer);
}

static void append(struct side *side, struct span bytes)
{
    if (bytes.size == 0)
        return;
    if (side->size + bytes.size > side->capacity) {
        side->capacity = (side->size + bytes.size) * 2;
        side->bytes = realloc(side->bytes, side->capacity);
        expect(side->bytes);
    }
    memcpy(side->bytes + side->size, bytes.data, bytes.size);
    side->size += bytes.size;
}

static size_t received(void *session, struct span bytes)
{
    struct side *side = session;
    enter(side);
    expect(side->finished == 0);
    expect(bytes.size > 0);
    size_t taken = bytes.size;
    if (side->stubborn && side->take < taken)
        taken = side->take;
    if (side->stubborn)
        side->take -= taken;
    append(side, span_of(bytes.data, taken));
    if (side->echo && taken > 0)
        side_send(side, bytes.data, taken);
    if (side->act)
        side->act(side);
    leave(side);
    return taken;
}

static void peer_finished(void *session)
{
    struct side *side = session;
    enter(side);
    expect(side->finished == 0);
    side->finished++;
    if (side->finish_back)
        net_finish(side->net, side->conn);
    leave(side);
}

static void drained(void *session)
{
    struct side *side = session;
    enter(side);
    side->drained++;
    leave(side);
}

static void closed(void *session, enum net_close_reason reason)
{
    struct side *side = session;
    enter(side);
    side->closed++;
    side->reason = reason;
    leave(side);
}

const struct net_handler connecting_handler = {
    .opened = connected,
    .received = received,
    .peer_finished = peer_finished,
    .drained = drained,
    .closed = closed,
};
const struct net_handler accepting_handler = {
    .opened = accepted,
    .received = received,
    .peer_finished = peer_finished,
    .drained = drained,
    .closed = closed,
};

void side_free(struct side *side)
{
    free(side->bytes);
}

void sides_free(struct sides *sides)
{
    for (unsigned i = 0; i < sides->count; i++) {
        side_free(sides->sides[i]);
        free(sides->sides[i]);
    }
}

struct net_counters counters_of(const struct net *net)
{
    struct net_counters counters;
    net->calls->counters(net, &counters);
    return counters;
}
