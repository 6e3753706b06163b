#include "storage/mailboxes.h"

#include "base/invariant.h"
#include "storage/link.h"

#include <stdlib.h>

#define TABLE_MIN 64u

void mailboxes_init(struct mailboxes *mailboxes)
{
    *mailboxes = (struct mailboxes){.mask = TABLE_MIN - 1};
    mailboxes->table = calloc(TABLE_MIN, sizeof(*mailboxes->table));
    INVARIANT(mailboxes->table);
}

void mailboxes_deinit(struct mailboxes *mailboxes)
{
    for (uint32_t i = 0; mailboxes->table && i <= mailboxes->mask; i++) {
        if (mailboxes->table[i]) {
            free(mailboxes->table[i]->links);
            free(mailboxes->table[i]);
        }
    }
    free(mailboxes->table);
    mailboxes->table = NULL;
}

/* The table's entry of the name, or the free one where it belongs. */
static uint32_t position(const struct mailboxes *mailboxes, struct span name, uint64_t hash)
{
    uint32_t at = (uint32_t)hash & mailboxes->mask;
    for (;; at = (at + 1) & mailboxes->mask) {
        const struct mailbox *mailbox = mailboxes->table[at];
        if (!mailbox || (mailbox->hash == hash && span_equal(mailbox_name(mailbox), name)))
            return at;
    }
}

struct mailbox *mailboxes_find(const struct mailboxes *mailboxes, struct span name, uint64_t hash)
{
    return mailboxes->table[position(mailboxes, name, hash)];
}

static void grow(struct mailboxes *mailboxes)
{
    struct mailbox **old = mailboxes->table;
    uint32_t old_size = mailboxes->mask + 1;
    INVARIANT(old_size < 1u << 31);
    mailboxes->mask = old_size * 2 - 1;
    mailboxes->table = calloc((size_t)old_size * 2, sizeof(*old));
    INVARIANT(mailboxes->table);
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i])
            mailboxes->table[position(mailboxes, mailbox_name(old[i]), old[i]->hash)] = old[i];
    free(old);
}

struct mailbox *mailboxes_obtain(struct mailboxes *mailboxes, struct span name, uint64_t hash)
{
    uint32_t at = position(mailboxes, name, hash);
    if (mailboxes->table[at])
        return mailboxes->table[at];
    if (mailboxes->count + mailboxes->count / 2 > mailboxes->mask) {
        grow(mailboxes);
        at = position(mailboxes, name, hash);
    }
    INVARIANT(name.size <= UINT16_MAX);
    struct mailbox *mailbox = calloc(1, sizeof(*mailbox) + name.size);
    INVARIANT(mailbox);
    mailbox->hash = hash;
    mailbox->name_bytes = (uint16_t)name.size;
    if (name.size > 0)
        memcpy(mailbox->name, name.data, name.size);
    mailboxes->table[at] = mailbox;
    mailboxes->count++;
    return mailbox;
}

void mailboxes_tidy(struct mailboxes *mailboxes, struct mailbox *mailbox)
{
    if (mailbox->count > 0 || mailbox->locked)
        return;
    uint32_t hole = position(mailboxes, mailbox_name(mailbox), mailbox->hash);
    INVARIANT(mailboxes->table[hole] == mailbox);
    mailboxes->table[hole] = NULL;
    mailboxes->count--;
    free(mailbox->links);
    free(mailbox);
    /* Whoever was pushed behind the hole moves up, so that no search ends early. */
    for (uint32_t at = (hole + 1) & mailboxes->mask; mailboxes->table[at];
         at = (at + 1) & mailboxes->mask) {
        struct mailbox *moved = mailboxes->table[at];
        mailboxes->table[at] = NULL;
        mailboxes->table[position(mailboxes, mailbox_name(moved), moved->hash)] = moved;
    }
}

void mailbox_reserve(struct mailbox *mailbox, uint32_t count)
{
    uint64_t need = (uint64_t)mailbox->count + count, capacity = mailbox->capacity;
    if (need <= capacity)
        return;
    capacity = capacity * 2 > need ? capacity * 2 : need;
    INVARIANT(capacity <= UINT32_MAX);
    struct store_link *links = realloc(mailbox->links, capacity * sizeof(*links));
    INVARIANT(links);
    mailbox->links = links;
    mailbox->capacity = (uint32_t)capacity;
}

void mailboxes_add(struct mailboxes *mailboxes, struct mailbox *mailbox,
                   const struct store_link *link)
{
    for (uint32_t i = mailbox->count; i > 0; i--) {
        if (mailbox->links[i - 1].id == link->id)
            return;
        if (link_shard(mailbox->links[i - 1].id) == link_shard(link->id))
            break;
    }
    mailbox_reserve(mailbox, 1);
    mailbox->links[mailbox->count++] = *link;
    mailbox->octets += store_link_octets(link);
    mailboxes->links++;
}

uint32_t mailboxes_remove(struct mailboxes *mailboxes, struct mailbox *mailbox, struct span ids)
{
    uint32_t kept = 0, before = mailbox->count;
    size_t next = 0;
    uint64_t id = 0;
    for (uint32_t i = 0; i < before; i++) {
        if (next < ids.size)
            memcpy(&id, ids.data + next, sizeof(id));
        if (next < ids.size && mailbox->links[i].id == id) {
            mailbox->octets -= store_link_octets(&mailbox->links[i]);
            next += sizeof(id);
            continue;
        }
        mailbox->links[kept++] = mailbox->links[i];
    }
    mailbox->count = kept;
    mailboxes->links -= before - kept;
    return before - kept;
}
