/* The other side of the ledger: everything in it, by mailbox, against what is found there.
 *
 * Several lines of one message and recipient, as retries leave them, come to this: what a server
 * has once taken stays taken, so "acked" counts whatever else is said before or after it, and else
 * "doubtful"; else the last line counts, and "sent" with nothing after it is doubtful too. Each
 * "acked" and each "doubtful" is one copy that may be there.
 *
 * Memory: about 70 bytes per message and recipient. One thread. */
#ifndef ENGINE_LOAD_ACCOUNT_H
#define ENGINE_LOAD_ACCOUNT_H

#include "base/span.h"
#include "base/status.h"

struct account;

struct account_totals {
    uint64_t acked;      /* of the ledger */
    uint64_t doubtful;   /* of the ledger, "sent" without an end included */
    uint64_t fetched;    /* messages found */
    uint64_t lost;       /* acked but absent */
    uint64_t duplicated; /* copies beyond those that may be there, in one mailbox */
    uint64_t corrupted;  /* found with another digest */
    uint64_t unknown;    /* found without an id, or with one that this mailbox should not have:
                          * never in the ledger, refused or failed */
    uint64_t unread;     /* mailboxes that could not be read to the end, though something acked or
                          * doubtful should be there: what is in them counts as lost unless it was
                          * seen */
};

/* Reads the whole ledger. As errno has it (ABSENT, DENIED, IO, …), FULL: no memory; CORRUPT: a line
 * (but the last, if it has no LF) that is none, or with another digest than before for the same
 * message and recipient, with its number. */
enum status account_open(struct account **account, const char *path,
                         struct fault *fault) MUST_CHECK;
void account_close(struct account *account);

/* How many: they are numbered from 0. */
uint32_t account_mailboxes(const struct account *account);
/* The recipient as it was said to the server; in the order of first mention. */
struct span account_mailbox(const struct account *account, uint32_t mailbox);
/* Messages that may be in it: acked or doubtful. */
uint64_t account_expected(const struct account *account, uint32_t mailbox);

enum account_verdict {
    ACCOUNT_FINE,
    ACCOUNT_DUPLICATED,
    ACCOUNT_CORRUPTED,
    ACCOUNT_UNKNOWN,
    ACCOUNT_VERDICTS,
};

/* A message was found in this mailbox; `id` may be empty. A duplicate with a wrong digest is both,
 * and its verdict CORRUPTED. */
enum account_verdict account_found(struct account *account, uint32_t mailbox, struct span id,
                                   uint64_t digest);
/* The mailbox could not be read to the end. */
void account_unread(struct account *account, uint32_t mailbox);
/* The mailbox will be read once more from the start: forgets what was found in it. */
void account_again(struct account *account, uint32_t mailbox);

/* Sums up all that was found so far: looks at every message of the ledger. */
void account_totals(const struct account *account, struct account_totals *totals);

/* Calls `lost` for each acked message that was not found, until it says false. */
void account_each_lost(const struct account *account,
                       bool (*lost)(void *context, struct span mailbox, struct span id),
                       void *context);

#endif
