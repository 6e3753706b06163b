/* What the files of the simulated network share: the wire, its participants, and the connections
 * between them.
 *
 * A connection is a link with two ends, each living in the participant that polls it. Everything
 * that takes time is an event of an end; calls and events only set flags and list the end, and the
 * participant's next poll settles it: so the order of what happens depends on the seed and the
 * order of calls alone. A link lives until both ends are gone and no event names it. */
#ifndef ENGINE_NET_SIM_H
#define ENGINE_NET_SIM_H

#include "base/random.h"
#include "engine/net/net_sim.h"
#include "engine/net/sim_events.h"
#include "engine/net/sim_pipe.h"
#include "engine/net/tx_queue.h"

enum sim_state {
    SIM_GONE,
    SIM_CONNECTING, /* going out */
    SIM_WAITING,    /* coming in: arriving, or in the listener's backlog */
    SIM_OPEN,
};

struct sim_end {
    struct sim_link *link;
    struct net_sim *net;
    const struct net_handler *handler;
    void *session; /* the context of listen or connect until the handler opened it */
    struct net_conn name;
    union net_address peer;
    struct tx_queue queue;
    struct sim_pipe incoming;
    enum sim_state state;
    enum net_close_reason reason; /* when closing */
    bool closing;
    bool listed;     /* to be settled by the next poll */
    bool delivering; /* an event SIM_DELIVER is scheduled */
    bool paused, resumed;
    bool finishing, fin_sent; /* ours: asked for, sent */
    bool fin_received, told;  /* the peer's: behind the incoming bytes; the handler knows */
    struct sim_end *listed_next, *waiting_next;
};

struct sim_link {
    struct sim_end ends[2]; /* who connected, who listened */
    struct sim_listener *listener;
    unsigned references; /* ends not gone, events, a place in a backlog */
};

struct sim_listener {
    struct sim_listener *next;
    const struct net_handler *handler;
    void *context;
    union net_address address;
    struct net_sim *net;
    uint32_t backlog, waiting; /* connections */
    bool reuse_port, open;
};

struct sim_slot {
    struct sim_end *end; /* NULL: free */
    uint32_t generation;
    uint32_t free_next;
};

struct net_sim {
    struct net net;
    struct sim_network *network;
    struct net_sim *next; /* participants, in order of opening */
    struct sim_events events;
    struct sim_slot *slots;
    uint32_t slots_count, slots_free; /* how many; the first free one, slots_count when none */
    struct sim_end *listed_first, *listed_last;
    struct sim_end *waiting_first, *waiting_last;
    struct sim_listener *listeners;
    struct tx_queue orphans; /* sent to names that are stale: released by the next poll */
    bool polling, stopping, killed, accept_paused, woken;
    struct net_counters counters;
};

struct sim_network {
    struct sim_network_options options;
    struct clock *clock;
    struct random random;
    struct net_sim *participants;
    uint64_t sequence; /* of the next event */
    uint16_t port;     /* the last one chosen */
};

/* sim_network.c: the wire. */

uint64_t sim_now_ns(const struct sim_network *network);
uint64_t sim_latency_ns(struct sim_network *network);
/* Between two pieces that were sent together. */
uint64_t sim_gap_ns(struct sim_network *network);
uint64_t sim_stall_ns(struct sim_network *network);
bool sim_happens(struct sim_network *network, uint32_t per_million);
void sim_schedule(struct sim_end *end, enum sim_event_kind kind, uint64_t delay_ns);
uint16_t sim_port(struct sim_network *network);
/* One of the listeners that would answer there, by draw; NULL when nobody does. */
struct sim_listener *sim_find_listener(struct sim_network *network,
                                       const union net_address *address);
bool sim_is_taken(const struct sim_network *network, const union net_address *address,
                  bool reuse_port);

/* sim_end.c: one end of a connection. */

static inline struct sim_end *sim_peer(struct sim_end *end)
{
    return &end->link->ends[end == &end->link->ends[0]];
}

/* Takes a slot for the end; false when none is free. */
bool sim_end_take_slot(struct sim_end *end) MUST_CHECK;
/* Has the next poll settle it. */
void sim_end_list(struct sim_end *end);
/* It is over; the first reason counts. */
void sim_end_close(struct sim_end *end, enum net_close_reason reason);
void sim_end_settle(struct sim_end *end);
void sim_end_handle(struct sim_end *end, enum sim_event_kind kind);
/* Tells the handler that it is up. */
void sim_end_open(struct sim_end *end);
/* Ends it without a word to its handler; the peer is reset. */
void sim_end_kill(struct sim_end *end);
void sim_link_release(struct sim_link *link);

/* sim_listener.c: who connects to whom. */

enum status sim_listen(struct net *net, const union net_address *address,
                       const struct net_listener_options *options,
                       const struct net_handler *handler, void *context, union net_address *bound,
                       struct fault *fault) MUST_CHECK;
void sim_unlisten(struct net *net);
enum status sim_connect(struct net *net, const union net_address *address,
                        const union net_address *source, const struct net_handler *handler,
                        void *context, struct net_conn *conn) MUST_CHECK;
/* A connection request reached its listener. */
void sim_arrive(struct sim_end *end);
/* Opens those that wait, as far as there is room. */
void sim_accept(struct net_sim *net);
bool sim_can_accept(const struct net_sim *net);

#endif
