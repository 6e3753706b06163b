/* One io_uring, the event loop's only door to the kernel; network and disk of a shard share it.
 *
 * Made on the thread that uses it (SINGLE_ISSUER, DEFER_TASKRUN). Whoever issues operations
 * registers a handler and gets an operation number; a completion carries that number and a 56-bit
 * token of the issuer's choice back to it. Nothing is submitted per operation: ring_turn submits
 * everything at once, waits, and dispatches what has completed. ring_wake is the only call for
 * other threads. */
#ifndef BASE_RING_H
#define BASE_RING_H

#include "base/status.h"

#include <liburing.h>
#include <stdbool.h>

#define RING_OPERATIONS_MAX 24
#define RING_TOKEN_BITS 56

typedef void ring_complete(void *context, uint64_t token, int32_t result, uint32_t flags);

struct ring {
    struct io_uring uring;
    struct {
        ring_complete *complete;
        void *context;
    } handlers[RING_OPERATIONS_MAX];
    unsigned handlers_count;
    unsigned setup_flags; /* IORING_SETUP_*, the set that the kernel took */
    int wake_fd;          /* eventfd, read by the ring itself */
    uint64_t wake_count;  /* the eventfd's buffer */
    uint32_t awake; /* atomic: sleeping, running or woken (ring.c), so that wakes cost little */
    uint64_t submitted, completed;      /* operations, for metrics and tests */
    uint32_t gather_us, gather_enough;  /* see ring_gather */
    bool often;                         /* completions came often lately, */
    uint64_t often_ns, often_completed; /* … measured since then */
};

/* SQ entries are a power of two; the CQ has four times as many. SYSTEM with a line that says what
 * denies io_uring (io_uring_disabled, seccomp, RLIMIT_MEMLOCK) and what to do about it. */
enum status ring_open(struct ring *ring, unsigned entries, struct fault *fault) MUST_CHECK;
void ring_close(struct ring *ring);

/* Returns the operation number for `ring_tag`. More than RING_OPERATIONS_MAX (the ring's own wake
 * included) is a bug. */
unsigned ring_register(struct ring *ring, ring_complete *complete, void *context);

/* A submission entry; submits early by itself if the queue is full (to chain entries by
 * IOSQE_IO_LINK ask for room first: io_uring_sq_space_left). The caller fills it with
 * io_uring_prep_* BEFORE ring_tag, as those may clear user_data; an entry without a tag is a bug:
 *     struct io_uring_sqe *sqe = ring_sqe(ring);
 *     io_uring_prep_read(sqe, …);
 *     ring_tag(sqe, operation, token); */
struct io_uring_sqe *ring_sqe(struct ring *ring);

static inline void ring_tag(struct io_uring_sqe *sqe, unsigned operation, uint64_t token)
{
    io_uring_sqe_set_data64(sqe, (uint64_t)operation << RING_TOKEN_BITS | token);
}

/* One turn: submits all, waits at most `wait_ns` (0: not at all; UINT64_MAX: until something
 * happens) for a first completion or a wake, dispatches every completion there is. Returns how
 * many, which may be 0 before the time is over (a wake, a signal). Handlers may call ring_sqe,
 * never ring_turn. */
unsigned ring_turn(struct ring *ring, uint64_t wait_ns);

#define RING_GATHER_MAX 64u

/* While completions come often, lets them come together for `us` microseconds, or until there are
 * `enough` (1 to RING_GATHER_MAX) more than operations were handed over, most of which end at once,
 * before a turn goes on: fewer turns and less CPU, each completion later by as much. 0: never, as
 * at first. False: the kernel can't (before 6.12). */
bool ring_gather(struct ring *ring, uint32_t us, unsigned enough);

/* Any thread: makes a waiting (or the next) ring_turn return. What the thread wrote before it, the
 * loop sees after that turn. Costs a system call only when the loop sleeps. */
void ring_wake(struct ring *ring);

#endif
