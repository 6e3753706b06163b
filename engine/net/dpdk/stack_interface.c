/* The wire's side of lwIP: frames that arrive become its buffers without being copied; what it has
 * to say is copied into frames, the only time that a sent byte is. */
#include "base/fetch.h"
#include "engine/net/dpdk/stack.h"

#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/priv/tcp_priv.h>
#include <netif/ethernet.h>

#define FETCHED_TOGETHER 16u /* frames */

_Static_assert(sizeof(struct pbuf_custom) <= sizeof(((struct frame *)0)->stack),
               "a frame has room for what lwIP wants to know of it");

static void free_frame(struct pbuf *bytes)
{
    wire_give(stack_this()->wire, (struct frame *)(void *)bytes);
}

/* All shards have one address: one of them is enough to say so. */
static bool is_anothers_answer(const struct net_stack *net, const struct pbuf *bytes)
{
    const uint8_t *type = (const uint8_t *)bytes->payload + 12;
    bool arp_reply = bytes->len >= 22 && type[0] == 0x08 && type[1] == 0x06 && type[9] == 2;
    bool advertisement =
        bytes->len >= 55 && type[0] == 0x86 && type[1] == 0xDD && type[8] == 58 && type[42] == 136;
    return net->options.shard > 0 && (arp_reply || advertisement);
}

static err_t output(struct netif *netif, struct pbuf *bytes)
{
    struct net_stack *net = netif->state;
    if (is_anothers_answer(net, bytes))
        return ERR_OK;
    struct frame *frame = wire_take(net->wire, bytes->tot_len);
    if (!frame) {
        net->refused = true;
        return ERR_MEM;
    }
    u16_t size = pbuf_copy_partial(bytes, frame->data, bytes->tot_len, 0);
    frame->size = size;
    wire_send(net->wire, frame);
    return ERR_OK;
}

static err_t init(struct netif *netif)
{
    const struct net_stack *net = netif->state;
    memcpy(netif->hwaddr, net->wire->mac, sizeof net->wire->mac);
    netif->hwaddr_len = sizeof net->wire->mac;
    netif->mtu = net->wire->mtu;
    netif->mtu6 = net->wire->mtu;
    netif->name[0] = 'm';
    netif->name[1] = 'r';
    netif->output = etharp_output;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = output;
    netif->flags =
        NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    unsigned spared = net->wire->unchecked ? NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_CHECK_TCP |
                                                 NETIF_CHECKSUM_GEN_IP | NETIF_CHECKSUM_CHECK_IP
                                           : 0;
    NETIF_SET_CHECKSUM_CTRL(netif, NETIF_CHECKSUM_ENABLE_ALL & ~spared);
    return ERR_OK;
}

static void add_address(struct net_stack *net, const struct net_stack_address *ours)
{
    ip_addr_t ip;
    stack_address_in(&ours->address, &ip);
    if (IP_IS_V4_VAL(ip)) {
        ip4_addr_t mask = {
            ours->prefix_bits == 0 ? 0 : lwip_htonl(UINT32_MAX << (32 - ours->prefix_bits))};
        ip_addr_t gateway = {0};
        if (net->options.gateways[0].any.sa_family != 0)
            stack_address_in(&net->options.gateways[0], &gateway);
        netif_set_addr(&net->netif, ip_2_ip4(&ip), &mask, ip_2_ip4(&gateway));
        return;
    }
    s8_t place = 0;
    err_t error = netif_add_ip6_address(&net->netif, ip_2_ip6(&ip), &place);
    INVARIANT(error == ERR_OK);
    netif_ip6_addr_set_state(&net->netif, place, IP6_ADDR_PREFERRED);
}

void stack_interface_open(struct net_stack *net)
{
    netif_add(&net->netif, NULL, NULL, NULL, net, init, ethernet_input);
    netif_set_default(&net->netif);
    netif_set_up(&net->netif);
    netif_create_ip6_linklocal_address(&net->netif, 1);
    netif_ip6_addr_set_state(&net->netif, 0, IP6_ADDR_PREFERRED);
    for (unsigned i = 0; i < net->options.addresses_count; i++)
        add_address(net, &net->options.addresses[i]);
}

void stack_interface_close(struct net_stack *net)
{
    netif_remove(&net->netif);
}

const struct ip6_addr *stack_gateway6(struct netif *netif, const struct ip6_addr *to)
{
    (void)to;
    const union net_address *gateway = &((struct net_stack *)netif->state)->options.gateways[1];
    return gateway->any.sa_family == 0
               ? NULL
               : (const struct ip6_addr *)(const void *)&gateway->ipv6.sin6_addr;
}

/* A connection that leaves its bytes must not take everybody's memory: while too much is kept,
 * more for it is as good as lost, and the peer repeats it. */
static bool is_too_much(const struct net_stack *net, const struct frame_view *view)
{
    if (net->kept_bytes < net->options.kept_bytes || view->payload_bytes == 0)
        return false;
    const struct tcp_pcb *pcb = stack_bucket_find(view, tcp_active_pcbs);
    const struct stack_connection *conn =
        pcb && pcb->recv == stack_receive ? pcb->callback_arg : NULL;
    return conn && conn->kept;
}

/* A new connection may follow one of the same name at once, if its numbers go on upwards
 * (RFC 6191 section 2): lwIP alone would let it wait. */
static void make_way(const struct frame_view *view)
{
    struct tcp_pcb *ended = stack_bucket_find(view, tcp_tw_pcbs);
    if (ended && (int32_t)(view->sequence - ended->rcv_nxt) > 0)
        tcp_abort(ended);
}

/* Wants an answer that had no room on the wire: sent when the connection is settled. */
static void list_refused(struct net_stack *net)
{
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->recv == stack_receive)
            stack_connection_list(net, pcb->callback_arg);
}

static bool admit(struct net_stack *net, const struct frame_view *view)
{
    bool asks = (view->flags & (FRAME_SYN | FRAME_ACK | FRAME_RST)) == FRAME_SYN;
    if (!asks)
        return !is_too_much(net, view);
    make_way(view);
    return stack_bucket_find(view, tcp_active_pcbs) != NULL || stack_listener_has_room(net);
}

static void take_in(struct net_stack *net, struct frame *frame)
{
    struct pbuf_custom *custom = (struct pbuf_custom *)(void *)frame->stack;
    custom->custom_free_function = free_frame;
    struct pbuf *bytes = pbuf_alloced_custom(PBUF_RAW, (u16_t)frame->size, PBUF_REF, custom,
                                             frame->data, (u16_t)frame->size);
    if (net->netif.input(bytes, &net->netif) != ERR_OK)
        pbuf_free(bytes);
}

static void take_in_tcp(struct net_stack *net, struct frame *frame, const struct frame_view *view,
                        uint32_t bucket)
{
    if (view->flags & FRAME_SYN)
        stack_listener_make_room(net);
    stack_enter(net, bucket);
    if (admit(net, view)) {
        net->refused = false;
        take_in(net, frame);
        if (net->refused)
            list_refused(net);
    } else {
        wire_give(net->wire, frame);
    }
    stack_leave(net);
}

struct arrival { /* a frame, and what is known of it before lwIP sees it */
    struct frame *frame;
    enum frame_kind kind;
    uint32_t bucket; /* of TCP */
    struct frame_view view;
};

static void look_at(const struct net_stack *net, struct arrival *arrival)
{
    const struct frame *frame = arrival->frame;
    struct frame_view *view = &arrival->view;
    arrival->kind =
        frame->size <= UINT16_MAX ? frame_look(frame->data, frame->size, view) : FRAME_USELESS;
    if (arrival->kind != FRAME_TCP)
        return;
    arrival->bucket =
        stack_bucket_of(net, view->source, view->address_bytes, lwip_ntohs(view->source_port),
                        lwip_ntohs(view->destination_port));
    __builtin_prefetch(&net->buckets[arrival->bucket]);
}

/* With thousands of connections nothing of one is in the cache when its frame comes, and each step
 * from the frame to what is sent would wait for memory. So each step is taken for several frames at
 * once, and the waits overlap; for no more than the cache nearest by has room for. */
static void fetch_ahead(const struct net_stack *net, const struct arrival *arrivals, unsigned count)
{
    const struct tcp_pcb *pcbs[FETCHED_TOGETHER];
    for (unsigned i = 0; i < count; i++) {
        bool tcp = arrivals[i].kind == FRAME_TCP;
        pcbs[i] = tcp ? net->buckets[arrivals[i].bucket].active : NULL;
        if (pcbs[i])
            fetch(pcbs[i], sizeof *pcbs[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        if (!pcbs[i] || pcbs[i]->recv != stack_receive)
            pcbs[i] = NULL;
        else
            fetch(pcbs[i]->callback_arg, sizeof(struct stack_connection));
    }
    for (unsigned i = 0; i < count; i++) {
        if (!pcbs[i])
            continue;
        const struct stack_connection *conn = pcbs[i]->callback_arg;
        __builtin_prefetch(conn->queue.first);
        __builtin_prefetch(pcbs[i]->unacked);
        if (conn->flags & STACK_OPEN)
            net_fetch(conn->handler, conn->session, 0);
    }
    for (unsigned i = 0; i < count; i++) {
        if (!pcbs[i])
            continue;
        const struct stack_connection *conn = pcbs[i]->callback_arg;
        if (conn->queue.first)
            __builtin_prefetch(conn->queue.first->next);
        if (pcbs[i]->unacked) {
            __builtin_prefetch(pcbs[i]->unacked->p);
            __builtin_prefetch(pcbs[i]->unacked->tcphdr);
        }
        if (conn->flags & STACK_OPEN)
            net_fetch(conn->handler, conn->session, 1);
    }
}

static void take_in_any(struct net_stack *net, const struct arrival *arrival)
{
    switch (arrival->kind) {
    case FRAME_TCP:
        take_in_tcp(net, arrival->frame, &arrival->view, arrival->bucket);
        break;
    case FRAME_NEIGHBOUR:
    case FRAME_ECHO:
        take_in(net, arrival->frame);
        break;
    case FRAME_USELESS:
        wire_give(net->wire, arrival->frame);
        break;
    }
}

void stack_interface_receive(struct net_stack *net)
{
    struct frame *frames[WIRE_BURST];
    struct arrival arrivals[WIRE_BURST];
    unsigned count = wire_receive(net->wire, frames, WIRE_BURST);
    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(frames[i]->data + 12);
    for (unsigned i = 0; i < count; i++) {
        arrivals[i].frame = frames[i];
        look_at(net, &arrivals[i]);
    }
    for (unsigned i = 0, part; i < count; i += part) {
        part = count - i < FETCHED_TOGETHER ? count - i : FETCHED_TOGETHER;
        fetch_ahead(net, arrivals + i, part);
        for (unsigned j = 0; j < part; j++)
            take_in_any(net, &arrivals[i + j]);
    }
}
