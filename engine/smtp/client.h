/* An SMTP or LMTP client session, sans-I/O (RFC 5321, 2033; PIPELINING 2920, CHUNKING 3030, SIZE
 * 1870, 8BITMIME 6152, SMTPUTF8 6531, STARTTLS 3207, AUTH 4954).
 *
 * Replies go in, commands come out. What the session can't do itself it wishes (smtp_client_wish),
 * and what it learns it tells its host. Whatever the server says, memory is the struct's alone, and
 * the session ends under a name of its own (enum smtp_client_failure).
 *
 * Messages are the caller's memory, lent from smtp_client_send until host->done. Their bodies never
 * pass through the session: it wishes for one when its turn in the stream has come, the caller
 * sends the bytes behind what is in `out`, and says so. Step by step there is one command under way
 * at a time; pipelined, as many as RFC 2920 allows: with DATA a message's envelope follows the body
 * before it, with BDAT whole messages follow each other for as long as the caller hands them in.
 *
 * `out` is lent for one call and needs SMTP_CLIENT_COMMAND_BYTES_MAX free bytes before anything is
 * said: see SMTP_CLIENT_SPEAK. Host calls come from within these functions, and must not call them.
 */
#ifndef ENGINE_SMTP_CLIENT_H
#define ENGINE_SMTP_CLIENT_H

#include "base/credentials.h"
#include "base/output.h"
#include "base/span.h"

#define SMTP_CLIENT_COMMAND_BYTES_MAX 1024u /* any one command fits */
#define SMTP_CLIENT_PATH_BYTES_MAX 512u     /* RFC 5321 allows 256 */
#define SMTP_CLIENT_LINES_MAX 512u          /* of one reply */

/* What a reply belongs to: those to commands, and the end of data. */
enum smtp_client_phase {
    SMTP_CLIENT_BANNER,
    SMTP_CLIENT_HELLO, /* EHLO, LHLO, HELO; again after STARTTLS */
    SMTP_CLIENT_TLS,   /* through the handshake */
    SMTP_CLIENT_AUTH,  /* all of its turns */
    SMTP_CLIENT_RSET,
    SMTP_CLIENT_MAIL,
    SMTP_CLIENT_RCPT,
    SMTP_CLIENT_DATA,
    SMTP_CLIENT_COMMIT, /* from the end of data */
    SMTP_CLIENT_QUIT,
    SMTP_CLIENT_PHASES, /* how many; also: none */
};

/* Why a session is over. */
enum smtp_client_failure {
    SMTP_CLIENT_FINE,        /* it is not, or QUIT was said and nothing was open */
    SMTP_CLIENT_TURNED_AWAY, /* banner, HELLO, AUTH or RSET was refused */
    SMTP_CLIENT_NO_TLS,      /* wished for, not offered or refused */
    SMTP_CLIENT_NO_AUTH,     /* wished for, no known mechanism offered */
    SMTP_CLIENT_SHUT_DOWN,   /* 421, at any point */
    SMTP_CLIENT_GARBAGE,     /* not a reply */
    SMTP_CLIENT_MIXED_CODES, /* the lines of one reply differ in their code */
    SMTP_CLIENT_LONG_LINE,   /* longer than REPLY_LINE_BYTES_MAX */
    SMTP_CLIENT_LONG_REPLY,  /* more lines than SMTP_CLIENT_LINES_MAX */
    SMTP_CLIENT_OUT_OF_STEP, /* a reply that can't be one to this command */
    SMTP_CLIENT_UNASKED,     /* a reply to no command */
    SMTP_CLIENT_LOST,        /* by smtp_client_fail: the connection ended */
    SMTP_CLIENT_TIMEOUT,     /* by smtp_client_fail: no reply in time */
    SMTP_CLIENT_TLS_FAILED,  /* by smtp_client_fail: no handshake */
    SMTP_CLIENT_FAILURES,
};

/* "garbage", "out of step", …: static. */
const char *smtp_client_failure_name(enum smtp_client_failure failure);

enum smtp_client_outcome {
    SMTP_CLIENT_PENDING,  /* not yet known */
    SMTP_CLIENT_TAKEN,    /* RCPT was accepted, nothing more known yet */
    SMTP_CLIENT_ACCEPTED, /* the server has answered for the message */
    SMTP_CLIENT_REFUSED,  /* with `code` (421 too), to MAIL, RCPT, DATA or the end of data */
    SMTP_CLIENT_FAILED,   /* the session ended before the end of data was sent */
    SMTP_CLIENT_DOUBTFUL, /* the session ended between the end of data and its reply */
};

struct smtp_client_recipient {
    struct span path; /* without <>, ≤ SMTP_CLIENT_PATH_BYTES_MAX */
    uint16_t code;    /* of the reply that decided; 0: none did */
    uint8_t outcome;  /* enum smtp_client_outcome: one of the last four once done */
};

struct smtp_client_message {
    struct span reverse_path; /* without <>, ≤ SMTP_CLIENT_PATH_BYTES_MAX; may be empty */
    struct smtp_client_recipient *recipients;
    uint32_t recipient_count; /* ≥ 1 */
    bool eight_bit, smtputf8; /* declared where the server offers it */
    uint64_t octets;          /* of the body without stuffing and end: SIZE and BDAT */

    /* The session's from here. */
    struct smtp_client_message *next;
    uint32_t taken; /* recipients accepted by RCPT, and over LMTP not answered since */
    bool reset;     /* RSET goes before MAIL */
    bool refused;   /* MAIL was */
    bool sent;      /* all of the body */
};

struct smtp_client_host {
    /* A phase has ended with this reply; called before what follows from it. `text`: of its last
     * line, after the code, cut at about a hundred bytes; borrowed. RCPT comes once per recipient,
     * and so does COMMIT over LMTP (for those whom RCPT accepted). `message`: NULL outside of
     * transactions. */
    void (*phase)(void *owner, enum smtp_client_phase phase, uint16_t code, struct span text,
                  struct smtp_client_message *message);
    /* Every recipient has its outcome, and the message is the caller's again. */
    void (*done)(void *owner, struct smtp_client_message *message);
};

struct smtp_client_config { /* outlives its sessions */
    struct span hello;      /* our name, ≤ 255 bytes */
    struct credentials credentials;
    bool lmtp;
    bool starttls; /* not without TLS */
    bool pipeline; /* where offered */
    bool chunking; /* where offered, else DATA */
    const struct smtp_client_host *host;
};

struct smtp_client; /* smtp/client_session.h: ≤ 256 bytes, embedded in the caller's */

/* Waits for the banner. `secure`: inside TLS from the start (smtps). */
void smtp_client_start(struct smtp_client *session, const struct smtp_client_config *config,
                       void *owner, bool secure);

/* Consumes all of the input and says what can be said; an empty input goes on after
 * SMTP_CLIENT_SPEAK. How the input is cut makes no difference, as long as the server speaks only
 * when it was asked. */
void smtp_client_feed(struct smtp_client *session, struct span input, struct output *out);

enum smtp_client_wish {
    SMTP_CLIENT_GO_ON,      /* wait for replies */
    SMTP_CLIENT_SPEAK,      /* `out` was too full for all there is to say: feed again */
    SMTP_CLIENT_READY,      /* takes a message (or QUIT) */
    SMTP_CLIENT_SEND_DATA,  /* smtp_client_body's body in wire form, stuffed, through CRLF.CRLF */
    SMTP_CLIENT_SEND_CHUNK, /* smtp_client_body's body as it is: exactly its octets */
    SMTP_CLIENT_STARTTLS,   /* drop all input received so far, start TLS: smtp_client_secured */
    SMTP_CLIENT_CLOSE,      /* over: see smtp_client_failure */
};
enum smtp_client_wish smtp_client_wish(const struct smtp_client *session);

/* While READY: sends a message, which is lent until host->done. */
void smtp_client_send(struct smtp_client *session, struct smtp_client_message *message,
                      struct output *out);

/* While SEND_DATA or SEND_CHUNK: the message whose body is due. */
struct smtp_client_message *smtp_client_body(const struct smtp_client *session);

/* The whole body is on its way: from here on its fate is in doubt until answered. Does nothing when
 * the session has ended meanwhile. */
void smtp_client_body_sent(struct smtp_client *session, struct output *out);

/* TLS is up: forgets what was learned before (RFC 3207 section 4.2) and says hello again. */
void smtp_client_secured(struct smtp_client *session, struct output *out);

/* Says QUIT as soon as its turn has come; no more messages are taken. */
void smtp_client_quit(struct smtp_client *session, struct output *out);

/* The session ends for a reason of the caller's: LOST, TIMEOUT or TLS_FAILED. What is under way is
 * done, FAILED or DOUBTFUL. A connection that ends after QUIT is FINE. Does nothing when over. */
void smtp_client_fail(struct smtp_client *session, enum smtp_client_failure failure);

enum smtp_client_failure smtp_client_failure(const struct smtp_client *session);
uint16_t smtp_client_code(const struct smtp_client *session); /* of the last reply; 0: none */

/* The phase whose reply comes next; PHASES: none is awaited. */
enum smtp_client_phase smtp_client_awaits(const struct smtp_client *session);

/* How long the server may take for what is awaited, or the caller for a body, in milliseconds (RFC
 * 5321 section 4.5.3.2); 0: nothing is due. */
uint32_t smtp_client_patience_ms(const struct smtp_client *session);

/* Bits. */
enum smtp_client_extension {
    SMTP_CLIENT_PIPELINING = 1 << 0,
    SMTP_CLIENT_CHUNKING = 1 << 1,
    SMTP_CLIENT_OFFERS_STARTTLS = 1 << 2,
    SMTP_CLIENT_8BITMIME = 1 << 3,
    SMTP_CLIENT_SIZE = 1 << 4,
    SMTP_CLIENT_SMTPUTF8 = 1 << 5,
    SMTP_CLIENT_AUTH_PLAIN = 1 << 6,
    SMTP_CLIENT_AUTH_LOGIN = 1 << 7,
};
/* What the last EHLO reply offered, as bits. */
unsigned smtp_client_offers(const struct smtp_client *session);
uint64_t smtp_client_size_max(const struct smtp_client *session); /* of SIZE; 0: not said */

#endif
