/* Receiving: one multishot operation per connection, for as long as the handler keeps up. One that
 * had to be paused sends faster than its bytes find a place: it receives one buffer at a time from
 * then on, because a multishot receive hands over dozens before it notices that it was cancelled.
 */
#include "engine/net/uring.h"

#include <errno.h>

/* A paused connection keeps its receive going for this many buffers: most pauses are over before,
 * and then they have cost nothing. */
#define KEPT_BEFORE_CANCEL 2

void uring_receive_start(struct net_uring *net, struct uring_connection *conn)
{
    struct io_uring_sqe *sqe = ring_sqe(net->ring);
    if (conn->one_by_one)
        io_uring_prep_recv(sqe, conn->fd, NULL, 0, 0);
    else
        io_uring_prep_recv_multishot(sqe, conn->fd, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = net->buffers.group;
    uring_tag(net, sqe, URING_RECEIVE, uring_token(net, conn));
    conn->flags |= URING_RECEIVING;
}

static void cancel(struct net_uring *net, struct uring_connection *conn)
{
    if ((conn->flags & (URING_RECEIVING | URING_RECEIVE_CANCEL)) != URING_RECEIVING)
        return;
    struct io_uring_sqe *sqe = ring_sqe(net->ring);
    uint64_t target = (uint64_t)net->operations[URING_RECEIVE] << RING_TOKEN_BITS;
    io_uring_prep_cancel64(sqe, target | uring_token(net, conn), 0);
    uring_discard(net, sqe);
    conn->flags |= URING_RECEIVE_CANCEL;
}

static void starve(struct net_uring *net, struct uring_connection *conn)
{
    net->counters.starved++;
    if (conn->flags & URING_STARVED)
        return;
    uint32_t slot = uring_slot(net, conn);
    conn->flags |= URING_STARVED;
    conn->starved_next = URING_NO_SLOT;
    if (net->starved.first == URING_NO_SLOT)
        net->starved.first = slot;
    else
        uring_at(net, net->starved.last)->starved_next = slot;
    net->starved.last = slot;
}

void uring_receive_feed(struct net_uring *net)
{
    uring_buffers_publish(&net->buffers);
    for (uint32_t left = uring_buffers_left(&net->buffers); left > 0; left--) {
        if (net->starved.first == URING_NO_SLOT)
            return;
        struct uring_connection *conn = uring_at(net, net->starved.first);
        net->starved.first = conn->starved_next;
        conn->flags &= (uint16_t)~URING_STARVED;
        if (conn->flags & URING_CLOSING)
            uring_connection_list(net, conn);
        else
            uring_receive_start(net, conn);
    }
}

static size_t deliver(struct net_uring *net, struct uring_connection *conn, struct span bytes)
{
    net->pushed = true;
    size_t taken = conn->handler->received(conn->session, bytes);
    INVARIANT(taken <= bytes.size);
    return taken;
}

static void tell_finished(struct net_uring *net, struct uring_connection *conn)
{
    net->pushed = true;
    conn->flags |= URING_PEER_TOLD;
    conn->handler->peer_finished(conn->session);
    if (conn->flags & URING_FINISHING)
        uring_connection_list(net, conn);
}

static void keep(struct net_uring *net, struct uring_connection *conn, uint16_t buffer,
                 uint32_t start, uint32_t size)
{
    conn->flags |= URING_PAUSED;
    conn->one_by_one = true;
    if (!kept_add(&net->kept, &conn->kept, uring_slot(net, conn), buffer, start, size)) {
        uring_connection_fail(net, conn, ENOMEM, "receive");
        return;
    }
    if (conn->kept.count >= KEPT_BEFORE_CANCEL || conn->kept.copied)
        cancel(net, conn);
}

static void received(struct net_uring *net, struct uring_connection *conn, uint16_t buffer,
                     uint32_t size)
{
    net->counters.bytes_in += size;
    uint32_t taken = size;
    if (conn->flags & URING_PAUSED)
        taken = 0;
    else if (!(conn->flags & URING_CLOSING))
        taken =
            (uint32_t)deliver(net, conn, span_of(uring_buffers_at(&net->buffers, buffer), size));
    if (taken < size && !(conn->flags & URING_CLOSING))
        keep(net, conn, buffer, taken, size);
    else
        uring_buffers_give(&net->buffers, buffer);
}

/* The pending receive is over. Anything but a reason to stop means: once more. */
static void ended(struct net_uring *net, struct uring_connection *conn, int32_t result)
{
    conn->flags &= (uint16_t) ~(URING_RECEIVING | URING_RECEIVE_CANCEL);
    if (result == 0)
        conn->flags |= URING_PEER_FINISHED;
    else if (result < 0 && result != -ENOBUFS && result != -ECANCELED && result != -EINTR &&
             result != -EAGAIN)
        uring_connection_fail(net, conn, -result, "receive");

    if (conn->flags & URING_CLOSING)
        uring_connection_list(net, conn);
    else if (conn->flags & URING_PAUSED)
        return; /* goes on when what was kept is gone */
    else if (conn->flags & URING_PEER_FINISHED)
        tell_finished(net, conn);
    else if (result == -ENOBUFS)
        starve(net, conn);
    else
        uring_receive_start(net, conn);
}

void uring_receive_complete(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    struct net_uring *net = context;
    struct uring_connection *conn = uring_of_token(net, token);
    if (flags & IORING_CQE_F_BUFFER) {
        uint16_t buffer = uring_buffers_take(&net->buffers, flags);
        if (conn && result > 0)
            received(net, conn, buffer, (uint32_t)result);
        else
            uring_buffers_give(&net->buffers, buffer);
    }
    if (conn && !(flags & IORING_CQE_F_MORE))
        ended(net, conn, result);
}

static void resume(struct net_uring *net, struct uring_connection *conn)
{
    uint32_t slot = uring_slot(net, conn);
    while (!kept_is_empty(&conn->kept)) {
        struct span bytes = kept_front(&net->kept, &conn->kept, slot);
        size_t taken = deliver(net, conn, bytes);
        kept_consume(&net->kept, &conn->kept, slot, taken);
        if (taken < bytes.size || conn->flags & URING_CLOSING)
            return;
    }
    conn->flags &= (uint16_t)~URING_PAUSED;
    if (conn->flags & URING_PEER_FINISHED)
        tell_finished(net, conn);
    else if (!(conn->flags & (URING_RECEIVING | URING_STARVED)))
        uring_receive_start(net, conn);
}

void uring_receive_resume(struct net_uring *net)
{
    if (net->listed.first == URING_NO_SLOT)
        return;
    /* what handlers resume from here on is for the next turn */
    uint32_t slot = net->listed.first, last = net->listed.last;
    for (;;) {
        struct uring_connection *conn = uring_at(net, slot);
        uint16_t flags = conn->flags;
        conn->flags &= (uint16_t)~URING_RESUMED;
        if ((flags & (URING_RESUMED | URING_PAUSED | URING_CLOSING)) ==
            (URING_RESUMED | URING_PAUSED))
            resume(net, conn);
        if (slot == last)
            return;
        slot = conn->listed_next;
    }
}
