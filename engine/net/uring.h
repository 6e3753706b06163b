/* What the files of the io_uring backend share: one net, its connections and its listeners.
 *
 * Calls from outside, from handlers or between polls, only set flags and put the connection on the
 * list of those to settle; net_poll settles them before it turns the ring, and that is the only
 * place where sends start and connections end. A connection's slot is given back when no operation
 * of it is pending, so the kernel never touches memory that somebody else has by now; a completion
 * carries slot and generation all the same. */
#ifndef ENGINE_NET_URING_H
#define ENGINE_NET_URING_H

#include "base/log.h"
#include "base/pool.h"
#include "base/ring.h"
#include "engine/net/net.h"
#include "engine/net/tx_queue.h"
#include "engine/net/uring_buffers.h"
#include "engine/net/uring_kept.h"

#define URING_LISTENERS_MAX 64
#define URING_PARTS_MAX 16 /* buffers gathered into one send */
#define URING_NO_SLOT UINT32_MAX

enum uring_flag {
    URING_IN_USE = 1 << 0,
    URING_LISTED = 1 << 1,     /* on the list to settle */
    URING_STARVED = 1 << 2,    /* on the list waiting for receive buffers */
    URING_CONNECTING = 1 << 3, /* operations pending in the kernel: */
    URING_RECEIVING = 1 << 4,
    URING_SENDING = 1 << 5,
    URING_OPEN = 1 << 6,           /* `opened` returned a session */
    URING_PAUSED = 1 << 7,         /* the handler left bytes: they are in `kept` */
    URING_RESUMED = 1 << 8,        /* net_resume was called */
    URING_RECEIVE_CANCEL = 1 << 9, /* the pending receive was told to end */
    URING_PEER_FINISHED = 1 << 10, /* end of stream was received, */
    URING_PEER_TOLD = 1 << 11,     /* and the handler knows */
    URING_FINISHING = 1 << 12,     /* net_finish was called, */
    URING_SHUT = 1 << 13,          /* and the FIN is on its way */
    URING_CLOSING = 1 << 14,       /* `reason` is set; what is pending was or will be cancelled */
    URING_CANCELLED = 1 << 15,
    URING_PENDING = URING_CONNECTING | URING_RECEIVING | URING_SENDING,
};

struct uring_connection {
    const struct net_handler *handler;
    void *session; /* the context of listen or connect until URING_OPEN */
    struct tx_queue queue;
    int fd;
    uint32_t generation; /* 24 bits */
    uint32_t listed_next, starved_next;
    uint16_t flags; /* enum uring_flag */
    struct kept_list kept;
    uint8_t reason;  /* enum net_close_reason */
    bool one_by_one; /* was paused once: receives one buffer at a time from then on */
};
_Static_assert(sizeof(struct uring_connection) == 64, "one cache line per connection");

struct uring_listener {
    const struct net_handler *handler;
    void *context;
    union net_address address; /* as bound; a unix socket's file goes with the listener */
    int fd;
    bool in_use;
    bool accepting; /* an accept is pending */
    bool multishot; /* … that goes on by itself */
    bool cancelled; /* … and was told to end */
    bool closing;
};

/* What an entry in the submission queue points to, until the kernel has read it. */
union uring_operand {
    struct {
        struct msghdr header;
        struct iovec parts[URING_PARTS_MAX];
    } message;
    union net_address address;
};

enum uring_operation {
    URING_ACCEPT,
    URING_CONNECT,
    URING_RECEIVE,
    URING_SEND,
    URING_DISCARD, /* cancel and close: their own outcome changes nothing */
    URING_OPERATIONS,
};

struct uring_list { /* of connections, first in first out */
    uint32_t first, last;
};

struct net_uring {
    struct net net;
    struct ring *ring;
    unsigned operations[URING_OPERATIONS];
    struct pool connections; /* struct uring_connection by slot */
    struct uring_buffers buffers;
    struct kept kept;
    struct uring_list listed, starved;
    struct tx_queue orphans;       /* sent to names that are stale: released by the next poll */
    union uring_operand *operands; /* as many as the submission queue has entries */
    uint32_t operands_count, operands_next;
    bool polling, stopping;
    bool accept_paused;
    bool pushed;              /* this poll has called a handler, so it must not wait */
    uint64_t accept_retry_ns; /* monotonic: after a failure nothing is accepted before; 0: none */
    struct uring_listener listeners[URING_LISTENERS_MAX];
    struct net_counters counters;
    struct log_limit log_limit;
};

static inline struct net_uring *uring_of(struct net *net)
{
    return (struct net_uring *)net;
}

static inline struct uring_connection *uring_at(const struct net_uring *net, uint32_t slot)
{
    return pool_at(&net->connections, slot);
}

static inline uint32_t uring_slot(const struct net_uring *net, const struct uring_connection *conn)
{
    return pool_slot(&net->connections, conn);
}

static inline struct net_conn uring_name(const struct net_uring *net,
                                         const struct uring_connection *conn)
{
    return (struct net_conn){uring_slot(net, conn), conn->generation};
}

/* NULL when the name is stale. */
static inline struct uring_connection *uring_find(const struct net_uring *net, struct net_conn name)
{
    if (name.slot >= net->connections.fresh)
        return NULL;
    struct uring_connection *conn = uring_at(net, name.slot);
    return conn->generation == name.generation && conn->flags & URING_IN_USE ? conn : NULL;
}

static inline uint64_t uring_token(const struct net_uring *net, const struct uring_connection *conn)
{
    return (uint64_t)conn->generation << 32 | uring_slot(net, conn);
}

static inline struct uring_connection *uring_of_token(const struct net_uring *net, uint64_t token)
{
    return uring_find(net, (struct net_conn){(uint32_t)token, (uint32_t)(token >> 32)});
}

static inline void uring_tag(const struct net_uring *net, struct io_uring_sqe *sqe,
                             enum uring_operation operation, uint64_t token)
{
    ring_tag(sqe, net->operations[operation], token);
}

/* Memory for the next entry of the submission queue to point to. */
union uring_operand *uring_operand(struct net_uring *net);

/* An entry whose success nobody has to hear of. */
void uring_discard(struct net_uring *net, struct io_uring_sqe *sqe);

/* uring_connection.c: from slot to slot. */

/* A free slot with this descriptor, NULL when there is none. */
struct uring_connection *uring_connection_take(struct net_uring *net, int fd,
                                               const struct net_handler *handler, void *context);
/* The connection is up: tells the handler, and begins to receive. False: nobody wants it. */
bool uring_connection_open(struct net_uring *net, struct uring_connection *conn,
                           const union net_address *peer) MUST_CHECK;
/* Has the next poll settle it: start sends, finish, close, whatever its flags ask for. */
void uring_connection_list(struct net_uring *net, struct uring_connection *conn);
void uring_connection_settle_all(struct net_uring *net);
/* The connection is over; the first reason counts. */
void uring_connection_end(struct net_uring *net, struct uring_connection *conn,
                          enum net_close_reason reason);
/* The same for a failed operation on a connection that was up; `error` is a positive errno. */
void uring_connection_fail(struct net_uring *net, struct uring_connection *conn, int error,
                           const char *operation);

/* uring_send.c */

void uring_send_start(struct net_uring *net, struct uring_connection *conn);
ring_complete uring_send_complete;

/* uring_receive.c */

void uring_receive_start(struct net_uring *net, struct uring_connection *conn);
/* Delivers what was kept to every connection that was resumed. */
void uring_receive_resume(struct net_uring *net);
/* Has the starved receive again, as far as buffers came back. */
void uring_receive_feed(struct net_uring *net);
ring_complete uring_receive_complete;

/* uring_connect.c */

enum status uring_connect(struct net *net, const union net_address *address,
                          const union net_address *source, const struct net_handler *handler,
                          void *context, struct net_conn *conn) MUST_CHECK;
ring_complete uring_connect_complete;

/* uring_listener.c */

enum status uring_listen(struct net *net, const union net_address *address,
                         const struct net_listener_options *options,
                         const struct net_handler *handler, void *context, union net_address *bound,
                         struct fault *fault) MUST_CHECK;
void uring_unlisten(struct net *net);
void uring_accept_pause(struct net *net, bool pause);
/* Starts or stops accepting on each listener, as it should be now. */
void uring_listeners_update(struct net_uring *net);
/* Accepts again if a failure is long enough ago; shortens `wait_ns` to that moment. */
uint64_t uring_listeners_retry(struct net_uring *net, uint64_t wait_ns);
bool uring_listeners_any(const struct net_uring *net);
ring_complete uring_accept_complete;

#endif
