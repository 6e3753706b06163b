/* A connection's life on the ring: taken, opened, settled once per turn, ended, given back. */
#include "base/clock.h"
#include "engine/net/socket.h"
#include "engine/net/uring.h"

#include <errno.h>

#define GENERATION_MAX ((1u << (RING_TOKEN_BITS - 32)) - 1)
#define LINES_PER_SECOND 5 /* of what peers and load can cause */

struct uring_connection *uring_connection_take(struct net_uring *net, int fd,
                                               const struct net_handler *handler, void *context)
{
    struct uring_connection *conn = pool_take(&net->connections);
    if (!conn)
        return NULL;
    uint32_t generation = conn->generation == 0 ? 1 : conn->generation;
    *conn = (struct uring_connection){.handler = handler,
                                      .session = context,
                                      .fd = fd,
                                      .generation = generation,
                                      .flags = URING_IN_USE};
    return conn;
}

static void give(struct net_uring *net, struct uring_connection *conn)
{
    conn->flags = 0;
    conn->generation = conn->generation == GENERATION_MAX ? 1 : conn->generation + 1;
    bool was_full = pool_left(&net->connections) == 0;
    pool_give(&net->connections, conn);
    if (was_full)
        uring_listeners_update(net);
}

bool uring_connection_open(struct net_uring *net, struct uring_connection *conn,
                           const union net_address *peer)
{
    net->pushed = true;
    void *session = conn->handler->opened(conn->session, uring_name(net, conn), peer);
    if (!session) {
        net->counters.turned_away++;
        conn->handler = NULL;
        uring_connection_end(net, conn, NET_CLOSE_FINISHED);
        return false;
    }
    conn->session = session;
    conn->flags |= URING_OPEN;
    if (!(conn->flags & URING_CLOSING))
        uring_receive_start(net, conn);
    return true;
}

void uring_connection_list(struct net_uring *net, struct uring_connection *conn)
{
    if (conn->flags & URING_LISTED)
        return;
    uint32_t slot = uring_slot(net, conn);
    conn->flags |= URING_LISTED;
    conn->listed_next = URING_NO_SLOT;
    if (net->listed.first == URING_NO_SLOT)
        net->listed.first = slot;
    else
        uring_at(net, net->listed.last)->listed_next = slot;
    net->listed.last = slot;
}

static void begin_closing(struct uring_connection *conn, enum net_close_reason reason)
{
    if (conn->flags & URING_CLOSING)
        return;
    conn->flags |= URING_CLOSING;
    conn->reason = (uint8_t)reason;
}

void uring_connection_end(struct net_uring *net, struct uring_connection *conn,
                          enum net_close_reason reason)
{
    begin_closing(conn, reason);
    uring_connection_list(net, conn);
}

static bool is_peers_doing(int error)
{
    return error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == ENOTCONN ||
           error == ECONNABORTED || error == EHOSTUNREACH || error == ENETUNREACH;
}

void uring_connection_fail(struct net_uring *net, struct uring_connection *conn, int error,
                           const char *operation)
{
    if (conn->flags & URING_CLOSING)
        return;
    enum net_close_reason reason = is_peers_doing(error) ? NET_CLOSE_PEER : NET_CLOSE_ERROR;
    if (reason == NET_CLOSE_ERROR) {
        net->counters.errors++;
        if (log_allowed(&net->log_limit, clock_monotonic_ns(&clock_system), LINES_PER_SECOND))
            log_warning("network: %s: %s", operation, strerror(error));
    }
    uring_connection_end(net, conn, reason);
}

static void close_fd(struct net_uring *net, const struct uring_connection *conn)
{
    if (conn->fd < 0)
        return;
    if (conn->reason == NET_CLOSE_ABORTED)
        socket_set_reset(conn->fd);
    struct io_uring_sqe *sqe = ring_sqe(net->ring);
    io_uring_prep_close(sqe, conn->fd);
    uring_discard(net, sqe);
}

static void report(struct net_uring *net, const struct uring_connection *was)
{
    if (!was->handler)
        return; /* turned away: the handler wants to hear no more */
    if (was->flags & URING_OPEN)
        net->counters.closed++;
    else
        net->counters.refused++;
    net->pushed = true;
    was->handler->closed(was->session, was->reason);
}

/* close alone would neither end what is pending nor send a FIN while a receive is: cancel first,
 * wait for all of it, then close. */
static void settle_closing(struct net_uring *net, struct uring_connection *conn)
{
    if (conn->flags & URING_PENDING && !(conn->flags & URING_CANCELLED)) {
        struct io_uring_sqe *sqe = ring_sqe(net->ring);
        io_uring_prep_cancel_fd(sqe, conn->fd, IORING_ASYNC_CANCEL_ALL);
        uring_discard(net, sqe);
        conn->flags |= URING_CANCELLED;
    }
    if (conn->flags & (URING_PENDING | URING_STARVED))
        return;
    kept_drop(&net->kept, &conn->kept, uring_slot(net, conn));
    tx_queue_release(&conn->queue);
    close_fd(net, conn);
    struct uring_connection was = *conn;
    give(net, conn);
    report(net, &was);
}

static void settle_finishing(struct uring_connection *conn)
{
    if (conn->flags & URING_PEER_TOLD) {
        begin_closing(conn, NET_CLOSE_FINISHED);
    } else if (!(conn->flags & URING_SHUT)) {
        conn->flags |= URING_SHUT;
        /* a call, as the ring would hand it to a worker thread; it fails where the peer is gone */
        if (shutdown(conn->fd, SHUT_WR) != 0)
            begin_closing(conn, NET_CLOSE_PEER);
    }
}

static void settle(struct net_uring *net, struct uring_connection *conn)
{
    if (!(conn->flags & (URING_CLOSING | URING_CONNECTING | URING_SENDING))) {
        if (!tx_queue_empty(&conn->queue))
            uring_send_start(net, conn);
        else if (conn->flags & URING_FINISHING)
            settle_finishing(conn);
    }
    if (conn->flags & URING_CLOSING)
        settle_closing(net, conn);
    else if (conn->flags & URING_RESUMED)
        uring_connection_list(net, conn);
}

void uring_connection_settle_all(struct net_uring *net)
{
    /* what is listed from here on is for the next turn */
    uint32_t slot = net->listed.first;
    net->listed.first = URING_NO_SLOT;
    while (slot != URING_NO_SLOT) {
        struct uring_connection *conn = uring_at(net, slot);
        slot = conn->listed_next;
        conn->flags &= (uint16_t)~URING_LISTED;
        settle(net, conn);
    }
}
