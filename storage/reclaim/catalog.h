/* The segments of all logs as they are now: which there are, what numbers they hold, which have
 * been compacted.
 *
 * Begun with what recovery found, kept current by the shard that writes or reclaims a log, read by
 * all: a deletion in one log may be forgotten when the messages it names are gone from the others.
 * Things only vanish: who looks at a copy of a moment ago errs on the safe side. Any thread; cold.
 */
#ifndef STORAGE_RECLAIM_CATALOG_H
#define STORAGE_RECLAIM_CATALOG_H

#include "storage/hint.h"
#include "storage/recover.h"

#include <pthread.h>
#include <stdatomic.h>

struct catalog_segment {
    struct recovered_segment segment; /* not hinted: not sealed, or damaged. end_lsn UINT64_MAX: it
                                         may get more records */
    /* Of the last time that it was looked at and left as it was; 0: never. */
    uint64_t tried_version, tried_bytes; /* of the catalog; that lived in it */
    uint64_t retry_ns, pause_ns;         /* monotonic; how long it was left alone */
};

struct catalog_log {                  /* a copy, to be freed */
    struct catalog_segment *segments; /* by number */
    uint32_t count, capacity;
};

struct catalog {
    pthread_mutex_t lock;
    struct catalog_log logs[STORE_SHARDS_MAX];
    _Atomic uint64_t version; /* counts what vanished */
};

/* NULL: no memory. `running`: logs below this number are going to be written. */
struct catalog *catalog_open(const struct recovered *logs, uint32_t count, uint32_t running);
void catalog_close(struct catalog *catalog);

/* A log has its first durable batch in a segment. */
void catalog_begin(struct catalog *catalog, uint32_t shard, uint32_t number, uint64_t first_lsn,
                   uint64_t epoch, uint64_t bytes);
/* The first message in it has this number. */
void catalog_first(struct catalog *catalog, uint32_t shard, uint32_t number, uint64_t first_number);
/* It has got its last one. `hinted`: and has its hint. */
void catalog_seal(struct catalog *catalog, uint32_t shard, const struct hint_header *hint,
                  bool hinted);
/* It has a new form, or stands for segments before it that are gone. */
void catalog_replace(struct catalog *catalog, uint32_t shard,
                     const struct recovered_segment *segment);
void catalog_remove(struct catalog *catalog, uint32_t shard, uint32_t number);
/* It was looked at in vain. */
void catalog_tried(struct catalog *catalog, uint32_t shard, const struct catalog_segment *tried);

/* Whether the segment is there, in the form that has this epoch. */
bool catalog_has(struct catalog *catalog, uint32_t shard, uint32_t number, uint64_t epoch);

/* The log as it is now. */
void catalog_copy(struct catalog *catalog, uint32_t shard, struct catalog_log *copy);

#endif
