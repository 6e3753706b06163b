/* A maildrop as the owner sees it: the session's list, and the lock of the mailbox. */
#ifndef STORAGE_MAILDROP_H
#define STORAGE_MAILDROP_H

#include "storage/index/clerk.h"
#include "storage/expunge.h"
#include "storage/store.h"

struct lock { /* of a mailbox, by name */
    struct lock *next;
    uint64_t hash;
    uint32_t name_bytes;
    uint8_t name[];
};

#define LOCKS_LISTS 1024u

struct locks {                       /* of one owner; zeroed memory is none */
    struct lock *lists[LOCKS_LISTS]; /* by hash */
};

/* Unlocks everything. */
void locks_deinit(struct locks *locks);

struct drop {
    struct maildrop maildrop; /* first: what the session has is the address of it */
    struct lock *lock;        /* NULL: made by store_peek */
    struct expunge expunge;   /* while `expunging` */
    bool expunging;
};

static inline struct drop *drop_of(struct expunge *expunge)
{
    return (struct drop *)(void *)((uint8_t *)expunge - offsetof(struct drop, expunge));
}

/* With a copy of the links. One allocation. SYSTEM: no memory. */
enum status drop_make(const struct store_link *links, uint32_t count, struct span name,
                      struct drop **drop) MUST_CHECK;

#endif
