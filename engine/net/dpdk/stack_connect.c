/* Outgoing connections. The port that one begins at is chosen here: free, and in a net of several
 * shards such that the answer comes back to this one. */
#include "engine/net/dpdk/stack.h"

#include <lwip/priv/tcp_priv.h>

#define PORT_MIN 1024u
#define PORTS (65536u - PORT_MIN)

static err_t connected(void *context, struct tcp_pcb *pcb, err_t error)
{
    (void)pcb, (void)error;
    struct net_stack *net = stack_this();
    struct stack_connection *conn = context;
    if (conn->flags & STACK_CLOSING)
        return ERR_OK;
    conn->flags &= (uint16_t)~STACK_CONNECTING;
    if (stack_connection_open(net, conn))
        net->counters.connected++;
    return ERR_OK;
}

/* Of our addresses the first of the family. */
static bool choose_source(const struct net_stack *net, int family, union net_address *source)
{
    for (unsigned i = 0; i < net->options.addresses_count; i++) {
        if (net->options.addresses[i].address.any.sa_family != family)
            continue;
        *source = net->options.addresses[i].address;
        return true;
    }
    return false;
}

static bool leads_here(const struct net_stack *net, const struct tcp_pcb *pcb)
{
    const struct steer *steer = net->options.steer;
    if (!steer)
        return true;
    bool ipv4 = IP_IS_V4_VAL(pcb->remote_ip);
    uint32_t hash =
        steer_hash(steer,
                   ipv4 ? (const void *)&ip_2_ip4(&pcb->remote_ip)->addr
                        : (const void *)ip_2_ip6(&pcb->remote_ip)->addr,
                   ipv4 ? (const void *)&ip_2_ip4(&pcb->local_ip)->addr
                        : (const void *)ip_2_ip6(&pcb->local_ip)->addr,
                   ipv4 ? 4 : 16, lwip_htons(pcb->remote_port), lwip_htons(pcb->local_port));
    return steer_shard(steer, hash) == net->options.shard;
}

/* ERR_USE while the port is taken. */
static err_t try_port(struct net_stack *net, struct tcp_pcb *pcb, const ip_addr_t *to)
{
    if (!leads_here(net, pcb))
        return ERR_USE;
    stack_enter(net, stack_bucket_of_pcb(net, pcb));
    err_t error = tcp_connect(pcb, to, pcb->remote_port, connected);
    stack_leave(net);
    return error;
}

static err_t begin(struct net_stack *net, struct tcp_pcb *pcb, const union net_address *address,
                   const union net_address *source)
{
    ip_addr_t to;
    stack_address_in(address, &to);
    stack_address_in(source, &pcb->local_ip);
    ip_set_option(pcb, SOF_REUSEADDR); /* tcp_connect looks for a connection of the same name */
    pcb->remote_ip = to;
    pcb->remote_port = stack_address_port(address);
    err_t error = ERR_USE;
    for (unsigned tries = 0; error == ERR_USE && tries < PORTS; tries++) {
        net->port =
            (uint16_t)(net->port < PORT_MIN || net->port == UINT16_MAX ? PORT_MIN : net->port + 1u);
        pcb->local_port = net->port;
        error = try_port(net, pcb, &to);
    }
    return error;
}

static bool is_usable(const struct net_stack *net, const union net_address *address,
                      const union net_address *source)
{
    return address->any.sa_family == source->any.sa_family &&
           net_stack_has(net->options.addresses, net->options.addresses_count, source);
}

enum status stack_connect(struct net *base, const union net_address *address,
                          const union net_address *source, const struct net_handler *handler,
                          void *context, struct net_conn *name)
{
    struct net_stack *net = stack_of(base);
    if (net->stopping || net->connections.taken >= net->options.connections_max)
        return STATUS_AGAIN;
    struct tcp_pcb *pcb = tcp_new();
    if (!pcb)
        return STATUS_AGAIN;
    struct stack_connection *conn = stack_connection_take(net, handler, context);
    INVARIANT(conn);
    conn->flags |= STACK_CONNECTING | STACK_OUTGOING;
    stack_connection_bind(conn, pcb);
    union net_address ours;
    if (source)
        ours = *source;
    bool possible = (source || choose_source(net, address->any.sa_family, &ours)) &&
                    is_usable(net, address, &ours);
    if (!possible || begin(net, pcb, address, &ours) != ERR_OK)
        stack_connection_end(net, conn, NET_CLOSE_REFUSED);
    conn->bucket = stack_bucket_of_pcb(net, pcb);
    *name = stack_connection_name(net, conn);
    return STATUS_OK;
}
