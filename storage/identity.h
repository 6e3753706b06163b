/* The STORE object: which store this is, and the secret its checksums start from.
 *
 * Published once, when the store is created, before its first segment. The identity is for people
 * and logs; the key never leaves the store: it seeds the records' checksums, so that no sender of
 * mail can write bytes that recovery would take for a record. */
#ifndef STORAGE_IDENTITY_H
#define STORAGE_IDENTITY_H

#include "base/span.h"
#include "base/status.h"

#include <assert.h>
#include <stdint.h>

#define STORE_FORMAT 1u         /* of everything on disk but: */
#define STORE_FORMAT_COMPACT 2u /* a compacted segment, */
#define STORE_FORMAT_BLANK 3u   /* a recycled one, not begun. Anything newer is refused */
#define STORE_IDENTITY_BYTES 64u

struct identity {
    uint8_t magic[8];
    uint32_t format;
    uint32_t shards; /* when the store was created: for people */
    uint8_t id[16];
    uint64_t key;
    uint64_t created_ns; /* wall time */
    uint8_t zero[12];
    uint32_t crc; /* of all before */
};
static_assert(sizeof(struct identity) == STORE_IDENTITY_BYTES, "the STORE object on disk");

/* A new identity from a seed. */
void identity_make(struct identity *identity, uint64_t seed, uint32_t shards, uint64_t created_ns);

/* CORRUPT, NEWER with a line. */
enum status identity_parse(struct span bytes, struct identity *identity,
                           struct fault *fault) MUST_CHECK;

/* What the checksums of this store's records start from. */
uint32_t identity_record_seed(const struct identity *identity);

#endif
