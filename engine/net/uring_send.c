/* Sending: one operation in flight per connection, with all that was queued by then in it. */
#include "engine/net/uring.h"

#include <errno.h>

/* MSG_WAITALL: the kernel goes on by itself where the socket's buffer is full. */
#define SEND_FLAGS (MSG_WAITALL | MSG_NOSIGNAL)

void uring_send_start(struct net_uring *net, struct uring_connection *conn)
{
    struct io_uring_sqe *sqe = ring_sqe(net->ring);
    if (conn->queue.first->next == NULL) {
        struct span bytes = tx_queue_front(&conn->queue);
        io_uring_prep_send(sqe, conn->fd, bytes.data, bytes.size, SEND_FLAGS);
    } else {
        union uring_operand *operand = uring_operand(net);
        unsigned parts = tx_queue_gather(&conn->queue, operand->message.parts, URING_PARTS_MAX);
        operand->message.header =
            (struct msghdr){.msg_iov = operand->message.parts, .msg_iovlen = parts};
        io_uring_prep_sendmsg(sqe, conn->fd, &operand->message.header, SEND_FLAGS);
    }
    uring_tag(net, sqe, URING_SEND, uring_token(net, conn));
    conn->flags |= URING_SENDING;
}

void uring_send_complete(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    (void)flags;
    struct net_uring *net = context;
    struct uring_connection *conn = uring_of_token(net, token);
    if (!conn)
        return;
    conn->flags &= (uint16_t)~URING_SENDING;
    if (result > 0) {
        net->counters.bytes_out += (uint32_t)result;
        tx_queue_advance(&conn->queue, (uint32_t)result);
        if (tx_queue_empty(&conn->queue) && !(conn->flags & URING_CLOSING))
            conn->handler->drained(conn->session);
    } else if (result != -EINTR && result != -EAGAIN) {
        uring_connection_fail(net, conn, result == 0 ? EPIPE : -result, "send");
    }
    if (!tx_queue_empty(&conn->queue) || conn->flags & (URING_FINISHING | URING_CLOSING))
        uring_connection_list(net, conn);
}
