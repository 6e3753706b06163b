/* The network over the kernel's TCP through the shard's io_uring: multishot accept, multishot
 * receive into one ring of provided buffers, one send in flight per connection with everything of a
 * turn in it. */
#ifndef ENGINE_NET_NET_URING_H
#define ENGINE_NET_NET_URING_H

#include "base/ring.h"
#include "engine/net/net.h"

struct net_uring_options {
    uint32_t connections_max;
    uint32_t buffers;      /* provided receive buffers, a power of two ≤ 32768 */
    uint32_t buffer_bytes; /* of each */
};

/* net_poll turns the ring, and so also completes what else uses it (the disk). All calls but wake
 * on the ring's thread; deinit before the ring is closed. FULL, SYSTEM with a line. */
enum status net_uring_open(struct net **net, struct ring *ring,
                           const struct net_uring_options *options, struct fault *fault) MUST_CHECK;

#endif
