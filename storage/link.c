#include "storage/link.h"

#include "base/hash.h"
#include "base/invariant.h"

#include <stdlib.h>
#include <sys/mman.h>

struct link_name {
    uint64_t hash;
    uint32_t stamp;
    uint32_t offset; /* of the name in the envelope */
};

#define NAMES_MAX (1u << 17) /* twice the places, so that a free entry is always near */

/* Crockford's base 32: no I, L, O, U. */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void store_id_text(uint64_t id, char out[STORE_ID_TEXT_BYTES])
{
    for (int i = STORE_ID_TEXT_BYTES - 1; i >= 0; i--, id >>= 5)
        out[i] = digits[id & 31];
}

bool store_id_parse(struct span text, uint64_t *id)
{
    uint64_t value = 0;
    if (text.size != STORE_ID_TEXT_BYTES)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        const char *digit = memchr(digits, text.data[i], sizeof(digits) - 1);
        if (!digit || value >> 59 != 0)
            return false;
        value = value << 5 | (uint64_t)(digit - digits);
    }
    *id = value;
    return true;
}

size_t store_uidl_text(const struct store_link *link, char out[STORE_UIDL_BYTES_MAX])
{
    char reversed[5];
    size_t count = 0, size = STORE_ID_TEXT_BYTES;
    store_id_text(link->id, out);
    out[size++] = '.';
    for (unsigned place = link->place; place > 0 || count == 0; place /= 10)
        reversed[count++] = (char)('0' + place % 10);
    while (count > 0)
        out[size++] = reversed[--count];
    return size;
}

uint64_t link_hash(struct span mailbox)
{
    return hash64(mailbox, 0);
}

struct store_link link_of(const struct record_header *header, uint32_t segment, uint32_t slot)
{
    return (struct store_link){
        .id = link_id(header->shard, header->lsn - header->back),
        .segment = segment,
        .slot = slot,
        .record_bytes = header->record_bytes,
        .octets_low = (uint32_t)header->octets,
        .octets_high = (uint16_t)(header->octets >> 32),
        .received_ns = header->received_ns,
        .copies = 1,
    };
}

enum status link_names_init(struct link_names *names)
{
    void *table = mmap(NULL, NAMES_MAX * sizeof(*names->table), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    names->table = table == MAP_FAILED ? NULL : table;
    names->stamp = 0;
    return names->table ? STATUS_OK : STATUS_FULL;
}

void link_names_deinit(struct link_names *names)
{
    if (names->table)
        munmap(names->table, NAMES_MAX * sizeof(*names->table));
    names->table = NULL;
}

void link_walk_begin(struct link_walk *walk, struct link_names *names, struct span envelope)
{
    /* A recipient takes at least an item's head and a byte: few of them stay in few cache lines. */
    uint32_t size = 16;
    while (size < NAMES_MAX && size / 2 < envelope.size / (ENVELOPE_ITEM_BYTES + 1))
        size *= 2;
    if (++names->stamp == 0) {
        memset(names->table, 0, NAMES_MAX * sizeof(*names->table));
        names->stamp = 1;
    }
    *walk = (struct link_walk){
        .names = names,
        .envelope = envelope,
        .cursor = envelope_read(envelope),
        .mask = size - 1,
    };
}

static bool met_before(struct link_walk *walk, struct span mailbox, uint64_t hash)
{
    for (uint32_t at = (uint32_t)hash & walk->mask;; at = (at + 1) & walk->mask) {
        struct link_name *name = &walk->names->table[at];
        if (name->stamp != walk->names->stamp) {
            name->hash = hash;
            name->stamp = walk->names->stamp;
            name->offset = (uint32_t)(mailbox.data - walk->envelope.data);
            return false;
        }
        if (name->hash != hash)
            continue;
        const uint8_t *item = walk->envelope.data + name->offset;
        size_t size = (size_t)(item[-2] | item[-1] << 8);
        if (span_equal(mailbox, span_of(item, size)))
            return true;
    }
}

bool link_walk_next(struct link_walk *walk, struct link_stop *stop)
{
    unsigned tag;
    struct span value;
    while (walk->places < LINK_PLACES_MAX && envelope_next(&walk->cursor, &tag, &value)) {
        if (tag != ENVELOPE_MAILBOX)
            continue;
        uint32_t place = walk->places++;
        uint64_t hash = link_hash(value);
        if (met_before(walk, value, hash))
            continue;
        *stop = (struct link_stop){.mailbox = value, .hash = hash, .place = (uint16_t)place};
        return true;
    }
    return false;
}
