/* The other side of the ledger: everything in it, by mailbox, against what is found there.
 *
 * Memory: about 64 bytes per message and recipient. One thread. */
#ifndef ENGINE_LOAD_ACCOUNT_H
#define ENGINE_LOAD_ACCOUNT_H

#include "engine/load/ledger.h"

struct account;

struct account_totals {
    uint64_t acked;      /* of the ledger */
    uint64_t doubtful;   /* of the ledger, "sent" without an end included */
    uint64_t fetched;    /* messages found */
    uint64_t lost;       /* acked but absent */
    uint64_t duplicated; /* copies beyond the first, in one mailbox */
    uint64_t corrupted;  /* found with another digest */
    uint64_t unknown;    /* found without an id, or with one that this mailbox should not have:
                          * never in the ledger, refused or failed */
    uint64_t unread;     /* mailboxes that could not be read to the end: what is in them counts as
                          * lost unless it was seen */
};

/* Reads the whole ledger. ABSENT, DENIED, IO, FULL; CONFIG: a line (but the last) that is none,
 * with its number. */
enum status account_open(struct account **account, const char *path,
                         struct fault *fault) MUST_CHECK;
void account_close(struct account *account);

uint32_t account_mailboxes(const struct account *account);
/* The recipient as the ledger has it; in the order of first mention. */
struct span account_mailbox(const struct account *account, uint32_t mailbox);

enum account_verdict {
    ACCOUNT_FINE,
    ACCOUNT_DUPLICATED,
    ACCOUNT_CORRUPTED,
    ACCOUNT_UNKNOWN,
};

/* A message was found in this mailbox; `id` may be empty. A duplicate with a wrong digest is both,
 * and its verdict CORRUPTED. */
enum account_verdict account_found(struct account *account, uint32_t mailbox, struct span id,
                                   uint64_t digest);
/* The mailbox could not be read to the end. */
void account_unread(struct account *account, uint32_t mailbox);

void account_totals(const struct account *account, struct account_totals *totals);

/* Calls `lost` for each acked message that was not found, until it says false. */
void account_each_lost(const struct account *account,
                       bool (*lost)(void *context, struct span mailbox, struct span id),
                       void *context);

#endif
