#include "bench/ceiling_commit.h"

#include "base/invariant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES 4096u
#define FILE_BYTES (256ull << 20)
#define ZEROES_BYTES (1u << 20)

static uint32_t round_up(uint32_t bytes)
{
    return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static void on_written(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    struct ceiling_commit *commit = context;
    struct ceiling_batch *batch = &commit->batches[token];
    (void)flags;
    commit->in_flight = false;
    if (result < 0 || (uint32_t)result != round_up(batch->size)) {
        (void)fault_set(&commit->fault, STATUS_IO, "batch write: %s",
                        result < 0 ? strerror(-result) : "incomplete");
        return;
    }
    commit->commits++;
    for (uint32_t i = 0; i < batch->waiting_count; i++)
        commit->durable(commit->context, batch->waiting[i]);
    batch->size = 0;
    batch->waiting_count = 0;
}

/* Overwriting blocks that exist costs no journal commit; writing them first is not measured. */
static enum status fill_file(int file, const char *path, struct fault *fault)
{
    struct stat found;
    if (fstat(file, &found) == 0 && (uint64_t)found.st_size >= FILE_BYTES)
        return STATUS_OK;
    void *zeroes = aligned_alloc(BLOCK_BYTES, ZEROES_BYTES);
    if (!zeroes)
        return fault_set(fault, STATUS_SYSTEM, "no memory");
    memset(zeroes, 0, ZEROES_BYTES);
    enum status status = STATUS_OK;
    for (uint64_t offset = 0; status == STATUS_OK && offset < FILE_BYTES; offset += ZEROES_BYTES) {
        ssize_t written = pwrite(file, zeroes, ZEROES_BYTES, (off_t)offset);
        if (written != (ssize_t)ZEROES_BYTES)
            status = fault_set(fault, status_from_errno(written < 0 ? errno : ENOSPC), "%s: %s",
                               path, strerror(written < 0 ? errno : ENOSPC));
    }
    free(zeroes);
    if (status == STATUS_OK && fsync(file) != 0)
        status = fault_set(fault, STATUS_IO, "%s: %s", path, strerror(errno));
    return status;
}

static enum status open_batch(struct ceiling_batch *batch, uint32_t bytes, uint32_t waiters)
{
    batch->bytes = aligned_alloc(BLOCK_BYTES, bytes);
    batch->waiting = calloc(waiters, sizeof(*batch->waiting));
    if (!batch->bytes || !batch->waiting)
        return STATUS_SYSTEM;
    memset(batch->bytes, 0, bytes);
    return STATUS_OK;
}

enum status ceiling_commit_open(struct ceiling_commit *commit, struct ring *ring, const char *path,
                                uint32_t waiters, uint32_t message_bytes, struct fault *fault)
{
    uint64_t batch_bytes = (uint64_t)waiters * message_bytes + BLOCK_BYTES;
    if (batch_bytes > FILE_BYTES)
        return fault_set(fault, STATUS_USAGE, "%u messages of %u bytes are more than a batch holds",
                         waiters, message_bytes);
    *commit = (struct ceiling_commit){.ring = ring, .batch_bytes = round_up((uint32_t)batch_bytes)};

    commit->file = open(path, O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0600);
    if (commit->file < 0)
        return fault_set(fault, status_from_errno(errno), "%s: %s", path, strerror(errno));
    enum status status = fill_file(commit->file, path, fault);
    for (unsigned i = 0; status == STATUS_OK && i < 2; i++)
        if (open_batch(&commit->batches[i], commit->batch_bytes, waiters) != STATUS_OK)
            status = fault_set(fault, STATUS_SYSTEM, "no memory for %u messages", waiters);
    if (status != STATUS_OK) {
        ceiling_commit_close(commit);
        return status;
    }
    commit->operation = ring_register(ring, on_written, commit);
    return STATUS_OK;
}

void ceiling_commit_close(struct ceiling_commit *commit)
{
    for (unsigned i = 0; i < 2; i++) {
        free(commit->batches[i].bytes);
        free(commit->batches[i].waiting);
    }
    close(commit->file);
}

void ceiling_commit_add(struct ceiling_commit *commit, struct span piece)
{
    struct ceiling_batch *batch = &commit->batches[commit->filling];
    INVARIANT(piece.size <= commit->batch_bytes - batch->size);
    memcpy(batch->bytes + batch->size, piece.data, piece.size);
    batch->size += (uint32_t)piece.size;
}

void ceiling_commit_wait(struct ceiling_commit *commit, uint32_t waiter)
{
    struct ceiling_batch *batch = &commit->batches[commit->filling];
    batch->waiting[batch->waiting_count++] = waiter;
}

void ceiling_commit_turn(struct ceiling_commit *commit)
{
    const struct ceiling_batch *batch = &commit->batches[commit->filling];
    if (commit->in_flight || batch->waiting_count == 0)
        return;
    uint32_t bytes = round_up(batch->size);
    if (commit->offset + bytes > FILE_BYTES)
        commit->offset = 0;
    struct io_uring_sqe *sqe = ring_sqe(commit->ring);
    io_uring_prep_write(sqe, commit->file, batch->bytes, bytes, commit->offset);
    sqe->rw_flags = RWF_DSYNC;
    ring_tag(sqe, commit->operation, commit->filling);
    commit->offset += bytes;
    commit->in_flight = true;
    commit->filling ^= 1;
}
