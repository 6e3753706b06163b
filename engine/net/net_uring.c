/* The io_uring backend as its users see it: what net_calls promises, and the turn. */
#include "engine/net/net_uring.h"

#include "base/clock.h"
#include "base/counters.h"
#include "engine/net/uring.h"

#include <stdlib.h>

#define DEINIT_WAIT_NS (10 * NS_PER_MS)

union uring_operand *uring_operand(struct net_uring *net)
{
    /* as many as there are entries, so the kernel has read an operand before its turn comes again
     */
    union uring_operand *operand = &net->operands[net->operands_next];
    net->operands_next = (net->operands_next + 1) % net->operands_count;
    return operand;
}

void uring_discard(struct net_uring *net, struct io_uring_sqe *sqe)
{
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
    uring_tag(net, sqe, URING_DISCARD, 0);
}

static void discard_complete(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    /* a cancel that comes too late finds nothing: the operation has ended by itself */
    (void)context, (void)token, (void)result, (void)flags;
}

static void uring_send(struct net *base, struct net_conn name, struct net_tx *tx)
{
    struct net_uring *net = uring_of(base);
    struct uring_connection *conn = uring_find(net, name);
    if (!conn || conn->flags & (URING_CLOSING | URING_FINISHING)) {
        tx_queue_push(&net->orphans, tx);
        return;
    }
    tx_queue_push(&conn->queue, tx);
    uring_connection_list(net, conn);
}

static void set_flag(struct net *base, struct net_conn name, enum uring_flag flag)
{
    struct uring_connection *conn = uring_find(uring_of(base), name);
    if (!conn || conn->flags & URING_CLOSING)
        return;
    conn->flags |= (uint16_t)flag;
    uring_connection_list(uring_of(base), conn);
}

static void uring_resume(struct net *base, struct net_conn name)
{
    set_flag(base, name, URING_RESUMED);
}

static void uring_finish(struct net *base, struct net_conn name)
{
    set_flag(base, name, URING_FINISHING);
}

static void uring_abort(struct net *base, struct net_conn name)
{
    struct uring_connection *conn = uring_find(uring_of(base), name);
    if (conn)
        uring_connection_end(uring_of(base), conn, NET_CLOSE_ABORTED);
}

static void uring_poll(struct net *base, uint64_t wait_ns)
{
    struct net_uring *net = uring_of(base);
    INVARIANT(!net->polling);
    net->polling = true;
    net->pushed = false;
    if (io_uring_sq_ready(&net->ring->uring) == 0)
        net->operands_next = 0; /* keeps those in use few and warm in the cache */
    if (net->accept_retry_ns != 0)
        wait_ns = uring_listeners_retry(net, wait_ns);
    tx_queue_release(&net->orphans);
    uring_receive_resume(net);
    uring_connection_settle_all(net);
    if (net->pushed || net->listed.first != URING_NO_SLOT)
        wait_ns = 0;
    ring_turn(net->ring, wait_ns);
    uring_receive_feed(net);
    net->polling = false;
}

static void uring_wake(struct net *base)
{
    ring_wake(uring_of(base)->ring);
}

static void uring_counters(const struct net *base, struct net_counters *counters)
{
    counters_copy(&((const struct net_uring *)base)->counters, sizeof *counters, counters);
}

static void end_all(struct net_uring *net)
{
    for (uint32_t slot = 0; slot < net->connections.fresh; slot++) {
        struct uring_connection *conn = uring_at(net, slot);
        if (conn->flags & URING_IN_USE)
            uring_connection_end(net, conn, NET_CLOSE_ABORTED);
    }
}

static void uring_deinit(struct net *base)
{
    struct net_uring *net = uring_of(base);
    net->stopping = true;
    uring_unlisten(base);
    end_all(net);
    while (net->connections.taken > 0 || uring_listeners_any(net))
        uring_poll(base, DEINIT_WAIT_NS);
    ring_turn(net->ring, 0); /* the last descriptors are closed by the ring */
    tx_queue_release(&net->orphans);
    kept_deinit(&net->kept);
    uring_buffers_close(&net->buffers);
    pool_deinit(&net->connections);
    free(net->operands);
    free(net);
}

static const struct net_calls uring_calls = {
    .name = "uring",
    .listen = uring_listen,
    .unlisten = uring_unlisten,
    .accept_pause = uring_accept_pause,
    .connect = uring_connect,
    .send = uring_send,
    .resume = uring_resume,
    .finish = uring_finish,
    .abort = uring_abort,
    .poll = uring_poll,
    .wake = uring_wake,
    .counters = uring_counters,
    .deinit = uring_deinit,
};

static ring_complete *const completions[URING_OPERATIONS] = {
    [URING_ACCEPT] = uring_accept_complete,   [URING_CONNECT] = uring_connect_complete,
    [URING_RECEIVE] = uring_receive_complete, [URING_SEND] = uring_send_complete,
    [URING_DISCARD] = discard_complete,
};

/* The parts that can be refused; undoes what it did. */
static enum status open_parts(struct net_uring *net, const struct net_uring_options *options,
                              struct fault *fault)
{
    enum status status =
        pool_init(&net->connections, sizeof(struct uring_connection), options->connections_max);
    if (status != STATUS_OK)
        return fault_set(fault, status, "no memory for %u connections", options->connections_max);
    /* the number of its first operation is the net's alone on this ring: it names the buffers too
     */
    status = uring_buffers_open(&net->buffers, net->ring, (uint16_t)net->operations[0],
                                options->buffers, options->buffer_bytes, fault);
    if (status != STATUS_OK)
        goto deinit_connections;
    status = kept_init(&net->kept, &net->buffers, options->connections_max);
    if (status == STATUS_OK)
        return STATUS_OK;
    fault_set(fault, status, "no memory for %u connections", options->connections_max);
    uring_buffers_close(&net->buffers);
deinit_connections:
    pool_deinit(&net->connections);
    return status;
}

enum status net_uring_open(struct net **opened, struct ring *ring,
                           const struct net_uring_options *options, struct fault *fault)
{
    uint32_t operands = ring->uring.sq.ring_entries;
    struct net_uring *net = calloc(1, sizeof *net);
    if (net)
        net->operands = calloc(operands, sizeof *net->operands);
    if (!net || !net->operands) {
        free(net);
        return fault_set(fault, STATUS_FULL, "no memory for the network");
    }
    net->net.calls = &uring_calls;
    net->ring = ring;
    net->operands_count = operands;
    net->listed.first = net->starved.first = URING_NO_SLOT;
    for (unsigned i = 0; i < URING_OPERATIONS; i++)
        net->operations[i] = ring_register(ring, completions[i], net);
    enum status status = open_parts(net, options, fault);
    if (status != STATUS_OK) {
        free(net->operands);
        free(net);
        return status;
    }
    *opened = &net->net;
    return STATUS_OK;
}
