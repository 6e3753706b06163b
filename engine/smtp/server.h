/* An SMTP or LMTP server session, sans-I/O (RFC 5321, 2033, and the extensions in verbs.c's table).
 *
 * Bytes go in, replies come out, and what needs the world goes through smtp_host. A session never
 * blocks, allocates or makes a system call; what it must keep between calls beyond its own struct
 * it takes from `blocks` and gives back as soon as it can: an idle session holds none.
 *
 * Any segmentation of the same input gives the same events. Messages are committed asynchronously
 * and several may be under way; replies keep their order: those that come after a pending message
 * wait in the session until smtp_stored has answered it. */
#ifndef ENGINE_SMTP_SERVER_H
#define ENGINE_SMTP_SERVER_H

#include "base/blocks.h"
#include "base/clock.h"
#include "base/envelope.h"
#include "base/output.h"
#include "base/span.h"
#include "base/status.h"

/* What the host says of a recipient; each has its reply in reply.c's table. */
enum smtp_verdict {
    SMTP_ACCEPT,
    SMTP_UNKNOWN_MAILBOX, /* 550 5.1.1 */
    SMTP_RELAY_DENIED,    /* 550 5.7.1 */
    SMTP_TRY_LATER,       /* 451 4.3.0 */
};

/* A complete message, ready to be stored. Borrowed for the call. */
struct smtp_message {
    const struct envelope *envelope;
    struct span tail; /* the rest of the body, after what was staged, through the final ".\r\n" */
    uint64_t wire_bytes;   /* of the whole body in wire form */
    uint64_t header_bytes; /* of the body up to and with the first empty line */
    uint32_t stuffed;      /* dots added by stuffing */
    bool eight_bit;        /* some byte ≥ 0x80 */
    bool smtputf8;         /* declared */
    bool no_final_newline; /* the last line came without CRLF (BDAT); the tail adds it */
};

/* The world, as the session needs it. `owner` is what smtp_open was given. */
struct smtp_host {
    /* May mail for this normalised mailbox (address.h) be taken? */
    enum smtp_verdict (*recipient)(void *owner, struct span mailbox);
    /* A piece of the body in wire form; more will follow. AGAIN: the session stops consuming and
     * offers the same bytes again when it is fed next. FULL: 452 at the end. Other: 451 at the end.
     */
    enum status (*stage)(void *owner, struct span piece);
    /* The body is complete. OK: smtp_stored will be called later, once per message, in order.
     * AGAIN: as above. FULL: 452, other: 451; if anything was staged, discard follows. */
    enum status (*store)(void *owner, const struct smtp_message *message);
    /* What was staged is void. */
    void (*discard)(void *owner);
};

struct smtp_config {              /* per listener; outlives its sessions */
    struct span hostname;         /* in the banner, EHLO and Received */
    uint64_t message_bytes_max;   /* advertised by SIZE; octets after unstuffing */
    uint32_t recipients_max;      /* per transaction, ≥ 100 */
    uint32_t text_line_bytes_max; /* with CRLF, ≥ 64; 1000 by RFC 5321; 0: no limit */
    uint32_t errors_max; /* rejected commands before 421, since the last message; 0: no limit */
    uint32_t hops_max;   /* Received lines: 100 */
    bool lmtp;           /* LHLO; one reply per recipient */
    bool starttls;       /* offered while not secure */
    const struct smtp_host *host;
    const struct clock *clock; /* for the trace header */
};

/* Sizes that callers rely on. */
#define SMTP_COMMAND_BYTES_MAX 1024u /* a command line with CRLF, extensions included */
#define SMTP_REPLY_BYTES_MAX 512u    /* any one reply fits; also the room a session asks for */
#define SMTP_TRACE_BYTES_MAX 1536u

struct smtp_session; /* smtp/session.h: ≤ 384 bytes, embedded in the shard's session pool */

/* Starts a session and writes the 220 banner. `client`: the peer's address as text, copied (≤ 63
 * bytes). `secure`: inside TLS from the start (smtps). */
void smtp_open(struct smtp_session *session, const struct smtp_config *config,
               struct blocks *blocks, void *owner, struct span client, bool secure,
               struct output *out);

/* Consumes input and appends replies. Returns the bytes consumed: fewer than given means that `out`
 * is nearly full, a pool is empty, or the host said AGAIN: feed the rest again later (also with an
 * empty input, to go on after a pause). Never consumes past a QUIT or an accepted STARTTLS. */
size_t smtp_feed(struct smtp_session *session, struct span input, struct output *out);

/* The oldest message under way has ended. What `out` has no room for (it may have none at all) is
 * held and comes out of later smtp_feed calls, as over LMTP with many recipients. `id_text` as in
 * "250 2.0.0 queued as ID". Feed the session afterwards: held replies may be ready and input may be
 * waiting. */
void smtp_stored(struct smtp_session *session, enum status status, struct span id_text,
                 struct output *out);

/* Composes the trace header lines (Return-Path, Received; RFC 5321 section 4.4) of the message
 * being stored, in wire form, for use inside host->store. Returns the bytes written. */
size_t smtp_trace(const struct smtp_session *session, struct span id_text, uint64_t wall_ns,
                  struct clock_date_cache *cache, uint8_t out[SMTP_TRACE_BYTES_MAX]);

enum smtp_wish {
    SMTP_GO_ON,
    SMTP_CLOSE, /* everything is said (QUIT, 421): close once `out` is sent and nothing is under way
                 */
    SMTP_STARTTLS, /* 220 was written: send it, drop all input received so far, start TLS */
};
enum smtp_wish smtp_wish(const struct smtp_session *session);

/* TLS is up: forgets everything said before (RFC 3207 section 4.2). `cipher` is for ENVELOPE_TLS
 * and must live as long as the session. */
void smtp_secured(struct smtp_session *session, struct span cipher);

/* How long the peer may stay silent in the present state (RFC 5321 section 4.5.3.2), in
 * milliseconds. */
uint32_t smtp_patience_ms(const struct smtp_session *session);

/* The session ends for our reasons: writes "421 4.4.2" (timeout) or "421 4.3.2" (shutdown); then
 * CLOSE. */
enum smtp_ending { SMTP_TIMEOUT, SMTP_SHUTDOWN };
void smtp_end(struct smtp_session *session, enum smtp_ending ending, struct output *out);

/* Gives back every block and discards an unfinished message. The last call. */
void smtp_close(struct smtp_session *session);

#endif
