/* Two participants of a network, a server and a client, on any backend, and what happens to
 * their connections: the conformance suite runs on all through this.
 *
 * Every handler call is checked on its way: never re-entered, only from within a poll, nothing
 * before `opened` or after `closed`. Every buffer that is sent must be released exactly once by the
 * time the world is closed. */
#ifndef TESTS_ENGINE_NET_WORLD_H
#define TESTS_ENGINE_NET_WORLD_H

#include "base/ring.h"
#include "engine/net/net_sim.h"
#include "engine/net/net_uring.h"
#if WITH_DPDK
#include "tests/engine/net/dpdk/lab.h"
#endif

#include <check.h>

/* ck_assert reports each success to Check's parent process: too slow for every event. */
#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s", #condition);                                                        \
    } while (0)

enum backend { BACKEND_URING, BACKEND_SIM, BACKEND_DPDK, BACKENDS = BACKEND_DPDK + WITH_DPDK };

struct world_options { /* zero: a default that suits most */
    uint32_t connections_max, buffers, buffer_bytes, kept_bytes;
};

struct world {
    enum backend backend;
    struct net *server, *client;
    struct ring rings[2];
    struct sim_network *network;
    struct lab *lab; /* of the DPDK backend's TCP; NULL: another backend */
    struct clock clock;
    uint64_t now_ns;
    uint64_t turn_ns;          /* how far a turn moves the lab's clock */
    union net_address address; /* where the server listens */
    bool polling, in_handler;
    uint64_t sent, released; /* buffers */
};

/* One end of a connection, and the context of its listen or connect. */
struct side {
    struct world *world;
    struct net *net;
    struct net_conn conn;
    union net_address peer;
    struct sides *group; /* of the listener that accepted it, NULL for a connecting side */
    /* how it behaves */
    bool refuse;   /* opened returns NULL */
    bool stubborn; /* takes at most `take` bytes per call, and nothing more until resumed */
    size_t take;
    bool finish_back; /* net_finish when the peer finishes */
    bool echo;
    void (*act)(struct side *side); /* called in received, after taking */
    /* what happened */
    unsigned opened, finished, drained, closed, calls;
    enum net_close_reason reason;
    uint8_t *bytes;
    size_t size, capacity;
};

#define SIDES_MAX 4096

/* The sides that a listener makes, in order of acceptance. Copies of `model` for each. */
struct sides {
    struct side model;
    struct side *sides[SIDES_MAX];
    unsigned count;
};

struct net_counters counters_of(const struct net *net);

extern const struct net_handler connecting_handler; /* context: struct side */
extern const struct net_handler accepting_handler;  /* context: struct sides */

void world_open(struct world *world, enum backend backend, const struct world_options *options);
void world_close(struct world *world);
#if WITH_DPDK
/* In this lab, which the world takes over: one of calloc's, closed. */
void world_open_lab(struct world *world, struct lab *lab,
                    const struct net_stack_options options[2]);
#endif
void world_close_client(struct world *world);
void world_close_server(struct world *world);

/* Of the server and of the client, without port. */
const char *world_server_host(const struct world *world);
const char *world_client_host(const struct world *world);

/* Listens on a free port of the server's host; `sides` must outlive the world's server. */
void world_listen(struct world *world, struct sides *sides);
void world_connect(struct world *world, struct side *side);

/* One poll of each; the simulated clock jumps to whatever is next. */
void world_turn(struct world *world);
void world_turns(struct world *world, unsigned count);

/* Turns until the condition holds; fails after too many. */
#define world_until(world, condition)                                                              \
    do {                                                                                           \
        unsigned turns_left = 200000;                                                              \
        while (!(condition)) {                                                                     \
            if (turns_left-- == 0)                                                                 \
                ck_abort_msg("never came true: %s", #condition);                                   \
            world_turn(world);                                                                     \
        }                                                                                          \
    } while (0)

/* Queues a copy of the bytes. */
void side_send(struct side *side, const void *data, size_t size);
void sides_free(struct sides *sides);
void side_free(struct side *side);

#endif
