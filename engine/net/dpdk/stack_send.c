/* Sending. lwIP refers to the buffers of the queue until the peer has acknowledged them, but for
 * little things, which it copies: what was copied is released at once, as the kernel would.
 *
 * The end of something long is copied too. Else its sender, who waits until all is released, would
 * wait for an acknowledgement that the peer delays, as it delays that of every odd segment. */
#include "engine/net/dpdk/stack.h"

#define LITTLE_BYTES 512u
#define LITTLE_QUEUE 16u  /* buffers: a peer that does not read must not collect copies */
#define LONG_BYTES 32768u /* on their way */
#define END_SEGMENTS 2u

static bool is_last(const struct stack_connection *conn, uint32_t size)
{
    return conn->unwritten->next == NULL && conn->unwritten_from + size == conn->unwritten->size;
}

static bool is_to_be_copied(const struct stack_connection *conn, uint32_t size)
{
    if (size <= LITTLE_BYTES)
        return conn->pcb->snd_queuelen < LITTLE_QUEUE;
    return conn->written - conn->acknowledged >= LONG_BYTES && is_last(conn, size) &&
           size <= END_SEGMENTS * tcp_mss(conn->pcb);
}

/* As much of the first unwritten buffer as may go in one piece: without its end, if that is to be a
 * piece of its own. */
static u16_t portion(const struct stack_connection *conn)
{
    uint32_t left = conn->unwritten->size - conn->unwritten_from;
    uint32_t room = conn->pcb->snd_buf, end = END_SEGMENTS * tcp_mss(conn->pcb);
    uint32_t size = left < room ? left : room;
    bool is_long = conn->written - conn->acknowledged + size >= LONG_BYTES + end;
    if (size == left && conn->unwritten->next == NULL && left > end && is_long)
        size = left - end;
    return (u16_t)(size < UINT16_MAX ? size : UINT16_MAX);
}

static bool write_piece(struct stack_connection *conn, u16_t size)
{
    const uint8_t *data = conn->unwritten->data + conn->unwritten_from;
    u8_t more = is_last(conn, size) ? 0 : TCP_WRITE_FLAG_MORE;
    if (is_to_be_copied(conn, size) &&
        tcp_write(conn->pcb, data, size, TCP_WRITE_FLAG_COPY | more) == ERR_OK) {
        conn->written += size;
        return true;
    }
    if (tcp_write(conn->pcb, data, size, more) != ERR_OK)
        return false;
    conn->written += size;
    conn->copied_from = conn->written;
    return true;
}

/* Releases what is acknowledged, and copies that follow nothing else. */
static void release(struct stack_connection *conn)
{
    uint32_t to = conn->acknowledged;
    if ((int32_t)(conn->acknowledged - conn->copied_from) >= 0) {
        conn->copied_from = conn->acknowledged;
        to = conn->written;
    }
    if ((int32_t)(to - conn->released) <= 0)
        return;
    tx_queue_advance(&conn->queue, to - conn->released);
    conn->released = to;
    if (tx_queue_empty(&conn->queue) && !(conn->flags & STACK_CLOSING))
        conn->handler->drained(conn->session);
}

static void write_all(struct stack_connection *conn)
{
    while (conn->unwritten) {
        u16_t size = portion(conn);
        if (size == 0 || !write_piece(conn, size))
            return;
        stack_this()->counters.bytes_out += size;
        conn->unwritten_from += size;
        if (conn->unwritten_from == conn->unwritten->size) {
            conn->unwritten = conn->unwritten->next;
            conn->unwritten_from = 0;
        }
    }
}

void stack_send(struct stack_connection *conn)
{
    write_all(conn);
    release(conn);
}

err_t stack_send_acknowledged(void *context, struct tcp_pcb *pcb, u16_t bytes)
{
    (void)pcb;
    struct net_stack *net = stack_this();
    struct stack_connection *conn = context;
    conn->acknowledged += bytes;
    release(conn);
    if (conn->flags & STACK_CLOSING)
        return ERR_OK;
    write_all(conn);
    if (conn->unwritten == NULL)
        release(conn);
    if (conn->flags & STACK_FINISHING)
        stack_connection_list(net, conn);
    return ERR_OK;
}
