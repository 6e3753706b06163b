#include "engine/net/dpdk/net_stack.h"

#include <limits.h>
#include <string.h>

static const uint8_t *bytes_of(const union net_address *address)
{
    return address->any.sa_family == AF_INET ? (const uint8_t *)&address->ipv4.sin_addr
                                             : address->ipv6.sin6_addr.s6_addr;
}

/* Alike in their first bits, or in as many as there are. */
static bool is_alike(const union net_address *a, const union net_address *b, unsigned bits)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    unsigned size = a->any.sa_family == AF_INET ? 4 : 16;
    unsigned whole = bits / 8 < size ? bits / 8 : size;
    const uint8_t *left = bytes_of(a), *right = bytes_of(b);
    return memcmp(left, right, whole) == 0 &&
           (whole == size || (left[whole] ^ right[whole]) >> (8 - bits % 8) == 0);
}

bool net_stack_has(const struct net_stack_address *addresses, unsigned count,
                   const union net_address *address)
{
    for (unsigned i = 0; i < count; i++)
        if (is_alike(&addresses[i].address, address, UINT_MAX))
            return true;
    return false;
}

bool net_stack_is_near(const struct net_stack_address *addresses, unsigned count,
                       const union net_address *address)
{
    for (unsigned i = 0; i < count; i++)
        if (is_alike(&addresses[i].address, address, addresses[i].prefix_bits))
            return true;
    return false;
}
