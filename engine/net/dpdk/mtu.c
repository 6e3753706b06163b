#include "engine/net/dpdk/mtu.h"

#include <inttypes.h>
#include <rte_ethdev.h>
#include <stdlib.h>

#define SIZE_STEP 512u /* of buffers, in what we propose */

/* The driver of memif knows nothing of an MTU: a frame fits its buffers, or is lost on the way. */
static int set_memif(const char *arguments, uint32_t wanted)
{
    const char *bsize = arguments ? strstr(arguments, "bsize=") : NULL;
    unsigned long room = bsize ? strtoul(bsize + strlen("bsize="), NULL, 10) : 0;
    return room < wanted + MTU_FRAME_OVERHEAD ? -EMSGSIZE : 0;
}

static int set(const struct dpdk_options *options, uint16_t port, const char *driver)
{
    int error = rte_eth_dev_set_mtu(port, (uint16_t)options->mtu);
    return error == -ENOTSUP && strcmp(driver, "net_memif") == 0
               ? set_memif(options->arguments, options->mtu)
               : error;
}

enum status mtu_agree(const struct dpdk_options *options, uint16_t port, const char *driver,
                      uint16_t *mtu, struct fault *fault)
{
    uint32_t wanted = options->mtu;
    int error = rte_eth_dev_get_mtu(port, mtu);
    if (error != 0)
        return fault_set(fault, STATUS_SYSTEM,
                         "--io dpdk: the port does not say how long its packets are: %s",
                         rte_strerror(-error));
    if (wanted == 0 || wanted == *mtu)
        return STATUS_OK;
    error = set(options, port, driver);
    if (error == -EMSGSIZE)
        return fault_set(fault, STATUS_CONFIG,
                         "--dpdk-mtu: %" PRIu32 " with net_memif needs buffers of as much: say "
                         "bsize=%" PRIu32 " or more in its --vdev, at both ends",
                         wanted, (uint32_t)RTE_ALIGN(wanted + MTU_FRAME_OVERHEAD, SIZE_STEP));
    if (error != 0)
        return fault_set(fault, STATUS_CONFIG, "--dpdk-mtu: %s takes no packets of %" PRIu32 ": %s",
                         driver, wanted, rte_strerror(-error));
    *mtu = (uint16_t)wanted;
    return STATUS_OK;
}
