#include "engine/net/uring_buffers.h"

#include "base/invariant.h"

#include <sys/mman.h>

static size_t entries_bytes(uint32_t count)
{
    return count * sizeof(struct io_uring_buf);
}

static void add(struct uring_buffers *buffers, uint16_t id)
{
    void *memory = pool_at(&buffers->memory, id);
    io_uring_buf_ring_add(buffers->entries, memory, buffers->buffer_bytes, id,
                          io_uring_buf_ring_mask(buffers->count), (int)buffers->given);
    buffers->given++;
}

static bool register_entries(struct uring_buffers *buffers, uint32_t count, struct fault *fault)
{
    void *entries = mmap(NULL, entries_bytes(count), PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (entries == MAP_FAILED) {
        fault_set(fault, STATUS_FULL, "no memory for a ring of %u receive buffers", count);
        return false;
    }
    struct io_uring_buf_reg request = {
        .ring_addr = (uintptr_t)entries, .ring_entries = count, .bgid = buffers->group};
    int result = io_uring_register_buf_ring(&buffers->ring->uring, &request, 0);
    if (result < 0) {
        munmap(entries, entries_bytes(count));
        fault_set(fault, STATUS_SYSTEM, "io_uring refuses a ring of %u receive buffers: %s", count,
                  strerror(-result));
        return false;
    }
    buffers->entries = entries;
    io_uring_buf_ring_init(buffers->entries);
    return true;
}

enum status uring_buffers_open(struct uring_buffers *buffers, struct ring *ring, uint16_t group,
                               uint32_t count, uint32_t buffer_bytes, struct fault *fault)
{
    INVARIANT(count > 0 && count <= URING_BUFFERS_MAX && (count & (count - 1)) == 0);
    INVARIANT(buffer_bytes > 0);
    struct uring_buffers made = {
        .ring = ring, .group = group, .count = count, .buffer_bytes = buffer_bytes};
    if (pool_init(&made.memory, buffer_bytes, count) != STATUS_OK)
        return fault_set(fault, STATUS_FULL, "no memory for %u receive buffers of %u bytes", count,
                         buffer_bytes);
    if (!register_entries(&made, count, fault)) {
        pool_deinit(&made.memory);
        return fault ? fault->status : STATUS_SYSTEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        void *memory = pool_take(&made.memory);
        add(&made, (uint16_t)pool_slot(&made.memory, memory));
    }
    uring_buffers_publish(&made);
    *buffers = made;
    return STATUS_OK;
}

void uring_buffers_close(struct uring_buffers *buffers)
{
    io_uring_unregister_buf_ring(&buffers->ring->uring, buffers->group);
    munmap(buffers->entries, entries_bytes(buffers->count));
    pool_deinit(&buffers->memory);
}

uint16_t uring_buffers_take(struct uring_buffers *buffers, uint32_t cqe_flags)
{
    uint16_t id = (uint16_t)(cqe_flags >> IORING_CQE_BUFFER_SHIFT);
    INVARIANT(id < buffers->count && buffers->ours < buffers->count);
    buffers->ours++;
    return id;
}

void uring_buffers_give(struct uring_buffers *buffers, uint16_t id)
{
    INVARIANT(buffers->ours > 0);
    buffers->ours--;
    add(buffers, id);
}

void uring_buffers_publish(struct uring_buffers *buffers)
{
    if (buffers->given == 0)
        return;
    io_uring_buf_ring_advance(buffers->entries, (int)buffers->given);
    buffers->given = 0;
}
