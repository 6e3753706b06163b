/* The network as a shard sees it: a contract with several backends (uring, dpdk, sim).
 *
 * I/O knows no protocols. A backend pushes events to handlers and takes buffers to send; one
 * conformance suite (tests/engine/net) holds every backend to the rules below.
 *
 * Connections are named by net_conn, a slot and a generation: a stale name is harmless everywhere.
 * Received bytes are borrowed for the length of the call; a handler consumes what it wants and
 * returns how much. Consuming less pauses the connection: the backend keeps the rest (bounded: it
 * stops reading from the peer), and delivers it again, in order, after net_resume. Sent buffers
 * belong to the backend from net_send until it calls their release, exactly once, also on errors
 * and for stale names, and only from within net_poll or deinit.
 * Close is asynchronous and reported exactly once, last, whatever ended the connection; after it
 * the name is stale. Handlers are never re-entered: calls made inside a handler only queue. Sends
 * are flushed once per turn by net_poll. All calls belong to the shard's thread, except net_wake.
 */
#ifndef ENGINE_NET_NET_H
#define ENGINE_NET_NET_H

#include "base/span.h"
#include "base/status.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

struct net_conn {
    uint32_t slot, generation; /* generation 0 is never used: {0, 0} names nothing */
};

enum net_close_reason {
    NET_CLOSE_FINISHED, /* both sides ended in order */
    NET_CLOSE_PEER,     /* the peer reset it or vanished */
    NET_CLOSE_ABORTED,  /* net_abort */
    NET_CLOSE_REFUSED,  /* net_connect: nobody there, or not in time */
    NET_CLOSE_ERROR,    /* the system failed; counted and logged by the backend */
};

/* A buffer handed over for sending. Embedded at the head of whatever the sender allocates. */
struct net_tx {
    const uint8_t *data;
    uint32_t size; /* > 0 */
    void (*release)(struct net_tx *tx, void *context);
    void *context;
    struct net_tx *next; /* the backend's while it owns the buffer */
};

union net_address {
    struct sockaddr any;
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un local;
};

/* Implemented by the shard, one per kind of listener or outgoing connection. `context` is what
 * listen or connect was given; `session` is what `opened` returned. */
struct net_handler {
    /* A connection came up (accepted, or connected). NULL: no room; the backend closes it, and no
     * other call follows. `peer` is borrowed. */
    void *(*opened)(void *context, struct net_conn conn, const union net_address *peer);
    /* Bytes arrived. Returns how many were consumed, 0 … bytes.size. */
    size_t (*received)(void *session, struct span bytes);
    /* The peer will send nothing more (half close). Sending still works. Called once at most, after
     * all bytes were consumed. */
    void (*peer_finished)(void *session);
    /* Everything queued by net_send has been handed to the network and released. */
    void (*drained)(void *session);
    /* The last call for this connection; for a net_connect that failed the only one, and then
     * `session` is the `context`. */
    void (*closed)(void *session, enum net_close_reason reason);
    /* Fetches (base/fetch.h) what a call for the session will touch: the session first, in step 1
     * what it leads to. A backend that has several to call does that for all of them before. NULL:
     * nothing is known. */
    void (*fetch)(const void *session, unsigned step);
};

struct net_listener_options {
    unsigned backlog; /* connections */
    bool reuse_port;  /* one listener per shard on the same port */
    bool first;       /* of those: refuses a port that somebody else shares already */
};

/* What a backend has done since it was opened, for metrics. */
struct net_counters {
    uint64_t accepted, connected; /* connections that came up */
    uint64_t turned_away; /* accepted, then closed at once: no slot, or `opened` said NULL */
    uint64_t refused;     /* net_connect that failed */
    uint64_t closed;      /* of those that came up */
    uint64_t bytes_in, bytes_out;
    uint64_t starved; /* times that a connection had to wait for a receive buffer */
    uint64_t errors;  /* failures of the system: descriptors, memory, … */
    uint64_t busy_ns; /* of a net that never rests: turns that found something to do; else 0 */
};

struct net; /* begins with `const struct net_calls *calls` in every implementation */

struct net_calls {
    const char *name; /* "uring", "dpdk", "sim" */
    /* Listens; `bound` (may be NULL) gets the address with the port the system chose. NETWORK,
     * DENIED with a line that names the address. Accepting goes on until net_unlisten. */
    enum status (*listen)(struct net *net, const union net_address *address,
                          const struct net_listener_options *options,
                          const struct net_handler *handler, void *context,
                          union net_address *bound, struct fault *fault);
    /* Stops accepting on every listener; open connections stay. */
    void (*unlisten)(struct net *net);
    /* Stops (true) or takes up (false) accepting for a while: a shard out of sessions. Connections
     * already accepted by the system may still be opened. */
    void (*accept_pause)(struct net *net, bool pause);
    /* Starts connecting from `source` (NULL: the system's choice); the answer is `opened` or
     * `closed`. AGAIN: no slot left, nothing will be called. */
    enum status (*connect)(struct net *net, const union net_address *address,
                           const union net_address *source, const struct net_handler *handler,
                           void *context, struct net_conn *conn);
    void (*send)(struct net *net, struct net_conn conn, struct net_tx *tx);
    void (*resume)(struct net *net, struct net_conn conn);
    void (*finish)(struct net *net,
                   struct net_conn conn); /* after what is queued: FIN; then wait */
    void (*abort)(struct net *net,
                  struct net_conn conn); /* drop what is queued, reset if need be */
    /* One turn: flushes sends, waits at most `wait_ns` for something to happen, pushes one batch of
     * events. */
    void (*poll)(struct net *net, uint64_t wait_ns);
    void (*wake)(struct net *net); /* any thread: the current or next poll returns soon */
    /* Any thread: each number whole, not all of one moment. */
    void (*counters)(const struct net *net, struct net_counters *counters);
    void (*deinit)(
        struct net *net); /* aborts everything; `closed` is called for each open connection */
};

struct net {
    const struct net_calls *calls;
};

static inline void net_fetch(const struct net_handler *handler, const void *session, unsigned step)
{
    if (handler->fetch != NULL)
        handler->fetch(session, step);
}

static inline void net_send(struct net *net, struct net_conn conn, struct net_tx *tx)
{
    net->calls->send(net, conn, tx);
}

static inline void net_resume(struct net *net, struct net_conn conn)
{
    net->calls->resume(net, conn);
}

static inline void net_finish(struct net *net, struct net_conn conn)
{
    net->calls->finish(net, conn);
}

static inline void net_abort(struct net *net, struct net_conn conn)
{
    net->calls->abort(net, conn);
}

static inline void net_poll(struct net *net, uint64_t wait_ns)
{
    net->calls->poll(net, wait_ns);
}

/* "HOST:PORT", "[v6]:PORT", "unix:PATH" (address.c). HOST may be a numeric address or "localhost";
 * names are resolved with getaddrinfo. USAGE with a line naming `text`. */
enum status net_address_parse(const char *text, union net_address *address,
                              struct fault *fault) MUST_CHECK;
/* The reverse, NUL-terminated: "192.0.2.1:25", "[2001:db8::1]:25", "unix" or "unix:PATH". */
#define NET_ADDRESS_TEXT_BYTES 128
const char *net_address_text(const union net_address *address, char out[NET_ADDRESS_TEXT_BYTES]);
bool net_address_is_loopback(const union net_address *address); /* 127/8, ::1, unix */
socklen_t net_address_size(const union net_address *address);

#endif
