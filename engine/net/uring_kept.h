/* Received bytes that a handler did not take: kept, in order, until it wants them.
 *
 * They stay in their receive buffers while that pins few: KEPT_BUFFERS_MAX for one connection and
 * half of all buffers together. What comes on top is copied out and the buffer goes back at once.
 * So paused connections, however many, can never take the buffers away from the others, which may
 * be the very ones that have to get on before the paused ones can. */
#ifndef ENGINE_NET_URING_KEPT_H
#define ENGINE_NET_URING_KEPT_H

#include "engine/net/uring_buffers.h"

#define KEPT_BUFFERS_MAX 4

struct kept_list { /* one connection's; zeroed memory is an empty list */
    uint16_t last; /* buffer id; the buffers form a circle, so the last one leads to the first */
    uint8_t count; /* buffers */
    bool copied;   /* after them come copied bytes */
};

struct kept_buffer {
    const uint8_t *data;
    uint32_t size;
    uint16_t next;
};

struct kept_copy {
    uint8_t *data;
    uint32_t start, size, capacity; /* bytes; [start, size) are still wanted */
};

struct kept {
    struct uring_buffers *buffers;
    struct kept_buffer *nodes; /* by buffer id */
    struct kept_copy *copies;  /* by connection slot */
    uint32_t held;             /* buffers in all lists */
};

/* For so many connections; `buffers` outlives it. FULL: no memory. */
enum status kept_init(struct kept *kept, struct uring_buffers *buffers,
                      uint32_t connections) MUST_CHECK;
void kept_deinit(struct kept *kept);

static inline bool kept_is_empty(const struct kept_list *list)
{
    return list->count == 0 && !list->copied;
}

/* Adds the end of a buffer, from `start` to `size`; takes the buffer over. `slot` is the
 * connection's, the same for all calls with this list. False, and the bytes are lost, when there is
 * no memory. */
bool kept_add(struct kept *kept, struct kept_list *list, uint32_t slot, uint16_t buffer,
              uint32_t start, uint32_t size) MUST_CHECK;

/* The oldest bytes; the list must not be empty. */
struct span kept_front(const struct kept *kept, const struct kept_list *list, uint32_t slot);

/* The first `size` (≤ kept_front's) bytes were taken. */
void kept_consume(struct kept *kept, struct kept_list *list, uint32_t slot, size_t size);

/* The connection ends: gives back whatever is kept of it. */
void kept_drop(struct kept *kept, struct kept_list *list, uint32_t slot);

#endif
