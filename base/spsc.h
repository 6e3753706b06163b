/* A bounded queue of variable-size frames between exactly two threads: one writes, one reads.
 *
 * Lamport's ring with cached indices (as in FastForward and Rigtorp's queue): the writer publishes
 * whole frames with one release store, the reader consumes them with one acquire load. A frame is
 * 8-byte aligned, never wraps, and stays valid until the reader calls spsc_consume. */
#ifndef BASE_SPSC_H
#define BASE_SPSC_H

#include "base/span.h"
#include "base/status.h"

struct spsc; /* opaque: its two halves live on separate cache lines */

/* `bytes` is rounded up to a power of two ≥ 4096. FULL when there is no memory. */
enum status spsc_open(struct spsc **queue, size_t bytes) MUST_CHECK;
void spsc_close(struct spsc *queue);

/* Writer: room for one frame of `size` bytes (≤ a quarter of the queue), or NULL when full. The
 * frame is seen by the reader only after spsc_publish; reserve again without publishing to start
 * over. */
void *spsc_reserve(struct spsc *queue, size_t size);
void spsc_publish(struct spsc *queue);
/* Writer: whether `count` frames of `size` bytes or less would find room now, one after another. */
bool spsc_has_room(struct spsc *queue, uint32_t count, size_t size);

/* Reader: the oldest frame, size 0 and data NULL when the queue is empty; then consume it. */
struct span spsc_peek(struct spsc *queue);
void spsc_consume(struct spsc *queue);

#endif
