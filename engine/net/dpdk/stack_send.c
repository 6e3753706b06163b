/* Sending. lwIP refers to the buffers of the queue until the peer has acknowledged them, but for
 * little things, which it copies: what was copied is released at once, as the kernel would.
 *
 * The end of something longer is copied too. Else its sender, who waits until all is released,
 * would wait for an acknowledgement that the peer delays, as it delays that of every odd segment.
 * Who called sends something and waits for an answer, which acknowledges it, unless it is long. */
#include "engine/net/dpdk/stack.h"

#define LITTLE_BYTES 512u
#define LITTLE_QUEUE 16u  /* buffers: a peer that does not read must not collect copies */
#define LONG_BYTES 32768u /* on their way: that many may be followed by a copy in any case */
#define END_SEGMENTS 2u

static bool is_last(const struct stack_connection *conn, uint32_t size)
{
    return conn->unwritten->next == NULL && conn->unwritten_from + size == conn->unwritten->size;
}

/* Bytes of the queue that lwIP does not have; when there are more than `enough`, some number above
 * it. */
static uint32_t bytes_left(const struct stack_connection *conn, uint32_t enough)
{
    uint32_t left = conn->unwritten->size - conn->unwritten_from;
    for (const struct net_tx *tx = conn->unwritten->next; tx && left <= enough; tx = tx->next)
        left += tx->size;
    return left;
}

static bool is_to_be_copied(const struct stack_connection *conn, uint32_t size)
{
    bool few = conn->pcb->snd_queuelen < LITTLE_QUEUE;
    if (size <= LITTLE_BYTES)
        return few;
    /* Behind what is referred to: released no sooner than that, so there is one end at most. */
    bool follows = (int32_t)(conn->copied_from - conn->acknowledged) > 0;
    bool answers = !(conn->flags & STACK_OUTGOING) && (few || follows);
    uint32_t end = END_SEGMENTS * tcp_mss(conn->pcb);
    return (answers || conn->written - conn->acknowledged >= LONG_BYTES) &&
           bytes_left(conn, end) <= end;
}

/* As much of the first unwritten buffer as may go in one piece: without what is of the end, if that
 * is to be a piece of its own. */
static u16_t portion(const struct stack_connection *conn)
{
    uint32_t left = conn->unwritten->size - conn->unwritten_from;
    uint32_t room = conn->pcb->snd_buf, end = END_SEGMENTS * tcp_mss(conn->pcb);
    uint32_t size = left < room ? left : room, all = bytes_left(conn, left + end);
    bool is_long = conn->written - conn->acknowledged + size >= LONG_BYTES + end;
    bool answers = !(conn->flags & STACK_OUTGOING);
    if (size == left && all > end && all < left + end && (is_long || answers))
        size = all - end;
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
