/* The time line of a run: what was done in each step of it.
 *
 * Made by one thread from looks at the shards' tallies while they go on counting. When the steps
 * are full, neighbours are joined two by two: then a step's median is their mean by weight, its p99
 * the greater one. */
#ifndef ENGINE_LOAD_TIMELINE_H
#define ENGINE_LOAD_TIMELINE_H

#include "base/status.h"
#include "engine/load/tally.h"

struct timeline {
    struct tally_step *steps;
    uint32_t count, max;     /* max: even */
    uint32_t looks_per_step; /* doubles with every joining */
    uint32_t looks;          /* since the last step */
    double seconds;          /* at the end of the last step */
    /* Of all shards, at this look and at the end of the last step; of one. Of the latencies only
     * the whole. */
    struct tally *now, *before, *shard;
};

/* `steps` has room for `max`. False: no memory. */
bool timeline_open(struct timeline *timeline, struct tally_step *steps, uint32_t max) MUST_CHECK;
void timeline_close(struct timeline *timeline);

/* A look begins; then every shard's live tally is added; then it ends, `seconds` after the start.
 * `last`: the step is ended, whatever its length. */
void timeline_look(struct timeline *timeline);
void timeline_add(struct timeline *timeline, const struct tally *live);
void timeline_looked(struct timeline *timeline, double seconds, bool last);

/* All counts as of the last look. */
const struct tally *timeline_total(const struct timeline *timeline);

#endif
