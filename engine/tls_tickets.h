/* The keys that seal session tickets (RFC 5077, RFC 8446 section 4.6.1), rotated without sharing.
 *
 * Private to engine/tls*.c. All shards start from one secret and turn it into the next, one way, at
 * the same times: so a ticket of one shard is good at any other, no shard waits for another, and
 * what is in memory now does not open tickets of the past. Single-threaded: one per shard. */
#ifndef ENGINE_TLS_TICKETS_H
#define ENGINE_TLS_TICKETS_H

#include "base/clock.h"

#include <openssl/ssl.h>
#include <stdbool.h>

#define TLS_TICKETS_SECRET_BYTES 32
/* A key seals for this long and opens for as long again: no ticket lives longer than that. */
#define TLS_TICKETS_KEY_SECONDS 7200u

struct tls_ticket_key {
    uint8_t name[16], cipher[32], mac[32];
};

struct tls_tickets {
    const struct clock *clock;
    uint64_t epoch; /* of the newest key: seconds of the monotonic clock / KEY_SECONDS */
    uint8_t secret[TLS_TICKETS_SECRET_BYTES];
    struct tls_ticket_key newest, previous;
};

/* Starts from the secret, which is the same for all shards, and must be begun by all at the same
 * epoch. */
void tls_tickets_init(struct tls_tickets *tickets, const struct clock *clock, uint64_t epoch,
                      const uint8_t secret[TLS_TICKETS_SECRET_BYTES]);
/* The epoch that it is now by this clock. */
uint64_t tls_tickets_epoch(const struct clock *clock);
/* As OpenSSL's callback wants it: sets up sealing (`seal`, fills in name and iv) or opening.
 * Returns 1; 2: opened, but a new ticket is due; 0: no key of ours; -1: failed. */
int tls_tickets_use(struct tls_tickets *tickets, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, bool seal);

#endif
