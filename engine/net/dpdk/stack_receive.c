/* Receiving: bytes go to the handler where they lie. What it leaves is kept and not acknowledged as
 * read, so that the peer's window closes by itself. */
#include "engine/net/dpdk/stack.h"
#include "engine/net/dpdk/stack_memory.h"

#define PBUF_HEADER_BYTES 64u /* and some more */

/* Tells the peer that there is room again for as much. */
static void open_window(struct stack_connection *conn, size_t bytes)
{
    while (bytes > 0 && conn->pcb) {
        u16_t step = (u16_t)(bytes < UINT16_MAX ? bytes : UINT16_MAX);
        tcp_recved(conn->pcb, step);
        bytes -= step;
    }
}

static void tell_finished(struct net_stack *net, struct stack_connection *conn)
{
    conn->flags |= STACK_PEER_TOLD;
    conn->handler->peer_finished(conn->session);
    if (conn->flags & STACK_FINISHING)
        stack_connection_list(net, conn);
}

/* What a buffer costs while it is kept: a block, however little is in it or left of it. `tot_len`
 * is what was kept at first. */
static uint64_t cost(const struct pbuf *bytes)
{
    return bytes->tot_len + PBUF_HEADER_BYTES <= STACK_MEMORY_FRAME_BYTES
               ? STACK_MEMORY_FRAME_BYTES
               : STACK_MEMORY_JUMBO_BYTES;
}

static void keep(struct net_stack *net, struct stack_connection *conn, struct pbuf *bytes)
{
    net->kept_bytes += cost(bytes);
    if (conn->kept)
        conn->kept_last->next = bytes;
    else
        conn->kept = bytes;
    conn->kept_last = bytes;
}

static struct pbuf *take_kept(struct net_stack *net, struct stack_connection *conn)
{
    struct pbuf *bytes = conn->kept;
    conn->kept = bytes->next;
    bytes->next = NULL;
    net->kept_bytes -= cost(bytes);
    return bytes;
}

void stack_receive_drop(struct net_stack *net, struct stack_connection *conn)
{
    while (conn->kept)
        pbuf_free(take_kept(net, conn));
}

/* Returns how much of one buffer the handler took. */
static u16_t deliver(struct stack_connection *conn, const struct pbuf *bytes)
{
    size_t taken = conn->handler->received(conn->session, span_of(bytes->payload, bytes->len));
    INVARIANT(taken <= bytes->len);
    return (u16_t)taken;
}

/* Few frames may wait; more are copied into memory of the stack's, so that the wire never runs out
 * of frames for the others. NULL when there is no memory either. */
static struct pbuf *settle_down(struct net_stack *net, struct pbuf *bytes)
{
    if (net->kept_bytes < (uint64_t)net->wire->frames / 4 * STACK_MEMORY_FRAME_BYTES)
        return bytes;
    struct pbuf *copy = pbuf_clone(PBUF_RAW, PBUF_RAM, bytes);
    pbuf_free(bytes);
    return copy;
}

/* One buffer, not a chain. Returns how much of it the handler took. */
static size_t arrived(struct net_stack *net, struct stack_connection *conn, struct pbuf *bytes)
{
    u16_t taken = 0;
    net->counters.bytes_in += bytes->len;
    if (!(conn->flags & (STACK_PAUSED | STACK_WAITING | STACK_CLOSING)))
        taken = deliver(conn, bytes);
    if (taken == bytes->len || conn->flags & STACK_CLOSING) {
        pbuf_free(bytes);
        return taken;
    }
    conn->flags |= conn->flags & STACK_WAITING ? 0 : STACK_PAUSED;
    pbuf_remove_header(bytes, taken);
    bytes = settle_down(net, bytes);
    if (bytes) {
        keep(net, conn, bytes);
        return taken;
    }
    net->counters.errors++;
    stack_connection_end(net, conn, NET_CLOSE_ERROR);
    return taken;
}

err_t stack_receive(void *context, struct tcp_pcb *pcb, struct pbuf *bytes, err_t error)
{
    (void)pcb, (void)error;
    struct net_stack *net = stack_this();
    struct stack_connection *conn = context;
    if (bytes) {
        size_t taken = 0;
        for (struct pbuf *next; bytes; bytes = next) {
            next = bytes->next;
            bytes->next = NULL;
            bytes->tot_len = bytes->len;
            taken += arrived(net, conn, bytes);
        }
        open_window(conn, taken);
        return ERR_OK;
    }
    conn->flags |= STACK_PEER_FINISHED;
    if (!(conn->flags & (STACK_PAUSED | STACK_WAITING | STACK_CLOSING)))
        tell_finished(net, conn);
    return ERR_OK;
}

/* All but what was taken, and it costs what it did. */
static void leave(struct pbuf *bytes, u16_t taken)
{
    u16_t kept = bytes->tot_len;
    pbuf_remove_header(bytes, taken);
    bytes->tot_len = kept;
}

void stack_receive_kept(struct net_stack *net, struct stack_connection *conn)
{
    size_t total = 0;
    bool left = false;
    while (conn->kept && !left && !(conn->flags & STACK_CLOSING)) {
        struct pbuf *bytes = conn->kept;
        u16_t taken = deliver(conn, bytes);
        total += taken;
        left = taken < bytes->len;
        if (left)
            leave(bytes, taken);
        else
            pbuf_free(take_kept(net, conn));
    }
    open_window(conn, total);
    if (left || conn->flags & STACK_CLOSING)
        return;
    conn->flags &= (uint16_t)~STACK_PAUSED;
    if ((conn->flags & (STACK_PEER_FINISHED | STACK_PEER_TOLD)) == STACK_PEER_FINISHED)
        tell_finished(net, conn);
}

void stack_receive_resume(struct net_stack *net)
{
    if (net->listed.first == STACK_NO_SLOT)
        return;
    /* what handlers resume from here on is for the next turn */
    uint32_t slot = net->listed.first, last = net->listed.last;
    for (;;) {
        struct stack_connection *conn = stack_at(net, slot);
        uint16_t flags = conn->flags;
        conn->flags &= (uint16_t)~STACK_RESUMED;
        if ((flags & (STACK_RESUMED | STACK_PAUSED | STACK_CLOSING)) ==
            (STACK_RESUMED | STACK_PAUSED))
            stack_receive_kept(net, conn);
        if (slot == last)
            return;
        slot = conn->listed_next;
    }
}
