/* Which batches make up a log: torn, damaged or void, decided over all of its segments.
 *
 * Every batch says up to which one the log was durable when it was written. What is missing at or
 * below the highest such word was acknowledged: damage. What is missing above it was never
 * acknowledged and is torn, and with it everything behind. A later segment that begins with a
 * number makes void what earlier ones hold from that number on, if its records came later: those
 * writes failed and were refused. */
#ifndef STORAGE_CHAIN_H
#define STORAGE_CHAIN_H

#include "storage/scan.h"

struct chain_segment {
    const struct hint_header *hint; /* all of it counts, whatever a scan has found */
    struct scan *scan;
    uint64_t missing;     /* batches that were acknowledged and are lost, before one of this segment
                             or (last segment) at the end */
    uint32_t bad_records; /* in batches that count */
    bool torn;            /* has batches or bytes that never became part of the log */
    bool damaged;
};

struct chain {
    uint64_t sequence; /* of the last batch that counts or is missed */
    uint32_t crc;      /* of the last batch's header */
    uint64_t end_lsn;  /* behind the last record */
    uint64_t durable_upto;
    uint32_t tail;        /* index of the last segment with a batch that counts; UINT32_MAX: none */
    uint64_t tail_offset; /* behind that batch */
    bool closed;          /* that batch is a closing one */
};

/* `segments` in ascending order; sets `counts` in their batches. */
void chain_resolve(struct chain_segment *segments, uint32_t count, struct chain *chain);

#endif
