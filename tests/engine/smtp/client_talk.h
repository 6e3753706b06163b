/* An SMTP client session in conversation with a server that only has a script. Everything that
 * happens is written down in order: what the client says as it is, phases and messages done in
 * {braces}, wishes in [brackets].
 *
 * The caller's part is played as blast would: messages are handed in whenever the session is ready,
 * bodies are sent when they are due, and when there are no more messages it quits. */
#ifndef TESTS_ENGINE_SMTP_CLIENT_TALK_H
#define TESTS_ENGINE_SMTP_CLIENT_TALK_H

#include "engine/smtp/client_session.h"

#define CLIENT_TALK_MESSAGES_MAX 4
#define CLIENT_TALK_RECIPIENTS_MAX 8
#define CLIENT_TALK_SERVER_MAX 24

struct client_talk_setup {
    bool lmtp, starttls, pipeline, chunking, secure;
    bool eight_bit, smtputf8; /* every message */
    bool tls_fails;           /* the handshake */
    bool texts;               /* phases with the reply's text */
    bool no_body;             /* bodies are never sent */
    const char *user;         /* NULL: no AUTH */
    unsigned messages;        /* to send; from s@a, of 5 octets */
    unsigned recipients;      /* of each: 0@b, 1@b, …; 0: one */
};

struct client_talk_case {
    struct client_talk_setup setup;
    const char *server[CLIENT_TALK_SERVER_MAX]; /* each said when the client waits; "!lost",
                                                 * "!timeout": the caller ends the session */
    const char *transcript;
};

struct client_talk {
    struct client_talk_setup setup;
    struct smtp_client_config config;
    struct smtp_client session;
    struct smtp_client_message messages[CLIENT_TALK_MESSAGES_MAX];
    struct smtp_client_recipient recipients[CLIENT_TALK_MESSAGES_MAX][CLIENT_TALK_RECIPIENTS_MAX];
    unsigned sent, done; /* messages */
    bool quit, closed;
    uint8_t said[8192];
    struct output out;
    char transcript[16384]; /* NUL-terminated */
    size_t transcript_bytes;
};

/* `output_bytes`: of the buffer lent to the session; 0: plenty. */
void client_talk_open(struct client_talk *talk, const struct client_talk_setup *setup,
                      uint32_t output_bytes);
/* The server says something, and everything that follows from it happens. */
void client_talk_hear(struct client_talk *talk, struct span bytes);
/* Ends the session if it is not over; every message that was handed in must be done. */
void client_talk_close(struct client_talk *talk);

/* Holds the conversation with what the server says whole, byte by byte, and cut in two at every
 * place, with little and with much room for output: the transcript must be the same each time. */
void client_talk_check(const struct client_talk_case *row);

/* The conversation up to the first message, for a server that offers what follows the name. */
#define CLIENT_TALK_GREETING "{banner 220}EHLO me\r\n{hello 250}"
#define CLIENT_TALK_BYE "QUIT\r\n{quit 221}[close fine]"

#endif
