/* The insides of an open store and of one shard's log, for the files of storage alone.
 *
 * A store_log is made of parts that each have their own file: commit (batches on their way to the
 * medium), settle (what ended batches mean), staging (messages in pieces), expunges, fetches. Only
 * the shard's thread touches them. The store is written while it is opened and then only read,
 * except that each shard's thread owns its mailboxes. */
#ifndef STORAGE_STORE_LOG_H
#define STORAGE_STORE_LOG_H

#include "storage/commit.h"
#include "storage/draft.h"
#include "storage/expunge.h"
#include "storage/fetch.h"
#include "storage/identity.h"
#include "storage/mailboxes.h"
#include "storage/reclaim.h"
#include "storage/recover.h"
#include "storage/retain.h"
#include "storage/settle.h"
#include "storage/store.h"

struct store {
    struct medium *medium;
    enum store_mode mode;
    struct store_options options;
    struct identity identity;
    uint32_t record_seed;
    uint32_t logs_count;         /* on disk when the store was opened */
    struct recovered *logs;      /* STORE_SHARDS_MAX */
    struct mailboxes *mailboxes; /* one index per shard of this run */
    struct catalog *catalog;     /* NULL: only read */
};

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
    struct liveness *asked; /* not answered yet */
    struct mailboxes *mailboxes;
    struct store_counters counters;
};

#endif
