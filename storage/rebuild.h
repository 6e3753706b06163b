/* The mailbox indexes, made anew from what the logs say.
 *
 * Messages and deletions come in any order, from any log; at the end links stand in their mailboxes
 * by time of receipt, then id, without those that were deleted. */
#ifndef STORAGE_REBUILD_H
#define STORAGE_REBUILD_H

#include "storage/mailboxes.h"
#include "storage/store.h"

struct rebuild {
    struct mailboxes *mailboxes; /* one index per shard of this run */
    uint32_t shards;
    struct rebuild_link *links;
    struct rebuild_message *messages;
    struct rebuild_deletion *deletions;
    size_t link_count, link_capacity;
    size_t message_count, message_capacity;
    size_t deletion_count, deletion_capacity;
    bool failed; /* no memory */
};

/* Into these indexes, which are empty. */
void rebuild_init(struct rebuild *rebuild, struct mailboxes *mailboxes, uint32_t shards);
/* Frees what was collected; the indexes stay. */
void rebuild_deinit(struct rebuild *rebuild);

/* Whether it needs what log `shard` says before `end_lsn`. */
bool rebuild_wants(const struct rebuild *rebuild, uint32_t shard, uint64_t end_lsn);
/* Everything in a hint's body, of a segment of log `shard`. */
void rebuild_add(struct rebuild *rebuild, uint32_t shard, uint32_t segment, struct span body);

/* Fills the indexes. `live(context, shard, bytes, links)` is called for each message that is in a
 * mailbox still: its records' bytes, chunks too. SYSTEM: no memory. */
enum status rebuild_finish(struct rebuild *rebuild,
                           void (*live)(void *context, uint32_t shard, uint64_t bytes,
                                        uint32_t links),
                           void *context) MUST_CHECK;

#endif
