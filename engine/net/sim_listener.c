/* Who connects to whom: listeners, their backlogs, and requests on their way to them. */
#include "base/invariant.h"
#include "engine/net/sim.h"

#include <stdlib.h>

static void set_port(union net_address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->ipv4.sin_port = htons(port);
    else if (address->any.sa_family == AF_INET6)
        address->ipv6.sin6_port = htons(port);
}

static bool has_port(const union net_address *address)
{
    return address->any.sa_family == AF_INET    ? address->ipv4.sin_port != 0
           : address->any.sa_family == AF_INET6 ? address->ipv6.sin6_port != 0
                                                : true;
}

enum status sim_listen(struct net *base, const union net_address *address,
                       const struct net_listener_options *options,
                       const struct net_handler *handler, void *context, union net_address *bound,
                       struct fault *fault)
{
    struct net_sim *net = (struct net_sim *)base;
    union net_address name = *address;
    if (!has_port(&name))
        set_port(&name, sim_port(net->network));
    char text[NET_ADDRESS_TEXT_BYTES];
    if (sim_is_taken(net->network, &name, options->reuse_port))
        return fault_set(fault, STATUS_NETWORK, "cannot listen on %s: address in use",
                         net_address_text(&name, text));
    struct sim_listener *listener = malloc(sizeof *listener);
    INVARIANT(listener);
    *listener = (struct sim_listener){.next = net->listeners,
                                      .handler = handler,
                                      .context = context,
                                      .address = name,
                                      .net = net,
                                      .backlog = options->backlog,
                                      .reuse_port = options->reuse_port,
                                      .open = true};
    net->listeners = listener;
    if (bound)
        *bound = name;
    return STATUS_OK;
}

void sim_unlisten(struct net *base)
{
    struct net_sim *net = (struct net_sim *)base;
    for (struct sim_listener *listener = net->listeners; listener; listener = listener->next)
        listener->open = false;
    for (struct sim_end *end = net->waiting_first; end; end = end->waiting_next)
        sim_end_kill(end);
}

static struct sim_link *make_link(struct net_sim *net, struct sim_listener *listener)
{
    struct sim_link *link = calloc(1, sizeof *link);
    INVARIANT(link);
    link->ends[0] = (struct sim_end){.link = link, .net = net, .state = SIM_CONNECTING};
    link->references = 1;
    if (listener) {
        link->ends[1] = (struct sim_end){.link = link,
                                         .net = listener->net,
                                         .handler = listener->handler,
                                         .session = listener->context,
                                         .state = SIM_WAITING};
        link->references++;
    }
    link->listener = listener;
    return link;
}

/* Where a connection to `address` comes from. */
static union net_address source_of(struct sim_network *network, const union net_address *address,
                                   const union net_address *source)
{
    union net_address from = source ? *source : *address;
    if (from.any.sa_family == AF_UNIX)
        from = (union net_address){.any.sa_family = AF_UNIX};
    else if (!source || !has_port(source))
        set_port(&from, sim_port(network));
    return from;
}

enum status sim_connect(struct net *base, const union net_address *address,
                        const union net_address *source, const struct net_handler *handler,
                        void *context, struct net_conn *conn)
{
    struct net_sim *net = (struct net_sim *)base;
    struct sim_network *network = net->network;
    if (net->stopping || net->slots_free == net->slots_count)
        return STATUS_AGAIN;
    struct sim_listener *listener = sim_find_listener(network, address);
    struct sim_link *link = make_link(net, listener);
    struct sim_end *end = &link->ends[0];
    end->handler = handler;
    end->session = context;
    end->peer = *address;
    bool taken = sim_end_take_slot(end);
    INVARIANT(taken);
    uint64_t there_ns = sim_latency_ns(network), back_ns = sim_latency_ns(network);
    if (listener) {
        link->ends[1].peer = source_of(network, address, source);
        sim_schedule(&link->ends[1], SIM_ARRIVE, there_ns);
        sim_schedule(end, SIM_CONNECTED, there_ns + back_ns);
    } else {
        sim_schedule(end, SIM_RESET, there_ns + back_ns);
    }
    *conn = end->name;
    return STATUS_OK;
}

void sim_arrive(struct sim_end *end)
{
    struct sim_listener *listener = end->link->listener;
    struct net_sim *net = end->net;
    if (!listener->open || listener->waiting >= listener->backlog) {
        sim_end_kill(end);
        return;
    }
    listener->waiting++;
    end->link->references++;
    end->waiting_next = NULL;
    if (net->waiting_first)
        net->waiting_last->waiting_next = end;
    else
        net->waiting_first = end;
    net->waiting_last = end;
}

bool sim_can_accept(const struct net_sim *net)
{
    return net->waiting_first && !net->accept_paused && net->slots_free != net->slots_count;
}

void sim_accept(struct net_sim *net)
{
    while (sim_can_accept(net)) {
        struct sim_end *end = net->waiting_first;
        struct sim_link *link = end->link;
        net->waiting_first = end->waiting_next;
        link->listener->waiting--;
        if (end->state == SIM_WAITING) {
            bool taken = sim_end_take_slot(end);
            INVARIANT(taken);
            sim_end_open(end);
        }
        sim_link_release(link);
    }
}
