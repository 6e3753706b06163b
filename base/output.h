/* Where a session writes its replies: a fixed buffer lent by the shard for one call.
 *
 * A session asks output_room before it starts a reply and stops consuming input when there is too
 * little: that is the whole of its backpressure. Appending beyond the capacity is a bug. */
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/invariant.h"
#include "base/span.h"

struct output {
    uint8_t *data;
    uint32_t size, capacity; /* bytes */
};

static inline uint32_t output_room(const struct output *out)
{
    return out->capacity - out->size;
}

static inline void output_add(struct output *out, struct span bytes)
{
    INVARIANT(bytes.size <= output_room(out));
    if (bytes.size > 0) /* an empty span may have no data, which memcpy may not be given */
        memcpy(out->data + out->size, bytes.data, bytes.size);
    out->size += (uint32_t)bytes.size;
}

/* The number in decimal. */
void output_add_number(struct output *out, uint64_t number);

/* printf for the cold paths, at most 1023 bytes; what does not fit is a bug. */
void output_print(struct output *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
