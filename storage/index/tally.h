/* What lives in each segment of a log: kept current, so that nobody has to read a segment to learn
 * that it is empty.
 *
 * A link that enters a mailbox adds its part of the message, a link that is deleted takes it away
 * again: a message for N mailboxes counts an Nth for each. So the bytes are exact for one
 * recipient, and for more when all or none have deleted it; those of a message in chunks are taken
 * from its size, and count where the message's record is. Any thread: every number is whole, not
 * all are of one moment. */
#ifndef STORAGE_INDEX_TALLY_H
#define STORAGE_INDEX_TALLY_H

#include "storage/index/index_key.h"
#include "storage/store.h"

#include <stdatomic.h>

struct store;

struct tally {             /* of one segment */
    uint64_t links;        /* that mailboxes have: 0: nothing in the segment is needed by one */
    uint64_t parts;        /* of messages, in units of TALLY_WHOLE: the Nths of N recipients */
    uint64_t bytes;        /* of records that live */
    uint64_t record_bytes; /* of all its records, deletions too */
};

#define TALLY_WHOLE (1ull << 32)

/* Of a segment that never was: zeroes. */
void tally_read(const struct store *store, uint32_t shard, uint32_t segment, struct tally *tally);

/* ---- for those who keep it ---- */

#define TALLIES_BLOCK 64u  /* segments that are made room for together */
#define TALLIES_GROUP 256u /* blocks */
#define TALLIES_GROUPS 256u
#define TALLIES_SEGMENTS (TALLIES_BLOCK * TALLIES_GROUP * TALLIES_GROUPS) /* of a log */

struct tallies_segment {
    _Atomic uint64_t counts[INDEX_COUNTS];
    _Atomic uint64_t record_bytes;
};

struct tallies_block {
    struct tallies_segment segments[TALLIES_BLOCK];
};

struct tallies_group {
    _Atomic(void *) blocks[TALLIES_GROUP]; /* struct tallies_block */
};

/* Two steps to a block, as most logs have few segments of the many that they may have: what is
 * made room for, and walked at the end, is little. */
struct tallies_log {
    _Atomic(void *) groups[TALLIES_GROUPS]; /* struct tallies_group */
};

struct tallies {
    _Atomic(void *) logs[STORE_SHARDS_MAX]; /* struct tallies_log */
};

/* All zero; deinit leaves it so. */
void tallies_deinit(struct tallies *tallies);
/* A segment's, made when it is asked for first; memory for it is not optional. */
struct tallies_segment *tallies_at(struct tallies *tallies, uint32_t shard, uint32_t segment);
/* What is there, for reading: NULL when nothing is. */
const struct tallies_segment *tallies_find(const struct tallies *tallies, uint32_t shard,
                                           uint32_t segment);

/* What one link adds to each count of its segment. */
void tally_of_link(const struct store_link *link, uint64_t counts[INDEX_COUNTS]);
void tallies_add(struct tallies *tallies, const struct store_link *link);
void tallies_remove(struct tallies *tallies, const struct store_link *link);

#endif
