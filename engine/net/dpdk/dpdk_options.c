/* Addresses of a port as people write them. */
#include "engine/net/dpdk/net_dpdk.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

void dpdk_options_default(struct dpdk_options *options)
{
    *options = (struct dpdk_options){.idle_us = DPDK_IDLE_US_DEFAULT};
}

static bool parse_host(const char *host, union net_address *address)
{
    memset(address, 0, sizeof *address);
    if (inet_pton(AF_INET, host, &address->ipv4.sin_addr) == 1)
        address->any.sa_family = AF_INET;
    else if (inet_pton(AF_INET6, host, &address->ipv6.sin6_addr) == 1)
        address->any.sa_family = AF_INET6;
    return address->any.sa_family != 0;
}

static bool parse_bits(const char *digits, const union net_address *address, uint8_t *bits)
{
    char *end;
    unsigned long value = strtoul(digits, &end, 10);
    if (digits[0] < '0' || digits[0] > '9' || *end != '\0' || value == 0)
        return false;
    if (address->any.sa_family == AF_INET6) /* what is next door is told by the first 64 bits */
        return (*bits = (uint8_t)value) == 64 && value == 64;
    *bits = (uint8_t)value;
    return value <= 32;
}

static bool has_ipv4(const struct dpdk_options *options)
{
    for (unsigned i = 0; i < options->addresses_count; i++)
        if (options->addresses[i].address.any.sa_family == AF_INET)
            return true;
    return false;
}

enum status dpdk_options_add_address(struct dpdk_options *options, const char *text,
                                     struct fault *fault)
{
    char host[64];
    const char *slash = strchr(text, '/');
    struct net_stack_address made = {0};
    if (!slash || (size_t)(slash - text) >= sizeof host)
        return fault_set(fault, STATUS_USAGE, "'%.100s' is not IP/LENGTH, as 192.0.2.1/24", text);
    snprintf(host, sizeof host, "%.*s", (int)(slash - text), text);
    if (!parse_host(host, &made.address))
        return fault_set(fault, STATUS_USAGE, "'%.100s' does not begin with an IP address", text);
    if (!parse_bits(slash + 1, &made.address, &made.prefix_bits))
        return fault_set(fault, STATUS_USAGE,
                         "'%.100s': the length must be 1 to 32, and 64 with IPv6", text);
    if (options->addresses_count == NET_STACK_ADDRESSES_MAX - 1)
        return fault_set(fault, STATUS_USAGE, "more than %d addresses",
                         NET_STACK_ADDRESSES_MAX - 1);
    if (made.address.any.sa_family == AF_INET && has_ipv4(options))
        return fault_set(fault, STATUS_USAGE, "'%.100s' would be the second of IPv4", text);
    options->addresses[options->addresses_count++] = made;
    return STATUS_OK;
}

enum status dpdk_options_add_gateway(struct dpdk_options *options, const char *text,
                                     struct fault *fault)
{
    union net_address gateway;
    if (!parse_host(text, &gateway))
        return fault_set(fault, STATUS_USAGE, "'%.100s' is not an IP address", text);
    options->gateways[gateway.any.sa_family == AF_INET6] = gateway;
    return STATUS_OK;
}
