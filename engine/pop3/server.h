/* A POP3 server session, sans-I/O (RFC 1939, 2449; extensions in verbs.c's table).
 *
 * Commands go in, replies come out. Logging in, reading messages and making deletions durable are
 * asked of pop3_host and answered later; the session consumes nothing until then, so replies keep
 * their order without being held. Messages themselves never pass through the session: between
 * pop3_fetched and pop3_fetch_done the shard sends their stored wire bytes, asking pop3_pass how
 * much of each piece. */
#ifndef ENGINE_POP3_SERVER_H
#define ENGINE_POP3_SERVER_H

#include "base/blocks.h"
#include "base/output.h"
#include "base/span.h"
#include "base/status.h"

struct pop3_host { /* each asks; the answer comes by the call named, later, never from inside */
    /* Check the password and open the maildrop: pop3_logged_in. Spans are borrowed for the call. */
    void (*log_in)(void *owner, struct span user, struct span password);
    /* Read message `index` (0 …): pop3_fetched, then pop3_fetch_done. */
    void (*fetch)(void *owner, uint32_t index);
    /* Make the marked deletions durable: pop3_expunged. Only asked when some are marked. */
    void (*expunge)(void *owner);
    /* Of a message in the open maildrop; answered at once. */
    uint64_t (*octets)(void *owner, uint32_t index);
    size_t (*uidl)(void *owner, uint32_t index, char out[70]);
};

struct pop3_config { /* per listener; outlives its sessions */
    struct span hostname;
    bool plaintext_login; /* USER/PASS and AUTH PLAIN without TLS */
    bool stls;            /* offered while not secure */
    uint32_t errors_max;  /* bad commands before the connection ends */
    const struct pop3_host *host;
};

#define POP3_COMMAND_BYTES_MAX 1024u /* SASL-IR included; RFC 2449: 255 otherwise */
#define POP3_REPLY_BYTES_MAX 512u    /* any reply line or CAPA list; the room a session asks for */

struct pop3_session; /* pop3/session.h: ≤ 256 bytes, embedded in the shard's session pool */

void pop3_open(struct pop3_session *session, const struct pop3_config *config,
               struct blocks *blocks, void *owner, bool secure, struct output *out);

/* As smtp_feed: returns the bytes consumed; fewer: waiting for an answer, or `out` is nearly full
 * (LIST of ten thousand): feed again, also with an empty input. */
size_t pop3_feed(struct pop3_session *session, struct span input, struct output *out);

/* Answers to the host calls. OK: in, with `count` messages of `octets` in sum; `deleted` is a bit
 * per message, cleared, the session's until it closes. DENIED: wrong user or password (both look
 * alike). BUSY: -ERR [IN-USE]. Other: -ERR [SYS/TEMP]. */
void pop3_logged_in(struct pop3_session *session, enum status status, uint32_t count,
                    uint64_t octets, uint8_t *deleted, struct output *out);
/* OK: "+OK N octets" is written and the caller sends the message. CORRUPT, ABSENT: -ERR [SYS/PERM];
 * others: -ERR [SYS/TEMP]; then the fetch is over. `header_bytes`: wire bytes through the empty
 * line. */
void pop3_fetched(struct pop3_session *session, enum status status, uint64_t octets,
                  uint64_t header_bytes, struct output *out);
/* How many bytes of the next piece to send: all for RETR; for TOP fewer once the lines asked for
 * are through: then nothing more need be fetched. */
size_t pop3_pass(struct pop3_session *session, struct span piece);
/* All pieces were sent (or enough of them): TOP may add its final dot. */
void pop3_fetch_done(struct pop3_session *session, struct output *out);
void pop3_expunged(struct pop3_session *session, enum status status, struct output *out);

enum pop3_wish {
    POP3_GO_ON,
    POP3_CLOSE, /* everything is said: close once `out` is sent */
    POP3_STLS,  /* as SMTP_STARTTLS */
};
enum pop3_wish pop3_wish(const struct pop3_session *session);
void pop3_secured(struct pop3_session *session);

uint32_t pop3_patience_ms(const struct pop3_session *session); /* ≥ 10 minutes once logged in */

/* Gives back every block. The last call. */
void pop3_close(struct pop3_session *session);

#endif
