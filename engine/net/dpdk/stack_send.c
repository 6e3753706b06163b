/* Sending: lwIP refers to the buffers of the queue until the peer has acknowledged them. */
#include "engine/net/dpdk/stack.h"

static u16_t portion(const struct stack_connection *conn)
{
    uint32_t left = conn->unwritten->size - conn->written;
    uint32_t room = tcp_sndbuf(conn->pcb);
    uint32_t size = left < room ? left : room;
    return (u16_t)(size < UINT16_MAX ? size : UINT16_MAX);
}

void stack_send(struct stack_connection *conn)
{
    while (conn->unwritten) {
        u16_t size = portion(conn);
        bool last = conn->unwritten->next == NULL && conn->written + size == conn->unwritten->size;
        if (size == 0 || tcp_write(conn->pcb, conn->unwritten->data + conn->written, size,
                                   last ? 0 : TCP_WRITE_FLAG_MORE) != ERR_OK)
            return;
        conn->written += size;
        if (conn->written == conn->unwritten->size) {
            conn->unwritten = conn->unwritten->next;
            conn->written = 0;
        }
    }
}

err_t stack_send_acknowledged(void *context, struct tcp_pcb *pcb, u16_t bytes)
{
    (void)pcb;
    struct net_stack *net = stack_this();
    struct stack_connection *conn = context;
    net->counters.bytes_out += bytes;
    tx_queue_advance(&conn->queue, bytes);
    if (conn->flags & STACK_CLOSING)
        return ERR_OK;
    if (tx_queue_empty(&conn->queue))
        conn->handler->drained(conn->session);
    stack_send(conn);
    if (conn->flags & STACK_FINISHING)
        stack_connection_list(net, conn);
    return ERR_OK;
}
