/* Positions count bytes since the queue was opened and never wrap (2^64); their low bits are the
 * place in `bytes`. Every frame is a header and its bytes, rounded up to 8; a frame that would
 * reach over the end is preceded by a header saying SKIP, and starts again at the beginning.
 *
 * Invariant: head ≤ tail ≤ head + size. Only the writer stores the tail, only the reader the
 * head; each keeps its last sight of the other's, and reads anew only when that is not enough. */
#include "base/spsc.h"

#include "base/invariant.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define CACHE_LINE_BYTES 64
#define QUEUE_BYTES_MIN 4096u
#define QUEUE_BYTES_MAX ((size_t)1 << 40)
#define SKIP UINT64_MAX

struct spsc {
    alignas(CACHE_LINE_BYTES) size_t bytes; /* read-only after open */

    alignas(CACHE_LINE_BYTES) _Atomic uint64_t tail; /* the writer's half */
    uint64_t reserved;                               /* where the tail goes on publish */
    uint64_t head_seen;

    alignas(CACHE_LINE_BYTES) _Atomic uint64_t head; /* the reader's half */
    uint64_t consumed;                               /* where the head goes on consume */
    uint64_t tail_seen;

    alignas(CACHE_LINE_BYTES) uint8_t ring[];
};

#define HEADER_BYTES sizeof(uint64_t)

static uint64_t frame_bytes(uint64_t size)
{
    return (HEADER_BYTES + size + 7) & ~(uint64_t)7;
}

static uint64_t *header_at(struct spsc *queue, uint64_t position)
{
    return (uint64_t *)(void *)(queue->ring + (position & (queue->bytes - 1)));
}

/* Bytes from `position` to the end of the ring: at least 8. */
static uint64_t bytes_to_end(const struct spsc *queue, uint64_t position)
{
    return queue->bytes - (position & (queue->bytes - 1));
}

enum status spsc_open(struct spsc **queue, size_t bytes)
{
    if (bytes > QUEUE_BYTES_MAX)
        return STATUS_FULL;
    size_t rounded = QUEUE_BYTES_MIN;
    while (rounded < bytes)
        rounded *= 2;
    struct spsc *made = mmap(NULL, sizeof *made + rounded, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED)
        return STATUS_FULL;
    made->bytes = rounded;
    *queue = made;
    return STATUS_OK;
}

void spsc_close(struct spsc *queue)
{
    if (queue != NULL)
        munmap(queue, sizeof *queue + queue->bytes);
}

void *spsc_reserve(struct spsc *queue, size_t size)
{
    INVARIANT(size <= queue->bytes / 4);
    uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    uint64_t need = frame_bytes(size);
    uint64_t to_end = bytes_to_end(queue, tail);
    uint64_t skip = need > to_end ? to_end : 0;

    uint64_t end = tail + skip + need;
    if (end - queue->head_seen > queue->bytes) {
        queue->head_seen = atomic_load_explicit(&queue->head, memory_order_acquire);
        INVARIANT(tail - queue->head_seen <= queue->bytes);
        if (end - queue->head_seen > queue->bytes)
            return NULL;
    }
    if (skip > 0)
        *header_at(queue, tail) = SKIP;
    uint64_t *header = header_at(queue, tail + skip);
    *header = size;
    queue->reserved = end;
    return header + 1;
}

void spsc_publish(struct spsc *queue)
{
    INVARIANT(queue->reserved > atomic_load_explicit(&queue->tail, memory_order_relaxed));
    atomic_store_explicit(&queue->tail, queue->reserved, memory_order_release);
}

bool spsc_has_room(struct spsc *queue, uint32_t count, size_t size)
{
    INVARIANT(size <= queue->bytes / 4);
    uint64_t tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    uint64_t need = frame_bytes(size) * ((uint64_t)count + 1); /* one more may be skipped */
    if (tail - queue->head_seen + need <= queue->bytes)
        return true;
    queue->head_seen = atomic_load_explicit(&queue->head, memory_order_acquire);
    return tail - queue->head_seen + need <= queue->bytes;
}

struct span spsc_peek(struct spsc *queue)
{
    uint64_t head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    if (head == queue->tail_seen) {
        queue->tail_seen = atomic_load_explicit(&queue->tail, memory_order_acquire);
        INVARIANT(queue->tail_seen - head <= queue->bytes);
        if (head == queue->tail_seen)
            return (struct span){0};
    }
    if (*header_at(queue, head) == SKIP)
        head += bytes_to_end(queue, head);
    const uint64_t *header = header_at(queue, head);
    queue->consumed = head + frame_bytes(*header);
    INVARIANT(queue->consumed <= queue->tail_seen);
    return span_of(header + 1, *header);
}

void spsc_consume(struct spsc *queue)
{
    INVARIANT(queue->consumed > atomic_load_explicit(&queue->head, memory_order_relaxed));
    atomic_store_explicit(&queue->head, queue->consumed, memory_order_release);
}
