/* The hint: what one segment says about mailboxes, without the mail.
 *
 * Built record by record, in the log's order, both while a shard writes and when recovery scans:
 * the same segment gives the same bytes. Published beside its segment when that is sealed, so that
 * the next start need not read the segment; derived, and ignored when any check fails. Damaged
 * segments get none: what is wrong with them shall be found again. */
#ifndef STORAGE_HINT_H
#define STORAGE_HINT_H

#include "base/span.h"
#include "base/status.h"
#include "storage/link.h"
#include "storage/record.h"

#include <assert.h>
#include <stdint.h>

#define HINT_HEADER_BYTES 128u

struct hint_header { /* on disk; entries follow */
    uint8_t magic[8];
    uint32_t header_crc; /* of the header from body_crc on */
    uint32_t body_crc;
    uint32_t format;
    uint32_t shard;
    uint32_t segment;
    uint32_t last_crc; /* the last batch's header checksum: the next one names it */
    uint8_t store[16];
    uint64_t epoch;
    uint64_t body_bytes;
    uint64_t first_sequence, last_sequence; /* of batches; first > last: none */
    uint64_t first_lsn, end_lsn;            /* end: of the record that would come next */
    uint64_t end_offset;                    /* where the next batch would be */
    uint64_t record_bytes;                  /* of all records */
    uint32_t reach; /* the first segment with chunks of its messages, at most its own number; 0:
                       written before that was told, and `early` */
    uint32_t early; /* how far before first_lsn the number of its first message is */
    uint32_t zero[2];
};
static_assert(sizeof(struct hint_header) == HINT_HEADER_BYTES, "the hint's header on disk");

enum hint_kind { HINT_MESSAGE = 1, HINT_DELETE = 2 };

struct hint_entry { /* on disk; 8-byte aligned */
    uint32_t kind;
    uint32_t bytes;      /* whole entry */
    uint32_t links;      /* message: struct hint_link with the name behind it, each aligned to 4;
                            delete: ids, then the name */
    uint32_t name_bytes; /* delete only */
    uint64_t number;     /* the message's id in its log */
    uint64_t received_ns;
    uint64_t octets;
    uint64_t chunk_bytes; /* of the chunk records that the message uses */
    uint32_t slot, record_bytes;
};
static_assert(sizeof(struct hint_entry) == 56, "the hint's entry on disk");

struct hint_link {
    uint16_t place, name_bytes;
};

struct hint { /* under construction: grows in place */
    uint8_t *bytes;
    size_t size, capacity;
    struct hint_header header;
    uint64_t first_number; /* of its messages; UINT64_MAX: none yet */
    size_t entry;          /* of the message whose links are being added */
    bool failed;           /* no memory: incomplete, not to be used */
};

/* An empty hint of a segment that begins with the next batch. */
void hint_init(struct hint *hint, const uint8_t store[16], uint32_t shard, uint32_t segment,
               uint64_t epoch);
/* Frees the bytes. */
void hint_deinit(struct hint *hint);

/* A message: begin, its links, end. */
void hint_message_begin(struct hint *hint, const struct record *record, uint32_t slot);
void hint_message_link(struct hint *hint, const struct link_stop *stop);
void hint_message_end(struct hint *hint);
/* A message with all the links of its envelope, or a deletion; other records leave no entry. */
void hint_record(struct hint *hint, const struct record *record, uint32_t slot,
                 struct link_names *names);

/* What header.early must be when header.first_lsn is known. */
uint32_t hint_early(const struct hint *hint);
/* Seals the bytes for publishing: they stay the hint's. */
struct span hint_seal(struct hint *hint);

/* Adds an entry of another segment's hint as it is. */
void hint_copy(struct hint *hint, const struct hint_entry *entry, struct span content);

/* The header of a hint of `size` bytes that belongs to this segment, from its first bytes alone:
 * what the body says has not been checked. */
bool hint_parse_header(struct span bytes, uint64_t size, const uint8_t store[16], uint32_t shard,
                       uint32_t segment, uint64_t epoch, struct hint_header *header);
/* The header of a hint that passes every check and belongs to this segment. */
bool hint_parse(struct span bytes, const uint8_t store[16], uint32_t shard, uint32_t segment,
                uint64_t epoch, struct hint_header *header);

/* The beginning of a hint, HINT_HEADER_BYTES, is sound and of a format that is newer than ours. */
bool hint_is_newer(const uint8_t *bytes, const uint8_t store[16]);

/* Entries of a body, in order; `entries` moves on. False at the end. */
bool hint_next(struct span *entries, struct hint_entry *entry, struct span *content);
/* The next link of a message's content, at most entry->links times. */
bool hint_next_link(struct span *content, uint16_t *place, struct span *name);
/* The ids and the mailbox of a deletion. */
void hint_delete_parts(const struct hint_entry *entry, struct span content, struct span *ids,
                       struct span *name);

/* The body of a hint, sealed or not. */
struct span hint_body(const struct hint *hint);

#endif
