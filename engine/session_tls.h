/* TLS between one session and the network: the session's side of engine/tls.h.
 *
 * Private to engine/shard.c and session.c. Received bytes are decrypted a record at a time and
 * handed to the protocol; what it does not take at once stays here, and the rest of the bytes with
 * the network. Output of a turn is sealed in place just before it is sent. Until the handshake is
 * done nothing of the protocol is sent, and once TLS has begun nothing ever goes out in clear. */
#ifndef ENGINE_SESSION_TLS_H
#define ENGINE_SESSION_TLS_H

#include "engine/session.h"
#include "engine/tls.h"

#define SESSION_TLS_PATIENCE_MS 60000u /* for the whole handshake */
/* What who calls us may say in it, roughly: OpenSSL would keep a hello of up to 128 KiB. */
#define SESSION_TLS_HANDSHAKE_BYTES_MAX 16384u
/* Steps of handshakes (each at most one signature) that one turn has time for; the others wait, so
 * that sessions under way never wait for many of them. */
#define SESSION_TLS_STEPS_PER_TURN 8u

struct session_tls { /* from the shard's pool while the session is in TLS */
    struct tls filter;
    uint8_t *record;          /* from the shard's pool while some of it is left; NULL: none */
    struct span plain;        /* decrypted into `record`, not yet taken */
    uint32_t handshake_bytes; /* received */
    bool full;                /* the filter has more to send than there was room for */
};

/* Begins, at the server's side. False: no memory. */
bool session_tls_open(struct session *session);
/* Begins in a session that was in clear, after what it has said by now. */
void session_tls_start(struct session *session);
void session_tls_close(struct session *session);

/* Bytes came from the network, or (none) the session may go on. Returns how many were taken. */
size_t session_tls_received(struct session *session, struct span bytes);

/* The handshake is not done yet. */
bool session_tls_is_shaking_hands(const struct session *session);
/* Output must wait for the end of the handshake. */
bool session_tls_holds(const struct session *session);
/* Makes an empty block one whose output can be sealed in place. */
void session_tls_leave_room(struct session_block *block);
/* Seals the block's output. False: it can't be sent any more. */
bool session_tls_seal(struct session *session, struct session_block *block);
/* Says close_notify. */
void session_tls_finish(struct session *session);

#endif
