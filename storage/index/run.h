/* A run: what deltas have, put into the base of the index in one step.
 *
 * Links that came, links that went, what that means for the tallies, and how far the base goes with
 * it. All or nothing: so each link is counted once, whatever happens. */
#ifndef STORAGE_INDEX_RUN_H
#define STORAGE_INDEX_RUN_H

#include "storage/index/coverage.h"
#include "storage/index/delta.h"
#include "storage/index/index.h"

struct run_plan {
    const struct delta *const *deltas; /* of different mailboxes */
    uint32_t deltas_count;
    const struct coverage_range *covers; /* what the base covers from now on, in order of range */
    uint32_t covers_count;
    const struct coverage *replaces; /* ranges that go, unless among `covers`; NULL: none */
    enum {
        RUN_ADDS,
        RUN_COMPLETES,
        RUN_BEGINS
    } kind;                  /* the index has been, gets, loses identity */
    const uint8_t *identity; /* of the store, 16 bytes */
};

/* FULL, IO, SYSTEM: nothing has changed. */
enum status run_write(struct index *index, const struct run_plan *plan) MUST_CHECK;

#endif
