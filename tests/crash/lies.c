/* Syncs that lie: the disk says that it is done, and a power cut takes it all the same. That can't
 * be survived, but it must be found out where it can be: never a wrong byte, never half a message's
 * recipients, and what is lost without an alarm is the end of a log, never its middle.
 *
 *   lies                                        every kind of sync: TAP
 *   lies --sync S --history N [--state M]       as a failure names it */
#include "tests/crash/proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HISTORIES HISTORY_KINDS /* of each kind one; ten with --long */
#define MOMENTS 150u
#define FAILURES_MAX 3u

struct lie {
    enum sync_purpose liar;
    uint64_t states, alarms, failures;
};

static void on_state(void *context, uint64_t history, uint64_t state)
{
    (void)context, (void)history, (void)state;
}

static void on_failure(void *context, uint64_t history, uint64_t state, const char *text)
{
    const struct lie *lie = context;
    printf("# history %" PRIu64 ", state %" PRIu64 ": %s; alone: lies --sync %d --history %" PRIu64
           " --state %" PRIu64 "\n",
           history, state, text, (int)lie->liar, history, state);
    fflush(stdout);
}

static void prove(struct lie *lie, uint64_t history, uint64_t only)
{
    struct proof proof = {.history = history,
                          .only = only,
                          .liar = lie->liar,
                          .kernel = {.verbose = only > 0},
                          .sample = MOMENTS,
                          .failures_max = FAILURES_MAX,
                          .fail = on_failure,
                          .at = on_state,
                          .context = lie};
    proof_run(&proof);
    lie->states += proof.states;
    lie->alarms += proof.alarms;
    lie->failures += proof.failures;
}

/* In a process of its own: an abort is a finding like any other. */
static bool run(enum sync_purpose liar)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct lie lie = {.liar = liar};
        uint64_t rounds = getenv("MAILRACE_LONG") ? 10 : 1;
        for (uint64_t i = 0; i < HISTORIES * rounds; i++)
            prove(&lie, i / HISTORY_KINDS * PROOF_KINDS + i % HISTORY_KINDS, 0);
        printf("# the %s lies: %" PRIu64 " states, %" PRIu64 " found out\n",
               sync_purpose_text(liar), lie.states, lie.alarms);
        fflush(NULL);
        _exit(lie.failures > 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status == 0;
}

int main(int argc, char **argv)
{
    struct lie lie = {.liar = SYNC_BATCH};
    uint64_t history = 0, state = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--sync") == 0)
            lie.liar = (enum sync_purpose)strtoul(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--history") == 0)
            history = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--state") == 0)
            state = strtoull(argv[i + 1], NULL, 10);
    }
    if (argc > 1) {
        prove(&lie, history, state);
        return lie.failures > 0;
    }
    printf("1..%d\n", SYNC_PURPOSES);
    for (int i = 0; i < SYNC_PURPOSES; i++) {
        bool good = run((enum sync_purpose)i);
        printf("%sok %d - a lying %s\n", good ? "" : "not ", i + 1,
               sync_purpose_text((enum sync_purpose)i));
    }
    return 0;
}
