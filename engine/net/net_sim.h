/* The network in a simulation: every listener, connection, byte and delay of any number of shards
 * in one thread, from one seed. A `sim_network` is the wire; each shard and each simulated client
 * opens its own net on it. Bytes arrive cut anywhere, late, with peers that stall, reset and vanish
 * at the rates given. Nothing is reordered or lost inside a connection, as TCP promises. */
#ifndef ENGINE_NET_NET_SIM_H
#define ENGINE_NET_NET_SIM_H

#include "base/clock.h"
#include "engine/net/net.h"

struct sim_network;

struct sim_network_options {
    uint64_t seed;
    uint64_t latency_ns_min, latency_ns_max;
    uint32_t segment_bytes_max;  /* received in pieces of 1 … this */
    uint32_t window_bytes;       /* a sender stalls when the peer reads nothing */
    uint32_t resets_per_million; /* per delivery: the connection is reset, both ends told */
    uint32_t stalls_per_million; /* per delivery: this direction is silent for up to 30 s */
    uint32_t connections_max;    /* per net */
};

/* `clock` is the simulation's and outlives the network. SYSTEM: no memory. */
enum status sim_network_open(struct sim_network **network,
                             const struct sim_network_options *options,
                             struct clock *clock) MUST_CHECK;
void sim_network_close(struct sim_network *network);
uint64_t sim_network_next_ns(const struct sim_network *network); /* as sim_disk_next_ns */
void sim_network_set_faults(struct sim_network *network, uint32_t resets_per_million,
                            uint32_t stalls_per_million);

/* Opens one participant. Several that listen on one address with reuse_port share its connections.
 */
enum status net_sim_open(struct net **net, struct sim_network *network) MUST_CHECK;

/* The participant's process dies: its connections are reset at the peers, nothing is called on its
 * handlers any more, unsent buffers are dropped without release; only deinit is allowed. */
void net_sim_kill(struct net *net);

#endif
