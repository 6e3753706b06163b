#include "storage/index/coverage.h"

#include <stdlib.h>
#include <string.h>

void coverage_deinit(struct coverage *coverage)
{
    for (uint32_t i = 0; i < coverage->count; i++)
        free(coverage->ranges[i].upto);
    free(coverage->ranges);
    *coverage = (struct coverage){.count = 0};
}

enum status coverage_add(struct coverage *coverage, uint32_t first, uint32_t last, struct span upto)
{
    uint32_t logs = (uint32_t)(upto.size / 8);
    struct coverage_range *ranges =
        realloc(coverage->ranges, (coverage->count + 1) * sizeof(*ranges));
    if (!ranges)
        return STATUS_SYSTEM;
    coverage->ranges = ranges;
    struct coverage_range *range = &ranges[coverage->count];
    *range = (struct coverage_range){
        .first = first, .last = last, .logs = logs, .upto = calloc(logs + 1, sizeof(uint64_t))};
    if (!range->upto)
        return STATUS_SYSTEM;
    memcpy(range->upto, upto.data, (size_t)logs * 8);
    coverage->count++;
    return STATUS_OK;
}

static uint64_t upto_of(const struct coverage_range *range, uint32_t log)
{
    return log < range->logs ? range->upto[log] : 0;
}

/* Of the mailboxes whose hashes begin with `head`. */
static uint64_t upto_at(const struct coverage *coverage, uint32_t head, uint32_t log)
{
    uint64_t upto = 0;
    for (uint32_t i = 0; i < coverage->count; i++) {
        const struct coverage_range *range = &coverage->ranges[i];
        if (range->first <= head && head <= range->last && upto_of(range, log) > upto)
            upto = upto_of(range, log);
    }
    return upto;
}

uint64_t coverage_upto(const struct coverage *coverage, uint64_t hash, uint32_t log)
{
    return upto_at(coverage, (uint32_t)(hash >> 32), log);
}

uint32_t coverage_logs(const struct coverage *coverage)
{
    uint32_t logs = 0;
    for (uint32_t i = 0; i < coverage->count; i++)
        if (coverage->ranges[i].logs > logs)
            logs = coverage->ranges[i].logs;
    return logs;
}

/* It can only change where a range begins or has ended. */
uint64_t coverage_lowest(const struct coverage *coverage, uint32_t log)
{
    uint64_t lowest = upto_at(coverage, 0, log);
    for (uint32_t i = 0; i < coverage->count; i++) {
        const struct coverage_range *range = &coverage->ranges[i];
        uint64_t here = upto_at(coverage, range->first, log);
        uint64_t behind =
            range->last < UINT32_MAX ? upto_at(coverage, range->last + 1, log) : UINT64_MAX;
        lowest = here < lowest ? here : lowest;
        lowest = behind < lowest ? behind : lowest;
    }
    return lowest;
}

uint64_t coverage_highest(const struct coverage *coverage, uint32_t log)
{
    uint64_t highest = 0;
    for (uint32_t i = 0; i < coverage->count; i++)
        if (upto_of(&coverage->ranges[i], log) > highest)
            highest = upto_of(&coverage->ranges[i], log);
    return highest;
}

/* link_owner(hash) = head × shards / 2^32, rounded down. */
void coverage_range_of(uint32_t owner, uint32_t shards, uint32_t *first, uint32_t *last)
{
    uint64_t begin = (((uint64_t)owner << 32) + shards - 1) / shards;
    uint64_t end = (((uint64_t)(owner + 1) << 32) + shards - 1) / shards;
    *first = (uint32_t)begin;
    *last = (uint32_t)(end - 1);
}
