#include "storage/listing.h"

#include "base/invariant.h"
#include "storage/index/index_key.h"
#include "storage/store_log.h"

#include <stdlib.h>

struct links { /* that grow */
    struct store_link *items;
    uint32_t count, capacity;
    enum status status;
};

static void add_link(struct links *links, const struct store_link *link)
{
    if (links->count == links->capacity) {
        uint32_t capacity = links->capacity ? links->capacity * 2 : 64;
        struct store_link *items = realloc(links->items, capacity * sizeof(*items));
        if (!items) {
            links->status = STATUS_SYSTEM;
            return;
        }
        links->items = items;
        links->capacity = capacity;
    }
    links->items[links->count++] = *link;
}

static int by_number(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_receipt(const void *left, const void *right)
{
    const struct store_link *a = left, *b = right;
    return a->received_ns != b->received_ns ? by_number(a->received_ns, b->received_ns)
                                            : by_number(a->id, b->id);
}

static int compare_ids(const void *left, const void *right)
{
    return by_number(((const struct store_link *)left)->id, ((const struct store_link *)right)->id);
}

/* Without those that are dead, and none twice: a run may have been put into the base between two
 * looks. */
static void put_in_order(struct links *links, const struct glimpse *glimpse)
{
    for (uint32_t i = 0; i < glimpse->count; i++)
        add_link(links, &glimpse->links[i]);
    if (links->count > 0)
        qsort(links->items, links->count, sizeof(*links->items), compare_receipt);
    if (glimpse->dead_count > 0)
        qsort(glimpse->dead, glimpse->dead_count, sizeof(*glimpse->dead), compare_ids);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < links->count; i++) {
        const struct store_link *link = &links->items[i];
        bool twice = kept > 0 && links->items[kept - 1].id == link->id;
        bool dead = glimpse->dead_count > 0 && bsearch(link, glimpse->dead, glimpse->dead_count,
                                                       sizeof(*glimpse->dead), compare_ids);
        if (!twice && !dead)
            links->items[kept++] = *link;
    }
    links->count = kept;
}

/* ---- one mailbox ---- */

static bool see_link(void *context, struct span key, struct span value)
{
    struct links *links = context;
    struct store_link link;
    struct span name;
    uint64_t hash, id;
    if (!index_key_parse_link(key, &hash, &name, &id) || !index_link_parse(id, value, &link))
        links->status = STATUS_CORRUPT;
    else
        add_link(links, &link);
    return links->status == STATUS_OK;
}

static enum status read_base(struct index *index, struct span name, uint64_t hash,
                             struct links *links)
{
    struct index_key *key = malloc(sizeof(*key));
    if (!key)
        return STATUS_SYSTEM;
    index_key_mailbox(key, hash, name);
    enum status status = index->calls->scan(index, index_key_span(key), see_link, links);
    free(key);
    return status == STATUS_OK ? links->status : status;
}

enum status listing_read(struct index *index, struct span name, uint64_t hash,
                         const struct glimpse *glimpse, struct drop **drop)
{
    struct links links = {.count = 0};
    enum status status = read_base(index, name, hash, &links);
    if (status == STATUS_OK) {
        put_in_order(&links, glimpse);
        status = links.status;
    }
    if (status == STATUS_OK)
        status = drop_make(links.items, links.count, name, drop);
    free(links.items);
    return status;
}

enum status store_peek(const struct store *store, struct span mailbox, struct maildrop **maildrop)
{
    uint64_t hash = link_hash(mailbox);
    const struct owner *owner = &store->owners[link_owner(hash, store->options.shards)];
    struct glimpse glimpse;
    struct drop *drop;
    enum status status = owner_glimpse(owner, mailbox, hash, &glimpse);
    if (status != STATUS_OK)
        return status;
    status = listing_read(store->index, mailbox, hash, &glimpse, &drop);
    free(glimpse.links);
    if (status == STATUS_OK)
        *maildrop = &drop->maildrop;
    return status;
}

static void see_nothing(void *context, struct span value)
{
    (void)context;
    (void)value;
}

bool store_holds(const struct store *store, struct span mailbox, const struct store_link *link)
{
    uint64_t hash = link_hash(mailbox);
    struct owner *owner = &store->owners[link_owner(hash, store->options.shards)];
    enum owner_view view = owner_view(owner, mailbox, hash, link->id);
    if (view != OWNER_ASK_BASE)
        return view == OWNER_LIVE;
    struct index_key *key = malloc(sizeof(*key));
    INVARIANT(key);
    index_key_mailbox(key, hash, mailbox);
    index_key_link(key, link->id);
    bool found =
        store->index->calls->get(store->index, index_key_span(key), see_nothing, NULL) == STATUS_OK;
    free(key);
    return found;
}

/* ---- all of them ---- */

struct walk {
    const struct store *store;
    void (*visit)(void *context, struct span mailbox, const struct store_link *links,
                  uint32_t count);
    void *context;
    uint8_t *name; /* of the mailbox that the base is giving */
    uint32_t name_bytes;
    uint64_t hash;
    struct links links; /* of it, so far */
    bool begun;
};

static void end_mailbox(struct walk *walk)
{
    struct span name = span_of(walk->name, walk->name_bytes);
    const struct owner *owner =
        &walk->store->owners[link_owner(walk->hash, walk->store->options.shards)];
    struct glimpse glimpse;
    if (!walk->begun)
        return;
    if (owner_glimpse(owner, name, walk->hash, &glimpse) != STATUS_OK) {
        walk->links.status = STATUS_SYSTEM;
        return;
    }
    put_in_order(&walk->links, &glimpse);
    free(glimpse.links);
    if (walk->links.status == STATUS_OK && walk->links.count > 0)
        walk->visit(walk->context, name, walk->links.items, walk->links.count);
    walk->links.count = 0;
    walk->begun = false;
}

static bool walk_link(void *context, struct span key, struct span value)
{
    struct walk *walk = context;
    struct span name;
    uint64_t hash, id;
    if (!index_key_parse_link(key, &hash, &name, &id))
        return true; /* of another kind */
    if (walk->begun && !span_equal(name, span_of(walk->name, walk->name_bytes)))
        end_mailbox(walk);
    if (!walk->begun) {
        walk->begun = true;
        walk->hash = hash;
        walk->name_bytes = (uint32_t)name.size;
        if (name.size > 0)
            memcpy(walk->name, name.data, name.size);
    }
    return walk->links.status == STATUS_OK && see_link(&walk->links, key, value);
}

static bool see_any(void *context, struct span key, struct span value)
{
    (void)key;
    (void)value;
    *(bool *)context = true;
    return false;
}

/* The delta has links of the mailbox: it will be found there. */
static bool has_links(const struct delta *delta, const struct delta_mailbox *of)
{
    const struct delta_mailbox *mailbox =
        delta ? delta_find(delta, delta_name(of), of->hash) : NULL;
    return mailbox && mailbox->count > 0;
}

/* Mailboxes that only a delta has; `newer` was asked before. */
static enum status walk_delta(struct walk *walk, const struct delta *delta,
                              const struct delta *newer, struct index_key *key)
{
    struct index *index = walk->store->index;
    for (uint32_t i = 0; delta && i <= delta->mask; i++) {
        const struct delta_mailbox *mailbox = delta->table[i];
        bool known = !mailbox || mailbox->count == 0 || has_links(newer, mailbox);
        if (known)
            continue;
        index_key_mailbox(key, mailbox->hash, delta_name(mailbox));
        enum status status = index->calls->scan(index, index_key_span(key), see_any, &known);
        if (status != STATUS_OK)
            return status;
        if (known)
            continue;
        walk->begun = true;
        walk->hash = mailbox->hash;
        walk->name_bytes = mailbox->name_bytes;
        memcpy(walk->name, mailbox->name, mailbox->name_bytes);
        end_mailbox(walk);
    }
    return walk->links.status;
}

enum status listing_walk(const struct store *store,
                         void (*visit)(void *context, struct span mailbox,
                                       const struct store_link *links, uint32_t count),
                         void *context)
{
    struct walk walk = {.store = store, .visit = visit, .context = context};
    struct index_key *key = malloc(sizeof(*key));
    walk.name = malloc(INDEX_NAME_BYTES_MAX);
    enum status status = STATUS_SYSTEM;
    if (key && walk.name)
        status = store->index->calls->scan(store->index, span_of(NULL, 0), walk_link, &walk);
    if (status == STATUS_OK) {
        end_mailbox(&walk);
        status = walk.links.status;
    }
    for (uint32_t i = 0; i < store->options.shards && status == STATUS_OK; i++) {
        const struct owner *owner = &store->owners[i];
        status = walk_delta(&walk, owner->active, NULL, key);
        if (status == STATUS_OK)
            status = walk_delta(&walk, owner->frozen, owner->active, key);
    }
    free(walk.links.items);
    free(walk.name);
    free(key);
    return status;
}

struct counting {
    void (*visit)(void *context, struct span mailbox, uint32_t count, uint64_t octets);
    void *context;
};

static void count_mailbox(void *context, struct span mailbox, const struct store_link *links,
                          uint32_t count)
{
    const struct counting *counting = context;
    uint64_t octets = 0;
    for (uint32_t i = 0; i < count; i++)
        octets += store_link_octets(&links[i]);
    counting->visit(counting->context, mailbox, count, octets);
}

enum status store_mailboxes(const struct store *store,
                            void (*visit)(void *context, struct span mailbox, uint32_t count,
                                          uint64_t octets),
                            void *context)
{
    struct counting counting = {.visit = visit, .context = context};
    return listing_walk(store, count_mailbox, &counting);
}
