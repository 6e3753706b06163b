/* Where lwIP's memory comes from: pools of a few sizes, bounded, made when the net opens.
 *
 * lwIP calls stack_memory_take and _give (lwip/lwipopts.h). A pool that is empty says no, and lwIP
 * passes that on: what was to be sent waits. Under the address sanitizer each block is one of
 * malloc's, so that its use after it was freed is seen. */
#ifndef ENGINE_NET_DPDK_STACK_MEMORY_H
#define ENGINE_NET_DPDK_STACK_MEMORY_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

/* The largest blocks: for a frame, and for a jumbo frame. */
#define STACK_MEMORY_FRAME_BYTES 1664u
#define STACK_MEMORY_JUMBO_BYTES 9280u

/* Enough for so many connections; they share it. A frame for each, and `kept_bytes` of these
 * blocks, come on top. FULL: no memory. */
enum status stack_memory_open(uint32_t connections, uint64_t kept_bytes) MUST_CHECK;
/* Everything must have been given back. */
void stack_memory_close(void);

/* What lwIP calls. NULL: the pools that would do are empty. */
void *stack_memory_take(size_t size);
void *stack_memory_take_zeroed(size_t count, size_t size);
void stack_memory_give(void *block);

#endif
