/* Reading mailboxes: the base of the index and what owners hold above it, as one.
 *
 * These calls wait for the index. On a shard's thread use maildrop.h, which has a clerk do it. */
#ifndef STORAGE_LISTING_H
#define STORAGE_LISTING_H

#include "storage/maildrop.h"
#include "storage/index/owner.h"

/* The list of a mailbox, of which `glimpse` was caught before, in the order of receipt, then of
 * ids. IO, CORRUPT, SYSTEM. */
enum status listing_read(struct index *index, struct span name, uint64_t hash,
                         const struct glimpse *glimpse, struct drop **drop) MUST_CHECK;

/* Every link that lives, mailbox by mailbox; names and links are good for the call. */
enum status listing_walk(const struct store *store,
                         void (*visit)(void *context, struct span mailbox,
                                       const struct store_link *links, uint32_t count),
                         void *context) MUST_CHECK;

#endif
