/* The proof: every state of a history is recovered from, by the store's own code, and compared with
 * what was known at that moment.
 *
 * From some states the machine then goes on, is killed, and boots again on the same disk: it must
 * show the same. And the journal of such a second life, recovery's own writes included, has
 * states of its own. */
#ifndef TESTS_CRASH_PROOF_H
#define TESTS_CRASH_PROOF_H

#include "tests/crash/history.h"

/* What a history is about: number % PROOF_KINDS. The last kind is of the medium alone. */
#define PROOF_KINDS (HISTORY_KINDS + 1)
const char *proof_kind_text(uint64_t history);

struct proof {
    /* Given. */
    uint64_t history;             /* its number */
    uint64_t only;                /* check this state alone; 0: all */
    enum sync_purpose liar;       /* SYNC_PURPOSES: none */
    struct kernel_options kernel; /* the fault, its operation, `verbose` */
    uint64_t sample;              /* look at about so many moments only; 0: at all */
    uint64_t failures_max;        /* stop there */
    void (*fail)(void *context, uint64_t history, uint64_t state, const char *text);
    void (*at)(void *context, uint64_t history, uint64_t state); /* before each state */
    void *context;
    /* Found. */
    uint64_t states;   /* checked, no two alike */
    uint64_t recycled; /* segments made of dead ones, in the history and in second lives */
    uint64_t alarms;   /* states in which the store has said that something is wrong */
    uint64_t failures;
    bool hit; /* the history has met the fault */
};

void proof_run(struct proof *proof);

#endif
