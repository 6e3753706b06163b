/* The network past the kernel: a port of DPDK and a TCP of our own, next to the kernel's network.
 *
 * One port per process, with one queue per shard or with frames handed from shard to shard; one
 * stack per shard. The net of a shard is two in one: what listens on an address of the port, or
 * connects to anything but this machine itself, goes through the port, everything else through the
 * kernel's network that was given. What of 127/8 is in the port's network is not this machine then,
 * but the other end of a cable within it. The net polls both, and enters the kernel only when there
 * is something to do there; after a while in which nothing came it sleeps for moments.
 *
 * A program that was built without DPDK has these calls too, and dpdk_open says so. */
#ifndef ENGINE_NET_DPDK_NET_DPDK_H
#define ENGINE_NET_DPDK_NET_DPDK_H

#include "engine/net/dpdk/net_stack.h"

#define DPDK_IDLE_US_DEFAULT 500u
#define DPDK_MTU_MIN 1280u /* what IPv6 asks of every link: RFC 8200 section 5 */
#define DPDK_MTU_MAX 9000u

struct dpdk_options {
    bool wanted;           /* without it nothing else counts */
    const char *arguments; /* of DPDK's environment, as in a shell; NULL: none */
    uint32_t port;         /* its number */
    uint32_t mtu;          /* bytes of a packet; 0: as the port has it */
    bool unchecked;        /* segments without checksums: for memif, at both ends */
    uint32_t idle_us;      /* sleeps at most so long while nothing comes; 0: never sleeps */
    uint32_t link_wait_ms; /* so long the other end may take to come up before we begin */
    struct net_stack_address addresses[NET_STACK_ADDRESSES_MAX];
    unsigned addresses_count;
    union net_address gateways[2]; /* IPv4, IPv6 */
};

/* Nothing wanted, nothing given. */
void dpdk_options_default(struct dpdk_options *options);

/* "192.0.2.1/24", "2001:db8::1/64", added to the options; gateways without a length. USAGE with a
 * line that names `text`. */
enum status dpdk_options_add_address(struct dpdk_options *options, const char *text,
                                     struct fault *fault) MUST_CHECK;
enum status dpdk_options_add_gateway(struct dpdk_options *options, const char *text,
                                     struct fault *fault) MUST_CHECK;

struct dpdk;
struct ring;

/* Starts the environment and the port, once in a process. CONFIG, SYSTEM, DENIED with a line that
 * says what to do. */
enum status dpdk_open(struct dpdk **dpdk, const struct dpdk_options *options, uint32_t shards,
                      struct fault *fault) MUST_CHECK;
/* After all its nets were deinitialised. */
void dpdk_close(struct dpdk *dpdk);
/* Whether `address` is one of the port's. */
bool dpdk_has(const struct dpdk *dpdk, const union net_address *address);
/* "net_memif, 1 queue, MTU 1500" */
const char *dpdk_text(const struct dpdk *dpdk);

/* The net of one shard, on its thread. Takes the kernel's network over: it is deinitialised with
 * this one, or on failure. `ring` is the shard's: a turn in which it did something was work. FULL,
 * SYSTEM with a line. */
enum status net_dpdk_open(struct net **net, struct dpdk *dpdk, uint32_t shard, struct net *kernel,
                          const struct ring *ring, uint32_t connections_max,
                          const struct clock *clock, struct fault *fault) MUST_CHECK;

#endif
