/* A POP3 client session in conversation with a server that only has a script. What the client says
 * and wishes is written down in one text, what it tells its host in another: each of them does not
 * depend on how the server's bytes are cut. */
#ifndef TESTS_ENGINE_POP3_CLIENT_TALK_H
#define TESTS_ENGINE_POP3_CLIENT_TALK_H

#include "engine/pop3/client_session.h"

#define CLIENT_TALK_SERVER_MAX 24

struct client_talk_setup {
    bool stls, sasl, uidl, pipeline, unstuff, secure;
    bool tls_fails;         /* the handshake */
    bool texts;             /* phases with the reply's text */
    const char *user;       /* NULL: joe */
    uint32_t delete_number; /* this message is to be deleted; 0: none */
    bool delete_all;
};

struct client_talk_case {
    struct client_talk_setup setup;
    const char *server[CLIENT_TALK_SERVER_MAX]; /* each said when the client waits; "!lost",
                                                 * "!timeout", "!quit": the caller does that */
    const char *said, *told;
};

struct client_talk_text { /* NUL-terminated */
    char text[65536];
    size_t size;
};

struct client_talk {
    struct client_talk_setup setup;
    struct pop3_client_config config;
    struct credentials credentials;
    struct pop3_client session;
    struct client_talk_text said, told;
    uint32_t begun; /* the message that has not ended; 0: none */
    bool closed;
    uint8_t output[16384];
    struct output out;
};

/* `output_bytes`: of the buffer lent to the session; 0: plenty. */
void client_talk_open(struct client_talk *talk, const struct client_talk_setup *setup,
                      uint32_t output_bytes);
/* The server says something, and everything that follows from it happens. */
void client_talk_hear(struct client_talk *talk, struct span bytes);
/* Ends the session if it is not over. */
void client_talk_close(struct client_talk *talk);

/* Holds the conversation with what the server says whole, byte by byte, and cut in two at every
 * place, with little and with much room for output: both texts must be the same each time. */
void client_talk_check(const struct client_talk_case *row);

#endif
