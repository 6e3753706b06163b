/* A connection's life on the stack: taken, opened, settled once per turn, ended, given back. */
#include "base/fetch.h"
#include "engine/net/dpdk/stack.h"

#include <lwip/priv/tcp_priv.h>

#define FETCHED_AHEAD 4u /* connections whose memory is on its way while one is settled */
#define GENERATION_MAX ((1u << 24) - 1) /* as in the io_uring backend: fits the shard's cookies */

struct stack_connection *stack_connection_take(struct net_stack *net,
                                               const struct net_handler *handler, void *context)
{
    struct stack_connection *conn = pool_take(&net->connections);
    if (!conn)
        return NULL;
    uint32_t generation = conn->generation == 0 ? 1 : conn->generation;
    *conn = (struct stack_connection){
        .handler = handler, .session = context, .generation = generation, .flags = STACK_IN_USE};
    return conn;
}

static void give(struct net_stack *net, struct stack_connection *conn)
{
    conn->flags = 0;
    conn->generation = conn->generation == GENERATION_MAX ? 1 : conn->generation + 1;
    pool_give(&net->connections, conn);
}

struct net_conn stack_connection_name(const struct net_stack *net,
                                      const struct stack_connection *conn)
{
    return (struct net_conn){net->options.slot_first + stack_slot(net, conn), conn->generation};
}

void stack_connection_list(struct net_stack *net, struct stack_connection *conn)
{
    if (conn->flags & STACK_LISTED)
        return;
    uint32_t slot = stack_slot(net, conn);
    conn->flags |= STACK_LISTED;
    conn->listed_next = STACK_NO_SLOT;
    if (net->listed.first == STACK_NO_SLOT)
        net->listed.first = slot;
    else
        stack_at(net, net->listed.last)->listed_next = slot;
    net->listed.last = slot;
}

void stack_connection_end(struct net_stack *net, struct stack_connection *conn,
                          enum net_close_reason reason)
{
    if (!(conn->flags & STACK_CLOSING)) {
        conn->flags |= STACK_CLOSING;
        conn->reason = (uint8_t)reason;
    }
    stack_connection_list(net, conn);
}

/* --------------------------------------------------------------------- what lwIP tells us ---- */

/* lwIP frees its side whenever it likes, as after TIME-WAIT: from then on there is none. */
static void forget(u8_t id, void *data)
{
    (void)id;
    ((struct stack_connection *)data)->pcb = NULL;
}

static void count_gone(u8_t id, void *data)
{
    (void)id;
    ((struct net_stack *)data)->lingering--;
}

static const struct tcp_ext_arg_callbacks bound_callbacks = {.destroy = forget};
static const struct tcp_ext_arg_callbacks lingering_callbacks = {.destroy = count_gone};

static void failed(void *context, err_t error)
{
    struct stack_connection *conn = context;
    stack_connection_end(stack_this(), conn,
                         error == ERR_CLSD                ? NET_CLOSE_FINISHED
                         : conn->flags & STACK_CONNECTING ? NET_CLOSE_REFUSED
                                                          : NET_CLOSE_PEER);
}

void stack_connection_bind(struct stack_connection *conn, struct tcp_pcb *pcb)
{
    conn->pcb = pcb;
    tcp_arg(pcb, conn);
    tcp_recv(pcb, stack_receive);
    tcp_sent(pcb, stack_send_acknowledged);
    tcp_err(pcb, failed);
    tcp_ext_arg_set_callbacks(pcb, 0, &bound_callbacks);
    tcp_ext_arg_set(pcb, 0, conn);
    tcp_nagle_disable(pcb);
    ip_set_option(pcb, SOF_KEEPALIVE);
}

/* ----------------------------------------------------------------------------- its life ---- */

bool stack_connection_open(struct net_stack *net, struct stack_connection *conn)
{
    union net_address peer;
    stack_address_out(&conn->pcb->remote_ip, conn->pcb->remote_port, &peer);
    void *session = conn->handler->opened(conn->session, stack_connection_name(net, conn), &peer);
    if (!session) {
        net->counters.turned_away++;
        stack_connection_end(net, conn, NET_CLOSE_FINISHED);
        return false;
    }
    conn->session = session;
    conn->flags |= STACK_OPEN;
    net->opened++;
    if (!tx_queue_empty(&conn->queue))
        stack_connection_list(net, conn);
    return true;
}

/* lwIP finishes the connection alone. Too many of those: the newest is cut off. */
static void let_linger(struct net_stack *net, struct tcp_pcb *pcb)
{
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_err(pcb, NULL);
    net->lingering++;
    tcp_ext_arg_set_callbacks(pcb, 0, &lingering_callbacks);
    tcp_ext_arg_set(pcb, 0, net);
    if (net->lingering > net->options.connections_max)
        tcp_abort(pcb);
    else
        tcp_close(pcb);
}

static void part(struct net_stack *net, struct stack_connection *conn)
{
    struct tcp_pcb *pcb = conn->pcb;
    if (!pcb)
        return;
    if (conn->reason == NET_CLOSE_FINISHED) {
        conn->pcb = NULL;
        let_linger(net, pcb);
    } else {
        tcp_err(pcb, NULL);
        tcp_abort(pcb); /* forget() is called */
    }
}

static void report(struct net_stack *net, const struct stack_connection *was)
{
    if (was->flags & STACK_OPEN) {
        net->counters.closed++;
        net->opened--;
    } else if (was->flags & STACK_CONNECTING) {
        net->counters.refused++;
    } else {
        return; /* turned away, or gone before anybody was told of it */
    }
    was->handler->closed(was->session, was->reason);
}

static void settle_closing(struct net_stack *net, struct stack_connection *conn)
{
    stack_receive_drop(net, conn);
    part(net, conn);
    tx_queue_release(&conn->queue);
    if (conn->flags & STACK_WAITING)
        return; /* until its turn in that queue comes */
    struct stack_connection was = *conn;
    give(net, conn);
    report(net, &was);
}

/* The end is in order when both sides said so and the peer has everything. */
static void settle_finishing(struct net_stack *net, struct stack_connection *conn)
{
    if (!(conn->flags & STACK_SHUT)) {
        conn->flags |= STACK_SHUT;
        tcp_shutdown(conn->pcb, 0, 1);
    }
    if (conn->flags & STACK_PEER_TOLD && tx_queue_empty(&conn->queue))
        stack_connection_end(net, conn, NET_CLOSE_FINISHED);
}

/* Sends; whatever finds no room now is tried again in the next turn. */
static void settle_sending(struct net_stack *net, struct stack_connection *conn)
{
    stack_send(conn);
    bool sent = tcp_output(conn->pcb) == ERR_OK;
    bool stuck = conn->unwritten && conn->pcb->snd_queuelen == 0;
    if (!sent || stuck)
        stack_connection_list(net, conn);
    if (conn->flags & STACK_FINISHING && !conn->unwritten)
        settle_finishing(net, conn);
}

static void settle(struct net_stack *net, struct stack_connection *conn)
{
    bool linked = conn->pcb != NULL;
    if (linked)
        stack_enter(net, conn->bucket);
    if (linked && (conn->flags & (STACK_OPEN | STACK_CLOSING)) == STACK_OPEN)
        settle_sending(net, conn);
    if ((conn->flags & (STACK_CLOSING | STACK_LISTED)) == STACK_CLOSING)
        settle_closing(net, conn);
    else if (conn->flags & STACK_RESUMED)
        stack_connection_list(net, conn);
    if (linked)
        stack_leave(net);
}

/* What settling a connection on the list will touch; returns the one after it, whose turn to be
 * looked at comes when it has arrived itself. */
static uint32_t fetch_ahead(const struct net_stack *net, uint32_t slot)
{
    if (slot == STACK_NO_SLOT)
        return slot;
    const struct stack_connection *conn = stack_at(net, slot);
    fetch(conn->pcb, sizeof *conn->pcb);
    __builtin_prefetch(&net->buckets[conn->bucket]);
    __builtin_prefetch(conn->unwritten);
    if (conn->listed_next != STACK_NO_SLOT)
        fetch(stack_at(net, conn->listed_next), sizeof *conn);
    return conn->listed_next;
}

/* Those from `slot` on, which are listed still, go before what was listed since. */
static void put_back(struct net_stack *net, uint32_t slot, uint32_t last)
{
    if (slot == STACK_NO_SLOT)
        return;
    stack_at(net, last)->listed_next = net->listed.first;
    if (net->listed.first == STACK_NO_SLOT)
        net->listed.last = last;
    net->listed.first = slot;
}

/* While the wire is full it would refuse the others too: they wait for the next turn, untouched. */
void stack_connection_settle_all(struct net_stack *net)
{
    /* what is listed from here on is for the next turn */
    uint32_t slot = net->listed.first, ahead = slot, last = net->listed.last;
    net->listed.first = STACK_NO_SLOT;
    net->refused = false;
    for (unsigned i = 0; i < FETCHED_AHEAD; i++)
        ahead = fetch_ahead(net, ahead);
    while (slot != STACK_NO_SLOT && !net->refused) {
        struct stack_connection *conn = stack_at(net, slot);
        ahead = fetch_ahead(net, ahead);
        slot = conn->listed_next;
        conn->flags &= (uint16_t)~STACK_LISTED;
        settle(net, conn);
    }
    put_back(net, slot, last);
}
