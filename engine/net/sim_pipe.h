/* The bytes under way to one end of a simulated connection: a queue that grows up to a window. */
#ifndef ENGINE_NET_SIM_PIPE_H
#define ENGINE_NET_SIM_PIPE_H

#include "base/span.h"

struct sim_pipe { /* zeroed memory is an empty pipe */
    uint8_t *bytes;
    uint32_t start, size, capacity;
};

/* Takes as much of `bytes` as the window has room for; returns how much. */
uint32_t sim_pipe_put(struct sim_pipe *pipe, struct span bytes, uint32_t window_bytes);

/* The oldest bytes, as many as lie together, at most `size_max`. */
struct span sim_pipe_front(const struct sim_pipe *pipe, uint32_t size_max);

/* The first `size` bytes have arrived. */
void sim_pipe_consume(struct sim_pipe *pipe, size_t size);
/* Drops what has not arrived. */
void sim_pipe_free(struct sim_pipe *pipe);

#endif
