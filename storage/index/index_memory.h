/* The base of the mailbox index in memory: sorted runs, merged two by two as they pile up.
 *
 * Where there is no RocksDB, in simulations and in unit tests. It is lost with the process, so a
 * store that has it is rebuilt at every start. A simulation may keep it over a crash, and take its
 * last runs away, as a disk would that had not got them yet. */
#ifndef STORAGE_INDEX_INDEX_MEMORY_H
#define STORAGE_INDEX_INDEX_MEMORY_H

#include "storage/index/index.h"

/* `kept_runs`: remembers every run, for index_memory_rewind. SYSTEM: no memory. */
enum status index_memory_open(struct index **index, bool kept_runs) MUST_CHECK;

/* Runs since it was opened or cleared, and back to the state after the first `runs` of them: one
 * that was opened with `kept_runs`, in the hands of no store. */
uint32_t index_memory_runs(const struct index *index);
void index_memory_rewind(struct index *index, uint32_t runs);
/* The next `count` runs fail: FULL. */
void index_memory_fail(struct index *index, uint32_t count);

#endif
