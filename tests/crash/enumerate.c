/* Every state that a power cut could leave, by many histories: is all there that was promised?
 *
 *   enumerate                        histories 0 … 59: TAP, one test for each kind
 *   enumerate --histories FIRST COUNT
 *   enumerate --history N            one of them
 *   enumerate --history N --state M  one state of it alone, as a failure names it */
#include "tests/crash/proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HISTORIES 60u
#define STATES_WANTED 100000u /* fewer would be no proof */
#define FAILURES_MAX 5u       /* told of one history */

/* What a history's process leaves behind, also when it aborts. */
struct progress {
    uint64_t state, states, failures;
};

static void on_state(void *context, uint64_t history, uint64_t state)
{
    (void)history;
    ((struct progress *)context)->state = state;
}

static void on_failure(void *context, uint64_t history, uint64_t state, const char *text)
{
    (void)context;
    printf("# history %" PRIu64 ", state %" PRIu64 ": %s; alone: enumerate --history %" PRIu64
           " --state %" PRIu64 "\n",
           history, state, text, history, state);
    fflush(stdout);
}

/* In a process of its own: an abort is a finding like any other. */
static void run(uint64_t history, uint64_t only, struct progress *progress)
{
    *progress = (struct progress){.state = 0};
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct proof proof = {.history = history,
                              .only = only,
                              .kernel = {.verbose = only > 0},
                              .liar = getenv("LIE") ? (enum sync_purpose)atoi(getenv("LIE")) : SYNC_PURPOSES,
                              .failures_max = FAILURES_MAX,
                              .fail = on_failure,
                              .at = on_state,
                              .context = progress};
        proof_run(&proof);
        progress->states = proof.states;
        progress->failures = proof.failures;
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status == 0)
        return;
    char text[80];
    snprintf(text, sizeof(text), "the process ended with %s %d",
             WIFSIGNALED(status) ? "signal" : "code",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    progress->failures++;
    on_failure(progress, history, progress->state, text);
}

static int run_all(uint64_t first, uint64_t count, struct progress *progress)
{
    uint64_t sum = 0;
    printf("1..%u\n", PROOF_KINDS + 1);
    for (uint64_t kind = 0; kind < PROOF_KINDS; kind++) {
        uint64_t states = 0, failures = 0, histories = 0;
        for (uint64_t history = first; history < first + count; history++) {
            if (history % PROOF_KINDS != kind)
                continue;
            run(history, 0, progress);
            histories++;
            states += progress->states;
            failures += progress->failures;
        }
        sum += states;
        printf("%sok %" PRIu64 " - %s: %" PRIu64 " histories, %" PRIu64 " states\n",
               failures ? "not " : "", kind + 1, proof_kind_text(kind), histories, states);
    }
    bool enough = sum >= STATES_WANTED || count < HISTORIES;
    printf("%sok %u - %" PRIu64 " states in all\n", enough ? "" : "not ", PROOF_KINDS + 1, sum);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t first = 0, count = HISTORIES, state = 0;
    struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--histories") == 0 && i + 2 < argc) {
            first = strtoull(argv[++i], NULL, 10);
            count = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--history") == 0 && i + 1 < argc) {
            first = strtoull(argv[++i], NULL, 10);
            count = 1;
        } else if (strcmp(argv[i], "--state") == 0 && i + 1 < argc) {
            state = strtoull(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: enumerate [--histories FIRST COUNT] "
                            "[--history N [--state M]]\n");
            return 64;
        }
    }
    if (progress == MAP_FAILED)
        return 71;
    if (state == 0)
        return run_all(first, count, progress);
    run(first, state, progress);
    printf("%s\n", progress->failures ? "it fails" : "it holds");
    return progress->failures > 0;
}
