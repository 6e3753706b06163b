#include "engine/net/sim_pipe.h"

#include "base/invariant.h"

#include <stdlib.h>

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void grow(struct sim_pipe *pipe, uint32_t size, uint32_t window_bytes)
{
    uint32_t capacity = size > window_bytes / 2 ? window_bytes : size * 2;
    uint8_t *bytes = malloc(capacity);
    INVARIANT(bytes);
    uint32_t together = least(pipe->size, pipe->capacity - pipe->start);
    if (pipe->size > 0) {
        memcpy(bytes, pipe->bytes + pipe->start, together);
        memcpy(bytes + together, pipe->bytes, pipe->size - together);
    }
    free(pipe->bytes);
    *pipe = (struct sim_pipe){.bytes = bytes, .size = pipe->size, .capacity = capacity};
}

uint32_t sim_pipe_put(struct sim_pipe *pipe, struct span bytes, uint32_t window_bytes)
{
    INVARIANT(pipe->size <= window_bytes);
    uint32_t room = window_bytes - pipe->size;
    uint32_t taken = bytes.size < room ? (uint32_t)bytes.size : room;
    if (taken == 0)
        return 0;
    if (pipe->size + taken > pipe->capacity)
        grow(pipe, pipe->size + taken, window_bytes);
    uint32_t end = (pipe->start + pipe->size) % pipe->capacity;
    uint32_t together = least(taken, pipe->capacity - end);
    memcpy(pipe->bytes + end, bytes.data, together);
    memcpy(pipe->bytes, bytes.data + together, taken - together);
    pipe->size += taken;
    return taken;
}

struct span sim_pipe_front(const struct sim_pipe *pipe, uint32_t size_max)
{
    uint32_t together = least(pipe->size, pipe->capacity - pipe->start);
    return span_of(pipe->bytes + pipe->start, least(together, size_max));
}

void sim_pipe_consume(struct sim_pipe *pipe, size_t size)
{
    INVARIANT(size <= pipe->size);
    pipe->size -= (uint32_t)size;
    pipe->start = pipe->size == 0 ? 0 : (uint32_t)((pipe->start + size) % pipe->capacity);
}

void sim_pipe_free(struct sim_pipe *pipe)
{
    free(pipe->bytes);
    *pipe = (struct sim_pipe){0};
}
