/* A message as a POP3 server sends it (RFC 1939 section 3): lines ended by CRLF, a dot before those
 * that begin with one, and a line that is a dot at the end. Resumable at any byte; holds none. Only
 * CRLF ends a line: after a bare CR or LF a dot is a dot. */
#ifndef ENGINE_POP3_CLIENT_BODY_H
#define ENGINE_POP3_CLIENT_BODY_H

#include "base/span.h"

/* Zeroed memory is ready for a message, and so is what one has ended in. */
struct pop3_client_body {
    uint8_t state; /* in client_body.c */
};

/* Where the message's bytes go. */
struct pop3_client_sink {
    void (*bytes)(void *owner, struct span bytes); /* never empty */
    void *owner;
};

/* Moves `input` past what belongs to the message, and hands it on without the final dot, and with
 * `unstuff` without those that stuffing added. True: the message has ended. */
bool pop3_client_body_take(struct pop3_client_body *body, struct span *input, bool unstuff,
                           struct pop3_client_sink sink);

#endif
