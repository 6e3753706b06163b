#include "engine/net/dpdk/stack.h"

void stack_address_in(const union net_address *address, ip_addr_t *out)
{
    memset(out, 0, sizeof *out);
    if (address->any.sa_family == AF_INET) {
        IP_SET_TYPE_VAL(*out, IPADDR_TYPE_V4);
        ip_2_ip4(out)->addr = address->ipv4.sin_addr.s_addr;
    } else {
        IP_SET_TYPE_VAL(*out, IPADDR_TYPE_V6);
        memcpy(ip_2_ip6(out)->addr, &address->ipv6.sin6_addr, 16);
    }
}

uint16_t stack_address_port(const union net_address *address)
{
    return lwip_ntohs(address->any.sa_family == AF_INET ? address->ipv4.sin_port
                                                        : address->ipv6.sin6_port);
}

void stack_address_out(const ip_addr_t *ip, uint16_t port, union net_address *out)
{
    memset(out, 0, sizeof *out);
    if (IP_IS_V4(ip)) {
        out->ipv4.sin_family = AF_INET;
        out->ipv4.sin_addr.s_addr = ip_2_ip4(ip)->addr;
        out->ipv4.sin_port = lwip_htons(port);
    } else {
        out->ipv6.sin6_family = AF_INET6;
        memcpy(&out->ipv6.sin6_addr, ip_2_ip6(ip)->addr, 16);
        out->ipv6.sin6_port = lwip_htons(port);
    }
}
