#include "engine/load/drain.h"

#include "base/invariant.h"
#include "base/ring.h"
#include "engine/load/collector.h"
#include "engine/net/net_uring.h"

#include <signal.h>
#include <sys/resource.h>
#include <time.h>

enum {
    RING_ENTRIES = 4096,
    RECEIVE_BUFFERS = 1024,
    LINK_WAIT_MS = 5000,
    RECEIVE_BUFFER_BYTES = 16384,
    SPARE_CONNECTIONS = 64,
    LOOK_MS = 250,
};

struct drain {
    const struct drain_options *options;
    struct drain_observer observer;
    struct account *account;
    struct ring ring;
    struct dpdk *dpdk; /* NULL: the kernel's network alone */
    struct net *net;
    struct collector collector;
    struct drain_report *report;
    uint64_t start_ns;
};

void drain_options_default(struct drain_options *options)
{
    *options = (struct drain_options){
        .password = "mailrace",
        .connections = 32,
        .message_bytes_max = 2ull << 30,
        .timeout_ms = 60000,
    };
    dpdk_options_default(&options->dpdk);
    options->dpdk.link_wait_ms = LINK_WAIT_MS;
}

const char *drain_finding_name(enum drain_finding finding)
{
    static const char *const names[DRAIN_FINDINGS] = {
        [DRAIN_LOST] = "lost",           [DRAIN_DUPLICATED] = "duplicated",
        [DRAIN_CORRUPTED] = "corrupted", [DRAIN_UNKNOWN] = "unknown",
        [DRAIN_UNREAD] = "unread",       [DRAIN_UNDELETED] = "undeleted",
    };
    INVARIANT(finding < DRAIN_FINDINGS);
    return names[finding];
}

/* What the system allows: connections beyond that wait for others to end. */
static void allow_files(void)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static enum status open_net(struct drain *drain, struct fault *fault)
{
    enum status status = ring_open(&drain->ring, RING_ENTRIES, fault);
    if (status != STATUS_OK)
        return status;
    if (drain->options->dpdk.wanted)
        status = dpdk_open(&drain->dpdk, &drain->options->dpdk, 1, fault);
    if (status != STATUS_OK)
        return status;
    const struct net_uring_options net = {
        .connections_max = drain->options->connections + SPARE_CONNECTIONS,
        .buffers = RECEIVE_BUFFERS,
        .buffer_bytes = RECEIVE_BUFFER_BYTES,
    };
    struct net *kernel;
    status = net_uring_open(&kernel, &drain->ring, &net, fault);
    if (status == STATUS_OK && drain->dpdk != NULL)
        return net_dpdk_open(&drain->net, drain->dpdk, 0, kernel, &drain->ring, net.connections_max,
                             &clock_system, fault);
    if (status == STATUS_OK)
        drain->net = kernel;
    return status;
}

static void close_net(struct drain *drain)
{
    if (drain->net != NULL)
        drain->net->calls->deinit(drain->net);
    if (drain->dpdk != NULL)
        dpdk_close(drain->dpdk);
    collector_close(&drain->collector);
    if (drain->ring.handlers_count > 0)
        ring_close(&drain->ring);
}

static void look(struct drain *drain, uint64_t now_ns)
{
    const struct drain_observer *observer = &drain->observer;
    drain->report->seconds = (double)(now_ns - drain->start_ns) / (double)NS_PER_S;
    if (observer->progress != NULL)
        observer->progress(observer->context, drain->report);
}

/* Until all is read, or a signal comes. */
static void collect(struct drain *drain, const sigset_t *signals)
{
    const struct timespec at_once = {0};
    uint64_t next_ns = drain->start_ns;
    while (!collector_is_over(&drain->collector)) {
        uint64_t now_ns = clock_monotonic_ns(&clock_system);
        if (now_ns >= next_ns) {
            next_ns = now_ns + LOOK_MS * NS_PER_MS;
            look(drain, now_ns);
            if (sigtimedwait(signals, NULL, &at_once) > 0) {
                drain->report->interrupted = true;
                collector_stop(&drain->collector);
            }
        }
        collector_turn(&drain->collector, LOOK_MS * NS_PER_MS);
    }
    look(drain, clock_monotonic_ns(&clock_system));
}

static enum status run(struct drain *drain, struct fault *fault)
{
    const struct collector_options options = {
        .drain = drain->options,
        .observer = &drain->observer,
        .account = drain->account,
        .clock = &clock_system,
    };
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    enum status status = open_net(drain, fault);
    drain->start_ns = clock_monotonic_ns(&clock_system);
    if (status == STATUS_OK)
        status = collector_open(&drain->collector, &options, drain->net, drain->report, fault);
    if (status == STATUS_OK) {
        pthread_sigmask(SIG_BLOCK, &signals, &before);
        collect(drain, &signals);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        char address[NET_ADDRESS_TEXT_BYTES];
        if (drain->report->gave_up && drain->collector.connected == 0)
            status = fault_set(fault, STATUS_NETWORK, "%s: no connection",
                               net_address_text(&drain->options->target.address, address));
    }
    close_net(drain);
    return status;
}

static bool tell_lost(void *context, struct span mailbox, struct span id)
{
    const struct drain_observer *observer = context;
    observer->found(observer->context, DRAIN_LOST, mailbox, id);
    return true;
}

enum status drain_run(const struct drain_options *options, const struct drain_observer *observer,
                      struct drain_report *report, struct fault *fault)
{
    INVARIANT(options->connections > 0);
    struct drain drain = {.options = options, .observer = *observer, .report = report};
    *report = (struct drain_report){0};
    enum status status = account_open(&drain.account, options->ledger_path, fault);
    if (status != STATUS_OK)
        return status;
    allow_files();
    status = run(&drain, fault);
    account_totals(drain.account, &report->totals);
    if (status == STATUS_OK && observer->found != NULL)
        account_each_lost(drain.account, tell_lost, &drain.observer);
    account_close(drain.account);
    return status;
}
