/* A POP3 client session, sans-I/O (RFC 1939; CAPA, PIPELINING and response codes 2449, STLS 2595,
 * AUTH PLAIN 5034): logs in, fetches every message of the maildrop, deletes those the host says,
 * quits.
 *
 * Replies go in, commands come out, and what arrives is told to the host piece by piece: the
 * session holds no message and no list. What it can't do itself it wishes (pop3_client_wish). RETR
 * and DELE are pipelined where the server offers it, else sent one by one. Whatever the server
 * says, memory is the struct's alone, and the session ends under a name of its own (enum
 * pop3_client_failure).
 *
 * `out` is lent for one call and needs POP3_CLIENT_COMMAND_BYTES_MAX free bytes before anything is
 * said: see POP3_CLIENT_SPEAK. Host calls come from within these functions, and must not call them.
 */
#ifndef ENGINE_POP3_CLIENT_H
#define ENGINE_POP3_CLIENT_H

#include "base/credentials.h"
#include "base/output.h"
#include "base/span.h"

#define POP3_CLIENT_COMMAND_BYTES_MAX 1024u /* any one command fits */
#define POP3_CLIENT_WINDOW 32u              /* commands under way when pipelined */
#define POP3_CLIENT_CAPABILITIES_MAX 512u   /* lines */
#define POP3_CLIENT_UIDL_BYTES_MAX 70u      /* RFC 1939 section 7 */

/* What a reply belongs to. */
enum pop3_client_phase {
    POP3_CLIENT_GREETING,
    POP3_CLIENT_CAPA,  /* again after STLS */
    POP3_CLIENT_TLS,   /* through the handshake */
    POP3_CLIENT_LOGIN, /* USER and PASS, or AUTH */
    POP3_CLIENT_STAT,
    POP3_CLIENT_UIDL,
    POP3_CLIENT_RETR, /* through the end of the message */
    POP3_CLIENT_DELE,
    POP3_CLIENT_QUIT,
    POP3_CLIENT_PHASES, /* how many; also: none */
};

/* Why a session is over. */
enum pop3_client_failure {
    POP3_CLIENT_FINE,        /* it is not, or it ended as it should */
    POP3_CLIENT_TURNED_AWAY, /* greeting, login or STAT was refused */
    POP3_CLIENT_NO_TLS,      /* wished for, not offered or refused */
    POP3_CLIENT_NOT_DELETED, /* QUIT was refused: some deletions are not done */
    POP3_CLIENT_GARBAGE,     /* not a reply, or not what it must consist of */
    POP3_CLIENT_LONG_LINE,   /* longer than REPLY_LINE_BYTES_MAX */
    POP3_CLIENT_LONG_REPLY,  /* more lines than there can be */
    POP3_CLIENT_OUT_OF_STEP, /* a reply that can't be one to this command */
    POP3_CLIENT_UNASKED,     /* a reply to no command */
    POP3_CLIENT_LOST,        /* by pop3_client_fail: the connection ended */
    POP3_CLIENT_TIMEOUT,     /* by pop3_client_fail: no reply in time */
    POP3_CLIENT_TLS_FAILED,  /* by pop3_client_fail: no handshake */
    POP3_CLIENT_FAILURES,
};

/* "garbage", "out of step", …: static. */
const char *pop3_client_failure_name(enum pop3_client_failure failure);

/* Messages are numbered from 1. Spans are borrowed for the call. */
struct pop3_client_host {
    /* A phase has ended: `ok` is +OK, otherwise -ERR. `text` is what follows that on the line, with
     * the response code ("[IN-USE] …"), cut at about a hundred bytes; empty at the end of a list or
     * message. `number`: the message of RETR and DELE, else 0. Called before what follows from it.
     */
    void (*phase)(void *owner, enum pop3_client_phase phase, bool ok, struct span text,
                  uint32_t number);
    /* The maildrop is open. */
    void (*maildrop)(void *owner, uint32_t messages, uint64_t octets);
    /* A row of UIDL, in whatever order the server has them. */
    void (*uidl)(void *owner, uint32_t number, struct span uidl);
    /* A message begins, its bytes come in any number of pieces, none empty, and it ends; true: it
     * shall be deleted. A message that the session's end cuts off does not end. */
    void (*begin)(void *owner, uint32_t number);
    void (*bytes)(void *owner, struct span bytes);
    bool (*end)(void *owner, uint32_t number);
};

struct pop3_client_config { /* outlives its sessions */
    bool stls;              /* not without TLS */
    bool sasl;              /* AUTH PLAIN where offered, else USER and PASS */
    bool uidl;              /* ask for the list; a server without it does no harm */
    bool pipeline;          /* where offered */
    bool unstuff;           /* bytes without the dots that stuffing adds, else as on the wire; never
                             * with the final dot */
    const struct pop3_client_host *host;
};

struct pop3_client; /* pop3/client_session.h: ≤ 384 bytes, embedded in the caller's */

/* Waits for the greeting. `credentials` must last as long as the session. `secure`: inside TLS from
 * the start (pop3s). */
void pop3_client_start(struct pop3_client *session, const struct pop3_client_config *config,
                       const struct credentials *credentials, void *owner, bool secure);

/* Consumes all of the input and says what can be said; an empty input goes on after
 * POP3_CLIENT_SPEAK. How the input is cut makes no difference, but to the pieces of messages, as
 * long as the server speaks only when it was asked. */
void pop3_client_feed(struct pop3_client *session, struct span input, struct output *out);

enum pop3_client_wish {
    POP3_CLIENT_GO_ON, /* wait for replies */
    POP3_CLIENT_SPEAK, /* `out` was too full for all there is to say: feed again */
    POP3_CLIENT_STLS,  /* drop all input received so far, start TLS: pop3_client_secured */
    POP3_CLIENT_CLOSE, /* over: see pop3_client_failure */
};
enum pop3_client_wish pop3_client_wish(const struct pop3_client *session);

/* TLS is up: forgets what was learned before (RFC 2595 section 4). */
void pop3_client_secured(struct pop3_client *session, struct output *out);

/* Asks for no more messages, and quits when what was asked for is through. */
void pop3_client_quit(struct pop3_client *session, struct output *out);

/* The session ends for a reason of the caller's: LOST, TIMEOUT or TLS_FAILED. Unless QUIT was
 * answered the server must not have deleted anything (RFC 1939 section 6), yet it may have; a
 * connection that ends after QUIT when nothing was to be deleted is FINE. Does nothing when over.
 */
void pop3_client_fail(struct pop3_client *session, enum pop3_client_failure failure);

enum pop3_client_failure pop3_client_failure(const struct pop3_client *session);

/* The phase whose reply comes next; PHASES: none is awaited. */
enum pop3_client_phase pop3_client_awaits(const struct pop3_client *session);

#endif
