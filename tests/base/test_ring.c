#include "tests/check_main.h"

#include "base/clock.h"
#include "base/ring.h"
#include "base/spsc.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ENTRIES 8u
#define TOKEN_MAX ((1ull << RING_TOKEN_BITS) - 1)
#define FOREVER UINT64_MAX

static struct ring ring;

/* What one handler saw. */
struct seen {
    unsigned count;
    uint64_t token, token_sum;
    int32_t result;
    unsigned chain; /* as many more from within the handler */
    unsigned operation;
};

static void submit_nop(unsigned operation, uint64_t token)
{
    struct io_uring_sqe *sqe = ring_sqe(&ring);
    io_uring_prep_nop(sqe);
    ring_tag(sqe, operation, token);
}

static void note(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    (void)flags;
    struct seen *seen = context;
    seen->count++;
    seen->token = token;
    seen->token_sum += token;
    seen->result = result;
    if (seen->chain > 0) {
        seen->chain--;
        submit_nop(seen->operation, 1);
    }
}

static void open_ring(void)
{
    struct fault fault = {.text = "?"};
    ck_assert_msg(ring_open(&ring, ENTRIES, &fault) == STATUS_OK, "%s", fault.text);
}

static void close_ring(void)
{
    ring_close(&ring);
}

static uint64_t now_ns(void)
{
    return clock_monotonic_ns(&clock_system);
}

START_TEST(four_completions_per_submission)
{
    ck_assert(ring.setup_flags & IORING_SETUP_CQSIZE);
    ck_assert_uint_eq(*ring.uring.sq.kring_entries, ENTRIES);
    ck_assert_uint_eq(*ring.uring.cq.kring_entries, 4 * ENTRIES);
}
END_TEST

START_TEST(completions_find_their_handler)
{
    struct seen a = {0}, b = {0};
    unsigned first = ring_register(&ring, note, &a), second = ring_register(&ring, note, &b);
    ck_assert_uint_ne(first, second);
    uint64_t submitted = ring.submitted, completed = ring.completed;
    submit_nop(first, TOKEN_MAX);
    submit_nop(second, 0);
    ck_assert_uint_eq(ring_turn(&ring, FOREVER), 2);
    ck_assert_uint_eq(a.count, 1);
    ck_assert_uint_eq(a.token, TOKEN_MAX);
    ck_assert_uint_eq(b.count, 1);
    ck_assert_uint_eq(b.token, 0);
    ck_assert_uint_eq(ring.submitted - submitted, 2);
    ck_assert_uint_eq(ring.completed - completed, 2);
}
END_TEST

START_TEST(results_are_passed_on)
{
    struct seen seen = {0};
    unsigned operation = ring_register(&ring, note, &seen);
    char byte;
    struct io_uring_sqe *sqe = ring_sqe(&ring);
    io_uring_prep_read(sqe, -1, &byte, 1, 0);
    ring_tag(sqe, operation, 5);
    ck_assert_uint_eq(ring_turn(&ring, FOREVER), 1);
    ck_assert_int_eq(seen.result, -EBADF);
}
END_TEST

/* Nothing would end its wait but the test's timeout. */
START_TEST(zero_does_not_wait)
{
    for (unsigned i = 0; i < 100; i++)
        ck_assert_uint_eq(ring_turn(&ring, 0), 0);
}
END_TEST

START_TEST(waits_no_less_than_asked)
{
    uint64_t before = now_ns();
    ck_assert_uint_eq(ring_turn(&ring, 20 * NS_PER_MS), 0);
    ck_assert_uint_ge(now_ns() - before, 20 * NS_PER_MS);
}
END_TEST

/* The read completes by task work, which DEFER_TASKRUN leaves until the ring is entered for it:
 * when the kernel raises its flag, or, on kernels without that, every time. */
START_TEST(zero_runs_deferred_work)
{
    if (_i == 1)
        ring.setup_flags &= ~IORING_SETUP_TASKRUN_FLAG;
    struct seen seen = {0};
    unsigned operation = ring_register(&ring, note, &seen);
    int fds[2];
    char byte = 0;
    ck_assert_int_eq(pipe(fds), 0);
    struct io_uring_sqe *sqe = ring_sqe(&ring);
    io_uring_prep_read(sqe, fds[0], &byte, 1, 0);
    ring_tag(sqe, operation, 0);
    ck_assert_uint_eq(ring_turn(&ring, 0), 0);
    ck_assert_int_eq(write(fds[1], "x", 1), 1);
    for (unsigned turn = 0; turn < 10 && seen.count == 0; turn++)
        ring_turn(&ring, 0);
    ck_assert_uint_eq(seen.count, 1);
    ck_assert_int_eq(seen.result, 1);
    ck_assert_int_eq(byte, 'x');
    close(fds[0]);
    close(fds[1]);
}
END_TEST

/* Far more than both queues hold: the first overflows into early submissions, the second into the
 * kernel's memory. Nothing is lost. */
START_TEST(more_than_the_queues_hold)
{
    struct seen seen = {0};
    unsigned operation = ring_register(&ring, note, &seen);
    for (uint64_t token = 1; token <= 1000; token++)
        submit_nop(operation, token);
    for (unsigned turn = 0; turn < 1000 && seen.count < 1000; turn++)
        ring_turn(&ring, 0);
    ck_assert_uint_eq(seen.count, 1000);
    ck_assert_uint_eq(seen.token_sum, 1000 * 1001 / 2);
    ck_assert_uint_eq(ring_turn(&ring, 0), 0);
}
END_TEST

START_TEST(handlers_may_submit)
{
    struct seen seen = {.chain = 500};
    seen.operation = ring_register(&ring, note, &seen);
    for (unsigned i = 0; i < ENTRIES; i++)
        submit_nop(seen.operation, 1);
    for (unsigned turn = 0; turn < 1000 && seen.count < 500 + ENTRIES; turn++)
        ring_turn(&ring, NS_PER_MS);
    ck_assert_uint_eq(seen.count, 500 + ENTRIES);
}
END_TEST

START_TEST(wake_before_the_turn_ends_it_once)
{
    ring_wake(&ring);
    ring_wake(&ring);
    ring_turn(&ring, FOREVER);
    uint64_t before = now_ns();
    ck_assert_uint_eq(ring_turn(&ring, 20 * NS_PER_MS), 0);
    ck_assert_uint_ge(now_ns() - before, 20 * NS_PER_MS);
}
END_TEST

START_TEST(busy_wakes_cost_no_system_call)
{
    for (unsigned i = 0; i < 1000; i++) {
        ring_wake(&ring);
        ring_turn(&ring, 0);
    }
    struct pollfd written = {.fd = ring.wake_fd, .events = POLLIN};
    ck_assert_int_eq(poll(&written, 1, 0), 0);
    ck_assert_uint_eq(ring.completed, 0);
}
END_TEST

#define HANDOVERS 20000u

struct handover {
    struct spsc *queue;
    uint32_t taken; /* atomic */
    unsigned pace;  /* 0: as fast as it goes; 1: each waits for the one before; 2: now and then */
};

static void *hand_over(void *context)
{
    struct handover *handover = context;
    for (uint32_t n = 0; n < HANDOVERS; n++) {
        uint32_t *frame;
        while ((frame = spsc_reserve(handover->queue, sizeof n)) == NULL)
            sched_yield();
        *frame = n;
        spsc_publish(handover->queue);
        ring_wake(&ring);
        while (handover->pace == 1 && __atomic_load_n(&handover->taken, __ATOMIC_ACQUIRE) != n + 1)
            sched_yield();
        if (handover->pace == 2 && n % 64 == 0)
            sched_yield();
    }
    return NULL;
}

/* The loop looks at its queue, then sleeps without limit. A lost wake would leave it asleep with a
 * frame in the queue, and the test would end by its timeout. */
START_TEST(no_wake_is_lost)
{
    struct handover handover = {.pace = (unsigned)_i};
    ck_assert(spsc_open(&handover.queue, 4096) == STATUS_OK);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, hand_over, &handover), 0);
    unsigned wrong = 0;
    for (uint32_t n = 0; n < HANDOVERS;) {
        for (struct span frame; (frame = spsc_peek(handover.queue)).data != NULL; n++) {
            wrong += frame.size != sizeof n || memcmp(frame.data, &n, sizeof n) != 0;
            spsc_consume(handover.queue);
            __atomic_store_n(&handover.taken, n + 1, __ATOMIC_RELEASE);
        }
        if (n < HANDOVERS)
            ring_turn(&ring, FOREVER);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(wrong, 0);
    spsc_close(handover.queue);
}
END_TEST

static void *write_and_wake(void *context)
{
    struct timespec pause = {.tv_nsec = 2 * (long)NS_PER_MS};
    nanosleep(&pause, NULL);
    *(unsigned *)context = 4711;
    ring_wake(&ring);
    return NULL;
}

/* Nothing but the wake orders the two accesses, which the thread sanitizer checks. */
START_TEST(what_was_written_before_a_wake_is_seen)
{
    unsigned plain = 0;
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, write_and_wake, &plain), 0);
    ring_turn(&ring, FOREVER);
    ck_assert_uint_eq(plain, 4711);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static void ignore_signal(int number)
{
    (void)number;
}

enum { APART = 5 };

static void *write_one_by_one(void *argument)
{
    const int *fds = argument;
    const uint64_t one = 1;
    const struct timespec pause = {.tv_nsec = 2 * (long)NS_PER_MS};
    for (int i = 0; i < APART; i++) {
        nanosleep(&pause, NULL);
        ssize_t written = write(fds[i], &one, sizeof one);
        ck_assert_int_eq(written, sizeof one);
    }
    return NULL;
}

/* Completions some milliseconds apart come in one turn once they have been seen to come often, and
 * only if the ring was told to let them. What ends as it is handed over is none that comes. */
START_TEST(completions_gather)
{
    struct seen seen = {0};
    unsigned operation = ring_register(&ring, note, &seen);
    int fds[APART];
    uint64_t values[APART];
    pthread_t thread;
    bool gathers = _i == 1;
    if (gathers && !ring_gather(&ring, 500000, APART))
        return; /* not on this kernel */
    for (uint64_t start = now_ns(); !ring.often && now_ns() - start < 20 * NS_PER_MS;) {
        submit_nop(operation, 0);
        ring_turn(&ring, 0);
    }
    ck_assert(ring.often == gathers);
    for (int i = 0; i < APART; i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC);
        struct io_uring_sqe *sqe = ring_sqe(&ring);
        io_uring_prep_read(sqe, fds[i], &values[i], sizeof values[i], 0);
        ring_tag(sqe, operation, 0);
    }
    ring_turn(&ring, 0);
    seen.count = 0;
    for (int i = 0; i < APART; i++)
        submit_nop(operation, 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, write_one_by_one, fds), 0);
    unsigned turns = 0;
    for (; seen.count < 2 * APART; turns++)
        ring_turn(&ring, NS_PER_S);
    pthread_join(thread, NULL);
    for (int i = 0; i < APART; i++)
        close(fds[i]);
    ck_assert_uint_eq(seen.count, 2 * APART);
    if (gathers)
        ck_assert_uint_eq(turns, 1);
    else
        ck_assert_uint_gt(turns, 1);
}
END_TEST

START_TEST(signals_end_a_turn_and_nothing_else)
{
    struct sigaction action = {.sa_handler = ignore_signal};
    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    struct itimerval alarm = {.it_value.tv_usec = 5000};
    ck_assert_int_eq(setitimer(ITIMER_REAL, &alarm, NULL), 0);
    ck_assert_uint_eq(ring_turn(&ring, FOREVER), 0);

    struct seen seen = {0};
    unsigned operation = ring_register(&ring, note, &seen);
    submit_nop(operation, 9);
    ck_assert_uint_eq(ring_turn(&ring, FOREVER), 1);
    ck_assert_uint_eq(seen.token, 9);
}
END_TEST

START_TEST(untagged_entry_is_a_bug)
{
    io_uring_prep_nop(ring_sqe(&ring));
    ring_turn(&ring, FOREVER);
}
END_TEST

START_TEST(too_many_operations_are_a_bug)
{
    for (unsigned i = 0; i <= RING_OPERATIONS_MAX; i++)
        ring_register(&ring, note, NULL);
}
END_TEST

/* Makes a system call fail, as a container's filter does. */
static void deny(unsigned call, unsigned error)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {sizeof program / sizeof *program, program};
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

START_TEST(denial_is_explained)
{
    static const struct {
        unsigned call, error;
        const char *advice;
    } table[] = {
        {__NR_io_uring_setup, EPERM, "seccomp"},
        {__NR_io_uring_setup, ENOSYS, "seccomp"},
        {__NR_io_uring_enter, EPERM, "io_uring_enter"},
        {__NR_io_uring_setup, ENOMEM, "locked memory"},
        {__NR_io_uring_setup, EMFILE, "open files"},
        {__NR_io_uring_setup, EINVAL, "Linux 6.1"},
    };
    deny(table[_i].call, table[_i].error);
    struct ring denied;
    struct fault fault = {.status = STATUS_OK};
    int next_fd = dup(0);
    close(next_fd);
    ck_assert(ring_open(&denied, ENTRIES, &fault) == STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(fault.text, table[_i].advice));
    ck_assert_ptr_nonnull(strstr(fault.text, strerror((int)table[_i].error)));
    ck_assert_int_eq(dup(0), next_fd); /* nothing is left open */
    close(next_fd);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ring");
    TCase *tcase = tcase_create("ring");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, open_ring, close_ring);
    tcase_add_test(tcase, four_completions_per_submission);
    tcase_add_test(tcase, completions_find_their_handler);
    tcase_add_test(tcase, results_are_passed_on);
    tcase_add_test(tcase, zero_does_not_wait);
    tcase_add_test(tcase, waits_no_less_than_asked);
    tcase_add_loop_test(tcase, zero_runs_deferred_work, 0, 2);
    tcase_add_test(tcase, more_than_the_queues_hold);
    tcase_add_test(tcase, handlers_may_submit);
    tcase_add_test(tcase, wake_before_the_turn_ends_it_once);
    tcase_add_test(tcase, busy_wakes_cost_no_system_call);
    tcase_add_loop_test(tcase, no_wake_is_lost, 0, 3);
    tcase_add_test(tcase, what_was_written_before_a_wake_is_seen);
    tcase_add_loop_test(tcase, completions_gather, 0, 2);
    tcase_add_test(tcase, signals_end_a_turn_and_nothing_else);
    tcase_add_test_raise_signal(tcase, untagged_entry_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, too_many_operations_are_a_bug, SIGABRT);
    suite_add_tcase(suite, tcase);

    TCase *denied = tcase_create("denied");
    tcase_add_loop_test(denied, denial_is_explained, 0, 6);
    suite_add_tcase(suite, denied);
    return suite;
}
