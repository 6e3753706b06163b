/* The stack as its users see it: what net_calls promises, and the turn. */
#include "engine/net/dpdk/net_stack.h"

#include "base/counters.h"
#include "engine/net/dpdk/siphash.h"
#include "engine/net/dpdk/stack.h"
#include "engine/net/dpdk/stack_memory.h"

#include <lwip/init.h>
#include <lwip/priv/tcp_priv.h>
#include <stdlib.h>

static struct net_stack *this_net; /* lwIP's state is global; so is whose it is */

struct net_stack *stack_this(void)
{
    return this_net;
}

void stack_set_this(struct net_stack *net)
{
    INVARIANT(!net || !this_net);
    this_net = net;
}

/* --------------------------------------------------------------------- what lwIP asks us ---- */

uint32_t stack_random(void)
{
    return (uint32_t)random_next(&this_net->random);
}

/* RFC 6528: a keyed hash of the connection's name, and a clock of 4 microseconds. */
uint32_t stack_sequence(const struct ip_addr *local, uint16_t local_port,
                        const struct ip_addr *remote, uint16_t remote_port)
{
    uint8_t name[36] = {0};
    bool ipv4 = IP_IS_V4(local);
    memcpy(name, ipv4 ? (const void *)&ip_2_ip4(local)->addr : (const void *)ip_2_ip6(local)->addr,
           ipv4 ? 4 : 16);
    memcpy(name + 16,
           ipv4 ? (const void *)&ip_2_ip4(remote)->addr : (const void *)ip_2_ip6(remote)->addr,
           ipv4 ? 4 : 16);
    memcpy(name + 32, &local_port, 2);
    memcpy(name + 34, &remote_port, 2);
    uint64_t hash = siphash(span_of(name, sizeof name), this_net->sequence_keys);
    return (uint32_t)(hash + this_net->now_ns / 4000);
}

/* ------------------------------------------------------------------------------- calls ---- */

/* NULL when the name is stale. */
static struct stack_connection *find(const struct net_stack *net, struct net_conn name)
{
    uint32_t slot = name.slot - net->options.slot_first;
    if (name.slot < net->options.slot_first || slot >= net->connections.fresh)
        return NULL;
    struct stack_connection *conn = stack_at(net, slot);
    return conn->generation == name.generation && conn->flags & STACK_IN_USE ? conn : NULL;
}

static void send_queued(struct net *base, struct net_conn name, struct net_tx *tx)
{
    struct net_stack *net = stack_of(base);
    struct stack_connection *conn = find(net, name);
    if (!conn || conn->flags & (STACK_CLOSING | STACK_FINISHING)) {
        tx_queue_push(&net->orphans, tx);
        return;
    }
    tx_queue_push(&conn->queue, tx);
    if (!conn->unwritten)
        conn->unwritten = tx;
    stack_connection_list(net, conn);
}

static void set_flag(struct net *base, struct net_conn name, enum stack_flag flag)
{
    struct stack_connection *conn = find(stack_of(base), name);
    if (!conn || conn->flags & STACK_CLOSING)
        return;
    conn->flags |= (uint16_t)flag;
    stack_connection_list(stack_of(base), conn);
}

static void resume(struct net *base, struct net_conn name)
{
    set_flag(base, name, STACK_RESUMED);
}

static void finish(struct net *base, struct net_conn name)
{
    set_flag(base, name, STACK_FINISHING);
}

static void abort_connection(struct net *base, struct net_conn name)
{
    struct stack_connection *conn = find(stack_of(base), name);
    if (conn)
        stack_connection_end(stack_of(base), conn, NET_CLOSE_ABORTED);
}

static void accept_pause(struct net *base, bool pause)
{
    stack_of(base)->accept_paused = pause;
}

/* One burst, and what was said to it is on its way before the next: both ends work at the same time
 * instead of waiting for each other's last frame. */
static void poll(struct net *base, uint64_t wait_ns)
{
    (void)wait_ns;
    struct net_stack *net = stack_of(base);
    INVARIANT(!net->polling);
    net->polling = true;
    net->now_ns = clock_monotonic_ns(net->options.clock);
    tx_queue_release(&net->orphans);
    stack_receive_resume(net);
    stack_connection_settle_all(net);
    stack_timer_run(net);
    wire_flush(net->wire);
    stack_interface_receive(net);
    stack_listener_accept(net);
    wire_flush(net->wire);
    net->polling = false;
}

static void wake(struct net *base)
{
    (void)base; /* it never waits */
}

static void counters(const struct net *base, struct net_counters *out)
{
    counters_copy(&((const struct net_stack *)base)->counters, sizeof *out, out);
}

/* ------------------------------------------------------------------- beginning and end ---- */

static void end_all(struct net_stack *net)
{
    for (uint32_t slot = 0; slot < net->connections.fresh; slot++) {
        struct stack_connection *conn = stack_at(net, slot);
        if (conn->flags & STACK_IN_USE)
            stack_connection_end(net, conn, NET_CLOSE_ABORTED);
        conn->flags &= (uint16_t)~STACK_WAITING;
    }
    net->waiting.first = STACK_NO_SLOT;
    while (net->listed.first != STACK_NO_SLOT)
        stack_connection_settle_all(net);
}

/* A peer does not have all that was said to it, at least not the end. */
static bool is_owing(const struct net_stack *net)
{
    for (unsigned word = 0; word < STACK_BUCKETS / 64; word++) {
        for (uint64_t bits = net->occupied[word]; bits != 0; bits &= bits - 1) {
            unsigned bucket = word * 64 + (unsigned)__builtin_ctzll(bits);
            for (const struct tcp_pcb *pcb = net->buckets[bucket].active; pcb; pcb = pcb->next)
                if (pcb->unsent || pcb->unacked)
                    return true;
        }
    }
    return false;
}

/* Nobody repeats for us what gets lost when we are gone, and what lies in memory that we share with
 * the other end goes with us: the peer would wait for an end that never comes. */
static void take_leave(struct net_stack *net)
{
    const struct clock *clock = net->options.clock;
    uint64_t until_ns = clock_monotonic_ns(clock) + net->options.leave_ms * NS_PER_MS;
    while (is_owing(net) && clock_monotonic_ns(clock) < until_ns)
        poll(&net->net, 0);
}

/* What lingers or has only asked; without a word to the peers. */
static void abandon_all(struct net_stack *net)
{
    stack_gather(net, 0, 1);
    while (tcp_active_pcbs)
        tcp_abandon(tcp_active_pcbs, 0);
    while (tcp_tw_pcbs)
        tcp_abandon(tcp_tw_pcbs, 0);
    stack_unlisten(&net->net);
    for (unsigned i = 0; i < net->listeners_count; i++)
        tcp_close(net->listeners[i].pcb);
}

static void free_parts(struct net_stack *net)
{
    pool_deinit(&net->connections);
    pool_deinit(&net->halves);
    free(net->buckets);
    free(net->occupied);
    free(net);
}

static void deinit(struct net *base)
{
    struct net_stack *net = stack_of(base);
    INVARIANT(!net->polling);
    net->stopping = true;
    net->polling = true;
    stack_unlisten(base);
    end_all(net);
    wire_flush(net->wire);
    tx_queue_release(&net->orphans);
    net->polling = false;
    take_leave(net);
    abandon_all(net);
    stack_interface_close(net);
    stack_set_this(NULL);
    free_parts(net);
    stack_memory_close();
}

static const struct net_calls stack_calls = {
    .name = "dpdk",
    .listen = stack_listen,
    .unlisten = stack_unlisten,
    .accept_pause = accept_pause,
    .connect = stack_connect,
    .send = send_queued,
    .resume = resume,
    .finish = finish,
    .abort = abort_connection,
    .poll = poll,
    .wake = wake,
    .counters = counters,
    .deinit = deinit,
};

static enum status open_parts(struct net_stack *net, const struct net_stack_options *options)
{
    net->buckets = calloc(STACK_BUCKETS, sizeof *net->buckets);
    net->occupied = calloc(STACK_BUCKETS / 64, sizeof *net->occupied);
    if (!net->buckets || !net->occupied)
        return STATUS_FULL;
    enum status status = pool_init(&net->connections, sizeof(struct stack_connection),
                                   options->connections_max + STACK_BACKLOG);
    if (status == STATUS_OK)
        status = pool_init(&net->halves, sizeof(struct stack_half), options->half_open_max);
    if (status == STATUS_OK)
        status = stack_memory_open(options->connections_max, options->kept_bytes);
    return status;
}

static void draw_secrets(struct net_stack *net, uint64_t seed)
{
    net->random.state = seed;
    net->hash_key = random_next(&net->random);
    net->sequence_keys[0] = random_next(&net->random);
    net->sequence_keys[1] = random_next(&net->random);
    net->port = (uint16_t)random_next(&net->random);
}

enum status net_stack_open(struct net **opened, const struct net_stack_options *options,
                           struct fault *fault)
{
    struct net_stack *net = calloc(1, sizeof *net);
    if (!net || open_parts(net, options) != STATUS_OK) {
        if (net)
            free_parts(net);
        return fault_set(fault, STATUS_FULL, "no memory for %u connections",
                         options->connections_max);
    }
    net->net.calls = &stack_calls;
    net->options = *options;
    net->wire = options->wire;
    net->bucket = net->listed.first = net->waiting.first = STACK_NO_SLOT;
    net->now_ns = clock_monotonic_ns(options->clock);
    draw_secrets(net, options->seed);
    stack_set_this(net);
    lwip_init();
    stack_interface_open(net);
    *opened = &net->net;
    return STATUS_OK;
}
