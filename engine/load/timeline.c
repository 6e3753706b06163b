#include "engine/load/timeline.h"

#include "base/counters.h"
#include "base/invariant.h"

#include <stdlib.h>
#include <string.h>

bool timeline_open(struct timeline *timeline, struct tally_step *steps, uint32_t max)
{
    INVARIANT(max >= 2 && max % 2 == 0);
    *timeline = (struct timeline){.steps = steps, .max = max, .looks_per_step = 1};
    timeline->now = calloc(1, sizeof *timeline->now);
    timeline->before = calloc(1, sizeof *timeline->before);
    timeline->shard = calloc(1, sizeof *timeline->shard);
    if (timeline->now != NULL && timeline->before != NULL && timeline->shard != NULL)
        return true;
    timeline_close(timeline);
    return false;
}

void timeline_close(struct timeline *timeline)
{
    free(timeline->now);
    free(timeline->before);
    free(timeline->shard);
}

void timeline_look(struct timeline *timeline)
{
    memset(timeline->now, 0, TALLY_COUNTS_BYTES);
    histogram_clear(&timeline->now->latency[TALLY_TOTAL]);
}

/* Only as far as it is used: there are looks at thousands of empty buckets otherwise. */
static void copy_live(const struct histogram *live, struct histogram *copy)
{
    histogram_clear(copy);
    counters_copy(live, offsetof(struct histogram, buckets), copy);
    counters_copy(live->buckets, histogram_used(copy) * sizeof *live->buckets, copy->buckets);
}

void timeline_add(struct timeline *timeline, const struct tally *live)
{
    struct tally *shard = timeline->shard;
    counters_copy(live, TALLY_COUNTS_BYTES, shard);
    copy_live(&live->latency[TALLY_TOTAL], &shard->latency[TALLY_TOTAL]);
    tally_merge(timeline->now, shard);
}

/* The latencies between two looks; their maximum is not known, only its bucket. */
static void latencies(const struct timeline *timeline, struct histogram *step)
{
    const struct histogram *now = &timeline->now->latency[TALLY_TOTAL];
    const struct histogram *before = &timeline->before->latency[TALLY_TOTAL];
    histogram_clear(step);
    step->max = now->max;
    for (uint32_t i = 0, used = histogram_used(now); i < used; i++) {
        step->buckets[i] = now->buckets[i] - before->buckets[i];
        step->count += step->buckets[i];
    }
}

static struct tally_step step_of(struct timeline *timeline, double seconds)
{
    const struct tally_outcomes *now = &timeline->now->messages;
    const struct tally_outcomes *before = &timeline->before->messages;
    struct histogram *total = &timeline->shard->latency[TALLY_TOTAL]; /* no longer of use */
    latencies(timeline, total);
    return (struct tally_step){
        .seconds = seconds,
        .length = seconds - timeline->seconds,
        .acked = now->acked - before->acked,
        .refused = now->refused - before->refused,
        .failed = now->failed - before->failed,
        .doubtful = now->doubtful - before->doubtful,
        .octets = timeline->now->octets - timeline->before->octets,
        .p50_ns = histogram_quantile(total, 500000),
        .p99_ns = histogram_quantile(total, 990000),
        .in_flight = tally_in_flight(now),
    };
}

static struct tally_step joined(const struct tally_step *a, const struct tally_step *b)
{
    uint64_t acked = a->acked + b->acked;
    double weight = acked > 0 ? (double)b->acked / (double)acked : 0;
    return (struct tally_step){
        .seconds = b->seconds,
        .length = a->length + b->length,
        .acked = acked,
        .refused = a->refused + b->refused,
        .failed = a->failed + b->failed,
        .doubtful = a->doubtful + b->doubtful,
        .octets = a->octets + b->octets,
        .p50_ns = (uint64_t)((double)a->p50_ns * (1 - weight) + (double)b->p50_ns * weight),
        .p99_ns = a->p99_ns > b->p99_ns ? a->p99_ns : b->p99_ns,
        .in_flight = b->in_flight,
    };
}

static void join_neighbours(struct timeline *timeline)
{
    timeline->count /= 2;
    for (uint32_t i = 0; i < timeline->count; i++)
        timeline->steps[i] = joined(&timeline->steps[2 * i], &timeline->steps[2 * i + 1]);
    timeline->looks_per_step *= 2;
}

void timeline_looked(struct timeline *timeline, double seconds, bool last)
{
    if (++timeline->looks < timeline->looks_per_step && !last)
        return;
    if (timeline->count == timeline->max)
        join_neighbours(timeline);
    timeline->looks = 0;
    struct tally_step step = step_of(timeline, seconds);
    if (step.length > 0 || timeline->count == 0) {
        timeline->steps[timeline->count++] = step;
    } else {
        struct tally_step *before = &timeline->steps[timeline->count - 1];
        *before = joined(before, &step);
    }
    timeline->seconds = seconds;
    struct tally *spare = timeline->before;
    timeline->before = timeline->now;
    timeline->now = spare;
}

const struct tally *timeline_total(const struct timeline *timeline)
{
    return timeline->looks == 0 ? timeline->before : timeline->now;
}
