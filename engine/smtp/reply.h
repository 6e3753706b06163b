/* Everything the server says that is not composed: one table, RFC 5321 section 4.2 with the
 * enhanced status codes of RFC 2034, 3463 and 5248. */
#ifndef ENGINE_SMTP_REPLY_H
#define ENGINE_SMTP_REPLY_H

#include "base/span.h"
#include "base/status.h"

enum smtp_reply {
    REPLY_NONE, /* nothing to complain about */

    REPLY_OK,
    REPLY_SENDER_OK,
    REPLY_RECIPIENT_OK,
    REPLY_CHUNK_OK,
    REPLY_SEND_BODY,
    REPLY_CANNOT_VERIFY,
    REPLY_HELP,

    REPLY_NO_MEMORY,
    REPLY_NO_SPACE,
    REPLY_TRY_LATER,
    REPLY_TOO_MANY_RECIPIENTS,

    REPLY_UNKNOWN_COMMAND,
    REPLY_COMMAND_TOO_LONG,
    REPLY_BARE_COMMAND,
    REPLY_NOT_OFFERED,
    REPLY_SEQUENCE,
    REPLY_NEEDS_ARGUMENT,
    REPLY_NO_ARGUMENT,
    REPLY_BAD_HELLO,
    REPLY_BAD_SENDER,
    REPLY_BAD_RECIPIENT,
    REPLY_NEEDS_SMTPUTF8,
    REPLY_UNKNOWN_PARAMETER,
    REPLY_BAD_PARAMETER,
    REPLY_BAD_CHUNK,
    REPLY_UNKNOWN_MAILBOX,
    REPLY_RELAY_DENIED,

    REPLY_TOO_BIG,
    REPLY_BARE_NEWLINE,
    REPLY_LONG_LINE,
    REPLY_LOOP,

    /* Last words: nothing is said or heard in clear after them. */
    REPLY_BYE,
    REPLY_START_TLS,
    REPLY_BAD_CHUNK_SIZE,
    REPLY_NOT_SMTP,
    REPLY_TOO_MANY_ERRORS,
    REPLY_TIMEOUT,
    REPLY_SHUTDOWN,

    REPLY_COUNT,
};

/* The whole line with CRLF, static. Not for REPLY_NONE. */
struct span smtp_reply_text(enum smtp_reply reply);

/* A refusal that is the client's doing (5yz). */
bool smtp_reply_is_error(enum smtp_reply reply);

/* What a message that could not be stored is answered with: 452 when there is no space, else 451.
 * REPLY_OK for STATUS_OK. */
enum smtp_reply smtp_reply_of(enum status status);

#endif
