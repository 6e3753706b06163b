/* A program without the way past the kernel. */
#include "engine/net/dpdk/net_dpdk.h"

enum status dpdk_open(struct dpdk **dpdk, const struct dpdk_options *options, uint32_t shards,
                      struct fault *fault)
{
    (void)dpdk, (void)options, (void)shards;
    return fault_set(fault, STATUS_CONFIG,
                     "--io dpdk: this program was built without it: install libdpdk-dev and build "
                     "with ./dev build, which fetches lwIP");
}

void dpdk_close(struct dpdk *dpdk)
{
    (void)dpdk;
}

bool dpdk_has(const struct dpdk *dpdk, const union net_address *address)
{
    (void)dpdk, (void)address;
    return false;
}

const char *dpdk_text(const struct dpdk *dpdk)
{
    (void)dpdk;
    return "";
}

enum status net_dpdk_open(struct net **net, struct dpdk *dpdk, uint32_t shard, struct net *kernel,
                          const struct ring *ring, uint32_t connections_max,
                          const struct clock *clock, struct fault *fault)
{
    (void)net, (void)shard, (void)kernel, (void)ring, (void)connections_max, (void)clock;
    return dpdk_open(&dpdk, NULL, 1, fault);
}
