/* Recovery: from what the medium holds to logs that can go on and indexes that are complete.
 *
 * Sealed segments with a good hint are not read, nor is more than the head of a hint whose links
 * the index has already; the others are scanned, the whole of each log is judged (chain.h), what
 * counts goes into the indexes (rebuild.h). Also how a store is verified:
 * then hints are not believed but compared. */
#ifndef STORAGE_RECOVER_H
#define STORAGE_RECOVER_H

#include "storage/chain.h"
#include "storage/hint.h"
#include "storage/index/rebuild.h"
#include "storage/store.h"

struct recovered_segment {
    uint32_t number;
    uint32_t since;    /* no object has a number from this one up to its own */
    bool hinted, good; /* good: the header says the epoch */
    bool compact;
    bool damaged;
    uint32_t reach;   /* as in hint.h; 0: not known */
    uint32_t early;   /* as in hint.h; at most UINT16_MAX, and that when it is not known */
    uint32_t records; /* compact */
    uint32_t generation;
    uint64_t forgotten; /* as in compact.h */
    uint64_t epoch;
    uint64_t bytes;                         /* as allocated */
    uint64_t first_lsn, end_lsn;            /* of its records; equal: none */
    uint64_t first_sequence, last_sequence; /* of its batches */
    uint64_t record_bytes;                  /* of all of them */
};

struct recovered {                      /* one log */
    struct recovered_segment *segments; /* by number */
    uint32_t count, capacity;
    struct store_stats stats;
    uint64_t sequence; /* of the last batch */
    uint32_t crc;      /* of its header */
    uint64_t next_lsn; /* for this run: above any that was ever told */
    uint32_t tail;     /* index of the segment to go on in; UINT32_MAX: in a new one */
    uint32_t ready;    /* index of an empty segment to go on in next; UINT32_MAX: none */
    uint64_t tail_offset;
    struct hint hint; /* of the tail so far */
    /* Where the log ends, whether it can go on there or not. */
    uint32_t end; /* index of the segment with the last batch; UINT32_MAX: there is no batch */
    uint64_t end_offset;   /* behind that batch */
    uint64_t durable_upto; /* every batch up to this one is known to be durable */
};

/* A log that nothing is known of. */
extern const struct recovered recovered_none;

struct recover {
    struct medium *medium;
    const uint8_t *store; /* 16 bytes */
    uint32_t record_seed;
    bool use_hints;
    bool thorough;    /* read all of every segment that is read */
    bool repair;      /* write missing hints, remove segments that were never begun */
    uint32_t running; /* logs from this number on are not written: none has a segment ready */
    struct rebuild *rebuild; /* is given what counts, and asked what it needs; NULL: nobody is */
    /* One line per finding; damage: acknowledged data is lost, or a hint is wrong. */
    void (*report)(void *context, bool damage, const char *line);
    /* Called for every good record that is read, unless NULL. */
    void (*record)(void *context, const struct record *record, uint32_t segment, uint32_t slot);
    /* Called for every batch that turns out not to count after its records were given, unless
     * NULL. */
    void (*dropped)(void *context, uint32_t shard, uint32_t segment, uint64_t offset,
                    uint64_t bytes);
    void *context;
    /* Its own. */
    struct link_names names;
    uint8_t *window; /* as large as the largest segment that was read needs it */
    uint32_t window_bytes;
};

/* All logs of the medium: `*count` of them (the highest shard plus one), to be deinit'ed also when
 * it fails. `logs` has room for STORE_SHARDS_MAX; of those behind, the ones that are to run become
 * recovered_none, the others are left alone. IO, SYSTEM (memory), NEWER with a line. */
enum status recover_logs(struct recover *recover, struct recovered *logs, uint32_t *count,
                         struct fault *fault) MUST_CHECK;
/* Frees what it holds. */
void recovered_deinit(struct recovered *log);

/* The first number of a run after one that got to `end_lsn`: none that was told is used again. */
uint64_t recover_next_lsn(uint64_t end_lsn);

#endif
