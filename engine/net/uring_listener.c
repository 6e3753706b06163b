/* Listeners: each has one accept pending whenever connections are wanted.
 *
 * While slots are plenty it is a multishot, which hands over all that wait at once. When they get
 * scarce it takes one at a time, so that whoever has no slot waits in the system's backlog instead
 * of being accepted and closed. */
#include "base/clock.h"
#include "engine/net/socket.h"
#include "engine/net/uring.h"

#include <unistd.h>

#define SCARCE_SLOTS 64            /* … and an eighth of all */
#define RETRY_NS (100 * NS_PER_MS) /* after running out of descriptors or memory */

static bool is_scarce(const struct net_uring *net)
{
    return pool_left(&net->connections) <= SCARCE_SLOTS + net->connections.count / 8;
}

static void start(struct net_uring *net, struct uring_listener *listener)
{
    struct io_uring_sqe *sqe = ring_sqe(net->ring);
    listener->multishot = !is_scarce(net);
    if (listener->multishot)
        io_uring_prep_multishot_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
    else
        io_uring_prep_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
    uring_tag(net, sqe, URING_ACCEPT, (uint64_t)(listener - net->listeners));
    listener->accepting = true;
}

static void stop(struct net_uring *net, struct uring_listener *listener)
{
    struct io_uring_sqe *sqe = ring_sqe(net->ring);
    io_uring_prep_cancel_fd(sqe, listener->fd, IORING_ASYNC_CANCEL_ALL);
    uring_discard(net, sqe);
    listener->cancelled = true;
}

static void close_listener(struct uring_listener *listener)
{
    if (listener->address.any.sa_family == AF_UNIX)
        unlink(listener->address.local.sun_path);
    close(listener->fd);
    listener->in_use = false;
}

static void update(struct net_uring *net, struct uring_listener *listener)
{
    if (!listener->in_use)
        return;
    bool wanted = !listener->closing && !net->accept_paused && net->accept_retry_ns == 0 &&
                  pool_left(&net->connections) > 0;
    if (wanted && !listener->accepting)
        start(net, listener);
    else if (listener->accepting && !listener->cancelled &&
             (!wanted || (listener->multishot && is_scarce(net))))
        stop(net, listener);
    else if (listener->closing && !listener->accepting)
        close_listener(listener);
}

void uring_listeners_update(struct net_uring *net)
{
    for (unsigned i = 0; i < URING_LISTENERS_MAX; i++)
        update(net, &net->listeners[i]);
}

bool uring_listeners_any(const struct net_uring *net)
{
    for (unsigned i = 0; i < URING_LISTENERS_MAX; i++)
        if (net->listeners[i].in_use)
            return true;
    return false;
}

uint64_t uring_listeners_retry(struct net_uring *net, uint64_t wait_ns)
{
    uint64_t now_ns = clock_monotonic_ns(&clock_system);
    if (now_ns < net->accept_retry_ns) {
        uint64_t left_ns = net->accept_retry_ns - now_ns;
        return left_ns < wait_ns ? left_ns : wait_ns;
    }
    net->accept_retry_ns = 0;
    uring_listeners_update(net);
    return wait_ns;
}

enum status uring_listen(struct net *base, const union net_address *address,
                         const struct net_listener_options *options,
                         const struct net_handler *handler, void *context, union net_address *bound,
                         struct fault *fault)
{
    struct net_uring *net = uring_of(base);
    struct uring_listener *listener = net->listeners;
    while (listener < net->listeners + URING_LISTENERS_MAX && listener->in_use)
        listener++;
    if (listener == net->listeners + URING_LISTENERS_MAX)
        return fault_set(fault, STATUS_NETWORK, "more than %d listeners", URING_LISTENERS_MAX);
    struct uring_listener made = {.handler = handler, .context = context, .in_use = true};
    enum status status = socket_listen(address, options, fault, &made.fd, &made.address);
    if (status != STATUS_OK)
        return status;
    *listener = made;
    update(net, listener);
    if (bound)
        *bound = made.address;
    return STATUS_OK;
}

void uring_unlisten(struct net *base)
{
    struct net_uring *net = uring_of(base);
    for (unsigned i = 0; i < URING_LISTENERS_MAX; i++)
        net->listeners[i].closing = true;
    uring_listeners_update(net);
}

void uring_accept_pause(struct net *base, bool pause)
{
    struct net_uring *net = uring_of(base);
    net->accept_paused = pause;
    uring_listeners_update(net);
}

static void accepted(struct net_uring *net, const struct uring_listener *listener, int fd)
{
    union net_address peer;
    struct uring_connection *conn = NULL;
    bool present = !listener->closing && socket_peer(fd, &peer);
    if (present)
        conn = uring_connection_take(net, fd, listener->handler, listener->context);
    if (!conn) {
        net->counters.turned_away += present;
        close(fd);
    } else if (uring_connection_open(net, conn, &peer)) {
        net->counters.accepted++;
    }
    if (is_scarce(net))
        uring_listeners_update(net);
}

static void failed(struct net_uring *net, int error)
{
    uint64_t now_ns = clock_monotonic_ns(&clock_system);
    net->counters.errors++;
    if (log_allowed(&net->log_limit, now_ns, 1))
        log_warning("network: cannot accept connections: %s", strerror(error));
    net->accept_retry_ns = now_ns + RETRY_NS;
    uring_listeners_update(net);
}

void uring_accept_complete(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    struct net_uring *net = context;
    struct uring_listener *listener = &net->listeners[token];
    if (!(flags & IORING_CQE_F_MORE)) {
        listener->accepting = false;
        listener->cancelled = false;
    }
    if (result >= 0)
        accepted(net, listener, result);
    else if (socket_is_shortage(-result))
        failed(net, -result);
    /* what else ends an accept is one connection that was gone again, or our own cancel */
    if (!listener->accepting)
        update(net, listener);
}
