/* Group commit: a ring of batch buffers between those who append and the medium.
 *
 *   settled ≤ ended ≤ submitted ≤ begun, each the count of batches that got that far
 *
 * A batch knows where it will be written from the moment it is begun, so that records may refer to
 * each other (chunks) before anything is written. The newest batch fills while older ones are in
 * flight; batches end in order: durable, or failed together with everything behind. Settling (see
 * settle.h) tells the outcome and frees the buffer.
 *
 * A log takes hold of the medium with an anchor, an empty batch: when it is opened, and after a
 * failed write in a new segment. It makes void what may have reached the disk of the failed
 * batches, hence only then is their failure told. While the medium takes no anchor either it is
 * told all the same: then, and only then, a refused message may come back after a restart. */
#ifndef STORAGE_COMMIT_H
#define STORAGE_COMMIT_H

#include "storage/batch.h"
#include "storage/spare.h"
#include "storage/store.h"

#define COMMIT_DEPTH_MAX 4u
#define COMMIT_BATCHES_MAX (COMMIT_DEPTH_MAX + 3)

enum batch_state { BATCH_FILLING, BATCH_WAITING, BATCH_FLIGHT, BATCH_DURABLE, BATCH_FAILED };

struct batch {
    struct medium_op op;
    struct commit *commit;
    uint8_t *bytes;
    uint64_t *cookies; /* of messages and deletions, in order */
    struct segment *segment;
    uint64_t offset; /* in the segment */
    struct batch_header header;
    uint64_t submitted_ns;
    uint32_t capacity; /* bytes of the buffer that the segment has room for */
    uint32_t cookie_count;
    uint32_t reach; /* the first segment with chunks of its messages */
    enum batch_state state;
};

enum commit_state {
    COMMIT_RUNNING,
    COMMIT_DRAINING,  /* a write failed: waiting for those in flight */
    COMMIT_HOMELESS,  /* needs a place for its anchor */
    COMMIT_ANCHORING, /* the anchor is in flight */
};

struct commit {
    struct batch batches[COMMIT_BATCHES_MAX];
    uint32_t count; /* of buffers: depth, one filling, one settling, one kept for an anchor */
    uint32_t depth;
    uint32_t batch_bytes;
    uint32_t shard;
    uint32_t record_seed;
    uint32_t cookies_max; /* per batch */
    void *memory;         /* of all buffers */
    size_t memory_bytes;
    struct medium *medium;
    const struct clock *clock;
    struct store_counters *counters;

    enum commit_state state;
    enum status failure; /* of the last write that failed */
    enum status refusal; /* what appending answers while there is no place; OK: AGAIN */
    uint64_t settled, ended, submitted, begun;
    uint32_t flights;
    uint64_t retry_ns; /* no anchor before: the last one failed */
    uint64_t failures; /* how often batches were given up: chunks of before are lost */

    struct segment *segment; /* where the next batch begins; NULL: nowhere yet */
    uint64_t offset;
    uint64_t next_lsn;
    uint64_t sequence; /* of the batch sealed last */
    uint32_t crc;      /* of its header */
    uint64_t durable_sequence;
    uint32_t durable_crc;
    struct spare spare;
};

/* Buffers for `options`; the caller then fills in where the log goes on. FULL: no memory. */
enum status commit_init(struct commit *commit, const struct store_options *options) MUST_CHECK;
/* Frees all; nothing may be under way. */
void commit_deinit(struct commit *commit);
/* Forgets the medium and what is under way there; for commit_deinit. */
void commit_abandon(struct commit *commit);

enum commit_purpose {
    COMMIT_MAIL,
    COMMIT_DELETION, /* may use the last part of a segment when there is no next one */
};

/* On a medium without room for another segment, this part of the last one is for deletions. */
#define COMMIT_KEPT_SHARE 4u

struct commit_slot {
    uint8_t *bytes; /* where the record goes: header, then payload */
    uint64_t lsn;
    uint32_t segment, slot;
};

/* Room for one record of `bytes` in the filling batch, until the next call. AGAIN: later; FULL, IO:
 * there is no place on the medium. */
enum status commit_reserve(struct commit *commit, uint64_t bytes, enum commit_purpose purpose,
                           struct commit_slot *slot) MUST_CHECK;

/* Seals the record whose payload was put into the reserved slot. Records of messages and deletions
 * have a cookie. */
void commit_add(struct commit *commit, const struct commit_slot *slot, struct record_header *header,
                const uint64_t *cookie);

/* The message just added has chunks from this segment on. */
void commit_reach(struct commit *commit, uint32_t segment);
/* The first segment with chunks of messages whose fate is not settled. */
uint32_t commit_unsettled_reach(struct commit *commit);

/* Bytes of records that could be reserved now, at least, split over batches as they come. */
uint64_t commit_room(const struct commit *commit);
/* Bytes left in the filling batch; 0: there is none. */
uint32_t commit_filling_room(const struct commit *commit);
/* The largest record that fits into any batch. */
uint32_t commit_record_max(const struct commit *commit);

/* Why a record of this purpose is refused for now; OK: it is not. */
enum status commit_refusal(const struct commit *commit, enum commit_purpose purpose) MUST_CHECK;

/* Takes hold after a failure, gets the next segment ready, submits what the depth allows. */
void commit_turn(struct commit *commit);
/* Whether the log could go on in its next segment at once: nothing is under way. */
bool commit_can_move_on(const struct commit *commit);
/* Goes on there, so that this one is sealed. */
void commit_move_on(struct commit *commit);
/* Submits an empty batch that vouches for all that is durable. Nothing else may be under way. */
void commit_close(struct commit *commit);

static inline struct batch *commit_batch(struct commit *commit, uint64_t number)
{
    return &commit->batches[number % commit->count];
}

#endif
