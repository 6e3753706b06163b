/* A base of the mailbox index that remembers every run, so that it can be had again as it was.
 *
 * A run gets a number, and knows which one it came behind: an index that lost its last runs, or was
 * cleared, goes on elsewhere, and no number is used twice. Each is noted in the journal
 * (NOTE_INDEX) when it is committed: from then on it stays. Single-threaded. */
#ifndef TESTS_CRASH_INDEX_LOG_H
#define TESTS_CRASH_INDEX_LOG_H

#include "storage/index/index.h"
#include "tests/crash/journal.h"

#include <stddef.h>

struct index_log_run {
    uint32_t before; /* the number of the run before it */
    uint8_t *bytes;  /* changes, one behind the other */
    size_t size, capacity;
};

struct index_log { /* zeroed: empty. Run number n is at n - 1; 0: an empty index */
    struct index_log_run *runs;
    uint32_t count;
};

void index_log_deinit(struct index_log *log);
/* Forgets the runs behind the first `count`. */
void index_log_cut(struct index_log *log, uint32_t count);
/* The number of the index that lacks the last `runs` of this one. */
uint32_t index_log_before(const struct index_log *log, uint32_t number, uint32_t runs);

/* The index of a number, to be closed before the log. */
struct index *index_log_open(struct index_log *log, uint32_t number, struct journal *journal);
uint32_t index_log_number(const struct index *index);

#endif
