/* The client session's struct, complete because the caller embeds it, and what its parts share.
 *
 * Up to the open maildrop one command is under way at a time: `turn` is what is said next,
 * `hearing` what is heard next. From there on commands wait their turn in a queue (client_fetch.h)
 * that moves as replies come. */
#ifndef ENGINE_POP3_CLIENT_SESSION_H
#define ENGINE_POP3_CLIENT_SESSION_H

#include "base/reply_line.h"
#include "engine/pop3/client.h"
#include "engine/pop3/client_body.h"

#include <assert.h>

/* What is said next. */
enum pop3_client_turn {
    POP3_CLIENT_LISTEN, /* a reply decides */
    POP3_CLIENT_SAY_CAPA,
    POP3_CLIENT_SAY_STLS,
    POP3_CLIENT_HANDSHAKE, /* STLS was accepted, until pop3_client_secured */
    POP3_CLIENT_SAY_USER,
    POP3_CLIENT_SAY_PASS,
    POP3_CLIENT_SAY_AUTH,
    POP3_CLIENT_SAY_RESPONSE,
    POP3_CLIENT_SAY_STAT,
    POP3_CLIENT_SAY_UIDL,
    POP3_CLIENT_FETCH, /* the queue decides */
    POP3_CLIENT_SAY_QUIT,
    POP3_CLIENT_OVER,
    POP3_CLIENT_TURNS,
};

/* Bits. */
enum pop3_client_capability {
    POP3_CLIENT_HAS_STLS = 1 << 0,
    POP3_CLIENT_HAS_PIPELINING = 1 << 1,
    POP3_CLIENT_HAS_USER = 1 << 2,
    POP3_CLIENT_HAS_PLAIN = 1 << 3,
};

enum pop3_client_status { POP3_CLIENT_OK, POP3_CLIENT_ERR, POP3_CLIENT_MORE /* "+": SASL */ };

struct pop3_client_queue {
    uint32_t commands[POP3_CLIENT_WINDOW];
    uint8_t heard, said, asked; /* how many ever, in this order; their differences count */
};

struct pop3_client {
    const struct pop3_client_config *config;
    const struct credentials *credentials;
    void *owner;
    struct reply_line line;
    struct pop3_client_queue queue;
    struct pop3_client_body body;
    uint32_t awaited; /* replies */
    uint32_t count;   /* messages in the maildrop */
    uint32_t fetched; /* of which RETR was asked for */
    uint32_t rows;    /* of the list at hand */
    uint8_t turn;     /* enum pop3_client_turn */
    uint8_t hearing;  /* enum pop3_client_phase; not while FETCH */
    uint8_t capabilities;
    uint8_t login_ok;   /* enum pop3_client_turn after +OK; LISTEN: it may not come */
    uint8_t login_more; /* … after + */
    uint8_t failure;    /* enum pop3_client_failure */
    bool secure;        /* inside TLS */
    bool listing;       /* in the middle of CAPA's or UIDL's list */
    bool in_message;    /* in the middle of RETR's message */
    bool deleted;       /* some DELE was accepted */
    bool leaving;       /* asks for no more messages */
};

static_assert(sizeof(struct pop3_client) <= 384, "tens of thousands of them are held");

static inline bool pop3_client_has(const struct pop3_client *session,
                                   enum pop3_client_capability capability)
{
    return (session->capabilities & (unsigned)capability) != 0;
}

static inline bool pop3_client_pipelines(const struct pop3_client *session)
{
    return session->config->pipeline && pop3_client_has(session, POP3_CLIENT_HAS_PIPELINING);
}

/* A command was written whose reply is of this phase. */
static inline void pop3_client_listen_for(struct pop3_client *session, enum pop3_client_phase phase)
{
    session->awaited++;
    session->turn = POP3_CLIENT_LISTEN;
    session->hearing = (uint8_t)phase;
}

/* Tells the host that a phase has ended. */
static inline void pop3_client_report(const struct pop3_client *session,
                                      enum pop3_client_phase phase, bool ok, struct span text,
                                      uint32_t number)
{
    session->config->host->phase(session->owner, phase, ok, text, number);
}

#endif
