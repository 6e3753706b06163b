#include "engine/net/dpdk/net_dpdk.h"

#include "base/invariant.h"
#include "base/random.h"
#include "base/ring.h"
#include "engine/net/dpdk/module.h"
#include "engine/net/dpdk/port.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

/* Names of connections tell the two nets apart by their slots. */
#define SLOT_FIRST (1u << 31)
#define HALF_OPEN_MAX 4096u
#define LEAVE_MS 500u
#define SPIN_NS (1000 * 1000ull)    /* nothing comes for so long, before the first sleep */
#define SLEEP_NS_MIN (50 * 1000ull) /* doubles up to what is allowed */

struct dpdk {
    struct dpdk_options options;
    struct steer steer;
    struct port *port;
    uint64_t seed;
};

struct net_dpdk {
    struct net net;
    struct dpdk *dpdk;
    struct net *kernel, *stack;
    struct module module;
    struct wire *wire;
    uint32_t shard;
    const struct clock *clock;
    const struct ring *ring; /* what the kernel does for the shard shows there */
    uint64_t events;         /* frames and operations, at the beginning of this turn */
    uint64_t turn_ns;        /* when it began */
    uint64_t moved;          /* frames, the last time that one moved */
    uint64_t moved_ns;       /* when that turn began */
    uint64_t sleep_ns;       /* the next sleep */
    uint64_t busy_ns;
};

/* -------------------------------------------------------------------------------- the port ---- */

enum status dpdk_open(struct dpdk **opened, const struct dpdk_options *options, uint32_t shards,
                      struct fault *fault)
{
    struct dpdk *dpdk = calloc(1, sizeof *dpdk);
    if (!dpdk)
        return fault_set(fault, STATUS_SYSTEM, "--io dpdk: no memory");
    dpdk->options = *options;
    steer_init(&dpdk->steer, shards);
    enum status status = random_system(&dpdk->seed, sizeof dpdk->seed);
    if (status != STATUS_OK)
        fault_set(fault, status, "the system has no random numbers");
    else
        status = port_open(&dpdk->port, &dpdk->options, &dpdk->steer, fault);
    if (status == STATUS_OK && options->link_wait_ms > 0 &&
        !port_await_link(dpdk->port, options->link_wait_ms)) {
        status = fault_set(fault, STATUS_NETWORK, "--io dpdk: nobody is at the other end of %s",
                           port_text(dpdk->port));
        port_close(dpdk->port);
    }
    if (status == STATUS_OK)
        *opened = dpdk;
    else
        free(dpdk);
    return status;
}

void dpdk_close(struct dpdk *dpdk)
{
    port_close(dpdk->port);
    free(dpdk);
}

bool dpdk_has(const struct dpdk *dpdk, const union net_address *address)
{
    return net_stack_has(dpdk->options.addresses, dpdk->options.addresses_count, address);
}

const char *dpdk_text(const struct dpdk *dpdk)
{
    return port_text(dpdk->port);
}

/* --------------------------------------------------------------------------------- the net ---- */

static struct net_dpdk *dpdk_of(struct net *net)
{
    return (struct net_dpdk *)net;
}

static struct net *owner(struct net *net, struct net_conn conn)
{
    return conn.slot >= SLOT_FIRST ? dpdk_of(net)->stack : dpdk_of(net)->kernel;
}

static enum status dpdk_listen(struct net *base, const union net_address *address,
                               const struct net_listener_options *options,
                               const struct net_handler *handler, void *context,
                               union net_address *bound, struct fault *fault)
{
    struct net_dpdk *net = dpdk_of(base);
    if (!dpdk_has(net->dpdk, address))
        return net->kernel->calls->listen(net->kernel, address, options, handler, context, bound,
                                          fault);
    union net_address made;
    enum status status =
        net->stack->calls->listen(net->stack, address, options, handler, context, &made, fault);
    if (status != STATUS_OK)
        return status;
    if (!options->reuse_port)
        steer_keep(&net->dpdk->steer,
                   made.any.sa_family == AF_INET ? made.ipv4.sin_port : made.ipv6.sin6_port,
                   net->shard);
    if (bound)
        *bound = made;
    return STATUS_OK;
}

static void dpdk_unlisten(struct net *base)
{
    dpdk_of(base)->stack->calls->unlisten(dpdk_of(base)->stack);
    dpdk_of(base)->kernel->calls->unlisten(dpdk_of(base)->kernel);
}

static void dpdk_accept_pause(struct net *base, bool pause)
{
    dpdk_of(base)->stack->calls->accept_pause(dpdk_of(base)->stack, pause);
    dpdk_of(base)->kernel->calls->accept_pause(dpdk_of(base)->kernel, pause);
}

static enum status dpdk_connect(struct net *base, const union net_address *address,
                                const union net_address *source, const struct net_handler *handler,
                                void *context, struct net_conn *conn)
{
    struct net_dpdk *net = dpdk_of(base);
    const struct dpdk_options *ours = &net->dpdk->options;
    bool kernels = net_address_is_loopback(address) &&
                   !net_stack_is_near(ours->addresses, ours->addresses_count, address);
    struct net *side = kernels ? net->kernel : net->stack;
    return side->calls->connect(side, address, source, handler, context, conn);
}

static void dpdk_send(struct net *base, struct net_conn conn, struct net_tx *tx)
{
    net_send(owner(base, conn), conn, tx);
}

static void dpdk_resume(struct net *base, struct net_conn conn)
{
    net_resume(owner(base, conn), conn);
}

static void dpdk_finish(struct net *base, struct net_conn conn)
{
    net_finish(owner(base, conn), conn);
}

static void dpdk_abort(struct net *base, struct net_conn conn)
{
    net_abort(owner(base, conn), conn);
}

/* How long the kernel may let us sleep: not at all while frames move, and then in steps that grow
 * until one does. */
static uint64_t may_sleep_ns(struct net_dpdk *net, uint64_t wait_ns)
{
    uint64_t longest_ns = net->dpdk->options.idle_us * 1000ull;
    if (net->wire->moved != net->moved) {
        net->moved = net->wire->moved;
        net->moved_ns = net->turn_ns;
        net->sleep_ns = SLEEP_NS_MIN;
        return 0;
    }
    if (wait_ns == 0 || longest_ns == 0 || net->turn_ns - net->moved_ns < SPIN_NS)
        return 0;
    uint64_t sleep_ns = net->sleep_ns < longest_ns ? net->sleep_ns : longest_ns;
    net->sleep_ns = sleep_ns * 2;
    return sleep_ns < wait_ns ? sleep_ns : wait_ns;
}

/* The turn that ends here was work if anything came or went in it, on the wire or by the ring. One
 * that was not gives way to the kernel's own threads: a durable write ends in one of them, on the
 * processor that the disk interrupts, and would wait there until our time slice is over. */
static void look_back(struct net_dpdk *net)
{
    uint64_t now_ns = clock_monotonic_ns(net->clock);
    uint64_t events = net->wire->moved + net->ring->submitted + net->ring->completed;
    if (events != net->events)
        net->busy_ns += now_ns - net->turn_ns;
    else
        sched_yield();
    net->events = events;
    net->turn_ns = now_ns;
}

static uint64_t thread_used_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

/* Of a poll that sleeps only what the processor does is part of the turn. */
static void poll_asleep(struct net_dpdk *net, uint64_t sleep_ns)
{
    uint64_t used_ns = thread_used_ns();
    net_poll(net->kernel, sleep_ns);
    used_ns = thread_used_ns() - used_ns;
    net->turn_ns = clock_monotonic_ns(net->clock) - used_ns;
}

static void dpdk_poll(struct net *base, uint64_t wait_ns)
{
    struct net_dpdk *net = dpdk_of(base);
    look_back(net);
    net_poll(net->stack, 0);
    uint64_t sleep_ns = may_sleep_ns(net, wait_ns);
    if (sleep_ns > 0)
        poll_asleep(net, sleep_ns);
    else
        net_poll(net->kernel, 0);
}

static void dpdk_wake(struct net *base)
{
    dpdk_of(base)->kernel->calls->wake(dpdk_of(base)->kernel);
}

static void dpdk_counters(const struct net *base, struct net_counters *counters)
{
    const struct net_dpdk *net = (const struct net_dpdk *)base;
    struct net_counters stack;
    net->kernel->calls->counters(net->kernel, counters);
    net->stack->calls->counters(net->stack, &stack);
    counters->accepted += stack.accepted;
    counters->connected += stack.connected;
    counters->turned_away += stack.turned_away;
    counters->refused += stack.refused;
    counters->closed += stack.closed;
    counters->bytes_in += stack.bytes_in;
    counters->bytes_out += stack.bytes_out;
    counters->starved += stack.starved;
    counters->errors += stack.errors;
    counters->busy_ns = __atomic_load_n(&net->busy_ns, __ATOMIC_RELAXED);
}

static void dpdk_deinit(struct net *base)
{
    struct net_dpdk *net = dpdk_of(base);
    net->stack->calls->deinit(net->stack);
    module_unload(&net->module);
    port_leave(net->dpdk->port, net->shard);
    net->kernel->calls->deinit(net->kernel);
    free(net);
}

static const struct net_calls dpdk_calls = {
    .name = "dpdk",
    .listen = dpdk_listen,
    .unlisten = dpdk_unlisten,
    .accept_pause = dpdk_accept_pause,
    .connect = dpdk_connect,
    .send = dpdk_send,
    .resume = dpdk_resume,
    .finish = dpdk_finish,
    .abort = dpdk_abort,
    .poll = dpdk_poll,
    .wake = dpdk_wake,
    .counters = dpdk_counters,
    .deinit = dpdk_deinit,
};

static enum status open_stack(struct net_dpdk *net, uint32_t connections_max, struct fault *fault)
{
    const struct dpdk *dpdk = net->dpdk;
    struct net_stack_options options = {
        .wire = net->wire,
        .clock = net->clock,
        .connections_max = connections_max,
        .half_open_max = HALF_OPEN_MAX,
        .kept_bytes = NET_STACK_KEPT_BYTES_DEFAULT,
        .leave_ms = LEAVE_MS,
        .slot_first = SLOT_FIRST,
        .seed = dpdk->seed + net->shard,
        .addresses_count = dpdk->options.addresses_count,
        .gateways = {dpdk->options.gateways[0], dpdk->options.gateways[1]},
        .steer = dpdk->steer.shards > 1 ? &dpdk->steer : NULL,
        .shard = net->shard,
    };
    memcpy(options.addresses, dpdk->options.addresses, sizeof options.addresses);
    enum status status = module_load(&net->module, fault);
    if (status != STATUS_OK)
        return status;
    status = net->module.open(&net->stack, &options, fault);
    if (status != STATUS_OK)
        module_unload(&net->module);
    return status;
}

enum status net_dpdk_open(struct net **opened, struct dpdk *dpdk, uint32_t shard,
                          struct net *kernel, const struct ring *ring, uint32_t connections_max,
                          const struct clock *clock, struct fault *fault)
{
    struct net_dpdk *net = calloc(1, sizeof *net);
    enum status status = STATUS_OK;
    if (!net) {
        status = fault_set(fault, STATUS_FULL, "no memory for the network");
    } else {
        *net = (struct net_dpdk){.net.calls = &dpdk_calls,
                                 .dpdk = dpdk,
                                 .kernel = kernel,
                                 .ring = ring,
                                 .shard = shard,
                                 .clock = clock,
                                 .turn_ns = clock_monotonic_ns(clock),
                                 .sleep_ns = SLEEP_NS_MIN};
        status = port_enter(dpdk->port, shard, kernel, &net->wire, fault);
    }
    if (status == STATUS_OK) {
        status = open_stack(net, connections_max, fault);
        if (status != STATUS_OK)
            port_leave(dpdk->port, shard);
    }
    if (status != STATUS_OK) {
        kernel->calls->deinit(kernel);
        free(net);
        return status;
    }
    *opened = &net->net;
    return STATUS_OK;
}
