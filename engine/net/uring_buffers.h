/* The receive buffers of one net: a ring that the kernel takes from as bytes arrive.
 *
 * A buffer is the kernel's until a completion names it, then ours until uring_buffers_give. What is
 * given back becomes the kernel's with the next uring_buffers_publish, all at once. So nothing is
 * held for a connection on which nothing arrives. */
#ifndef ENGINE_NET_URING_BUFFERS_H
#define ENGINE_NET_URING_BUFFERS_H

#include "base/pool.h"
#include "base/ring.h"
#include "base/span.h"

#define URING_BUFFERS_MAX 32768u

struct uring_buffers {
    struct ring *ring;
    struct io_uring_buf_ring *entries; /* shared with the kernel */
    struct pool memory;                /* every buffer, by its id */
    uint32_t count, buffer_bytes;
    uint32_t given; /* back, but not yet published */
    uint32_t ours;  /* named by a completion and not yet given back */
    uint16_t group; /* the kernel's name for this ring of buffers */
};

/* `count`: a power of two ≤ URING_BUFFERS_MAX. `group` must be the ring's only one of that number.
 * FULL, SYSTEM with a line. */
enum status uring_buffers_open(struct uring_buffers *buffers, struct ring *ring, uint16_t group,
                               uint32_t count, uint32_t buffer_bytes,
                               struct fault *fault) MUST_CHECK;
/* No receive may be pending. */
void uring_buffers_close(struct uring_buffers *buffers);

/* The buffer named by a completion with these flags is ours now. */
uint16_t uring_buffers_take(struct uring_buffers *buffers, uint32_t cqe_flags);

static inline const uint8_t *uring_buffers_at(const struct uring_buffers *buffers, uint16_t id)
{
    return pool_at(&buffers->memory, id);
}

void uring_buffers_give(struct uring_buffers *buffers, uint16_t id);
void uring_buffers_publish(struct uring_buffers *buffers);

/* Buffers that the kernel can still fill, as far as completions have told. */
static inline uint32_t uring_buffers_left(const struct uring_buffers *buffers)
{
    return buffers->count - buffers->ours;
}

#endif
