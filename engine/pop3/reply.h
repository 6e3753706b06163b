/* What a POP3 session says: the one-line replies as a table, the rest composed from numbers. */
#ifndef ENGINE_POP3_REPLY_H
#define ENGINE_POP3_REPLY_H

#include "base/output.h"

struct pop3_session;

enum pop3_reply {
    POP3_OK,
    POP3_OK_USER,
    POP3_OK_BYE,
    POP3_OK_STLS,
    POP3_OK_UTF8,
    POP3_OK_DELETED,
    POP3_CONTINUE, /* "+ ": SASL waits for the response */

    POP3_NO_COMMAND,
    POP3_NO_LINE, /* too long */
    POP3_NO_ARGUMENT,
    POP3_NO_NUMBER,
    POP3_NO_LOGIN, /* not before one */
    POP3_NO_SECOND_LOGIN,
    POP3_NO_USER,
    POP3_NO_CLEAR, /* no login without TLS */
    POP3_NO_STLS,
    POP3_NO_MECHANISM,
    POP3_NO_SASL, /* malformed response */
    POP3_NO_SASL_CANCELLED,
    POP3_NO_HTTP,
    POP3_NO_PATIENCE, /* too many bad commands */

    POP3_NO_MESSAGE,
    POP3_NO_DELETED_MESSAGE,
    POP3_NO_CREDENTIALS,
    POP3_NO_LOCK,
    POP3_NO_MAILDROP,
    POP3_NO_READABLE, /* damaged */
    POP3_NO_READ,     /* for now */
    POP3_NO_EXPUNGE,
    POP3_NO_MEMORY,
    POP3_REPLIES,
};

/* Appends the line of the table. */
void pop3_reply(struct output *out, enum pop3_reply reply);

/* Refuses a bad command: the reply, or, when the session has used up config->errors_max, a last one
 * and the end. */
void pop3_refuse(struct pop3_session *session, enum pop3_reply reply, struct output *out);

/* "+OK hostname …" (RFC 1939 section 4). */
void pop3_reply_banner(struct output *out, struct span hostname);

/* "+OK 2 messages (320 octets)" of those not marked as deleted. */
void pop3_reply_maildrop(const struct pop3_session *session, struct output *out);

#endif
