/* One fault at a time, at every operation in turn: EIO, no space, short reads and writes, reads of
 * another place. The store must refuse clearly or find out, and must never show wrong bytes, nor
 * destroy what is there; when the fault is over everything must be as was promised, also after a
 * power cut.
 *
 *   faults                                every operation of the histories: TAP, one test per fault
 *   faults --history N --fault F --operation M [--state S]   as a failure names it
 *   faults --first [--from F]             ends at the first failure; begins with that fault */
#include "tests/crash/proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILURES_MAX 20u

static const char *const fault_names[FAULTS] = {[FAULT_EIO] = "eio",
                                                [FAULT_ENOSPC] = "enospc",
                                                [FAULT_SHORT] = "short",
                                                [FAULT_MISREAD] = "misread",
                                                [FAULT_ROTTEN] = "rotten"};

/* Shared by all processes. */
struct job {
    uint64_t history, stride, operation, state, states, failures, failures_max, hits;
    enum kernel_fault fault;
    bool verbose;
};

static void on_state(void *context, uint64_t history, uint64_t state)
{
    (void)history;
    ((struct job *)context)->state = state;
}

static void on_failure(void *context, uint64_t history, uint64_t state, const char *text)
{
    const struct job *job = context;
    printf("# history %" PRIu64 ", %s at operation %" PRIu64 ", state %" PRIu64
           ": %s; alone: faults --history %" PRIu64 " --fault %s --operation %" PRIu64
           " --state %" PRIu64 "\n",
           history, fault_names[job->fault], job->operation, state, text, history,
           fault_names[job->fault], job->operation, state);
    fflush(stdout);
}

/* ---- one history, and its forks ---- */

struct run {
    struct job *job;
    struct proof proof;
    bool is_fork;
};

static struct run run_of(struct job *job)
{
    return (struct run){
        .job = job,
        .proof = {
            .history = job->history,
            .liar = SYNC_PURPOSES,
            .kernel = {.fault = job->fault, .fault_operation = UINT64_MAX, .verbose = job->verbose},
            .sample = 3,
            .failures_max = 1,
            .fail = on_failure,
            .at = on_state,
            .context = job}};
}

static void prove(struct run *run)
{
    struct job *job = run->job;
    job->state = 0;
    proof_run(&run->proof);
    job->states += run->proof.states;
    job->failures += run->proof.failures;
    job->hits += run->proof.hit;
}

/* In a process of its own: an abort is a finding like any other. True in that process. */
static bool fork_off(struct job *job)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        return true;
    int status = 0;
    waitpid(child, &status, 0);
    if (status != 0) {
        job->failures++;
        on_failure(job, job->history, job->state, "the process aborted");
    }
    return false;
}

/* The history is made once, without a fault. Where one is due another process goes on with it from
 * there: what came before is the same for all. One that a fault does not befit ends at once. */
static void before_operation(struct kernel *kernel)
{
    struct run *run = kernel->options.context;
    struct job *job = run->job;
    if (run->is_fork && !kernel->hit)
        _exit(0);
    if (run->is_fork || kernel->operations % job->stride > 0 || job->failures >= job->failures_max)
        return;
    job->operation = kernel->operations;
    job->state = 0;
    run->is_fork = fork_off(job);
    if (run->is_fork)
        kernel->options.fault_operation = run->proof.kernel.fault_operation = kernel->operations;
}

static void prove_all(struct job *job)
{
    if (!fork_off(job))
        return;
    struct run run = run_of(job);
    run.proof.kernel.before = before_operation;
    run.proof.kernel.context = &run;
    prove(&run);
    fflush(NULL);
    _exit(0);
}

static int prove_one(struct job *job, uint64_t state)
{
    struct run run = run_of(job);
    run.proof.kernel.fault_operation = job->operation;
    run.proof.only = state;
    prove(&run);
    return job->failures > 0;
}

/* ---- all of them ---- */

static const struct {
    uint64_t history, stride;
} plans[] = {{0, 1},  {11, 1}, {3, 1}, {5, 1}, {1, 5}, {2, 5},
             {13, 3}, {14, 5}, {4, 9}, {8, 1}, {9, 1}};

struct request {
    bool one; /* failure is enough */
    uint64_t state;
    unsigned from; /* this fault on */
};

static bool parse(int argc, char **argv, struct request *request, struct job *job)
{
    for (int i = 1; i < argc; i++) {
        request->one = request->one || strcmp(argv[i], "--first") == 0;
        if (i + 1 == argc)
            break;
        if (strcmp(argv[i], "--history") == 0)
            job->history = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--operation") == 0)
            job->operation = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--state") == 0)
            request->state = strtoull(argv[i + 1], NULL, 10);
        for (unsigned f = 1; f < FAULTS; f++)
            if (strcmp(argv[i], "--fault") == 0 && strcmp(argv[i + 1], fault_names[f]) == 0)
                job->fault = (enum kernel_fault)f;
            else if (strcmp(argv[i], "--from") == 0 && strcmp(argv[i + 1], fault_names[f]) == 0)
                request->from = f;
    }
    return job->fault != FAULT_NONE;
}

int main(int argc, char **argv)
{
    struct job *job =
        mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct request request = {.from = 1};
    if (job == MAP_FAILED)
        return 71;
    if (parse(argc, argv, &request, job)) {
        job->verbose = true;
        return prove_one(job, request.state);
    }
    printf("1..%d\n", FAULTS - 1);
    for (unsigned f = request.from; f < FAULTS; f++) {
        *job = (struct job){.fault = (enum kernel_fault)f,
                            .failures_max = request.one ? 1 : FAILURES_MAX};
        for (size_t i = 0; i < sizeof(plans) / sizeof(*plans); i++) {
            job->history = plans[i].history;
            job->stride = plans[i].stride;
            prove_all(job);
            if (request.one && job->failures > 0)
                return 1;
        }
        printf("%sok %u - %s: %" PRIu64 " faults, %" PRIu64 " states\n",
               job->failures ? "not " : "", f, fault_names[f], job->hits, job->states);
    }
    return 0;
}
