/* The record: one thing said in a log, in the bytes it has on disk (storage/FORMAT.md).
 *
 * A header of fixed size, then the payload: envelope, chunk references, trace header, body; zeroes
 * up to a multiple of 8. The header's checksum covers the header, and with it the payload's
 * checksum, which covers the payload. Both start from a seed made of the store's secret key, so
 * that neither another store's bytes nor a mail's content can pass for a record of this one; a log
 * sequence number is used once, so the header says which record of the store it is. */
#ifndef STORAGE_RECORD_H
#define STORAGE_RECORD_H

#include "base/span.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_ALIGN 8u
#define RECORD_HEADER_BYTES 72u
#define RECORD_BYTES_MAX (1u << 20) /* whole record; longer bodies go into chunks */

enum record_type { /* on disk: never renumber */
                   RECORD_MESSAGE = 1,
                   RECORD_CHUNK = 2,  /* a piece of a body, in `body` */
                   RECORD_DELETE = 3, /* envelope: the mailbox; body: the ids, 8 bytes each */
};

struct record_header {
    uint32_t header_crc;  /* of the header from payload_crc on */
    uint32_t payload_crc; /* of envelope, chunk references, trace and body */
    uint8_t type;         /* enum record_type */
    uint8_t zero;
    uint16_t shard;        /* whose log */
    uint16_t flags;        /* enum store_flag */
    uint16_t back;         /* the message's number is lsn - back: its last chunks came between */
    uint64_t lsn;          /* log sequence number, 52 bits */
    uint64_t received_ns;  /* wall time */
    uint64_t octets;       /* RFC 1939 size of the message */
    uint32_t record_bytes; /* header, payload and padding */
    uint32_t envelope_bytes;
    uint32_t chunk_count; /* references of CHUNK_REF_BYTES each */
    uint32_t trace_bytes;
    uint32_t body_bytes;   /* in this record; the chunks' bytes come before them */
    uint32_t stuffed;      /* dots added by stuffing, in the whole body */
    uint64_t header_bytes; /* wire bytes from the trace's start through the empty line */
};

static_assert(sizeof(struct record_header) == RECORD_HEADER_BYTES, "the record header on disk");
static_assert(offsetof(struct record_header, lsn) == 16, "the record header on disk");
static_assert(offsetof(struct record_header, header_bytes) == 64, "the record header on disk");
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes on disk are little-endian");

/* Where a chunk of a message's body is: always in the log of the message itself. */
struct chunk_ref {
    uint32_t segment;
    uint32_t slot;  /* offset of the chunk's record in its segment, in units of 8 bytes */
    uint32_t bytes; /* of body */
    uint32_t crc;   /* the chunk record's payload_crc */
};

#define CHUNK_REF_BYTES 16u
static_assert(sizeof(struct chunk_ref) == CHUNK_REF_BYTES, "the chunk reference on disk");

/* A record that passed its checks, borrowed from the bytes it was read from. */
struct record {
    struct record_header header;
    struct span envelope;
    struct span chunks;
    struct span wire; /* trace and body, contiguous */
};

/* Whole bytes of a record with this much payload. */
static inline uint64_t record_size(uint64_t payload_bytes)
{
    return (RECORD_HEADER_BYTES + payload_bytes + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}

/* Writes header (its checksums and record_bytes are filled in) and padding around a payload that
 * is already in place at `bytes` + RECORD_HEADER_BYTES. */
void record_seal(uint8_t *bytes, const struct record_header *header, uint32_t seed);

enum record_check {
    RECORD_GOOD,
    RECORD_BAD_HEADER,  /* no record, or its header is damaged: its size is unknown */
    RECORD_BAD_PAYLOAD, /* the header is good: header.record_bytes leads to the next */
};

/* Checks the record at the start of `bytes` (8-byte aligned, may be longer than the record).
 * `record->header` is filled unless the header is bad; the spans only when all is good. */
enum record_check record_check(struct span bytes, uint32_t seed, struct record *record);

/* The record at `bytes` that this process sealed itself and nothing has touched since. */
void record_view(const uint8_t *bytes, struct record *record);

/* The reference number `index`, which is below the record's chunk_count. */
struct chunk_ref record_chunk(const struct record *record, uint32_t index);

/* Bytes of the chunk records that a message's references name. */
uint64_t record_chunks_size(const struct record *record);

#endif
