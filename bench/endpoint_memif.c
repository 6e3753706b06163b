/* Endpoints past the kernel: the engine's network over a port of shared memory (DPDK's memif). */
#include "bench/endpoint_way.h"

#include "base/clock.h"
#include "base/invariant.h"
#include "engine/net/dpdk/net_dpdk.h"
#include "engine/net/net_uring.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define RING_ENTRIES 4096u
#define KERNEL_BUFFERS 16u
#define KERNEL_BUFFER_BYTES 4096u
#define PORT 25
#define CONNECTING_MAX 256u /* at once */
#define LINK_WAIT_MS 10000u
#define START_NS (20 * NS_PER_S)
#define END_NS (3 * NS_PER_S)
#define LOOK_NS (10 * NS_PER_MS)
/* The driver takes the memory from an end that still polls it when the other goes: so the client
 * goes first, and the server has stopped polling by then. */
#define FIRST_WAITS_NS (300 * (long)NS_PER_MS)

struct end {
    struct endpoint_memif *owner;
    struct net_conn conn;
    struct net_tx tx;
    uint32_t number;
    bool sending, finished;
};

struct endpoint_memif {
    struct endpoint endpoint;
    struct dpdk *dpdk;
    struct net *net;
    struct end *ends;
    union net_address server;
    uint32_t connections_max;
    bool first;            /* the end that accepts */
    uint32_t open, failed; /* connections: up now; refused or lost */
    uint64_t heard_ns;     /* when something came last, as far as anybody looked */
    bool heard;
};

static struct endpoint_memif *memif_of(struct endpoint *endpoint)
{
    return (struct endpoint_memif *)endpoint;
}

/* ------------------------------------------------------------------------ what the net says ----
 */

static void *opened(void *context, struct net_conn conn, const union net_address *peer)
{
    struct endpoint_memif *memif = context;
    (void)peer;
    if (memif->endpoint.connection_count == memif->connections_max)
        return NULL;
    uint32_t number = memif->endpoint.connection_count++;
    memif->open++;
    memif->ends[number] = (struct end){.owner = memif, .conn = conn, .number = number};
    return &memif->ends[number];
}

static size_t received(void *session, struct span bytes)
{
    struct end *end = session;
    const struct endpoint_handler *handler = &end->owner->endpoint.handler;
    end->owner->heard = true;
    handler->received(handler->context, end->number, bytes);
    return bytes.size;
}

static void peer_finished(void *session)
{
    struct end *end = session;
    const struct endpoint_handler *handler = &end->owner->endpoint.handler;
    end->finished = true;
    handler->finished(handler->context, end->number);
    net_finish(end->owner->net, end->conn);
}

static void drained(void *session)
{
    (void)session;
}

static void closed(void *session, enum net_close_reason reason)
{
    struct end *end = session;
    const struct endpoint_handler *handler = &end->owner->endpoint.handler;
    (void)reason;
    end->owner->open--;
    if (!end->finished)
        handler->finished(handler->context, end->number);
}

/* Of a connection that did not come up there is only the context. */
static void closed_outgoing(void *session, enum net_close_reason reason)
{
    struct endpoint_memif *memif = session;
    if (reason == NET_CLOSE_REFUSED)
        memif->failed++;
    else
        closed(session, reason);
}

static const struct net_handler incoming = {
    .opened = opened,
    .received = received,
    .peer_finished = peer_finished,
    .drained = drained,
    .closed = closed,
};
static const struct net_handler outgoing = {
    .opened = opened,
    .received = received,
    .peer_finished = peer_finished,
    .drained = drained,
    .closed = closed_outgoing,
};

/* --------------------------------------------------------------------------------- calls ---- */

static void released(struct net_tx *tx, void *context)
{
    struct end *end = context;
    INVARIANT(tx == &end->tx);
    end->sending = false;
}

static void memif_send(struct endpoint *endpoint, uint32_t connection, struct span bytes)
{
    struct end *end = &memif_of(endpoint)->ends[connection];
    INVARIANT(!end->sending); /* whoever answers has acknowledged what was said before */
    end->sending = true;
    end->tx = (struct net_tx){
        .data = bytes.data, .size = (uint32_t)bytes.size, .release = released, .context = end};
    net_send(memif_of(endpoint)->net, end->conn, &end->tx);
}

static enum status memif_turn(struct endpoint *endpoint, uint64_t patience_ns, struct fault *fault)
{
    struct endpoint_memif *memif = memif_of(endpoint);
    memif->heard = false;
    net_poll(memif->net, LOOK_NS);
    if (patience_ns == UINT64_MAX)
        return STATUS_OK;
    uint64_t now_ns = clock_monotonic_ns(&clock_system);
    if (memif->heard || memif->heard_ns == 0)
        memif->heard_ns = now_ns;
    return now_ns - memif->heard_ns < patience_ns ? STATUS_OK : endpoint_silent(patience_ns, fault);
}

static enum status await(struct endpoint_memif *memif, uint32_t count, struct fault *fault)
{
    uint64_t start_ns = clock_monotonic_ns(&clock_system);
    while (memif->endpoint.connection_count < count) {
        net_poll(memif->net, LOOK_NS);
        if (memif->failed > 0 || clock_monotonic_ns(&clock_system) - start_ns > START_NS)
            return fault_set(fault, STATUS_NETWORK, "only %u of %u connections came up",
                             memif->endpoint.connection_count, count);
    }
    return STATUS_OK;
}

static enum status memif_accept(struct endpoint *endpoint, uint32_t count, struct fault *fault)
{
    return await(memif_of(endpoint), count, fault);
}

static enum status memif_connect(struct endpoint *endpoint, uint32_t count, struct fault *fault)
{
    struct endpoint_memif *memif = memif_of(endpoint);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        struct net_conn conn;
        status =
            memif->net->calls->connect(memif->net, &memif->server, NULL, &outgoing, memif, &conn);
        if (status != STATUS_OK)
            return fault_set(fault, status, "no room for %u connections", count);
        if (i - endpoint->connection_count >= CONNECTING_MAX || i + 1 == count)
            status = await(memif, i + 1, fault);
    }
    return status;
}

static struct cpu_time memif_used(const struct endpoint *endpoint)
{
    const struct endpoint_memif *memif = (const struct endpoint_memif *)endpoint;
    struct net_counters counters;
    memif->net->calls->counters(memif->net, &counters);
    return (struct cpu_time){.user_ns = counters.busy_ns};
}

/* The other end must hear that all is over: nobody tells it when a process goes. */
static void part(struct endpoint_memif *memif)
{
    uint64_t start_ns = clock_monotonic_ns(&clock_system);
    for (uint32_t i = 0; i < memif->endpoint.connection_count; i++)
        net_finish(memif->net, memif->ends[i].conn);
    while (memif->open > 0 && clock_monotonic_ns(&clock_system) - start_ns < END_NS)
        net_poll(memif->net, LOOK_NS);
}

static void memif_close(struct endpoint *endpoint)
{
    struct endpoint_memif *memif = memif_of(endpoint);
    part(memif);
    memif->net->calls->deinit(memif->net);
    if (memif->first)
        nanosleep(&(struct timespec){.tv_nsec = FIRST_WAITS_NS}, NULL);
    dpdk_close(memif->dpdk);
    ring_close(&endpoint->ring);
    free(memif->ends);
    free(memif);
}

static const struct endpoint_calls calls = {
    .accept = memif_accept,
    .connect = memif_connect,
    .send = memif_send,
    .turn = memif_turn,
    .used = memif_used,
    .close = memif_close,
};

/* ------------------------------------------------------------------------------- beginning ---- */

static union net_address address_of(unsigned host)
{
    union net_address address = {.ipv4 = {.sin_family = AF_INET, .sin_port = htons(PORT)}};
    address.ipv4.sin_addr.s_addr = htonl(0x0A4D0000u + host); /* 10.77.0.0/24 */
    return address;
}

static enum status open_port(struct endpoint_memif *memif, const struct endpoint_way *way,
                             bool first, struct fault *fault)
{
    char arguments[512];
    const char *role = first ? "server" : "client";
    snprintf(arguments, sizeof(arguments),
             "%s --file-prefix=ceiling%d%s --vdev=net_memif0,role=%s,socket=ceiling%d,rsize=11",
             way->memory, way->number, role, role, way->number);
    struct dpdk_options options;
    dpdk_options_default(&options);
    options.wanted = true;
    options.arguments = arguments;
    options.link_wait_ms = first ? 0 : LINK_WAIT_MS;
    options.addresses[0] =
        (struct net_stack_address){.address = address_of(first ? 1 : 2), .prefix_bits = 24};
    options.addresses_count = 1;
    return dpdk_open(&memif->dpdk, &options, 1, fault);
}

static enum status open_net(struct endpoint_memif *memif, struct fault *fault)
{
    const struct net_uring_options options = {
        .connections_max = 1, .buffers = KERNEL_BUFFERS, .buffer_bytes = KERNEL_BUFFER_BYTES};
    struct net *kernel;
    enum status status = net_uring_open(&kernel, &memif->endpoint.ring, &options, fault);
    if (status == STATUS_OK)
        status = net_dpdk_open(&memif->net, memif->dpdk, 0, kernel, &memif->endpoint.ring,
                               memif->connections_max, &clock_system, fault);
    return status;
}

static enum status open_parts(struct endpoint_memif *memif, const struct endpoint_way *way,
                              bool first, struct fault *fault)
{
    enum status status = ring_open(&memif->endpoint.ring, RING_ENTRIES, fault);
    if (status != STATUS_OK)
        return status;
    status = open_port(memif, way, first, fault);
    if (status != STATUS_OK)
        goto close_ring;
    status = open_net(memif, fault);
    if (status != STATUS_OK)
        goto close_port;
    const struct net_listener_options listener = {.backlog = memif->connections_max};
    if (first)
        status = memif->net->calls->listen(memif->net, &memif->server, &listener, &incoming, memif,
                                           NULL, fault);
    if (status == STATUS_OK)
        return STATUS_OK;
    memif->net->calls->deinit(memif->net);
close_port:
    dpdk_close(memif->dpdk);
close_ring:
    ring_close(&memif->endpoint.ring);
    return status;
}

enum status endpoint_memif_open(struct endpoint **opened_endpoint, const struct endpoint_way *way,
                                bool first, uint32_t connections_max,
                                const struct endpoint_handler *handler, struct fault *fault)
{
    struct endpoint_memif *memif = calloc(1, sizeof(*memif));
    INVARIANT(memif);
    *memif = (struct endpoint_memif){.endpoint = {.calls = &calls, .handler = *handler},
                                     .ends = calloc(connections_max, sizeof(*memif->ends)),
                                     .server = address_of(1),
                                     .first = first,
                                     .connections_max = connections_max};
    INVARIANT(memif->ends);
    enum status status = open_parts(memif, way, first, fault);
    if (status == STATUS_OK) {
        *opened_endpoint = &memif->endpoint;
        return STATUS_OK;
    }
    free(memif->ends);
    free(memif);
    return status;
}
