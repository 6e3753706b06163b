#include "storage/hint.h"

#include "base/crc32c.h"
#include "base/invariant.h"
#include "storage/identity.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

static const char hint_magic[8] = "mailidx\n";

#define HINT_CAPACITY_MIN (64u * 1024)

void hint_init(struct hint *hint, const uint8_t store[16], uint32_t shard, uint32_t segment,
               uint64_t epoch)
{
    *hint = (struct hint){.size = HINT_HEADER_BYTES,
                          .first_number = UINT64_MAX,
                          .header = {.format = STORE_FORMAT,
                                     .shard = shard,
                                     .segment = segment,
                                     .epoch = epoch,
                                     .first_sequence = 1,
                                     .reach = segment}};
    memcpy(hint->header.magic, hint_magic, sizeof(hint->header.magic));
    memcpy(hint->header.store, store, sizeof(hint->header.store));
}

void hint_deinit(struct hint *hint)
{
    if (hint->bytes)
        munmap(hint->bytes, hint->capacity);
    *hint = (struct hint){.size = 0};
}

/* Pages move, bytes are not copied: a hint may grow to megabytes on the way of new mail. */
static bool hint_grow(struct hint *hint, size_t more)
{
    size_t capacity = hint->capacity ? hint->capacity : HINT_CAPACITY_MIN;
    while (capacity - hint->size < more)
        capacity *= 2;
    void *bytes = hint->bytes ? mremap(hint->bytes, hint->capacity, capacity, MREMAP_MAYMOVE)
                              : mmap(NULL, capacity, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED)
        return false;
    hint->bytes = bytes;
    hint->capacity = capacity;
    return true;
}

/* Appends `size` bytes, zero-padded to a multiple of `align`. */
static void hint_add(struct hint *hint, const void *bytes, size_t size, size_t align)
{
    size_t padded = (size + align - 1) & ~(align - 1);
    if (hint->failed)
        return;
    if (hint->capacity - hint->size < padded || !hint->bytes) {
        hint->failed = !hint_grow(hint, padded);
        if (hint->failed)
            return;
    }
    if (size > 0)
        memcpy(hint->bytes + hint->size, bytes, size);
    memset(hint->bytes + hint->size + size, 0, padded - size);
    hint->size += padded;
}

static void hint_begin(struct hint *hint, const struct record *record, uint32_t slot,
                       enum hint_kind kind)
{
    struct hint_entry entry = {
        .kind = kind,
        .number = record->header.lsn - record->header.back,
        .received_ns = record->header.received_ns,
        .octets = record->header.octets,
        .chunk_bytes = record_chunks_size(record),
        .slot = slot,
        .record_bytes = record->header.record_bytes,
    };
    if (record->header.chunk_count > 0 && record_chunk(record, 0).segment < hint->header.reach)
        hint->header.reach = record_chunk(record, 0).segment;
    hint->entry = hint->size;
    hint_add(hint, &entry, sizeof(entry), 8);
}

static struct hint_entry *hint_current(struct hint *hint)
{
    return (struct hint_entry *)(hint->bytes + hint->entry);
}

void hint_message_begin(struct hint *hint, const struct record *record, uint32_t slot)
{
    if (hint->first_number == UINT64_MAX)
        hint->first_number = record->header.lsn - record->header.back;
    hint_begin(hint, record, slot, HINT_MESSAGE);
}

void hint_message_link(struct hint *hint, const struct link_stop *stop)
{
    struct hint_link link = {.place = stop->place, .name_bytes = (uint16_t)stop->mailbox.size};
    hint_add(hint, &link, sizeof(link), 1);
    hint_add(hint, stop->mailbox.data, stop->mailbox.size, 4);
    if (!hint->failed)
        hint_current(hint)->links++;
}

void hint_message_end(struct hint *hint)
{
    hint_add(hint, "\0\0\0\0", hint->size % 8, 1); /* links are aligned to 4, entries to 8 */
    if (!hint->failed)
        hint_current(hint)->bytes = (uint32_t)(hint->size - hint->entry);
}

static void hint_delete(struct hint *hint, const struct record *record, uint32_t slot)
{
    struct envelope_cursor cursor = envelope_read(record->envelope);
    unsigned tag;
    struct span name = {NULL, 0};
    while (envelope_next(&cursor, &tag, &name) && tag != ENVELOPE_MAILBOX)
        name = (struct span){NULL, 0};
    hint_begin(hint, record, slot, HINT_DELETE);
    hint_add(hint, record->wire.data, record->wire.size & ~(size_t)7, 8);
    hint_add(hint, name.data, name.size, 8);
    if (hint->failed)
        return;
    hint_current(hint)->links = (uint32_t)(record->wire.size / 8);
    hint_current(hint)->name_bytes = (uint32_t)name.size;
    hint_current(hint)->bytes = (uint32_t)(hint->size - hint->entry);
}

void hint_copy(struct hint *hint, const struct hint_entry *entry, struct span content)
{
    hint_add(hint, entry, sizeof(*entry), 8);
    hint_add(hint, content.data, content.size, 8);
}

void hint_record(struct hint *hint, const struct record *record, uint32_t slot,
                 struct link_names *names)
{
    struct link_walk walk;
    struct link_stop stop;
    switch (record->header.type) {
    case RECORD_MESSAGE:
        hint_message_begin(hint, record, slot);
        link_walk_begin(&walk, names, record->envelope);
        while (link_walk_next(&walk, &stop))
            hint_message_link(hint, &stop);
        hint_message_end(hint);
        break;
    case RECORD_DELETE:
        hint_delete(hint, record, slot);
        break;
    default:
        break;
    }
}

struct span hint_body(const struct hint *hint)
{
    if (!hint->bytes)
        return (struct span){NULL, 0};
    return span_of(hint->bytes + HINT_HEADER_BYTES, hint->size - HINT_HEADER_BYTES);
}

static uint32_t header_checksum(const struct hint_header *header)
{
    const size_t start = offsetof(struct hint_header, body_crc);
    return crc32c(0, (const uint8_t *)header + start, sizeof(*header) - start);
}

uint32_t hint_early(const struct hint *hint)
{
    uint64_t first_lsn = hint->header.first_lsn;
    return hint->first_number < first_lsn ? (uint32_t)(first_lsn - hint->first_number) : 0;
}

struct span hint_seal(struct hint *hint)
{
    hint_add(hint, NULL, 0, 1);
    INVARIANT(!hint->failed);
    struct span body = hint_body(hint);
    if (hint->first_number != UINT64_MAX)
        hint->header.early = hint_early(hint);
    hint->header.body_bytes = body.size;
    hint->header.body_crc = crc32c(0, body.data, body.size);
    hint->header.header_crc = header_checksum(&hint->header);
    memcpy(hint->bytes, &hint->header, sizeof(hint->header));
    return span_of(hint->bytes, hint->size);
}

bool hint_is_newer(const uint8_t *bytes, const uint8_t store[16])
{
    struct hint_header read;
    memcpy(&read, bytes, sizeof(read));
    return memcmp(read.magic, hint_magic, sizeof(read.magic)) == 0 &&
           read.header_crc == header_checksum(&read) &&
           memcmp(read.store, store, sizeof(read.store)) == 0 && read.format > STORE_FORMAT;
}

bool hint_parse_header(struct span bytes, uint64_t size, const uint8_t store[16], uint32_t shard,
                       uint32_t segment, uint64_t epoch, struct hint_header *header)
{
    struct hint_header read;
    if (bytes.size < sizeof(read))
        return false;
    memcpy(&read, bytes.data, sizeof(read));
    if (memcmp(read.magic, hint_magic, sizeof(read.magic)) != 0 ||
        read.header_crc != header_checksum(&read) || read.format != STORE_FORMAT ||
        memcmp(read.store, store, sizeof(read.store)) != 0 || read.shard != shard ||
        read.segment != segment || read.epoch != epoch || read.body_bytes != size - sizeof(read))
        return false;
    *header = read;
    return true;
}

bool hint_parse(struct span bytes, const uint8_t store[16], uint32_t shard, uint32_t segment,
                uint64_t epoch, struct hint_header *header)
{
    struct hint_header read;
    if (!hint_parse_header(bytes, bytes.size, store, shard, segment, epoch, &read) ||
        read.body_crc != crc32c(0, bytes.data + sizeof(read), bytes.size - sizeof(read)))
        return false;
    *header = read;
    return true;
}

bool hint_next(struct span *entries, struct hint_entry *entry, struct span *content)
{
    struct hint_entry read;
    if (entries->size < sizeof(read))
        return false;
    memcpy(&read, entries->data, sizeof(read));
    if (read.bytes < sizeof(read) || read.bytes > entries->size || read.bytes % 8 != 0)
        return false;
    *content = span_of(entries->data + sizeof(read), read.bytes - sizeof(read));
    *entries = span_from(*entries, read.bytes);
    *entry = read;
    return true;
}

bool hint_next_link(struct span *content, uint16_t *place, struct span *name)
{
    struct hint_link link;
    if (content->size < sizeof(link))
        return false;
    memcpy(&link, content->data, sizeof(link));
    size_t size = sizeof(link) + ((link.name_bytes + 3u) & ~3u);
    if (size > content->size)
        return false;
    *place = link.place;
    *name = span_of(content->data + sizeof(link), link.name_bytes);
    *content = span_from(*content, size);
    return true;
}

void hint_delete_parts(const struct hint_entry *entry, struct span content, struct span *ids,
                       struct span *name)
{
    size_t size = (size_t)entry->links * 8;
    if (size > content.size)
        size = 0;
    *ids = span_of(content.data, size);
    struct span rest = span_from(content, size);
    *name = span_of(rest.data, entry->name_bytes <= rest.size ? entry->name_bytes : 0);
}
