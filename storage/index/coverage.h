/* How far the base of the index goes: for ranges of mailboxes, up to which message of each log.
 *
 * A range is of the upper 32 bits of the mailboxes' hashes. "Covered up to n in log L" means: of
 * every message and every deletion of L numbered below n, the base has what it meant for mailboxes
 * of the range; and of what a covered deletion deleted, the message is covered too. Once true it
 * stays true, so of several statements about a mailbox the highest counts, log by log: ranges of
 * runs with another number of shards do no harm. */
#ifndef STORAGE_INDEX_COVERAGE_H
#define STORAGE_INDEX_COVERAGE_H

#include "base/span.h"
#include "base/status.h"

#include <stdbool.h>
#include <stdint.h>

struct coverage_range {
    uint32_t first, last;
    uint32_t logs;  /* others are covered up to 0 */
    uint64_t *upto; /* by log */
};

struct coverage {
    struct coverage_range *ranges;
    uint32_t count;
};

/* Zeroed memory is a coverage of nothing. */
void coverage_deinit(struct coverage *coverage);
/* Takes in what a base says: `upto` as u64, little-endian. SYSTEM: no memory. */
enum status coverage_add(struct coverage *coverage, uint32_t first, uint32_t last,
                         struct span upto) MUST_CHECK;

/* Of a mailbox with this hash, in a log. */
uint64_t coverage_upto(const struct coverage *coverage, uint64_t hash, uint32_t log);
/* Logs from this number on are covered nowhere. */
uint32_t coverage_logs(const struct coverage *coverage);
/* What every mailbox is covered up to, and what any is. */
uint64_t coverage_lowest(const struct coverage *coverage, uint32_t log);
uint64_t coverage_highest(const struct coverage *coverage, uint32_t log);

/* The range of owner `owner` of `shards`. */
void coverage_range_of(uint32_t owner, uint32_t shards, uint32_t *first, uint32_t *last);

#endif
