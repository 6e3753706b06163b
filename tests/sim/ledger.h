/* What the simulated clients know: every message sent, how it ended, what was deleted. The checker
 * of the simulation knows nothing else: not the log, not the index, only what a client saw.
 *
 * A message's body is made from its number alone, so any copy can be compared byte for byte. */
#ifndef TESTS_SIM_LEDGER_H
#define TESTS_SIM_LEDGER_H

#include "base/span.h"

#define LEDGER_MAILBOXES 6u
#define LEDGER_MESSAGES_MAX 4096u
#define LEDGER_BODY_BYTES_MAX (512u << 10)

enum ledger_outcome {
    LEDGER_UNSENT,   /* its end of data never left: it must not be anywhere */
    LEDGER_DOUBTFUL, /* end of data sent, no answer: everywhere once, or nowhere */
    LEDGER_ACKED,    /* 250: in every mailbox, once */
    LEDGER_REFUSED,  /* 4xx or 5xx: nowhere */
};

enum ledger_deletion {
    LEDGER_KEPT,
    LEDGER_DELETING, /* QUIT sent, no answer: there or not */
    LEDGER_DELETED,  /* +OK: never again */
};

struct ledger_message {
    enum ledger_outcome outcome;
    uint8_t mailboxes;                   /* a bit each */
    uint8_t deletions[LEDGER_MAILBOXES]; /* enum ledger_deletion */
    uint8_t seen[LEDGER_MAILBOXES];      /* in the final inspection */
    char uidls[LEDGER_MAILBOXES][24];    /* once seen, for ever the same */
    uint32_t body_seed, body_bytes;
};

struct ledger {
    struct ledger_message messages[LEDGER_MESSAGES_MAX];
    uint32_t count;
    uint64_t trace; /* a hash over everything the clients saw, in order */
    uint64_t seed;
    uint8_t body[LEDGER_BODY_BYTES_MAX]; /* ledger_body's result */
};

/* A new message with a body of about `bytes`, for the mailboxes given. Returns its number. */
uint32_t ledger_add(struct ledger *ledger, uint8_t mailboxes, uint32_t bytes, uint32_t body_seed);

/* The message's body in wire form through the final ".\r\n". Valid until the next call. */
struct span ledger_body(struct ledger *ledger, uint32_t number);

/* A copy came back from `mailbox`: `wire` is what RETR sent. Says what is wrong, or NULL. Returns
 * its number. */
const char *ledger_check_copy(struct ledger *ledger, uint32_t mailbox, struct span wire,
                              struct span uidl, uint32_t *number);

/* After the final inspection of every mailbox: what is missing or too much, or NULL. */
const char *ledger_check_all(const struct ledger *ledger, uint32_t *number);

/* Mixes an observation into the trace. */
void ledger_observe(struct ledger *ledger, struct span bytes, uint64_t now_ns);

#endif
