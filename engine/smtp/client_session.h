/* The client session's struct, complete because the caller embeds it, and what its parts share.
 *
 * Two cursors move through the conversation: what is to be said next (`turn`) and what is to be
 * heard next (`hearing`). Between them lie `awaited` replies; step by step that is never more than
 * one. Both follow the list of messages under way: the newest is being said, the oldest heard. */
#ifndef ENGINE_SMTP_CLIENT_SESSION_H
#define ENGINE_SMTP_CLIENT_SESSION_H

#include "engine/smtp/client.h"
#include "engine/smtp/client_reply.h"

/* What is said next, in this order within a message. */
enum smtp_client_turn {
    SMTP_CLIENT_LISTEN, /* a reply decides */
    SMTP_CLIENT_SAY_EHLO,
    SMTP_CLIENT_SAY_HELO,
    SMTP_CLIENT_SAY_STARTTLS,
    SMTP_CLIENT_HANDSHAKE, /* STARTTLS was accepted, until smtp_client_secured */
    SMTP_CLIENT_SAY_PLAIN,
    SMTP_CLIENT_SAY_LOGIN,
    SMTP_CLIENT_SAY_USER,
    SMTP_CLIENT_SAY_PASSWORD,
    SMTP_CLIENT_IDLE, /* until smtp_client_send */
    SMTP_CLIENT_SAY_RSET,
    SMTP_CLIENT_SAY_MAIL,
    SMTP_CLIENT_SAY_RCPT,
    SMTP_CLIENT_SAY_DATA,
    SMTP_CLIENT_SAY_BDAT,
    SMTP_CLIENT_BODY, /* until smtp_client_body_sent */
    SMTP_CLIENT_SAY_DOT,
    SMTP_CLIENT_SAY_QUIT,
    SMTP_CLIENT_OVER,
    SMTP_CLIENT_TURNS,
};

struct smtp_client {
    const struct smtp_client_config *config;
    void *owner;
    struct smtp_client_message *oldest, *newest; /* under way; NULL: none */
    uint64_t size_max;
    uint32_t awaited;    /* replies */
    uint32_t said_rcpts; /* of the newest message */
    uint32_t heard;      /* recipients of the oldest whose reply in this phase has come */
    struct smtp_client_reply reply;
    uint16_t code;       /* of the last reply */
    uint8_t offers;      /* enum smtp_client_extension */
    uint8_t turn;        /* enum smtp_client_turn */
    uint8_t hearing;     /* enum smtp_client_phase */
    uint8_t auth_answer; /* enum smtp_client_turn after a 334 */
    uint8_t failure;     /* enum smtp_client_failure */
    bool secure;         /* inside TLS */
    bool helo;           /* EHLO was refused */
    bool open;           /* where we speak, a transaction may be open that nobody wants */
    bool leaving;        /* QUIT when idle */
};

_Static_assert(sizeof(struct smtp_client) <= 256, "tens of thousands of them are held");

static inline bool smtp_client_offered(const struct smtp_client *session,
                                       enum smtp_client_extension extension)
{
    return (session->offers & (unsigned)extension) != 0;
}

static inline bool smtp_client_chunks(const struct smtp_client *session)
{
    return session->config->chunking && smtp_client_offered(session, SMTP_CLIENT_CHUNKING);
}

#endif
