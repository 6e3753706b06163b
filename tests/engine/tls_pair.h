/* A client and a server of TLS with memory between them. */
#ifndef TESTS_ENGINE_TLS_PAIR_H
#define TESTS_ENGINE_TLS_PAIR_H

#include "engine/tls.h"
#include "tests/engine/certificate.h"

enum { TLS_PAIR_BYTES_MAX = 256 << 10, TLS_PAIR_SHARDS = 2 };

struct tls_bytes {
    uint8_t data[TLS_PAIR_BYTES_MAX];
    uint32_t start, end;
};

struct tls_end {
    struct tls tls;
    struct tls_bytes coming; /* sealed, on its way to this end */
    struct tls_bytes plain;  /* what this end has received */
    enum tls_result last;    /* but TLS_PLAIN, TLS_UP and TLS_FULL, which lead on */
};

struct tls_pair {
    struct tls_end client, server;
    size_t cut;    /* received bytes given at a time */
    uint32_t room; /* given for what must be sent */
};

extern struct certificate tls_pair_certificate; /* for "mx.example.test" */
extern struct tls_server *tls_pair_server;      /* with TLS_PAIR_SHARDS shards */

/* Fixtures: the certificate and the server. */
void tls_pair_setup(void);
void tls_pair_teardown(void);

/* Cuts nothing, 4 KiB of room. Server and client are of shard 0 and `client`. */
struct tls_pair *tls_pair_open(struct tls_client *client, const char *host, const char *client_says,
                               const char *server_says);
void tls_pair_close(struct tls_pair *pair);

/* Moves bytes until nothing moves; the client says hello first. */
void tls_pair_run(struct tls_pair *pair);
/* The same, and both must be up. */
void tls_pair_shake_hands(struct tls_pair *pair);
/* Gives `to` what is coming; `peer` gets the answers. */
void tls_pair_deliver(struct tls_pair *pair, struct tls_end *to, struct tls_end *peer);
/* Seals in place, and sends. */
void tls_pair_send(struct tls_end *from, struct tls_end *to, struct span plain);
/* Says close_notify. */
void tls_pair_finish(struct tls_end *from, struct tls_end *to);

/* A client that does not verify. */
struct tls_client *tls_pair_client(void);

#endif
