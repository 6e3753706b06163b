/* Which shard a frame belongs to: the same answer for every frame of a connection.
 *
 * Toeplitz over addresses and ports, as network cards do it (Microsoft's RSS), so that a card that
 * spreads frames over its queues and the software that checks it agree. Both directions of a
 * connection hash differently: who connects out has to choose a port that leads back to it.
 * A port on which one shard alone listens is kept for it, whatever the hash. */
#ifndef ENGINE_NET_DPDK_STEER_H
#define ENGINE_NET_DPDK_STEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STEER_KEY_BYTES 52 /* as many as some cards insist on */
#define STEER_TUPLE_BYTES_MAX 36
#define STEER_ALL UINT32_MAX
#define STEER_KEPT_MAX 8

struct steer_kept {
    uint16_t port; /* in network order */
    uint32_t shard;
};

struct steer {
    uint32_t shards;
    uint32_t table[STEER_TUPLE_BYTES_MAX][256]; /* the hash of each byte at each place */
    struct steer_kept kept[STEER_KEPT_MAX];
    unsigned kept_count;
};

extern const uint8_t steer_key[STEER_KEY_BYTES];

/* For so many shards, more than 0. */
void steer_init(struct steer *steer, uint32_t shards);

/* Frames to this port of ours, in network order, are for this shard. Before there are any; beyond
 * STEER_KEPT_MAX ports it changes nothing. */
void steer_keep(struct steer *steer, uint16_t port, uint32_t shard);

/* Of the remote and local address (4 or 16 bytes each) and the ports, in network order. */
uint32_t steer_hash(const struct steer *steer, const void *remote, const void *local,
                    size_t address_bytes, uint16_t remote_port, uint16_t local_port);

/* The shard of a TCP frame that arrived; STEER_ALL for ARP and neighbour discovery, which everybody
 * has to hear; 0 for the rest. */
uint32_t steer_frame(const struct steer *steer, const uint8_t *frame, uint32_t size);

static inline uint32_t steer_shard(const struct steer *steer, uint32_t hash)
{
    return (hash & 127u) % steer->shards; /* a card's table of 128 entries, filled in turn */
}

#endif
