#include "engine/pop3/reply.h"

#include "engine/pop3/session.h"

#define LINE(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text "\r\n"), sizeof(text "\r\n") - 1                                    \
    }

/* RFC 2449 section 8, RFC 3206: the codes in brackets. */
static const struct span replies[POP3_REPLIES] = {
    [POP3_OK] = LINE("+OK"),
    [POP3_OK_USER] = LINE("+OK send PASS"),
    [POP3_OK_BYE] = LINE("+OK bye"),
    [POP3_OK_STLS] = LINE("+OK begin TLS"),
    [POP3_OK_UTF8] = LINE("+OK UTF-8 it is"),
    [POP3_OK_DELETED] = LINE("+OK marked as deleted"),
    [POP3_CONTINUE] = LINE("+ "),

    [POP3_NO_COMMAND] = LINE("-ERR unknown command"),
    [POP3_NO_LINE] = LINE("-ERR line too long"),
    [POP3_NO_ARGUMENT] = LINE("-ERR wrong arguments"),
    [POP3_NO_NUMBER] = LINE("-ERR not a number"),
    [POP3_NO_LOGIN] = LINE("-ERR log in first"),
    [POP3_NO_SECOND_LOGIN] = LINE("-ERR already logged in"),
    [POP3_NO_USER] = LINE("-ERR USER first"),
    [POP3_NO_CLEAR] = LINE("-ERR [AUTH] no login without TLS"),
    [POP3_NO_STLS] = LINE("-ERR TLS is not on offer"),
    [POP3_NO_MECHANISM] = LINE("-ERR unknown mechanism"),
    [POP3_NO_SASL] = LINE("-ERR malformed response"),
    [POP3_NO_SASL_CANCELLED] = LINE("-ERR authentication cancelled"),
    [POP3_NO_HTTP] = LINE("-ERR this is POP3"),
    [POP3_NO_PATIENCE] = LINE("-ERR too many errors"),

    [POP3_NO_MESSAGE] = LINE("-ERR no such message"),
    [POP3_NO_DELETED_MESSAGE] = LINE("-ERR message is deleted"),
    [POP3_NO_CREDENTIALS] = LINE("-ERR [AUTH] wrong user name or password"),
    [POP3_NO_LOCK] = LINE("-ERR [IN-USE] another session has this maildrop"),
    [POP3_NO_MAILDROP] = LINE("-ERR [SYS/TEMP] maildrop not available, try later"),
    [POP3_NO_READABLE] = LINE("-ERR [SYS/PERM] message is damaged"),
    [POP3_NO_READ] = LINE("-ERR [SYS/TEMP] message not readable, try later"),
    [POP3_NO_EXPUNGE] = LINE("-ERR [SYS/TEMP] some deletions are not done"),
    [POP3_NO_MEMORY] = LINE("-ERR [SYS/TEMP] out of memory, try later"),
};

void pop3_reply(struct output *out, enum pop3_reply reply)
{
    INVARIANT(reply < POP3_REPLIES);
    output_add(out, replies[reply]);
}

void pop3_refuse(struct pop3_session *session, enum pop3_reply reply, struct output *out)
{
    session->errors++;
    if (session->errors < session->config->errors_max) {
        pop3_reply(out, reply);
        return;
    }
    pop3_reply(out, POP3_NO_PATIENCE);
    session->state = POP3_OVER;
}

void pop3_reply_banner(struct output *out, struct span hostname)
{
    output_add(out, SPAN("+OK "));
    output_add(out, hostname);
    output_add(out, SPAN(" POP3 mailrace ready\r\n"));
}

void pop3_reply_maildrop(const struct pop3_session *session, struct output *out)
{
    output_add(out, SPAN("+OK "));
    output_add_number(out, session->count - session->deleted_count);
    output_add(out, SPAN(" messages ("));
    output_add_number(out, session->octets - session->deleted_octets);
    output_add(out, SPAN(" octets)\r\n"));
}
