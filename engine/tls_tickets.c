#include "engine/tls_tickets.h"

#include "base/invariant.h"

#include <openssl/core_names.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

/* HMAC-SHA256 of a label: everything that a secret gives rise to, each independent of the others.
 */
static void derive(const uint8_t secret[TLS_TICKETS_SECRET_BYTES], const char *label,
                   uint8_t out[32])
{
    unsigned size = 0;
    const uint8_t *made = HMAC(EVP_sha256(), secret, TLS_TICKETS_SECRET_BYTES,
                               (const uint8_t *)label, strlen(label), out, &size);
    INVARIANT(made != NULL && size == 32);
}

static void derive_key(struct tls_tickets *tickets)
{
    uint8_t name[32];
    derive(tickets->secret, "name", name);
    memcpy(tickets->newest.name, name, sizeof tickets->newest.name);
    derive(tickets->secret, "cipher", tickets->newest.cipher);
    derive(tickets->secret, "mac", tickets->newest.mac);
}

void tls_tickets_init(struct tls_tickets *tickets, const struct clock *clock, uint64_t epoch,
                      const uint8_t secret[TLS_TICKETS_SECRET_BYTES])
{
    *tickets = (struct tls_tickets){.clock = clock, .epoch = epoch};
    memcpy(tickets->secret, secret, sizeof tickets->secret);
    derive_key(tickets);
    tickets->previous = tickets->newest;
}

uint64_t tls_tickets_epoch(const struct clock *clock)
{
    return clock_monotonic_ns(clock) / NS_PER_S / TLS_TICKETS_KEY_SECONDS;
}

static void rotate(struct tls_tickets *tickets)
{
    for (uint64_t now = tls_tickets_epoch(tickets->clock); tickets->epoch < now; tickets->epoch++) {
        uint8_t next[TLS_TICKETS_SECRET_BYTES];
        derive(tickets->secret, "next", next);
        memcpy(tickets->secret, next, sizeof next);
        explicit_bzero(next, sizeof next);
        tickets->previous = tickets->newest;
        derive_key(tickets);
    }
}

static bool set_mac(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

int tls_tickets_use(struct tls_tickets *tickets, uint8_t *name, uint8_t *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, bool seal)
{
    const EVP_CIPHER *kind = EVP_aes_256_cbc();
    struct tls_ticket_key *key = &tickets->newest;
    rotate(tickets);
    if (seal) {
        memcpy(name, key->name, sizeof key->name);
        bool set = RAND_bytes(iv, EVP_CIPHER_get_iv_length(kind)) == 1 &&
                   EVP_EncryptInit_ex2(cipher, kind, key->cipher, iv, NULL) == 1;
        return set && set_mac(mac, key) ? 1 : -1;
    }
    bool newest = memcmp(name, key->name, sizeof key->name) == 0;
    if (!newest)
        key = &tickets->previous;
    if (!newest && memcmp(name, key->name, sizeof key->name) != 0)
        return 0;
    if (EVP_DecryptInit_ex2(cipher, kind, key->cipher, iv, NULL) != 1 || !set_mac(mac, key))
        return -1;
    return newest ? 1 : 2;
}
