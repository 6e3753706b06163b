/* The session's struct, complete because the shard embeds it, and what its parts share.
 *
 * Bytes enter by session.c, which finds out whose they are: a command's (line.h, verbs.h) or a
 * message's (message.h). Verbs are answered at once, through smtp_say; messages when they are
 * stored, through the queue (queue.h). Whatever ends the session is its last word: it is said when
 * everything before it has been, and from the moment it is decided nothing more is consumed. */
#ifndef ENGINE_SMTP_SESSION_H
#define ENGINE_SMTP_SESSION_H

#include "engine/smtp/body.h"
#include "engine/smtp/line.h"
#include "engine/smtp/queue.h"
#include "engine/smtp/reply.h"
#include "engine/smtp/server.h"

enum smtp_state {                       /* bits, for the verb table */
                  SMTP_NEW = 1 << 0,    /* no HELO yet */
                  SMTP_IDLE = 1 << 1,   /* no transaction */
                  SMTP_MAIL = 1 << 2,   /* a sender, no recipient */
                  SMTP_RCPT = 1 << 3,   /* a sender and recipients */
                  SMTP_CHUNKS = 1 << 4, /* between the chunks of a message */
                  SMTP_DATA = 1 << 5,   /* not a command's turn: the body */
                  SMTP_CHUNK = 1 << 6,  /* not a command's turn: a chunk */
};

#define SMTP_CLIENT_BYTES_MAX 63u
#define SMTP_HELO_BYTES_SHORT 63u
#define SMTP_HELO_BYTES_MAX 255u
#define SMTP_CIPHER_BYTES_MAX 128u

struct smtp_session {
    const struct smtp_config *config;
    struct blocks *blocks;
    void *owner;
    struct smtp_line line;
    struct smtp_queue queue;

    /* the transaction */
    struct envelope envelope;
    struct body body;
    uint64_t chunk_left;    /* bytes of the chunk still to come */
    uint8_t envelope_class; /* enum block_class of the envelope's block */
    uint8_t failure;        /* enum smtp_reply: why the message is refused, its bytes apart */
    uint8_t chunk_after;    /* enum smtp_state to be in after the chunk */
    bool chunk_last;
    bool staged; /* the host holds pieces of the body */
    bool smtputf8;

    uint8_t state;     /* enum smtp_state */
    uint8_t last_word; /* enum smtp_reply; REPLY_NONE: not yet */
    bool said;         /* the last word is in the output */
    bool fresh;        /* no command seen */
    bool secure;       /* inside TLS */
    bool esmtp;        /* EHLO or LHLO, not HELO */
    uint8_t helo_size, client_size;
    uint32_t errors;
    struct span cipher;
    uint8_t *helo_block; /* a name longer than SMTP_HELO_BYTES_SHORT */
    uint8_t helo[SMTP_HELO_BYTES_SHORT];
    uint8_t client[SMTP_CLIENT_BYTES_MAX];
};

_Static_assert(sizeof(struct smtp_session) <= 336, "an idle session costs at most 512 bytes");

/* Answers a command; counts the client's errors, which may end the session. */
void smtp_say(struct smtp_session *session, enum smtp_reply reply, struct output *out);

/* Ends the session with these last words: the transaction is void. */
void smtp_leave(struct smtp_session *session, enum smtp_reply last_word);

#endif
