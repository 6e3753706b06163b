/* A bed whose doors have TLS, and its clients that speak inside it, from the first byte or after
 * STARTTLS and STLS.
 *
 * What it hears is its own copy, decrypted; the struct client keeps what was on the wire. */
#ifndef TESTS_ENGINE_SECURE_CLIENT_H
#define TESTS_ENGINE_SECURE_CLIENT_H

#include "engine/tls.h"
#include "tests/engine/shard_bed.h"

/* Opens the bed with the server of tls_pair.h, and what its clients begin TLS from. */
struct tls_client *secure_bed_open(struct bed *bed, const struct bed_options *options);
void secure_bed_close(struct bed *bed, struct tls_client *from);
/* What sessions have of the first shard's memory, themselves apart: blocks, records. */
uint32_t secure_bed_buffers(const struct bed *bed);

struct secure_client {
    struct client *client;
    struct tls tls;
    size_t read;          /* bytes of the wire that went through TLS */
    enum tls_result last; /* TLS_MORE, or how it ended */
    size_t size, at;      /* bytes heard; those that secure_hears went through */
    uint8_t *heard;       /* NUL-terminated */
};

/* Begins TLS where the client's wire is now: says hello. `from` makes the sessions. */
void secure_begin(struct secure_client *secure, struct client *client, struct tls_client *from);
/* Connects to a door of TLS and waits for the end of the handshake. */
void secure_connect(struct secure_client *secure, struct bed *bed, enum door_kind door,
                    struct tls_client *from);
/* The same at a door in clear, by the command that its protocol has for it. */
void secure_upgrade(struct secure_client *secure, struct bed *bed, enum door_kind door,
                    struct tls_client *from);
/* The connection may still be open. */
void secure_close(struct secure_client *secure);

/* Takes in what has come by now, and answers what TLS must answer. */
void secure_read(struct secure_client *secure);
/* Waits until the handshake is done, or two minutes are over. */
bool secure_is_up(struct secure_client *secure) MUST_CHECK;
void secure_send(struct secure_client *secure, struct span bytes);
void secure_say(struct secure_client *secure, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Says close_notify; the connection stays. */
void secure_finish(struct secure_client *secure);
/* As bed_hears and bed_ends; ended well is by close_notify. */
bool secure_hears(struct secure_client *secure, const char *text) MUST_CHECK;
bool secure_ends_well(struct secure_client *secure) MUST_CHECK;

#endif
