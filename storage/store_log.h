/* The insides of an open store and of one shard's log, for the files of storage alone.
 *
 * A store_log is made of parts that each have their own file: commit (batches on their way to the
 * medium), settle (what ended batches mean), staging (messages in pieces), expunges, fetches. Only
 * the shard's thread touches them. The store is written while it is opened and then only read,
 * but for what is atomic, the clerks, and that each shard's thread has its owner. */
#ifndef STORAGE_STORE_LOG_H
#define STORAGE_STORE_LOG_H

#include "storage/index/clerk.h"
#include "storage/commit.h"
#include "storage/draft.h"
#include "storage/expunge.h"
#include "storage/fetch.h"
#include "storage/index/flush.h"
#include "storage/identity.h"
#include "storage/index/index.h"
#include "storage/maildrop.h"
#include "storage/index/owner.h"
#include "storage/reclaim/reclaim.h"
#include "storage/recover.h"
#include "storage/reclaim/retain.h"
#include "storage/settle.h"
#include "storage/store.h"
#include "storage/index/tally.h"

struct store {
    struct medium *medium;
    enum store_mode mode;
    struct store_options options;
    struct identity identity;
    uint32_t record_seed;
    uint32_t logs_count;    /* on disk when the store was opened */
    struct recovered *logs; /* STORE_SHARDS_MAX */
    struct index *index;
    struct index *own_index;  /* the same, when the store has opened or made it */
    bool in_memory;           /* made for this store, by itself */
    pthread_mutex_t run_lock; /* one run at a time */
    struct owner *owners;     /* one per shard of this run */
    uint32_t owners_count;    /* that have been made */
    struct tallies tallies;
    _Atomic uint64_t *settled; /* by log: every link of messages below was handed to its owner */
    _Atomic uint32_t behind;   /* owners that should get no more until a run is written … */
    _Atomic uint32_t stuck;    /* … and whose runs fail */
    pthread_mutex_t desks_lock;
    struct desk **desks;         /* of the open logs, by shard: to wake them all */
    struct clerk reader, writer; /* of mailboxes for logins; of runs, and of what can wait */
    bool clerks;                 /* they are there */
    struct catalog *catalog;     /* NULL: only read */
};

/* Whether more mail may come. AGAIN: the index is behind, and memory has enough of what it lacks.
 * FULL: and it can't be written. */
static inline enum status store_index_status(const struct store *store)
{
    if (atomic_load_explicit(&store->behind, memory_order_relaxed) == 0)
        return STATUS_OK;
    return atomic_load_explicit(&store->stuck, memory_order_relaxed) ? STATUS_FULL : STATUS_AGAIN;
}

struct store_log {
    struct store *store;
    struct medium *medium;
    const struct clock *clock;
    struct store_events events;
    uint32_t shard;
    uint32_t chunk_bytes;
    struct commit commit;
    struct settle settle;
    struct staging staging;
    struct expunges expunges;
    struct fetches fetches;
    struct reclaim reclaim;
    struct retain retain;
    struct desk desk;
    struct flush flush;
    struct locks locks;
    struct owner *owner;
    struct store_counters counters;
};

#endif
