/* A store of one shard with small segments, to be filled, thinned out and compacted, for tests. */
#ifndef TESTS_STORAGE_RECLAIM_COMPACT_BED_H
#define TESTS_STORAGE_RECLAIM_COMPACT_BED_H

#include "storage/recover.h"
#include "tests/storage/medium/medium_bed.h"
#include "tests/storage/store_bed.h"

#define COMPACT_BED_BYTES 20000 /* of a message */

struct compact_bed {
    struct store_bed bed;
    uint32_t sent; /* numbers of bodies, and cookies */
};

/* Open, empty. */
void compact_bed_open(struct compact_bed *bed);
void compact_bed_close(struct compact_bed *bed);
/* Closes the store and opens it again. */
void compact_bed_reopen(struct compact_bed *bed);

/* One message to the mailboxes. */
void compact_bed_put(struct compact_bed *bed, size_t bytes, const char *mailboxes);
/* Messages to the mailboxes until segment `number` is sealed. */
void compact_bed_fill(struct compact_bed *bed, uint32_t number, const char *mailboxes);
/* Deletes every message of the mailbox but each `keep`-th; 0: all. */
void compact_bed_thin_out(struct compact_bed *bed, char mailbox, uint32_t keep);

/* What the catalog says of a segment; number 0: there is none. */
struct recovered_segment compact_bed_segment(struct compact_bed *bed, uint32_t number);
/* Compacts it, if at most `percent` of it stays. */
enum status compact_bed_compact(struct compact_bed *bed, uint32_t number, unsigned percent);

/* Each message of 'a', of which every `keep`-th was kept, has its bytes; how many there are. */
uint32_t compact_bed_check(struct compact_bed *bed, uint32_t keep);
/* Verification finds nothing. */
void compact_bed_verify(struct compact_bed *bed);

#endif
