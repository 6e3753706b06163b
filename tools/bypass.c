#include "tools/bypass.h"

#include <string.h>

enum status bypass_set_io(struct dpdk_options *dpdk, const char *text, struct fault *fault)
{
    dpdk->wanted = strcmp(text, "dpdk") == 0;
    if (!dpdk->wanted && strcmp(text, "auto") != 0 && strcmp(text, "uring") != 0)
        return fault_set(fault, STATUS_USAGE, "--io: '%s' is none of auto, uring and dpdk", text);
    return STATUS_OK;
}

enum status bypass_add_address(struct dpdk_options *dpdk, const char *text, struct fault *fault)
{
    struct fault why;
    if (dpdk_options_add_address(dpdk, text, &why) == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "--dpdk-address: %s", why.text);
}

enum status bypass_add_gateway(struct dpdk_options *dpdk, const char *text, struct fault *fault)
{
    struct fault why;
    if (dpdk_options_add_gateway(dpdk, text, &why) == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, STATUS_USAGE, "--dpdk-gateway: %s", why.text);
}

enum status bypass_check(const struct dpdk_options *dpdk, struct fault *fault)
{
    bool told = dpdk->addresses_count > 0 || dpdk->arguments != NULL || dpdk->port != 0 ||
                dpdk->mtu != 0 || dpdk->unchecked || dpdk->gateways[0].any.sa_family != 0 ||
                dpdk->gateways[1].any.sa_family != 0;
    if (told && !dpdk->wanted)
        return fault_set(fault, STATUS_USAGE, "--dpdk-…: only with --io dpdk");
    if (dpdk->wanted && dpdk->addresses_count == 0)
        return fault_set(fault, STATUS_USAGE, "--io dpdk needs --dpdk-address IP/LENGTH");
    return STATUS_OK;
}
