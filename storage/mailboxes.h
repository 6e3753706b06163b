/* The mailboxes that one shard owns, in memory: name → links in message number order.
 *
 * Derived from the logs and touched by the owner alone. A table with open addressing of pointers;
 * a mailbox and its links are allocations that double as they grow, so that adding a link costs
 * no system call and almost never an allocation. Memory for the index is not optional: running out
 * of it is the end of the process. */
#ifndef STORAGE_MAILBOXES_H
#define STORAGE_MAILBOXES_H

#include "base/span.h"
#include "storage/store.h"

struct mailbox {
    uint64_t hash;
    uint64_t octets;
    struct store_link *links;
    uint32_t count, capacity; /* links */
    bool locked;              /* a session has its maildrop */
    uint16_t name_bytes;
    uint8_t name[];
};

struct mailboxes {
    struct mailbox **table; /* a power of two; NULL: free */
    uint32_t mask;
    uint32_t count;
    uint64_t links;
};

/* An empty index; every mailbox goes with it. */
void mailboxes_init(struct mailboxes *mailboxes);
void mailboxes_deinit(struct mailboxes *mailboxes);

/* `hash` is link_hash of the name. NULL when there is none. */
struct mailbox *mailboxes_find(const struct mailboxes *mailboxes, struct span name, uint64_t hash);
/* Finds it or makes an empty one. */
struct mailbox *mailboxes_obtain(struct mailboxes *mailboxes, struct span name, uint64_t hash);
/* Forgets the mailbox if it is empty and not locked. */
void mailboxes_tidy(struct mailboxes *mailboxes, struct mailbox *mailbox);

/* Appends a link unless it is there: one shard's links come in the order of their ids, so only the
 * last link of the same shard has to be looked at. */
void mailboxes_add(struct mailboxes *mailboxes, struct mailbox *mailbox,
                   const struct store_link *link);
/* Room for `count` more links at once. */
void mailbox_reserve(struct mailbox *mailbox, uint32_t count);
/* Removes the links with these ids (8 bytes each), which are in the mailbox's order. Returns how
 * many; an id that is not there ends the removal. */
uint32_t mailboxes_remove(struct mailboxes *mailboxes, struct mailbox *mailbox, struct span ids);

/* As valid as the mailbox. */
static inline struct span mailbox_name(const struct mailbox *mailbox)
{
    return span_of(mailbox->name, mailbox->name_bytes);
}

#endif
