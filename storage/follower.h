/* One log read in the order of its commits, from a position on, while somebody may be writing it.
 *
 * First come the segments that recovery has judged, with what is damaged in them passed over; then
 * the batches that continue the chain behind them, as they appear. Given is only what is durable:
 * what a later batch vouches for, or what has stood still for a moment at the end of the log and
 * was synced by ourselves. When the log goes on in a way that the chain can't follow, it has to be
 * judged anew. Changes nothing; reads no unwritten block before it must. */
#ifndef STORAGE_FOLLOWER_H
#define STORAGE_FOLLOWER_H

#include "storage/pack.h"
#include "storage/recover.h"

#define FOLLOWER_STILL_NS (100 * 1000000ull) /* so long the last batch must be the last */
#define FOLLOWER_LOST_NS (1000 * 1000000ull) /* and so long may the log seem to go on elsewhere */

/* Bytes of a segment read at once: shared by the followers of a store. */
struct follower_window {
    uint8_t *bytes; /* SCAN_WINDOW_BYTES */
    const struct medium_object *object;
    uint64_t offset;
    uint32_t size;
};

struct follower_segment { /* open for reading */
    struct medium_object *object;
    uint32_t number;
    uint64_t epoch, bytes;
    struct contents contents; /* of a judged one that is compacted */
};

struct follower {
    /* Given. */
    struct medium *medium;
    const uint8_t *store; /* 16 bytes */
    uint32_t record_seed;
    uint32_t shard;
    struct follower_window *window;
    const struct recovered *judged; /* outlives it */
    uint64_t from;                  /* records below this number are not wanted */

    /* Its own: it stands behind the batch `sequence`, whose header has `crc`. */
    bool waits;     /* there is more, but not yet known to be durable */
    uint32_t index; /* of the judged segment it is in; judged->count: behind them all */
    struct follower_segment here;
    uint32_t entry; /* of its map, when it is compacted: the next to give */
    uint64_t offset, sequence, end_lsn;
    uint32_t crc;
    uint32_t next_number; /* of the next segment, when numbers are missing; 0: not known */
    uint64_t durable_upto;
    uint64_t still_sequence, still_ns; /* the last batch seen, and since when it is the last */
    uint64_t lost_ns;                  /* since when the log seems to go on elsewhere; 0: it does
                                          not */
};

/* To begin with record `from` of the judged log. Syncs its end. IO; ABSENT: a segment is gone. */
enum status follower_open(struct follower *follower) MUST_CHECK;
void follower_close(struct follower *follower);

/* Whether the record of the batch just given came after the log was judged. */
bool follower_is_fresh(const struct follower *follower, uint64_t lsn);

/* The medium has a segment of the log with this number. */
void follower_listed(struct follower *follower, uint32_t number);

/* The next durable batch, or stretch of a compacted segment, whose good records the pack gives
 * until the next call for any follower of the window. AGAIN: none now. ABSENT: a segment is gone;
 * CORRUPT: the log goes on elsewhere: for both judge it anew. IO. */
enum status follower_next(struct follower *follower, uint64_t now_ns, struct pack *pack) MUST_CHECK;

#endif
