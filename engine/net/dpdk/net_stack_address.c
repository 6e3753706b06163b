#include "engine/net/dpdk/net_stack.h"

bool net_stack_has(const struct net_stack_address *addresses, unsigned count,
                   const union net_address *address)
{
    for (unsigned i = 0; i < count; i++) {
        const union net_address *ours = &addresses[i].address;
        if (ours->any.sa_family != address->any.sa_family)
            continue;
        if (ours->any.sa_family == AF_INET
                ? ours->ipv4.sin_addr.s_addr == address->ipv4.sin_addr.s_addr
                : memcmp(&ours->ipv6.sin6_addr, &address->ipv6.sin6_addr, 16) == 0)
            return true;
    }
    return false;
}
