/* Every state that a power cut could leave, by many histories: is all there that was promised?
 *
 *   enumerate                        histories 0 … 59: TAP, one test for each kind
 *   enumerate --histories FIRST COUNT
 *   enumerate --history N            one of them
 *   enumerate --history N --state M  one state of it alone, as a failure names it
 *   enumerate … --kinds FIRST COUNT  histories of these kinds only, that is, by N % 11
 *   enumerate … --first              ends at the first failure */
#include "tests/crash/proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HISTORIES 60u
#define HISTORIES_LONG 600u
#define STATES_WANTED 100000u /* fewer would be no proof */
#define RECYCLED_WANTED 100u  /* segments, while states are looked at */
#define FAILURES_MAX 5u       /* told of one history */

/* What a history's process leaves behind, also when it aborts. */
struct progress {
    uint64_t state, states, failures, recycled;
};

struct request {
    uint64_t first, count, state;
    uint64_t kind_first, kinds; /* of histories */
    bool one;                   /* failure is enough */
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
static void run(uint64_t history, const struct request *request, struct progress *progress)
{
    *progress = (struct progress){.state = 0};
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct proof proof = {.history = history,
                              .only = request->state,
                              .kernel = {.verbose = request->state > 0},
                              .liar = SYNC_PURPOSES,
                              .failures_max = request->one ? 1 : FAILURES_MAX,
                              .fail = on_failure,
                              .at = on_state,
                              .context = progress};
        proof_run(&proof);
        progress->states = proof.states;
        progress->failures = proof.failures;
        progress->recycled = proof.recycled;
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

static int run_all(const struct request *request, struct progress *progress)
{
    uint64_t states[PROOF_KINDS] = {0}, failures[PROOF_KINDS] = {0}, histories[PROOF_KINDS] = {0};
    uint64_t sum = 0, failed = 0, recycled = 0, end = request->first + request->count;
    for (uint64_t history = request->first; history < end; history++) {
        uint64_t kind = history % PROOF_KINDS;
        if (kind < request->kind_first || kind >= request->kind_first + request->kinds)
            continue;
        run(history, request, progress);
        histories[kind]++;
        states[kind] += progress->states;
        failures[kind] += progress->failures;
        sum += progress->states;
        failed += progress->failures;
        recycled += progress->recycled;
        if (request->one && failed)
            return 1;
    }
    bool some = request->count < HISTORIES || request->kinds < PROOF_KINDS;
    bool enough = some || (sum >= STATES_WANTED && recycled >= RECYCLED_WANTED);
    printf("1..%u\n", PROOF_KINDS + 1);
    for (uint64_t kind = 0; kind < PROOF_KINDS; kind++)
        printf("%sok %" PRIu64 " - %s: %" PRIu64 " histories, %" PRIu64 " states\n",
               failures[kind] ? "not " : "", kind + 1, proof_kind_text(kind), histories[kind],
               states[kind]);
    printf("%sok %u - %" PRIu64 " states in all, %" PRIu64 " segments recycled\n",
           enough ? "" : "not ", PROOF_KINDS + 1, sum, recycled);
    return 0;
}

static bool parse(int argc, char **argv, struct request *request)
{
    request->count = getenv("MAILRACE_LONG") ? HISTORIES_LONG : HISTORIES;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--first") == 0) {
            request->one = true;
        } else if (strcmp(argv[i], "--histories") == 0 && i + 2 < argc) {
            request->first = strtoull(argv[++i], NULL, 10);
            request->count = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--history") == 0 && i + 1 < argc) {
            request->first = strtoull(argv[++i], NULL, 10);
            request->count = 1;
        } else if (strcmp(argv[i], "--kinds") == 0 && i + 2 < argc) {
            request->kind_first = strtoull(argv[++i], NULL, 10);
            request->kinds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--state") == 0 && i + 1 < argc) {
            request->state = strtoull(argv[++i], NULL, 10);
        } else {
            return false;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct request request = {.kinds = PROOF_KINDS};
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!parse(argc, argv, &request)) {
        fprintf(stderr, "usage: enumerate [--histories FIRST COUNT | --history N [--state M]] "
                        "[--kinds FIRST COUNT] [--first]\n");
        return 64;
    }
    if (progress == MAP_FAILED)
        return 71;
    if (request.state == 0)
        return run_all(&request, progress);
    run(request.first, &request, progress);
    printf("%s\n", progress->failures ? "it fails" : "it holds");
    return progress->failures > 0;
}
