/* What is in the base of the mailbox index: the keys, the values, and how they are made.
 *
 * Numbers in keys are big-endian, so that the order of bytes is the order of numbers; in values
 * they are little-endian like everywhere on disk.
 *
 *   'C' log 4, segment 4, enum index_count 1     a sum: what mailboxes have in that segment
 *   'I'                                          identity of the store 16, format 4
 *   'L' hash 8, size 2, name, id 8               one link: struct index_link
 *   'V' first 4, last 4                          coverage of a range of hashes: u64 per log
 *
 * All links of a mailbox have one prefix. Only an index with an identity is complete. */
#ifndef STORAGE_INDEX_INDEX_KEY_H
#define STORAGE_INDEX_INDEX_KEY_H

#include "storage/index/index.h"
#include "storage/store.h"

#define INDEX_FORMAT 1u
#define INDEX_NAME_BYTES_MAX 65535u
#define INDEX_KEY_BYTES_MAX (11u + INDEX_NAME_BYTES_MAX + 8u)

enum index_count { INDEX_LINKS, INDEX_PARTS, INDEX_BYTES, INDEX_COUNTS };

struct index_key {
    uint32_t size;
    uint8_t bytes[INDEX_KEY_BYTES_MAX];
};

static inline struct span index_key_span(const struct index_key *key)
{
    return span_of(key->bytes, key->size);
}

/* The prefix of a mailbox's links; `hash` is link_hash of the name. */
void index_key_mailbox(struct index_key *key, uint64_t hash, struct span name);
/* Makes the prefix of a mailbox the key of one of its links, or the key of one that of another. */
void index_key_link(struct index_key *key, uint64_t id);
void index_key_count(struct index_key *key, uint32_t log, uint32_t segment, enum index_count count);
void index_key_coverage(struct index_key *key, uint32_t first, uint32_t last);
void index_key_identity(struct index_key *key);

/* The parts of a key that a scan has found: false when it is of another kind. */
bool index_key_parse_link(struct span key, uint64_t *hash, struct span *name, uint64_t *id);
bool index_key_parse_count(struct span key, uint32_t *log, uint32_t *segment, uint32_t *count);
bool index_key_parse_coverage(struct span key, uint32_t *first, uint32_t *last);

struct index_link { /* the value of a link */
    uint64_t received_ns;
    uint32_t segment, slot, record_bytes;
    uint32_t octets_low;
    uint16_t octets_high;
    uint16_t place;
    uint16_t copies;
    uint16_t zero;
};

/* As it is kept: all but the id, which is in the key. */
struct index_link index_link_of(const struct store_link *link);
/* False: this is no value of a link. */
bool index_link_parse(uint64_t id, struct span value, struct store_link *link);

#endif
