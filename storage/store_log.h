/* The insides of an open store and of one shard's log, for the files of storage alone.
 *
 * A store_log is made of parts that each have their own file: commit (batches on their way to the
 * medium), settle (what ended batches mean), staging (messages in pieces), expunges, fetches. Only
 * the shard's thread touches them. The store is written while it is opened and then only read,
 * but for what is atomic, the clerks, and that each shard's thread has its owner. */
#ifndef STORAGE_STORE_LOG_H
#define STORAGE_STORE_LOG_H

#include "storage/clerk.h"
#include "storage/commit.h"
#include "storage/draft.h"
#include "storage/expunge.h"
#include "storage/fetch.h"
#include "storage/flush.h"
#include "storage/identity.h"
#include "storage/index.h"
#include "storage/maildrop.h"
#include "storage/owner.h"
#include "storage/reclaim.h"
#include "storage/recover.h"
#include "storage/retain.h"
#include "storage/settle.h"
#include "storage/store.h"
#include "storage/tally.h"

struct store {
    struct medium *medium;
    enum store_mode mode;
    struct store_options options;
    struct identity identity;
    uint32_t record_seed;
    uint32_t logs_count;    /* on disk when the store was opened */
    struct recovered *logs; /* STORE_SHARDS_MAX */
    struct index *index;
    struct index *private_index; /* the same, when the store has made it */
    pthread_mutex_t run_lock;    /* one run at a time */
    struct owner *owners;        /* one per shard of this run */
    uint32_t owners_count;       /* that have been made */
    struct tallies tallies;
    _Atomic uint64_t *settled;   /* by log: every link of messages below was handed to its owner */
    _Atomic uint32_t overfull;   /* owners that can't take more until a run is written */
    struct clerk reader, writer; /* of mailboxes for logins; of runs, and of what can wait */
    bool clerks;                 /* they are there */
    struct catalog *catalog;     /* NULL: only read */
};

/* What mailboxes got can't be put into the index, and memory has enough of it: no more mail. */
static inline bool store_is_overfull(const struct store *store)
{
    return atomic_load_explicit(&store->overfull, memory_order_relaxed) > 0;
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
