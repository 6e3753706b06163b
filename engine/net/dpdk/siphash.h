/* SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash that who does not have the key can't
 * predict, for sequence numbers as RFC 6528 wants them. */
#ifndef ENGINE_NET_DPDK_SIPHASH_H
#define ENGINE_NET_DPDK_SIPHASH_H

#include "base/span.h"

uint64_t siphash(struct span bytes, const uint64_t key[2]);

#endif
