/* What lives in each segment of a log: kept current, so that nobody has to read a segment to learn
 * that it is empty.
 *
 * A link that enters a mailbox adds its part of the message, a link that is deleted takes it away
 * again: a message for N mailboxes counts an Nth for each. So the bytes are exact for one
 * recipient, and for more when all or none have deleted it; those of a message in chunks are taken
 * from its size, and count where the message's record is. Any thread: every number is whole, not
 * all are of one moment. */
#ifndef STORAGE_TALLY_H
#define STORAGE_TALLY_H

#include "storage/store.h"

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

#endif
