/* The network over a wire: a TCP of our own (lwIP), in user space, behind net.h.
 *
 * lwIP keeps its state in globals, so one copy of this code serves one net: module.h loads as many
 * copies as there are shards. Received frames are lent to handlers as they came; what is sent is
 * referred to until the peer has acknowledged it, and released then; little things are copied.
 * Nothing waits: net_poll ignores `wait_ns`, and who has nothing else to do may sleep between polls
 * for a while. */
#ifndef ENGINE_NET_DPDK_NET_STACK_H
#define ENGINE_NET_DPDK_NET_STACK_H

#include "base/clock.h"
#include "engine/net/dpdk/steer.h"
#include "engine/net/dpdk/wire.h"
#include "engine/net/net.h"

#define NET_STACK_ADDRESSES_MAX 8
#define NET_STACK_KEPT_BYTES_DEFAULT (256u << 20)

struct net_stack_address {
    union net_address address; /* its port is ignored */
    uint8_t prefix_bits;
};

struct net_stack_options {
    struct wire *wire; /* outlives the net */
    const struct clock *clock;
    uint32_t connections_max;
    uint32_t half_open_max; /* connections that have only asked; the oldest makes room */
    uint32_t kept_bytes;    /* received and not taken yet, of all connections together */
    uint32_t leave_ms;      /* deinit waits so long for the peers to have all that was said */
    uint32_t slot_first;    /* names of connections begin with this slot */
    uint64_t seed;          /* of sequence numbers and ports; a secret */
    struct net_stack_address addresses[NET_STACK_ADDRESSES_MAX]; /* ours: one of IPv4 at most */
    unsigned addresses_count;
    union net_address gateways[2]; /* IPv4, IPv6; family 0: none */
    const struct steer *steer;     /* which shard gets which connection; NULL: all are ours */
    uint32_t shard;                /* of those; only shard 0 answers ARP, NDP and echo requests */
};

/* FULL: no memory. One net at a time in each copy of this code, of which it is the only entry. */
__attribute__((visibility("default"))) enum status
net_stack_open(struct net **net, const struct net_stack_options *options,
               struct fault *fault) MUST_CHECK;

/* Whether `address` is one of these, whatever its port. */
bool net_stack_has(const struct net_stack_address *addresses, unsigned count,
                   const union net_address *address);
/* Whether it is in the network of one of these: reached without a gateway. */
bool net_stack_is_near(const struct net_stack_address *addresses, unsigned count,
                       const union net_address *address);

#endif
