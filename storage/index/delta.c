#include "storage/index/delta.h"

#include "base/invariant.h"

#include <stdlib.h>

#define TABLE_MIN 64u
#define BLOCK_BYTES (256u * 1024)

void delta_init(struct delta *delta)
{
    *delta = (struct delta){.mask = TABLE_MIN - 1};
    delta->table = calloc(TABLE_MIN, sizeof(*delta->table));
    INVARIANT(delta->table);
}

void delta_deinit(struct delta *delta)
{
    while (delta->blocks) {
        uint8_t *block = delta->blocks;
        memcpy(&delta->blocks, block, sizeof(delta->blocks));
        free(block);
    }
    free(delta->table);
    *delta = (struct delta){.mask = 0};
}

static void *allocate(struct delta *delta, size_t bytes)
{
    bytes = (bytes + 7) & ~(size_t)7;
    delta->bytes += bytes;
    if (bytes > delta->block_left) {
        size_t size = bytes + 8 > BLOCK_BYTES ? bytes + 8 : BLOCK_BYTES;
        uint8_t *block = malloc(size);
        INVARIANT(block);
        memcpy(block, &delta->blocks, sizeof(delta->blocks));
        delta->blocks = block;
        delta->block_left = size - 8;
        memset(block + 8, 0, delta->block_left);
    }
    /* Filled from its end down. */
    delta->block_left -= bytes;
    return delta->blocks + 8 + delta->block_left;
}

/* The table's entry of the name, or the free one where it belongs. */
static uint32_t position(const struct delta *delta, struct span name, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & delta->mask;
    for (;; at = (at + 1) & delta->mask) {
        const struct delta_mailbox *mailbox = delta->table[at];
        if (!mailbox || (mailbox->hash == hash && span_equal(delta_name(mailbox), name)))
            return at;
    }
}

struct delta_mailbox *delta_find(const struct delta *delta, struct span name, uint64_t hash)
{
    return delta->table[position(delta, name, hash)];
}

static void grow_table(struct delta *delta)
{
    struct delta_mailbox **old = delta->table;
    uint32_t old_size = delta->mask + 1;
    INVARIANT(old_size < 1u << 31);
    delta->mask = old_size * 2 - 1;
    delta->table = calloc((size_t)old_size * 2, sizeof(*old));
    INVARIANT(delta->table);
    delta->bytes += old_size * sizeof(*old);
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i])
            delta->table[position(delta, delta_name(old[i]), old[i]->hash)] = old[i];
    free(old);
}

struct delta_mailbox *delta_obtain(struct delta *delta, struct span name, uint64_t hash)
{
    uint32_t at = position(delta, name, hash);
    if (delta->table[at])
        return delta->table[at];
    if (delta->count + delta->count / 2 > delta->mask) {
        grow_table(delta);
        at = position(delta, name, hash);
    }
    INVARIANT(name.size <= UINT16_MAX);
    struct delta_mailbox *mailbox = allocate(delta, sizeof(*mailbox) + name.size);
    mailbox->hash = hash;
    mailbox->name_bytes = (uint16_t)name.size;
    if (name.size > 0)
        memcpy(mailbox->name, name.data, name.size);
    delta->table[at] = mailbox;
    delta->count++;
    return mailbox;
}

/* Room for one more; what is outgrown stays where it is until all goes. */
static struct store_link *room(struct delta *delta, struct store_link *links, uint32_t count,
                               uint32_t *capacity)
{
    if (count < *capacity)
        return links;
    INVARIANT(count < UINT32_MAX / 2);
    uint32_t wanted = count > 0 ? count * 2 : 1;
    struct store_link *grown = allocate(delta, wanted * sizeof(*grown));
    if (count > 0)
        memcpy(grown, links, count * sizeof(*grown));
    *capacity = wanted;
    return grown;
}

void delta_add(struct delta *delta, struct delta_mailbox *mailbox, const struct store_link *link)
{
    mailbox->links = room(delta, mailbox->links, mailbox->count, &mailbox->capacity);
    mailbox->links[mailbox->count++] = *link;
    delta->links++;
}

void delta_bury(struct delta *delta, struct delta_mailbox *mailbox, const struct store_link *link)
{
    mailbox->dead = room(delta, mailbox->dead, mailbox->dead_count, &mailbox->dead_capacity);
    mailbox->dead[mailbox->dead_count++] = *link;
    delta->links++;
}

bool delta_take(struct delta *delta, struct delta_mailbox *mailbox, uint64_t id, uint32_t *cursor,
                struct store_link *link)
{
    for (uint32_t tried = 0; tried < mailbox->count; tried++) {
        uint32_t at = *cursor < mailbox->count ? *cursor : 0;
        *cursor = at + 1;
        if (mailbox->links[at].id != id)
            continue;
        *link = mailbox->links[at];
        mailbox->links[at].id = 0; /* of no message: numbers begin at 1 */
        delta->links--;
        return true;
    }
    return false;
}

void delta_sweep(struct delta_mailbox *mailbox)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < mailbox->count; i++)
        if (mailbox->links[i].id != 0)
            mailbox->links[kept++] = mailbox->links[i];
    mailbox->count = kept;
}

static bool has_id(const struct store_link *links, uint32_t count, uint64_t id)
{
    for (uint32_t i = count; i > 0; i--)
        if (links[i - 1].id == id)
            return true;
    return false;
}

bool delta_has(const struct delta_mailbox *mailbox, uint64_t id)
{
    return has_id(mailbox->links, mailbox->count, id);
}

bool delta_is_dead(const struct delta_mailbox *mailbox, uint64_t id)
{
    return has_id(mailbox->dead, mailbox->dead_count, id);
}
