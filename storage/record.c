#include "storage/record.h"

#include "base/crc32c.h"
#include "base/invariant.h"

#include <string.h>

static uint64_t payload_size(const struct record_header *header)
{
    return (uint64_t)header->envelope_bytes + (uint64_t)header->chunk_count * CHUNK_REF_BYTES +
           header->trace_bytes + header->body_bytes;
}

static uint32_t header_checksum(const struct record_header *header, uint32_t seed)
{
    const size_t start = offsetof(struct record_header, payload_crc);
    return crc32c(seed, (const uint8_t *)header + start, sizeof(*header) - start);
}

void record_seal(uint8_t *bytes, const struct record_header *header, uint32_t seed)
{
    uint64_t payload = payload_size(header);
    uint64_t size = record_size(payload);
    INVARIANT(size <= RECORD_BYTES_MAX);
    /* First: who reads a header right after it was written waits for what was written before it,
     * and that is the payload. */
    uint32_t payload_crc = crc32c(seed, bytes + RECORD_HEADER_BYTES, payload);
    struct record_header sealed = *header;
    sealed.record_bytes = (uint32_t)size;
    sealed.payload_crc = payload_crc;
    sealed.header_crc = header_checksum(&sealed, seed);
    memcpy(bytes, &sealed, sizeof(sealed));
    memset(bytes + RECORD_HEADER_BYTES + payload, 0, size - RECORD_HEADER_BYTES - payload);
}

static void set_spans(struct record *record, const uint8_t *bytes)
{
    const struct record_header *header = &record->header;
    const uint8_t *start = bytes + RECORD_HEADER_BYTES;
    size_t chunks = (size_t)header->chunk_count * CHUNK_REF_BYTES;
    record->envelope = span_of(start, header->envelope_bytes);
    record->chunks = span_of(start + header->envelope_bytes, chunks);
    record->wire = span_of(start + header->envelope_bytes + chunks,
                           (size_t)header->trace_bytes + header->body_bytes);
}

enum record_check record_check(struct span bytes, uint32_t seed, struct record *record)
{
    struct record_header header;
    if (bytes.size < sizeof(header))
        return RECORD_BAD_HEADER;
    memcpy(&header, bytes.data, sizeof(header));
    uint64_t payload = payload_size(&header);
    if (header.record_bytes > bytes.size || header.record_bytes > RECORD_BYTES_MAX ||
        header.record_bytes != record_size(payload) ||
        header.header_crc != header_checksum(&header, seed))
        return RECORD_BAD_HEADER;
    record->header = header;
    if (header.payload_crc != crc32c(seed, bytes.data + RECORD_HEADER_BYTES, payload))
        return RECORD_BAD_PAYLOAD;
    set_spans(record, bytes.data);
    return RECORD_GOOD;
}

void record_view(const uint8_t *bytes, struct record *record)
{
    memcpy(&record->header, bytes, sizeof(record->header));
    set_spans(record, bytes);
}

struct chunk_ref record_chunk(const struct record *record, uint32_t index)
{
    INVARIANT(index < record->header.chunk_count);
    struct chunk_ref ref;
    memcpy(&ref, record->chunks.data + (size_t)index * CHUNK_REF_BYTES, sizeof(ref));
    return ref;
}

uint64_t record_chunks_size(const struct record *record)
{
    uint64_t size = 0;
    for (uint32_t i = 0; i < record->header.chunk_count; i++)
        size += record_size(record_chunk(record, i).bytes);
    return size;
}
