/* A maildrop as the owner sees it: the session's list, and the mailbox behind it. */
#ifndef STORAGE_MAILDROP_H
#define STORAGE_MAILDROP_H

#include "storage/expunge.h"
#include "storage/mailboxes.h"
#include "storage/store.h"

struct drop {
    struct maildrop maildrop; /* first: what the session has is the address of it */
    struct mailbox *mailbox;  /* locked; NULL: made by store_peek */
    struct expunge expunge;   /* while `expunging` */
    bool expunging;
};

static inline struct drop *drop_of(struct expunge *expunge)
{
    return (struct drop *)(void *)((uint8_t *)expunge - offsetof(struct drop, expunge));
}

/* A copy of the mailbox's list (NULL: of an empty one). One allocation. FULL: no memory. */
enum status drop_make(const struct mailbox *mailbox, struct span name,
                      struct drop **drop) MUST_CHECK;

#endif
