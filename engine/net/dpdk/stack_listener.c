/* Listeners, and the bounds that hold before lwIP would have to: so many connections that have only
 * asked, of which the oldest makes room, and so many that are up.
 *
 * lwIP's side of a listener is kept for good, since connections that have only asked refer to it;
 * not to listen means that lwIP does not find it. */
#include "engine/net/dpdk/stack.h"

#include <lwip/priv/tcp_priv.h>

#define PORT_FIRST 49152u /* of those that the system chooses, RFC 6335 section 6 */

/* ------------------------------------------------------- connections that have only asked ---- */

static void half_unlink(struct net_stack *net, struct stack_half *half)
{
    *(half->older ? &half->older->newer : &net->oldest) = half->newer;
    *(half->newer ? &half->newer->older : &net->newest) = half->older;
    pool_give(&net->halves, half);
}

static void half_gone(u8_t id, void *data)
{
    (void)id;
    half_unlink(stack_this(), data);
}

static const struct tcp_ext_arg_callbacks half_callbacks = {.destroy = half_gone};

static err_t half_opened(u8_t id, struct tcp_pcb_listen *listener, struct tcp_pcb *pcb)
{
    (void)listener;
    struct net_stack *net = stack_this();
    struct stack_half *half = pool_take(&net->halves);
    if (!half)
        return ERR_MEM;
    *half = (struct stack_half){.pcb = pcb, .older = net->newest};
    *(net->newest ? &net->newest->newer : &net->oldest) = half;
    net->newest = half;
    tcp_ext_arg_set_callbacks(pcb, id, &half_callbacks);
    tcp_ext_arg_set(pcb, id, half);
    return ERR_OK;
}

static const struct tcp_ext_arg_callbacks listener_callbacks = {.passive_open = half_opened};

bool stack_listener_has_room(const struct net_stack *net)
{
    return pool_left(&net->halves) > 0 && pool_left(&net->connections) > net->halves.taken;
}

void stack_listener_make_room(struct net_stack *net)
{
    if (!net->oldest || stack_listener_has_room(net))
        return;
    stack_enter(net, stack_bucket_of_pcb(net, net->oldest->pcb));
    tcp_abandon(net->oldest->pcb, 0);
    stack_leave(net);
}

/* ---------------------------------------------------------------------------- accepting ---- */

static bool may_open(const struct net_stack *net)
{
    return !net->accept_paused && net->opened < net->options.connections_max;
}

static void open_now(struct net_stack *net, struct stack_connection *conn)
{
    if (!stack_connection_open(net, conn))
        return;
    net->counters.accepted++;
    if (conn->kept || conn->flags & STACK_PEER_FINISHED)
        stack_receive_kept(net, conn);
}

static void wait_in_line(struct net_stack *net, struct stack_connection *conn)
{
    uint32_t slot = stack_slot(net, conn);
    conn->flags |= STACK_WAITING;
    conn->waiting_next = STACK_NO_SLOT;
    if (net->waiting.first == STACK_NO_SLOT)
        net->waiting.first = slot;
    else
        stack_at(net, net->waiting.last)->waiting_next = slot;
    net->waiting.last = slot;
}

static err_t accepted(void *context, struct tcp_pcb *pcb, err_t error)
{
    struct net_stack *net = stack_this();
    const struct stack_listener *listener = context;
    if (error != ERR_OK || !pcb || !listener->open || net->stopping)
        return ERR_VAL;
    struct stack_connection *conn =
        stack_connection_take(net, listener->handler, listener->context);
    if (!conn)
        return ERR_MEM;
    half_unlink(net, tcp_ext_arg_get(pcb, 0));
    stack_connection_bind(conn, pcb);
    conn->bucket = net->bucket; /* its frame was looked for there */
    if (may_open(net) && net->waiting.first == STACK_NO_SLOT)
        open_now(net, conn);
    else
        wait_in_line(net, conn);
    return ERR_OK;
}

void stack_listener_accept(struct net_stack *net)
{
    while (net->waiting.first != STACK_NO_SLOT) {
        struct stack_connection *conn = stack_at(net, net->waiting.first);
        bool over = conn->flags & STACK_CLOSING;
        if (!over && !may_open(net))
            return;
        net->waiting.first = conn->waiting_next;
        conn->flags &= (uint16_t)~STACK_WAITING;
        if (over)
            stack_connection_list(net, conn);
        else
            open_now(net, conn);
    }
}

/* ---------------------------------------------------------------------------- listening ---- */

static bool is_same(const union net_address *a, const union net_address *b)
{
    return a->any.sa_family == b->any.sa_family && memcmp(a, b, net_address_size(a)) == 0;
}

static struct stack_listener *find(struct net_stack *net, const union net_address *address)
{
    for (unsigned i = 0; i < net->listeners_count; i++)
        if (is_same(&net->listeners[i].address, address))
            return &net->listeners[i];
    return NULL;
}

static void set_port(union net_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->ipv4.sin_port = lwip_htons(port);
    else
        address->ipv6.sin6_port = lwip_htons(port);
}

/* The address as it will be, with a port in place of 0. */
static bool resolve(struct net_stack *net, const union net_address *address,
                    union net_address *resolved)
{
    if (!net_stack_has(net->options.addresses, net->options.addresses_count, address))
        return false;
    memset(resolved, 0, sizeof *resolved);
    memcpy(resolved, address, net_address_size(address));
    for (unsigned i = 0; stack_address_port(resolved) == 0; i++) {
        set_port(resolved, (uint16_t)(PORT_FIRST + i));
        const struct stack_listener *taken = find(net, resolved);
        if (taken && taken->open)
            set_port(resolved, 0);
    }
    return true;
}

static struct stack_listener *make(struct net_stack *net, const union net_address *address)
{
    ip_addr_t ip;
    stack_address_in(address, &ip);
    struct tcp_pcb *pcb = net->listeners_count < STACK_LISTENERS_MAX ? tcp_new() : NULL;
    if (!pcb)
        return NULL;
    struct stack_listener *listener = &net->listeners[net->listeners_count];
    if (tcp_bind(pcb, &ip, stack_address_port(address)) != ERR_OK)
        return NULL;
    tcp_ext_arg_set_callbacks(pcb, 0, &listener_callbacks);
    struct tcp_pcb *listening = tcp_listen(pcb);
    if (!listening)
        return NULL;
    *listener = (struct stack_listener){.pcb = listening, .address = *address};
    tcp_arg(listening, listener);
    tcp_accept(listening, accepted);
    net->listeners_count++;
    return listener;
}

static void show(struct stack_listener *listener)
{
    struct tcp_pcb_listen *pcb = (struct tcp_pcb_listen *)listener->pcb;
    pcb->next = tcp_listen_pcbs.listen_pcbs;
    tcp_listen_pcbs.listen_pcbs = pcb;
}

enum status stack_listen(struct net *base, const union net_address *address,
                         const struct net_listener_options *options,
                         const struct net_handler *handler, void *context, union net_address *bound,
                         struct fault *fault)
{
    (void)options; /* the bounds are those of the net; every shard has all ports */
    struct net_stack *net = stack_of(base);
    char text[NET_ADDRESS_TEXT_BYTES];
    union net_address resolved;
    if (!resolve(net, address, &resolved))
        return fault_set(fault, STATUS_NETWORK, "cannot listen on %s: not an address of the port",
                         net_address_text(address, text));
    struct stack_listener *listener = find(net, &resolved);
    if (listener && listener->open)
        return fault_set(fault, STATUS_NETWORK, "cannot listen on %s: address already in use",
                         net_address_text(address, text));
    if (listener)
        show(listener);
    else
        listener = make(net, &resolved);
    if (!listener)
        return fault_set(fault, STATUS_NETWORK, "cannot listen on %s: no room for more listeners",
                         net_address_text(address, text));
    listener->handler = handler;
    listener->context = context;
    listener->open = true;
    if (bound)
        *bound = resolved;
    return STATUS_OK;
}

void stack_unlisten(struct net *base)
{
    struct net_stack *net = stack_of(base);
    for (unsigned i = 0; i < net->listeners_count; i++)
        net->listeners[i].open = false;
    tcp_listen_pcbs.listen_pcbs = NULL;
}
