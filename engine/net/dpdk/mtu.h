/* How long the packets of a port are. */
#ifndef ENGINE_NET_DPDK_MTU_H
#define ENGINE_NET_DPDK_MTU_H

#include "engine/net/dpdk/port.h"

/* Of a frame around its packet, at most, with what drivers like to have behind it. */
#define MTU_FRAME_OVERHEAD 64u

/* Sets the MTU that the options ask for, or finds out which one the port has. For a port that is
 * configured and not started. CONFIG: it takes no such packets; SYSTEM: it does not say. */
enum status mtu_agree(const struct dpdk_options *options, uint16_t port, const char *driver,
                      uint16_t *mtu, struct fault *fault) MUST_CHECK;

#endif
