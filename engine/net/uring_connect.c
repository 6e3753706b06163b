/* Outgoing connections. */
#include "engine/net/socket.h"
#include "engine/net/uring.h"

#include <errno.h>

static void start(struct net_uring *net, struct uring_connection *conn,
                  const union net_address *address)
{
    struct io_uring_sqe *sqe = ring_sqe(net->ring);
    union uring_operand *operand = uring_operand(net);
    operand->address = *address;
    io_uring_prep_connect(sqe, conn->fd, &operand->address.any, net_address_size(address));
    uring_tag(net, sqe, URING_CONNECT, uring_token(net, conn));
    conn->flags |= URING_CONNECTING;
}

enum status uring_connect(struct net *base, const union net_address *address,
                          const union net_address *source, const struct net_handler *handler,
                          void *context, struct net_conn *name)
{
    struct net_uring *net = uring_of(base);
    if (net->stopping || pool_left(&net->connections) == 0)
        return STATUS_AGAIN;
    int fd = socket_connecting(address, source);
    if (fd < 0 && socket_is_shortage(-fd))
        return STATUS_AGAIN;
    struct uring_connection *conn = uring_connection_take(net, fd < 0 ? -1 : fd, handler, context);
    INVARIANT(conn);
    if (fd < 0)
        uring_connection_fail(net, conn, -fd, "connect");
    else
        start(net, conn, address);
    *name = uring_name(net, conn);
    return STATUS_OK;
}

void uring_connect_complete(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    (void)flags;
    struct net_uring *net = context;
    struct uring_connection *conn = uring_of_token(net, token);
    if (!conn)
        return;
    conn->flags &= (uint16_t)~URING_CONNECTING;
    union net_address peer;
    if (conn->flags & URING_CLOSING)
        uring_connection_list(net, conn);
    else if (result < 0 && (socket_is_shortage(-result) || result == -EADDRNOTAVAIL))
        uring_connection_fail(net, conn, -result, "connect");
    else if (result < 0 || !socket_peer(conn->fd, &peer))
        uring_connection_end(net, conn, NET_CLOSE_REFUSED);
    else if (uring_connection_open(net, conn, &peer))
        net->counters.connected++;
    if (!tx_queue_empty(&conn->queue))
        uring_connection_list(net, conn);
}
