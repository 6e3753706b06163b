/* The base of the mailbox index: a sorted map from keys to values, below what owners hold in
 * memory.
 *
 * Derived from the logs and rebuilt from them when it is missing, damaged or of another store. Two
 * implementations, one contract: index_rocks (RocksDB, in a folder beside the logs) and
 * index_memory. It is changed by runs alone: sorted changes that take effect together or not at
 * all, durably where the implementation has something durable. What keys and values mean is not its
 * business but that of storage/index/index_key.h.
 *
 * Threading: any thread, any number at once; one run at a time. The store opens the one on
 * disk; any other the caller makes, hands to store_open and closes after store_close. */
#ifndef STORAGE_INDEX_INDEX_H
#define STORAGE_INDEX_INDEX_H

#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

struct index;

struct index_calls {
    const char *name; /* "rocksdb", "memory" */
    bool blocks;      /* calls may wait for a disk: not for a shard's thread */

    /* The value of a key, through `visit`, once; ABSENT without. IO, CORRUPT. */
    enum status (*get)(struct index *index, struct span key,
                       void (*visit)(void *context, struct span value), void *context);
    /* Every key that begins with `prefix` (of at least INDEX_PREFIX_BYTES, or empty: all), in
     * order, until `visit` says false. IO, CORRUPT. Spans are good during the visit. */
    enum status (*scan)(struct index *index, struct span prefix,
                        bool (*visit)(void *context, struct span key, struct span value),
                        void *context);

    /* A run: begin, then changes of ascending keys, each key once, then end: `commit` makes it so
     * (FULL, IO: nothing has changed), else it is dropped. A failure on the way is told by the end.
     * `add`: to the value, a sum of u64 (modulo 2^64), 0 when absent. */
    enum status (*begin)(struct index *index);
    void (*put)(struct index *index, struct span key, struct span value);
    void (*remove)(struct index *index, struct span key);
    void (*add)(struct index *index, struct span key, uint64_t number);
    enum status (*end)(struct index *index, bool commit);

    /* Forgets everything. */
    enum status (*clear)(struct index *index);
    uint64_t (*memory_bytes)(struct index *index); /* held in memory, about */
    void (*close)(struct index *index);
};

struct index { /* the beginning of every implementation */
    const struct index_calls *calls;
    bool read_only; /* no run, no clear */
};

#define INDEX_PREFIX_BYTES 9u /* what keys are found by: those shorter have no neighbours */

#endif
