#include "engine/net/dpdk/frame.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

enum {
    ETHERNET_BYTES = 14,
    IPV4_BYTES = 20,
    IPV6_BYTES = 40,
    TCP_BYTES = 20,
    TYPE_IPV4 = 0x0800,
    TYPE_ARP = 0x0806,
    TYPE_IPV6 = 0x86DD,
    PROTOCOL_ICMP = 1,
    PROTOCOL_TCP = 6,
    PROTOCOL_ICMPV6 = 58,
    OPTION_END = 0,
    OPTION_NOTHING = 1,
    /* RFC 4861: routers' words are for hosts that find their way by them, and we are told ours */
    ICMPV6_NEIGHBOUR_SOLICITATION = 135,
    ICMPV6_NEIGHBOUR_ADVERTISEMENT = 136,
    ICMPV6_ROUTER_FIRST = 133,
    ICMPV6_REDIRECT = 137,
};

static uint16_t number(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

/* Each option within the header: lwIP takes their lengths on trust. */
static bool options_are_sound(const uint8_t *data, uint32_t header)
{
    uint32_t at = TCP_BYTES;
    while (at < header && data[at] != OPTION_END) {
        if (data[at] == OPTION_NOTHING) {
            at++;
            continue;
        }
        if (header - at < 2 || data[at + 1] < 2 || data[at + 1] > header - at)
            return false;
        at += data[at + 1];
    }
    return true;
}

/* `size` bytes of a segment, as the IP header has them. */
static enum frame_kind look_tcp(const uint8_t *data, uint32_t size, struct frame_view *view)
{
    if (size < TCP_BYTES)
        return FRAME_USELESS;
    uint32_t header = (data[12] >> 4) * 4u;
    if (header < TCP_BYTES || header > size || !options_are_sound(data, header))
        return FRAME_USELESS;
    memcpy(&view->source_port, data, 2);
    memcpy(&view->destination_port, data + 2, 2);
    memcpy(&view->sequence, data + 4, 4);
    view->sequence = ntohl(view->sequence);
    view->payload_bytes = size - header;
    view->flags = data[13];
    return FRAME_TCP;
}

static enum frame_kind look_ipv4(const uint8_t *data, uint32_t size, struct frame_view *view)
{
    if (size < IPV4_BYTES || data[0] >> 4 != 4)
        return FRAME_USELESS;
    uint32_t header = (data[0] & 15) * 4u, total = number(data + 2);
    if (header < IPV4_BYTES || total < header || total > size || number(data + 6) & 0x3FFF)
        return FRAME_USELESS;
    if (data[9] == PROTOCOL_ICMP)
        return FRAME_ECHO;
    if (data[9] != PROTOCOL_TCP)
        return FRAME_USELESS;
    view->source = data + 12;
    view->destination = data + 16;
    view->address_bytes = 4;
    return look_tcp(data + header, total - header, view);
}

static enum frame_kind look_icmpv6(const uint8_t *data, uint32_t size)
{
    if (size < 4)
        return FRAME_USELESS;
    if (data[0] == ICMPV6_NEIGHBOUR_SOLICITATION || data[0] == ICMPV6_NEIGHBOUR_ADVERTISEMENT)
        return FRAME_NEIGHBOUR;
    return data[0] >= ICMPV6_ROUTER_FIRST && data[0] <= ICMPV6_REDIRECT ? FRAME_USELESS
                                                                        : FRAME_ECHO;
}

static enum frame_kind look_ipv6(const uint8_t *data, uint32_t size, struct frame_view *view)
{
    if (size < IPV6_BYTES || data[0] >> 4 != 6)
        return FRAME_USELESS;
    uint32_t payload = number(data + 4);
    if (payload > size - IPV6_BYTES)
        return FRAME_USELESS;
    if (data[6] == PROTOCOL_ICMPV6)
        return look_icmpv6(data + IPV6_BYTES, payload);
    if (data[6] != PROTOCOL_TCP)
        return FRAME_USELESS;
    view->source = data + 8;
    view->destination = data + 24;
    view->address_bytes = 16;
    return look_tcp(data + IPV6_BYTES, payload, view);
}

enum frame_kind frame_look(const uint8_t *frame, uint32_t size, struct frame_view *view)
{
    if (size < ETHERNET_BYTES)
        return FRAME_USELESS;
    const uint8_t *data = frame + ETHERNET_BYTES;
    switch (number(frame + 12)) {
    case TYPE_IPV4:
        return look_ipv4(data, size - ETHERNET_BYTES, view);
    case TYPE_IPV6:
        return look_ipv6(data, size - ETHERNET_BYTES, view);
    case TYPE_ARP:
        return FRAME_NEIGHBOUR;
    default:
        return FRAME_USELESS;
    }
}
