/* What mailboxes got and lost since the last run, in memory: name → links, and deletions of links
 * that are further down.
 *
 * A table with open addressing over memory that only grows: adding a link costs no system call and
 * almost never an allocation, and all of it is given back at once, when a run has taken what is in
 * it to the base. Until then an entry is never moved and a mailbox never leaves. Memory for the
 * index is not optional: running out of it is the end of the process. */
#ifndef STORAGE_INDEX_DELTA_H
#define STORAGE_INDEX_DELTA_H

#include "base/span.h"
#include "storage/store.h"

struct delta_mailbox {
    uint64_t hash;
    struct store_link *links; /* in the order they came */
    struct store_link *dead;  /* deleted links that this delta does not have */
    uint32_t count, capacity;
    uint32_t dead_count, dead_capacity;
    uint16_t name_bytes;
    uint8_t name[];
};

struct delta {
    struct delta_mailbox **table; /* a power of two; NULL: free */
    uint32_t mask;
    uint32_t count;  /* mailboxes */
    uint64_t links;  /* and deletions */
    uint64_t bytes;  /* of memory in use, the table's too: what says that a run is due */
    uint8_t *blocks; /* the newest; each begins with the address of the one before */
    size_t block_left;
};

/* Empty; deinit gives all memory back. */
void delta_init(struct delta *delta);
void delta_deinit(struct delta *delta);

/* `hash` is link_hash of the name. NULL when there is none. */
struct delta_mailbox *delta_find(const struct delta *delta, struct span name, uint64_t hash);
/* Finds it or makes an empty one. */
struct delta_mailbox *delta_obtain(struct delta *delta, struct span name, uint64_t hash);

/* Appends it: that it is new is for the caller to know. */
void delta_add(struct delta *delta, struct delta_mailbox *mailbox, const struct store_link *link);
/* Notes the deletion of a link that is further down. */
void delta_bury(struct delta *delta, struct delta_mailbox *mailbox, const struct store_link *link);
/* Takes out the link with this id. Looked for from `*cursor` on and around: 0 at first, then what
 * was left there, so that many in order are found at once. */
bool delta_take(struct delta *delta, struct delta_mailbox *mailbox, uint64_t id, uint32_t *cursor,
                struct store_link *link);
/* After takes: closes the gaps, in which cursors pointed. */
void delta_sweep(struct delta_mailbox *mailbox);

/* Whether there is such a link, such a deletion. */
bool delta_has(const struct delta_mailbox *mailbox, uint64_t id);
bool delta_is_dead(const struct delta_mailbox *mailbox, uint64_t id);

/* As valid as the delta. */
static inline struct span delta_name(const struct delta_mailbox *mailbox)
{
    return span_of(mailbox->name, mailbox->name_bytes);
}

#endif
