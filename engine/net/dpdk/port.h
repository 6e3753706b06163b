/* A port of DPDK, as a wire for each shard.
 *
 * Every shard receives from a queue of its own as long as the port has so many; a frame that
 * belongs to another shard is handed over through a ring, and what all have to hear is copied to
 * each. So it does not matter how well the port itself spreads connections, or that one with a
 * single queue does not at all: then the first shard receives for all. Those without a queue to
 * send hand their frames to the first as well. */
#ifndef ENGINE_NET_DPDK_PORT_H
#define ENGINE_NET_DPDK_PORT_H

#include "engine/net/dpdk/net_dpdk.h"
#include "engine/net/dpdk/steer.h"
#include "engine/net/dpdk/wire.h"
#include "engine/net/net.h"

struct port;

/* As dpdk_open; `options` and `steer` outlive the port. */
enum status port_open(struct port **port, const struct dpdk_options *options,
                      const struct steer *steer, struct fault *fault) MUST_CHECK;
void port_close(struct port *port);

/* Waits until the other end is there, at most so long. False: it is not. */
bool port_await_link(const struct port *port, uint32_t wait_ms);

/* The wire of a shard, to be entered and left by its thread. `sleeper` is woken (net.h) when frames
 * are handed to this shard while it may sleep. FULL with a line. */
enum status port_enter(struct port *port, uint32_t shard, struct net *sleeper, struct wire **wire,
                       struct fault *fault) MUST_CHECK;
void port_leave(struct port *port, uint32_t shard);

/* See dpdk_text. */
const char *port_text(const struct port *port);

#endif
