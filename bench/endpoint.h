/* One end of many TCP connections: the transport that the ceiling's two sides share, with nothing
 * in it but what moving the bytes costs. Sockets on one io_uring, or the engine's network past the
 * kernel over shared memory.
 *
 * Connections are numbered 0, 1, … in the order they came up; received bytes are borrowed for the
 * call. At most one send is under way per connection: whoever uses an endpoint speaks in turns. All
 * calls belong to the thread that opened it; handlers run from endpoint_turn only and may send. */
#ifndef BENCH_ENDPOINT_H
#define BENCH_ENDPOINT_H

#include "base/ring.h"
#include "base/span.h"
#include "base/status.h"
#include "bench/cpu.h"

struct endpoint_handler {
    void (*received)(void *context, uint32_t connection, struct span bytes);
    void (*finished)(void *context, uint32_t connection); /* the peer has closed or vanished */
    void *context;
};

struct endpoint;

struct endpoint_calls {
    enum status (*accept)(struct endpoint *endpoint, uint32_t count, struct fault *fault);
    enum status (*connect)(struct endpoint *endpoint, uint32_t count, struct fault *fault);
    void (*send)(struct endpoint *endpoint, uint32_t connection, struct span bytes);
    enum status (*turn)(struct endpoint *endpoint, uint64_t patience_ns, struct fault *fault);
    struct cpu_time (*used)(const struct endpoint *endpoint);
    void (*close)(struct endpoint *endpoint);
};

struct endpoint { /* at the head of every implementation */
    const struct endpoint_calls *calls;
    struct ring ring; /* for what else the owner does: the disk */
    struct endpoint_handler handler;
    uint32_t connection_count;
};

/* How the two ends find each other: settled before they part. */
struct endpoint_way {
    const char *memory; /* flags of DPDK's environment; NULL: sockets on loopback */
    int listener;       /* of sockets, */
    uint16_t port;      /* and where it listens */
    int number;         /* of shared memory: what makes its name unique */
};

enum status endpoint_way_open(struct endpoint_way *way, const char *memory,
                              struct fault *fault) MUST_CHECK;
void endpoint_way_close(struct endpoint_way *way);

/* `first`: the end that is there first, and accepts. */
enum status endpoint_open(struct endpoint **endpoint, const struct endpoint_way *way, bool first,
                          uint32_t connections_max, const struct endpoint_handler *handler,
                          struct fault *fault) MUST_CHECK;

static inline void endpoint_close(struct endpoint *endpoint)
{
    endpoint->calls->close(endpoint);
}

/* So many connections, one way or the other; waits for them. */
static inline MUST_CHECK enum status endpoint_accept(struct endpoint *endpoint, uint32_t count,
                                                     struct fault *fault)
{
    return endpoint->calls->accept(endpoint, count, fault);
}

static inline MUST_CHECK enum status endpoint_connect(struct endpoint *endpoint, uint32_t count,
                                                      struct fault *fault)
{
    return endpoint->calls->connect(endpoint, count, fault);
}

/* Queues `bytes`, which stay valid until the peer has answered. */
static inline void endpoint_send(struct endpoint *endpoint, uint32_t connection, struct span bytes)
{
    endpoint->calls->send(endpoint, connection, bytes);
}

/* One turn: submits what is queued, waits, dispatches. `patience_ns` (UINT64_MAX: for ever): how
 * long silence is taken for a slow peer; NETWORK after it, and when a receive or send failed. */
static inline MUST_CHECK enum status endpoint_turn(struct endpoint *endpoint, uint64_t patience_ns,
                                                   struct fault *fault)
{
    return endpoint->calls->turn(endpoint, patience_ns, fault);
}

/* The work of this process so far: its processor time or, where it polls, that of the turns which
 * found something to do, as user time. */
static inline struct cpu_time endpoint_used(const struct endpoint *endpoint)
{
    return endpoint->calls->used(endpoint);
}

#endif
