/* What the files of the TCP stack share: one net, its connections and listeners, and how lwIP is
 * entered.
 *
 * lwIP finds a connection by walking a list. Here the list is cut into buckets by a hash of the
 * connection's name, and lwIP only ever sees the bucket of the frame or connection at hand: whoever
 * calls into it for a connection enters its bucket first (stack_enter) and leaves it afterwards.
 * Timers see a part of all connections at a time, gathered into one list.
 *
 * As in the io_uring backend, calls from outside and from handlers only set flags and list the
 * connection, and net_poll settles it: so lwIP is never re-entered from its own callbacks. */
#ifndef ENGINE_NET_DPDK_STACK_H
#define ENGINE_NET_DPDK_STACK_H

#include "base/invariant.h"
#include "base/pool.h"
#include "base/random.h"
#include "engine/net/dpdk/frame.h"
#include "engine/net/dpdk/net_stack.h"
#include "engine/net/tx_queue.h"

#include <lwip/netif.h>
#include <lwip/tcp.h>

#define STACK_LISTENERS_MAX 64
#define STACK_BUCKETS 65536u
#define STACK_NO_SLOT UINT32_MAX
#define STACK_BACKLOG 1024u /* connections that are up, and for which nobody has room yet */

enum stack_flag {
    STACK_IN_USE = 1 << 0,
    STACK_LISTED = 1 << 1,        /* on the list to settle */
    STACK_WAITING = 1 << 2,       /* accepted, and in the queue of those to be opened */
    STACK_CONNECTING = 1 << 3,    /* going out */
    STACK_OPEN = 1 << 4,          /* `opened` returned a session */
    STACK_PAUSED = 1 << 5,        /* the handler left bytes: they are in `kept` */
    STACK_RESUMED = 1 << 6,       /* net_resume was called */
    STACK_PEER_FINISHED = 1 << 7, /* its FIN arrived, */
    STACK_PEER_TOLD = 1 << 8,     /* and the handler knows */
    STACK_FINISHING = 1 << 9,     /* net_finish was called, */
    STACK_SHUT = 1 << 10,         /* and the FIN is behind what was written */
    STACK_CLOSING = 1 << 11,      /* `reason` is set */
    STACK_OUTGOING = 1 << 12,     /* we called */
};

struct stack_connection {
    struct tcp_pcb *pcb; /* NULL once lwIP has freed it */
    const struct net_handler *handler;
    void *session;            /* the context of listen or connect until STACK_OPEN */
    struct tx_queue queue;    /* not released yet */
    struct net_tx *unwritten; /* of the queue, the first that lwIP does not have all of, */
    uint32_t unwritten_from;  /* and from where on */
    /* Bytes since the beginning, in order but for `released`, which copies may carry past
     * `acknowledged`: what the peer has, what was given back, where copies begin that nothing but
     * copies follows, what lwIP has. */
    uint32_t acknowledged, released, copied_from, written;
    uint32_t generation;
    struct pbuf *kept, *kept_last; /* received, and left by the handler: one by one, no chain */
    uint32_t listed_next, waiting_next;
    uint32_t bucket; /* the pcb's */
    uint16_t flags;  /* enum stack_flag */
    uint8_t reason;  /* enum net_close_reason */
};

struct stack_listener {
    const struct net_handler *handler;
    void *context;
    struct tcp_pcb *pcb; /* kept for good: half-open connections refer to it */
    union net_address address;
    bool open;
};

struct stack_half { /* a connection that has only asked */
    struct tcp_pcb *pcb;
    struct stack_half *older, *newer;
};

struct stack_list { /* of connections, first in first out */
    uint32_t first, last;
};

struct stack_bucket {
    struct tcp_pcb *active, *ended; /* the second: in TIME-WAIT */
};

struct net_stack {
    struct net net;
    struct net_stack_options options;
    struct wire *wire;
    struct netif netif;
    struct pool connections; /* struct stack_connection by slot */
    struct pool halves;      /* struct stack_half */
    struct stack_half *oldest, *newest;
    struct stack_bucket *buckets;
    uint64_t *occupied; /* a bit per bucket */
    uint32_t bucket;    /* that lwIP sees now; STACK_NO_SLOT: none */
    struct stack_list listed, waiting;
    struct tx_queue orphans; /* sent to names that are stale: released by the next poll */
    struct stack_listener listeners[STACK_LISTENERS_MAX];
    unsigned listeners_count;
    uint32_t opened;    /* connections that a handler knows */
    uint32_t lingering; /* ended for us, not yet for lwIP */
    uint64_t kept_bytes;
    uint64_t now_ns, timer_ns; /* monotonic; when the timers run next */
    uint32_t timer_steps;
    uint16_t port; /* the last one that a connection of ours began at */
    bool polling, stopping, accept_paused;
    bool refused; /* the wire had no room for a frame of the connection at hand */
    uint64_t hash_key, sequence_keys[2];
    struct random random;
    struct net_counters counters;
};

static inline struct net_stack *stack_of(struct net *net)
{
    return (struct net_stack *)net;
}

static inline struct stack_connection *stack_at(const struct net_stack *net, uint32_t slot)
{
    return pool_at(&net->connections, slot);
}

static inline uint32_t stack_slot(const struct net_stack *net, const struct stack_connection *conn)
{
    return pool_slot(&net->connections, conn);
}

/* The one net of this copy of the code: lwIP's callbacks don't say whom they mean. */
struct net_stack *stack_this(void);
void stack_set_this(struct net_stack *net);

/* stack_bucket.c */

uint32_t stack_bucket_of(const struct net_stack *net, const void *remote, size_t address_bytes,
                         uint16_t remote_port, uint16_t local_port);
uint32_t stack_bucket_of_pcb(const struct net_stack *net, const struct tcp_pcb *pcb);
/* Shows lwIP this bucket. Not nested. */
void stack_enter(struct net_stack *net, uint32_t bucket);
void stack_leave(struct net_stack *net);
/* Shows it the connections of one of so many equal parts of the buckets (a power of two), and sorts
 * them back. */
void stack_gather(struct net_stack *net, uint32_t part, uint32_t parts);
void stack_scatter(struct net_stack *net);
/* The connection of a frame in the bucket that was entered: among those that live, or those that
 * are in TIME-WAIT. NULL: none. */
struct tcp_pcb *stack_bucket_find(const struct frame_view *view, struct tcp_pcb *list);

/* stack_address.c: between their forms. */

void stack_address_in(const union net_address *address, ip_addr_t *out);
uint16_t stack_address_port(const union net_address *address);
void stack_address_out(const ip_addr_t *ip, uint16_t port, union net_address *out);

/* stack_interface.c: the port's side of lwIP. */

/* Adds the interface with its addresses. */
void stack_interface_open(struct net_stack *net);
void stack_interface_close(struct net_stack *net);
/* Takes in what has arrived, at most a few bursts. */
void stack_interface_receive(struct net_stack *net);
/* stack_connection.c: from slot to slot. */

/* A free slot, NULL when there is none. */
struct stack_connection *stack_connection_take(struct net_stack *net,
                                               const struct net_handler *handler, void *context);
/* Ties it to lwIP's side of it. */
void stack_connection_bind(struct stack_connection *conn, struct tcp_pcb *pcb);
/* The connection is up: tells the handler. False: nobody wants it. */
bool stack_connection_open(struct net_stack *net, struct stack_connection *conn) MUST_CHECK;
/* Has the next poll settle it. */
void stack_connection_list(struct net_stack *net, struct stack_connection *conn);
void stack_connection_settle_all(struct net_stack *net);
/* It is over; the first reason counts. */
void stack_connection_end(struct net_stack *net, struct stack_connection *conn,
                          enum net_close_reason reason);
struct net_conn stack_connection_name(const struct net_stack *net,
                                      const struct stack_connection *conn);

/* stack_receive.c */

/* lwIP's tcp_recv_fn. */
err_t stack_receive(void *context, struct tcp_pcb *pcb, struct pbuf *bytes, err_t error);
/* Delivers what was kept, to one or to every connection that was resumed. */
void stack_receive_kept(struct net_stack *net, struct stack_connection *conn);
void stack_receive_resume(struct net_stack *net);
void stack_receive_drop(struct net_stack *net, struct stack_connection *conn);

/* stack_send.c */

/* Hands lwIP as much of the queue as it takes. */
void stack_send(struct stack_connection *conn);
/* lwIP's tcp_sent_fn. */
err_t stack_send_acknowledged(void *context, struct tcp_pcb *pcb, u16_t bytes);

/* stack_connect.c */

enum status stack_connect(struct net *net, const union net_address *address,
                          const union net_address *source, const struct net_handler *handler,
                          void *context, struct net_conn *conn) MUST_CHECK;

/* stack_listener.c */

enum status stack_listen(struct net *net, const union net_address *address,
                         const struct net_listener_options *options,
                         const struct net_handler *handler, void *context, union net_address *bound,
                         struct fault *fault) MUST_CHECK;
void stack_unlisten(struct net *net);
/* Before a connection request: if there is no room for it, the oldest that has only asked goes. */
void stack_listener_make_room(struct net_stack *net);
/* Opens those that wait, as far as there is room. */
void stack_listener_accept(struct net_stack *net);
/* Whether a connection request may go to lwIP. */
bool stack_listener_has_room(const struct net_stack *net);

/* stack_timer.c */

void stack_timer_run(struct net_stack *net);

#endif
