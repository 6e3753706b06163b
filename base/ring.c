/* Waking without a lost wake and without a system call when nobody sleeps.
 *
 * `awake` says what the loop does: RUNNING, SLEEPING (about to wait, or waiting), or WOKEN
 * (somebody asked since the loop last looked). It only changes by atomic exchanges, so all of them
 * have one order, the same for every thread:
 *   - ring_wake exchanges in WOKEN. If it finds SLEEPING, it also writes to the eventfd, whose read
 *     is always pending on the ring while it waits. If it finds RUNNING or WOKEN, the loop has yet
 *     to exchange and will find WOKEN.
 *   - ring_turn goes to sleep by RUNNING → SLEEPING, which fails on WOKEN: then it does not wait.
 *   - After waiting ring_turn exchanges in RUNNING, and returns. That takes the mark away.
 * So every wake either keeps the loop from waiting, ends its wait, or comes after that wait, and
 * then the loop takes the mark before it returns or finds it in its next turn. Each exchange is
 * acquire and release: what a thread published before its wake is seen by the loop once the turn
 * that took the mark has returned. */
#include "base/ring.h"

#include "base/clock.h"
#include "base/invariant.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { SLEEPING, RUNNING, WOKEN };

#define WAKE_OPERATION 0u

#define FEATURE_MIN_TIMEOUT (1u << 15) /* IORING_FEAT_MIN_TIMEOUT, Linux 6.12 */
#define OFTEN 3u
#define MEASURE_NS NS_PER_MS

/* What the ring is asked to do, newest first: a kernel that knows less refuses with EINVAL, and
 * then goes without. Left out: SQPOLL, which loses without a spare core per shard. */
static const unsigned optional_flags[] = {
    IORING_SETUP_DEFER_TASKRUN, /* completions are worked out when we ask, in one go (6.1) */
    IORING_SETUP_SINGLE_ISSUER, /* one thread submits: less locking, DEFER needs it (6.0) */
    IORING_SETUP_TASKRUN_FLAG,  /* see without a call whether there is such work (5.19) */
    IORING_SETUP_COOP_TASKRUN,  /* no interrupt for it (5.19) */
    IORING_SETUP_SUBMIT_ALL,    /* one bad entry does not stop those after it (5.18) */
    IORING_SETUP_CLAMP,         /* too many entries: as many as possible (5.6) */
    0,
};

static int setup(struct io_uring *uring, unsigned entries, unsigned *flags_taken)
{
    unsigned flags = IORING_SETUP_CQSIZE;
    for (const unsigned *flag = optional_flags; *flag != 0; flag++)
        flags |= *flag;
    for (const unsigned *flag = optional_flags;; flag++) {
        struct io_uring_params parameters = {.flags = flags, .cq_entries = entries * 4};
        int result = io_uring_queue_init_params(entries, uring, &parameters);
        if (result == 0)
            *flags_taken = flags;
        if (result != -EINVAL || *flag == 0)
            return result;
        flags &= ~*flag;
    }
}

/* The value of kernel.io_uring_disabled, '0' where there is none (before 6.6). */
static char io_uring_disabled(void)
{
    char value = '0';
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    if (file != NULL) {
        int got = fgetc(file);
        value = got == EOF ? '0' : (char)got;
        fclose(file);
    }
    return value;
}

static enum status explain(struct fault *fault, int error)
{
    const char *text = strerrordesc_np(error); /* for any thread, unlike strerror */
    if (error == EPERM && io_uring_disabled() != '0')
        return fault_set(fault, STATUS_SYSTEM,
                         "io_uring: %s: the sysctl kernel.io_uring_disabled is %c: set it to 0, or "
                         "to 1 and add this user to the group kernel.io_uring_group",
                         text, io_uring_disabled());
    if (error == EPERM || error == EACCES || error == ENOSYS)
        return fault_set(fault, STATUS_SYSTEM,
                         "io_uring: %s: a seccomp filter (containers) or an old kernel denies it: "
                         "allow io_uring_setup, io_uring_enter and io_uring_register, on Linux 6.1 "
                         "or newer",
                         text);
    if (error == ENOMEM)
        return fault_set(
            fault, STATUS_SYSTEM,
            "io_uring: %s: raise the limit on locked memory (ulimit -l, LimitMEMLOCK=)", text);
    if (error == EMFILE || error == ENFILE)
        return fault_set(fault, STATUS_SYSTEM,
                         "io_uring: %s: raise the limit on open files (ulimit -n, LimitNOFILE=)",
                         text);
    return fault_set(fault, STATUS_SYSTEM, "io_uring: %s: Linux 6.1 or newer is needed", text);
}

/* As io_uring_submit_and_wait_timeout, but comes back with a first completion only once `gather_us`
 * are over, or enough have come. liburing 2.3 knows neither the field (then still padding) nor
 * how to pass it. */
static int enter_gathering(struct ring *ring, struct __kernel_timespec *wait)
{
    struct io_uring_sq *sq = &ring->uring.sq;
    sq->sqe_head = sq->sqe_tail;
    __atomic_store_n(sq->ktail, sq->sqe_tail, __ATOMIC_RELEASE);
    unsigned queued = sq->sqe_tail - __atomic_load_n(sq->khead, __ATOMIC_ACQUIRE);
    struct io_uring_getevents_arg argument = {.pad = ring->gather_us,
                                              .ts = (uint64_t)(uintptr_t)wait};
    unsigned enough = queued + ring->gather_enough;
    return io_uring_enter2((unsigned)ring->uring.ring_fd, queued, enough,
                           IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (void *)&argument,
                           sizeof argument);
}

/* Hands over what is queued and, unless `wait_ns` is 0, waits for a completion. Returns liburing's
 * result: a negative errno when nothing was handed over or nothing came. */
static int enter(struct ring *ring, uint64_t wait_ns)
{
    unsigned queued = io_uring_sq_ready(&ring->uring);
    int result;
    if (wait_ns == 0) {
        result = io_uring_submit_and_get_events(&ring->uring);
    } else if (wait_ns == UINT64_MAX && !ring->often) {
        result = io_uring_submit_and_wait(&ring->uring, 1);
    } else {
        struct __kernel_timespec wait = {.tv_sec = (long long)(wait_ns / NS_PER_S),
                                         .tv_nsec = (long long)(wait_ns % NS_PER_S)};
        struct io_uring_cqe *first;
        result = ring->often
                     ? enter_gathering(ring, &wait)
                     : io_uring_submit_and_wait_timeout(&ring->uring, &first, 1, &wait, NULL);
    }
    ring->submitted += queued - io_uring_sq_ready(&ring->uring);
    return result;
}

/* What fails for lack of memory (EAGAIN) or of room for completions (EBUSY), or by a signal, is
 * left for the next turn: the entries stay queued. After anything else (EBADR: completions were
 * dropped) operations are out whose end would never be known. */
static void enter_or_later(struct ring *ring, uint64_t wait_ns)
{
    int result = enter(ring, wait_ns);
    INVARIANT(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN ||
              result == -EBUSY);
}

static void arm_wake(struct ring *ring)
{
    struct io_uring_sqe *sqe = ring_sqe(ring);
    io_uring_prep_read(sqe, ring->wake_fd, &ring->wake_count, sizeof ring->wake_count, 0);
    ring_tag(sqe, WAKE_OPERATION, 0);
}

static void woken(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    (void)token, (void)result, (void)flags;
    arm_wake(context);
}

enum status ring_open(struct ring *ring, unsigned entries, struct fault *fault)
{
    INVARIANT(entries > 0);
    *ring = (struct ring){.awake = RUNNING};
    ring->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (ring->wake_fd < 0)
        return explain(fault, errno);
    int result = setup(&ring->uring, entries, &ring->setup_flags);
    if (result < 0)
        goto close_wake;
    /* Saves a file lookup per call; a kernel without it (before 5.18) works all the same. */
    (void)io_uring_register_ring_fd(&ring->uring);

    unsigned operation = ring_register(ring, woken, ring);
    INVARIANT(operation == WAKE_OPERATION);
    arm_wake(ring);
    result = enter(ring, 0); /* whether we may use it at all shows here, not in the loop */
    if (result < 0)
        goto exit_uring;
    return STATUS_OK;

exit_uring:
    io_uring_queue_exit(&ring->uring);
close_wake:
    close(ring->wake_fd);
    return explain(fault, -result);
}

void ring_close(struct ring *ring)
{
    io_uring_queue_exit(&ring->uring);
    close(ring->wake_fd);
}

unsigned ring_register(struct ring *ring, ring_complete *complete, void *context)
{
    INVARIANT(ring->handlers_count < RING_OPERATIONS_MAX);
    ring->handlers[ring->handlers_count].complete = complete;
    ring->handlers[ring->handlers_count].context = context;
    return ring->handlers_count++;
}

struct io_uring_sqe *ring_sqe(struct ring *ring)
{
    struct io_uring_sqe *sqe;
    while ((sqe = io_uring_get_sqe(&ring->uring)) == NULL)
        enter_or_later(ring, 0);
    io_uring_sqe_set_data64(sqe, UINT64_MAX); /* no operation: shows who forgot ring_tag */
    return sqe;
}

static unsigned dispatch(struct ring *ring)
{
    unsigned head, count = 0;
    struct io_uring_cqe *cqe;
    io_uring_for_each_cqe(&ring->uring, head, cqe)
    {
        uint64_t operation = cqe->user_data >> RING_TOKEN_BITS;
        INVARIANT(operation < ring->handlers_count);
        uint64_t token = cqe->user_data & ((1ull << RING_TOKEN_BITS) - 1);
        ring->handlers[operation].complete(ring->handlers[operation].context, token, cqe->res,
                                           cqe->flags);
        count++;
    }
    io_uring_cq_advance(&ring->uring, count);
    ring->completed += count;
    return count;
}

/* Whether the kernel has anything to do for us right now. */
static bool must_enter(const struct ring *ring)
{
    if (io_uring_sq_ready(&ring->uring) > 0 || !(ring->setup_flags & IORING_SETUP_TASKRUN_FLAG))
        return true;
    unsigned flags = __atomic_load_n(ring->uring.sq.kflags, __ATOMIC_RELAXED);
    return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

/* Often: OFTEN and more within the time that they are given to gather. */
static void measure(struct ring *ring)
{
    uint64_t now_ns = clock_monotonic_ns(&clock_system);
    uint64_t passed_ns = now_ns - ring->often_ns;
    if (passed_ns < MEASURE_NS)
        return;
    uint64_t came = ring->completed - ring->often_completed;
    ring->often = came * ring->gather_us * 1000 >= OFTEN * passed_ns;
    ring->often_ns = now_ns;
    ring->often_completed = ring->completed;
}

bool ring_gather(struct ring *ring, uint32_t us, unsigned enough)
{
    INVARIANT(enough >= 1 && enough <= RING_GATHER_MAX);
    if (us > 0 && !(ring->uring.features & FEATURE_MIN_TIMEOUT))
        return false;
    ring->gather_us = us;
    ring->gather_enough = enough;
    ring->often = false;
    return true;
}

unsigned ring_turn(struct ring *ring, uint64_t wait_ns)
{
    uint32_t running = RUNNING;
    if (io_uring_cq_ready(&ring->uring) > 0)
        wait_ns = 0;
    if (wait_ns > 0 && !__atomic_compare_exchange_n(&ring->awake, &running, SLEEPING, false,
                                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        wait_ns = 0;
    if (wait_ns > 0 || must_enter(ring))
        enter_or_later(ring, wait_ns);
    __atomic_exchange_n(&ring->awake, RUNNING, __ATOMIC_ACQ_REL);
    unsigned count = dispatch(ring);
    if (ring->gather_us > 0)
        measure(ring);
    return count;
}

void ring_wake(struct ring *ring)
{
    if (__atomic_exchange_n(&ring->awake, WOKEN, __ATOMIC_ACQ_REL) != SLEEPING)
        return;
    uint64_t one = 1;
    ssize_t written = write(ring->wake_fd, &one, sizeof one);
    INVARIANT(written == sizeof one);
}
