#include "storage/rebuild.h"

#include "base/clock.h"
#include "storage/hint.h"
#include "storage/link.h"

#include <stdlib.h>

struct rebuild_link {
    uint64_t received_ns;
    struct mailbox *mailbox;
    size_t message;
    struct store_link link;
};

struct rebuild_message {
    uint64_t bytes;
    uint32_t shard, links;
};

struct rebuild_deletion {
    uint64_t id;
    const struct mailbox *mailbox;
};

void rebuild_init(struct rebuild *rebuild, struct mailboxes *mailboxes, uint32_t shards)
{
    *rebuild = (struct rebuild){.mailboxes = mailboxes, .shards = shards};
}

void rebuild_deinit(struct rebuild *rebuild)
{
    free(rebuild->links);
    free(rebuild->messages);
    free(rebuild->deletions);
    *rebuild = (struct rebuild){.shards = 0};
}

/* Room for one more; NULL when there is no memory. */
static void *room(struct rebuild *rebuild, void *array, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    size_t wanted = *capacity ? *capacity * 2 : 256;
    void *grown = realloc(array, wanted * size);
    if (!grown) {
        rebuild->failed = true;
        return NULL;
    }
    *capacity = wanted;
    return grown;
}

static struct mailbox *mailbox_of(struct rebuild *rebuild, struct span name)
{
    uint64_t hash = link_hash(name);
    return mailboxes_obtain(&rebuild->mailboxes[link_owner(hash, rebuild->shards)], name, hash);
}

static void add_message(struct rebuild *rebuild, uint32_t shard, uint32_t segment,
                        const struct hint_entry *entry, struct span content)
{
    uint16_t place;
    struct span name;
    struct rebuild_message *messages = room(rebuild, rebuild->messages, rebuild->message_count,
                                            &rebuild->message_capacity, sizeof(*messages));
    if (!messages)
        return;
    rebuild->messages = messages;
    messages[rebuild->message_count++] =
        (struct rebuild_message){.bytes = entry->record_bytes + entry->chunk_bytes, .shard = shard};
    for (uint32_t i = 0; i < entry->links && hint_next_link(&content, &place, &name); i++) {
        struct rebuild_link *links = room(rebuild, rebuild->links, rebuild->link_count,
                                          &rebuild->link_capacity, sizeof(*links));
        if (!links)
            return;
        rebuild->links = links;
        links[rebuild->link_count++] = (struct rebuild_link){
            .received_ns = entry->received_ns,
            .mailbox = mailbox_of(rebuild, name),
            .message = rebuild->message_count - 1,
            .link = {.id = link_id(shard, entry->number),
                     .segment = segment,
                     .slot = entry->slot,
                     .record_bytes = entry->record_bytes,
                     .octets_low = (uint32_t)entry->octets,
                     .octets_high = (uint16_t)(entry->octets >> 32),
                     .place = place,
                     .received_s = (uint32_t)(entry->received_ns / NS_PER_S)},
        };
    }
}

static void add_deletion(struct rebuild *rebuild, const struct hint_entry *entry,
                         struct span content)
{
    struct span ids, name;
    hint_delete_parts(entry, content, &ids, &name);
    const struct mailbox *mailbox = mailbox_of(rebuild, name);
    for (size_t at = 0; at < ids.size; at += 8) {
        struct rebuild_deletion *deletions =
            room(rebuild, rebuild->deletions, rebuild->deletion_count, &rebuild->deletion_capacity,
                 sizeof(*deletions));
        if (!deletions)
            return;
        rebuild->deletions = deletions;
        struct rebuild_deletion *deletion = &deletions[rebuild->deletion_count++];
        deletion->mailbox = mailbox;
        memcpy(&deletion->id, ids.data + at, 8);
    }
}

bool rebuild_wants(const struct rebuild *rebuild, uint32_t shard, uint64_t end_lsn)
{
    return shard < STORE_SHARDS_MAX && end_lsn > 0 && !rebuild->failed;
}

void rebuild_add(struct rebuild *rebuild, uint32_t shard, uint32_t segment, struct span body)
{
    struct hint_entry entry;
    struct span content;
    while (hint_next(&body, &entry, &content)) {
        if (entry.kind == HINT_MESSAGE)
            add_message(rebuild, shard, segment, &entry, content);
        else if (entry.kind == HINT_DELETE)
            add_deletion(rebuild, &entry, content);
    }
}

static int order(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_links(const void *left, const void *right)
{
    const struct rebuild_link *a = left, *b = right;
    int by_time = order(a->received_ns, b->received_ns);
    return by_time ? by_time : order(a->link.id, b->link.id);
}

static int compare_deletions(const void *left, const void *right)
{
    return order(((const struct rebuild_deletion *)left)->id,
                 ((const struct rebuild_deletion *)right)->id);
}

/* Is this id deleted from this mailbox? The same id may be deleted from others, too. */
static bool is_deleted(const struct rebuild *rebuild, const struct rebuild_link *link)
{
    size_t low = 0, high = rebuild->deletion_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (rebuild->deletions[middle].id < link->link.id)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < rebuild->deletion_count && rebuild->deletions[low].id == link->link.id; low++)
        if (rebuild->deletions[low].mailbox == link->mailbox)
            return true;
    return false;
}

/* Names that only deletions or deleted messages have mentioned. A mailbox that goes lets others
 * move up into its place, so that is looked at again. */
static void forget_empty(struct mailboxes *mailboxes)
{
    for (uint32_t i = 0; i <= mailboxes->mask; i++)
        while (mailboxes->table[i] && mailboxes->table[i]->count == 0)
            mailboxes_tidy(mailboxes, mailboxes->table[i]);
}

enum status rebuild_finish(struct rebuild *rebuild,
                           void (*live)(void *context, uint32_t shard, uint64_t bytes,
                                        uint32_t links),
                           void *context)
{
    if (rebuild->failed)
        return STATUS_SYSTEM;
    if (rebuild->link_count > 0)
        qsort(rebuild->links, rebuild->link_count, sizeof(*rebuild->links), compare_links);
    if (rebuild->deletion_count > 0)
        qsort(rebuild->deletions, rebuild->deletion_count, sizeof(*rebuild->deletions),
              compare_deletions);
    for (size_t i = 0; i < rebuild->link_count; i++) {
        const struct rebuild_link *link = &rebuild->links[i];
        if (is_deleted(rebuild, link))
            continue;
        uint32_t owner = link_owner(link->mailbox->hash, rebuild->shards);
        mailboxes_add(&rebuild->mailboxes[owner], link->mailbox, &link->link);
        rebuild->messages[link->message].links++;
    }
    for (size_t i = 0; i < rebuild->message_count; i++) {
        const struct rebuild_message *message = &rebuild->messages[i];
        if (message->links > 0)
            live(context, message->shard, message->bytes, message->links);
    }
    for (uint32_t shard = 0; shard < rebuild->shards; shard++)
        forget_empty(&rebuild->mailboxes[shard]);
    return STATUS_OK;
}
