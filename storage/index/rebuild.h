/* What the base of the index does not cover yet, taken from the logs into the owners' deltas.
 *
 * Messages and deletions come log by log, and in a log in its order. A deletion may come before
 * the message that it deletes, when that is in a later log: then it is kept, and the message will
 * not enter its mailbox. What the base covers is skipped. Only the message at the very end of what
 * is covered may be there in part: it is looked up.
 *
 * When the deltas have grown, they are put into the base on the way, so that a rebuild needs no
 * more memory than life does. From then until the end the index is not complete (it has no
 * identity): if this is cut off, the next start begins from nothing. */
#ifndef STORAGE_INDEX_REBUILD_H
#define STORAGE_INDEX_REBUILD_H

#include "storage/index/coverage.h"
#include "storage/index/index_key.h"
#include "storage/index/owner.h"

struct rebuild {
    struct index *index;
    const struct coverage *coverage; /* of the index */
    struct owner *owners;            /* one per shard of this run */
    uint32_t shards;
    uint64_t delta_bytes;    /* of all deltas together: then they go into the base; 0: never */
    const uint8_t *identity; /* of the store */
    /* Its own. */
    enum status status;              /* the first failure */
    bool flushed;                    /* the base is not complete until the end */
    struct rebuild_deletion *awaits; /* deletions of messages to come: a table of hash and id */
    size_t awaits_count, awaits_size;
    struct index_key *key;
};

/* The caller has filled in the first part, the rest is zero. */
void rebuild_deinit(struct rebuild *rebuild);

/* Whether it needs what log `shard` says before `end_lsn`. */
bool rebuild_wants(const struct rebuild *rebuild, uint32_t shard, uint64_t end_lsn);
/* Everything in a hint's body, of a segment of log `shard`. */
void rebuild_add(struct rebuild *rebuild, uint32_t shard, uint32_t segment, struct span body);

/* After all logs, which end before `ends`: the base covers that too, if it must be told
 * (`complete`, or something was put into it on the way). IO, CORRUPT, FULL: of the index; SYSTEM:
 * no memory. */
enum status rebuild_finish(struct rebuild *rebuild, uint32_t logs, uint64_t *ends,
                           bool complete) MUST_CHECK;

#endif
