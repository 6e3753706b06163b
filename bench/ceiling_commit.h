/* Group commit with nothing else: no checksums, no index, no records.
 *
 * Two batches: while one is being written (O_DIRECT, RWF_DSYNC, one write in flight), the other
 * fills. The file is a ring of blocks that were written before, so that a commit changes no
 * metadata. Used on the thread of its ring. */
#ifndef BENCH_CEILING_COMMIT_H
#define BENCH_CEILING_COMMIT_H

#include "base/ring.h"
#include "base/span.h"
#include "base/status.h"

struct ceiling_batch {
    uint8_t *bytes; /* block-aligned */
    uint32_t size;
    uint32_t *waiting; /* whom to answer once it is durable */
    uint32_t waiting_count;
};

struct ceiling_commit {
    struct ring *ring;
    unsigned operation;
    int file;
    uint64_t offset;
    uint32_t batch_bytes;
    struct ceiling_batch batches[2];
    unsigned filling; /* batches[filling] is open, the other may be in flight */
    bool in_flight;
    uint64_t commits;
    void (*durable)(void *context, uint32_t waiter);
    void *context;
    struct fault fault; /* a write that failed ends everything */
};

/* Room in one batch for `waiters` messages of `message_bytes`. Makes the file, or takes the one
 * there when it is large enough. FULL, DENIED, SYSTEM, … with a line that names the file. */
enum status ceiling_commit_open(struct ceiling_commit *commit, struct ring *ring, const char *path,
                                uint32_t waiters, uint32_t message_bytes,
                                struct fault *fault) MUST_CHECK;
void ceiling_commit_close(struct ceiling_commit *commit);

/* Copies a piece into the open batch. */
void ceiling_commit_add(struct ceiling_commit *commit, struct span piece);

/* The message is complete: `durable` will be called with `waiter`. */
void ceiling_commit_wait(struct ceiling_commit *commit, uint32_t waiter);

/* Once per turn: writes the open batch if none is in flight and somebody waits for it. */
void ceiling_commit_turn(struct ceiling_commit *commit);

#endif
