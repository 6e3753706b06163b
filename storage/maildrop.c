#include "storage/maildrop.h"

#include "base/invariant.h"
#include "storage/store_log.h"

#include <stdlib.h>

enum status drop_make(const struct mailbox *mailbox, struct span name, struct drop **drop)
{
    uint32_t count = mailbox ? mailbox->count : 0;
    size_t links_bytes = count * sizeof(struct store_link), marks_bytes = count / 8 + 1;
    struct drop *made = calloc(1, sizeof(*made) + links_bytes + marks_bytes + name.size);
    if (!made)
        return STATUS_FULL;
    struct store_link *links = (struct store_link *)(made + 1);
    uint8_t *marks = (uint8_t *)links + links_bytes;
    if (count > 0)
        memcpy(links, mailbox->links, links_bytes);
    if (name.size > 0)
        memcpy(marks + marks_bytes, name.data, name.size);
    made->maildrop = (struct maildrop){
        .count = count,
        .octets = mailbox ? mailbox->octets : 0,
        .links = links,
        .deleted = marks,
        .mailbox = span_of(marks + marks_bytes, name.size),
    };
    *drop = made;
    return STATUS_OK;
}

void store_link_add(struct store_log *log, struct span mailbox, const struct store_link *link)
{
    uint64_t hash = link_hash(mailbox);
    mailboxes_add(log->mailboxes, mailboxes_obtain(log->mailboxes, mailbox, hash), link);
}

enum status store_maildrop_open(struct store_log *log, struct span mailbox,
                                struct maildrop **maildrop)
{
    struct mailbox *opened = mailboxes_obtain(log->mailboxes, mailbox, link_hash(mailbox));
    struct drop *drop;
    if (opened->locked)
        return STATUS_BUSY;
    enum status status = drop_make(opened, mailbox, &drop);
    if (status != STATUS_OK) {
        mailboxes_tidy(log->mailboxes, opened);
        return status;
    }
    opened->locked = true;
    drop->mailbox = opened;
    *maildrop = &drop->maildrop;
    return STATUS_OK;
}

void store_maildrop_close(struct store_log *log, struct maildrop *maildrop)
{
    struct drop *drop = (struct drop *)maildrop;
    INVARIANT(drop->mailbox && drop->mailbox->locked && !drop->expunging);
    drop->mailbox->locked = false;
    mailboxes_tidy(log->mailboxes, drop->mailbox);
    free(drop);
}

enum status store_peek(const struct store *store, struct span mailbox, struct maildrop **maildrop)
{
    uint64_t hash = link_hash(mailbox);
    uint32_t owner = link_owner(hash, store->options.shards);
    struct drop *drop;
    enum status status =
        drop_make(mailboxes_find(&store->mailboxes[owner], mailbox, hash), mailbox, &drop);
    if (status == STATUS_OK)
        *maildrop = &drop->maildrop;
    return status;
}

void store_maildrop_free(struct maildrop *maildrop)
{
    free(maildrop);
}

/* The list is in the order of receipt. */
bool store_holds(const struct store *store, struct span mailbox, const struct store_link *link)
{
    uint64_t hash = link_hash(mailbox);
    uint32_t owner = link_owner(hash, store->options.shards);
    const struct mailbox *found = mailboxes_find(&store->mailboxes[owner], mailbox, hash);
    uint32_t low = 0, high = found ? found->count : 0, count = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (found->links[middle].received_s < link->received_s)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < count && found->links[low].received_s == link->received_s; low++)
        if (found->links[low].id == link->id)
            return true;
    return false;
}

void store_mailboxes(const struct store *store,
                     void (*visit)(void *context, struct span mailbox, uint32_t count,
                                   uint64_t octets),
                     void *context)
{
    for (uint32_t shard = 0; shard < store->options.shards; shard++) {
        const struct mailboxes *mailboxes = &store->mailboxes[shard];
        for (uint32_t i = 0; i <= mailboxes->mask; i++) {
            const struct mailbox *mailbox = mailboxes->table[i];
            if (mailbox && mailbox->count > 0)
                visit(context, mailbox_name(mailbox), mailbox->count, mailbox->octets);
        }
    }
}
