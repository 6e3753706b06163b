/* Reading messages back: the records, checked, in order.
 *
 * A fetch is a job with two buffers: one for the message's record, one for the chunk at hand. A
 * message without chunks is one read and one piece. One with chunks is read twice: all of it to be
 * checked, then chunk by chunk to be handed over, and checked again. Jobs without buffers wait in
 * line. Any shard's segments are read through this shard's medium. */
#ifndef STORAGE_FETCH_H
#define STORAGE_FETCH_H

#include "base/log.h"
#include "base/pool.h"
#include "storage/readers.h"
#include "storage/record.h"
#include "storage/store.h"

struct store_log;
struct fetch_job;

struct fetch_queue {
    struct fetch_job *first, *last;
};

struct fetches {
    struct pool buffers; /* RECORD_BYTES_MAX each, two per job */
    struct readers readers;
    uint32_t reading;           /* operations under way */
    struct fetch_queue waiting; /* for buffers */
    struct fetch_queue ready;   /* for the next turn: what needs no reading */
    struct fetch_queue free;
    struct fetch_job *all;
    struct log_limit alarms;
};

/* Buffers for `count` fetches at once. FULL: no memory. */
enum status fetches_init(struct fetches *fetches, uint32_t count) MUST_CHECK;
/* Frees all; no fetch may be open. */
void fetches_deinit(struct fetches *fetches);

/* Starts jobs that waited for buffers, tells what needs no reading. True when there is more to tell
 * at the next turn. */
bool fetch_turn(struct store_log *log);

#endif
