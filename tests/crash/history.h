/* A history: lives of one store on one disk, drawn from a seed, with a journal of it all.
 *
 * Every life boots, is compared with what is known, works for a while and ends: in order, by
 * kill -9 (the page cache stays), or by a power cut. The kind says what the machine and the load
 * are like. */
#ifndef TESTS_CRASH_HISTORY_H
#define TESTS_CRASH_HISTORY_H

#include "tests/crash/machine.h"
#include "tests/crash/walker.h"

struct history_kind {
    const char *name;
    uint32_t lives, steps; /* at most; steps of one life */
    uint32_t states;       /* of one moment, at most */
    uint32_t shards, commit_depth;
    uint32_t bytes; /* of a message, now and then four times as many */
    bool direct, write_zeroes, links_stall;
    bool has_index, reclaims, expires, rounds; /* rounds: steps fill segments and empty them */
};

#define HISTORY_KINDS 10u
extern const struct history_kind history_kinds[HISTORY_KINDS];

struct history {
    const struct history_kind *kind;
    uint64_t seed;
    struct machine_options options;
    struct image *start;
    struct journal journal;
    struct letters letters;
    struct index_log index_log;
    char wrong[TRUTH_TEXT_BYTES]; /* empty: it came to its end */
    uint64_t recycled;            /* segments */
    bool hit;                     /* the fault was met */
};

/* Of `kernel` the fault (FAULT_NONE: none), its operation and `verbose` are taken. */
void history_make(struct history *history, uint32_t kind, uint64_t seed,
                  const struct kernel_options *kernel);
void history_deinit(struct history *history);

/* Of machines that have such histories. */
struct machine_options history_options(const struct history_kind *kind, uint64_t seed);

/* One thing or another that users do, or nothing for a moment. */
void history_step(struct machine *machine, const struct history_kind *kind, struct random *random);

#endif
