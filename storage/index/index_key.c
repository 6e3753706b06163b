#include "storage/index/index_key.h"

#include "base/invariant.h"

#include <assert.h>

static_assert(sizeof(struct index_link) == 32, "the value of a link");

enum { KIND_COUNT = 'C', KIND_IDENTITY = 'I', KIND_LINK = 'L', KIND_COVERAGE = 'V' };

static void put(struct index_key *key, uint64_t number, unsigned bytes)
{
    while (bytes-- > 0)
        key->bytes[key->size++] = (uint8_t)(number >> bytes * 8);
}

static uint64_t take(struct span bytes, size_t at, unsigned count)
{
    uint64_t number = 0;
    for (unsigned i = 0; i < count; i++)
        number = number << 8 | bytes.data[at + i];
    return number;
}

static void begin(struct index_key *key, uint8_t kind)
{
    key->size = 0;
    put(key, kind, 1);
}

void index_key_mailbox(struct index_key *key, uint64_t hash, struct span name)
{
    INVARIANT(name.size <= INDEX_NAME_BYTES_MAX);
    begin(key, KIND_LINK);
    put(key, hash, 8);
    put(key, name.size, 2);
    if (name.size > 0)
        memcpy(key->bytes + key->size, name.data, name.size);
    key->size += (uint32_t)name.size;
}

void index_key_link(struct index_key *key, uint64_t id)
{
    key->size = 11 + (uint32_t)take(index_key_span(key), 9, 2);
    put(key, id, 8);
}

void index_key_count(struct index_key *key, uint32_t log, uint32_t segment, enum index_count count)
{
    begin(key, KIND_COUNT);
    put(key, log, 4);
    put(key, segment, 4);
    put(key, count, 1);
}

void index_key_coverage(struct index_key *key, uint32_t first, uint32_t last)
{
    begin(key, KIND_COVERAGE);
    put(key, first, 4);
    put(key, last, 4);
}

void index_key_identity(struct index_key *key)
{
    begin(key, KIND_IDENTITY);
}

bool index_key_parse_link(struct span key, uint64_t *hash, struct span *name, uint64_t *id)
{
    if (key.size < 19 || key.data[0] != KIND_LINK || key.size != 19 + take(key, 9, 2))
        return false;
    *hash = take(key, 1, 8);
    *name = span_of(key.data + 11, key.size - 19);
    *id = take(key, key.size - 8, 8);
    return true;
}

bool index_key_parse_count(struct span key, uint32_t *log, uint32_t *segment, uint32_t *count)
{
    if (key.size != 10 || key.data[0] != KIND_COUNT)
        return false;
    *log = (uint32_t)take(key, 1, 4);
    *segment = (uint32_t)take(key, 5, 4);
    *count = key.data[9];
    return true;
}

bool index_key_parse_coverage(struct span key, uint32_t *first, uint32_t *last)
{
    if (key.size != 9 || key.data[0] != KIND_COVERAGE)
        return false;
    *first = (uint32_t)take(key, 1, 4);
    *last = (uint32_t)take(key, 5, 4);
    return true;
}

struct index_link index_link_of(const struct store_link *link)
{
    return (struct index_link){
        .received_ns = link->received_ns,
        .segment = link->segment,
        .slot = link->slot,
        .record_bytes = link->record_bytes,
        .octets_low = link->octets_low,
        .octets_high = link->octets_high,
        .place = link->place,
        .copies = link->copies,
    };
}

bool index_link_parse(uint64_t id, struct span value, struct store_link *link)
{
    struct index_link read;
    if (value.size != sizeof(read))
        return false;
    memcpy(&read, value.data, sizeof(read));
    *link = (struct store_link){
        .id = id,
        .received_ns = read.received_ns,
        .segment = read.segment,
        .slot = read.slot,
        .record_bytes = read.record_bytes,
        .octets_low = read.octets_low,
        .octets_high = read.octets_high,
        .place = read.place,
        .copies = read.copies,
    };
    return true;
}
