/* Links: which mailboxes a message goes to, and the names people know it by.
 *
 * The walk finds the recipients of an envelope in order and gives each mailbox once, at the place
 * where it is named first. Writing, recovery and checks all walk the same way, so that they agree
 * on the links of a message for ever. A walk may be left and taken up again later. */
#ifndef STORAGE_LINK_H
#define STORAGE_LINK_H

#include "base/envelope.h"
#include "storage/record.h"
#include "storage/store.h"

#define LINK_LSN_BITS 52
#define LINK_PLACES_MAX 65535u /* recipients of one message, repeated ones counted */

/* A message's id, from and to its parts. */
static inline uint64_t link_id(uint32_t shard, uint64_t lsn)
{
    return (uint64_t)shard << LINK_LSN_BITS | lsn;
}

static inline uint32_t link_shard(uint64_t id)
{
    return (uint32_t)(id >> LINK_LSN_BITS);
}

static inline uint64_t link_lsn(uint64_t id)
{
    return id & ((1ull << LINK_LSN_BITS) - 1);
}

/* Which of `shards` orders the mailbox with this hash. */
static inline uint32_t link_owner(uint64_t hash, uint32_t shards)
{
    return (uint32_t)((hash >> 32) * shards >> 32);
}

/* The hash of a mailbox's name: the same in every run. */
uint64_t link_hash(struct span mailbox);

/* The link to a message record at `slot` of `segment`; `place` is 0, `copies` 1. */
struct store_link link_of(const struct record_header *header, uint32_t segment, uint32_t slot);

/* The names a walk has met: scratch memory, one per thread, for one walk at a time. */
struct link_names {
    struct link_name *table;
    uint32_t stamp; /* of this walk: older entries are empty ones */
};

/* FULL when there is no memory. */
enum status link_names_init(struct link_names *names) MUST_CHECK;
void link_names_deinit(struct link_names *names);

struct link_walk {
    struct link_names *names;
    struct span envelope;
    struct envelope_cursor cursor;
    uint32_t mask;
    uint32_t places; /* recipients met, repeated ones too */
};

struct link_stop { /* one mailbox of a walk */
    struct span mailbox;
    uint64_t hash;
    uint16_t place;
};

/* Begins at the first recipient of an envelope that stays where it is during the walk. */
void link_walk_begin(struct link_walk *walk, struct link_names *names, struct span envelope);
/* The next mailbox; false when there are no more. */
bool link_walk_next(struct link_walk *walk, struct link_stop *stop);

#endif
