#include "engine/smtp/reply.h"

#include "base/invariant.h"

#define LINE(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)text "\r\n", sizeof text + 1                                              \
    }

static const struct span replies[REPLY_COUNT] = {
    [REPLY_OK] = LINE("250 2.0.0 OK"),
    [REPLY_SENDER_OK] = LINE("250 2.1.0 Sender OK"),
    [REPLY_RECIPIENT_OK] = LINE("250 2.1.5 Recipient OK"),
    [REPLY_CHUNK_OK] = LINE("250 2.0.0 Chunk received"),
    [REPLY_SEND_BODY] = LINE("354 End with <CRLF>.<CRLF>"),
    [REPLY_CANNOT_VERIFY] = LINE("252 2.0.0 Cannot verify, send some mail"),
    [REPLY_HELP] = LINE("214 2.0.0 See RFC 5321"),

    [REPLY_NO_MEMORY] = LINE("452 4.3.1 Out of memory, try later"),
    [REPLY_NO_SPACE] = LINE("452 4.3.1 Out of space, try later"),
    [REPLY_TRY_LATER] = LINE("451 4.3.0 Try later"),
    [REPLY_TOO_MANY_RECIPIENTS] = LINE("452 4.5.3 Too many recipients"),

    [REPLY_UNKNOWN_COMMAND] = LINE("500 5.5.2 Unknown command"),
    [REPLY_COMMAND_TOO_LONG] = LINE("500 5.5.2 Command line too long"),
    [REPLY_BARE_COMMAND] = LINE("500 5.5.2 Command line must end with CRLF"),
    [REPLY_NOT_OFFERED] = LINE("502 5.5.1 Not available"),
    [REPLY_SEQUENCE] = LINE("503 5.5.1 Bad sequence of commands"),
    [REPLY_NEEDS_ARGUMENT] = LINE("501 5.5.4 Argument required"),
    [REPLY_NO_ARGUMENT] = LINE("501 5.5.4 No argument allowed"),
    [REPLY_BAD_HELLO] = LINE("501 5.5.4 Domain name or address literal required"),
    [REPLY_BAD_SENDER] = LINE("501 5.1.7 Bad sender address syntax"),
    [REPLY_BAD_RECIPIENT] = LINE("501 5.1.3 Bad recipient address syntax"),
    [REPLY_NEEDS_SMTPUTF8] = LINE("553 5.6.7 Address needs SMTPUTF8"),
    [REPLY_UNKNOWN_PARAMETER] = LINE("555 5.5.4 Unknown parameter"),
    [REPLY_BAD_PARAMETER] = LINE("501 5.5.4 Bad parameter value"),
    [REPLY_BAD_CHUNK] = LINE("501 5.5.4 Bad chunk argument"),
    [REPLY_UNKNOWN_MAILBOX] = LINE("550 5.1.1 No such mailbox"),
    [REPLY_RELAY_DENIED] = LINE("550 5.7.1 Relaying denied"),

    [REPLY_TOO_BIG] = LINE("552 5.3.4 Message too big"),
    [REPLY_BARE_NEWLINE] = LINE("550 5.6.11 Bare CR or LF in message"),
    [REPLY_LONG_LINE] = LINE("554 5.6.0 Line too long in message"),
    [REPLY_LOOP] = LINE("554 5.4.6 Too many hops"),

    [REPLY_BYE] = LINE("221 2.0.0 Bye"),
    [REPLY_START_TLS] = LINE("220 2.0.0 Ready to start TLS"),
    [REPLY_BAD_CHUNK_SIZE] = LINE("501 5.5.4 Bad chunk size, closing connection"),
    [REPLY_NOT_SMTP] = LINE("421 4.7.0 This is a mail server, closing connection"),
    [REPLY_TOO_MANY_ERRORS] = LINE("421 4.7.0 Too many errors, closing connection"),
    [REPLY_TIMEOUT] = LINE("421 4.4.2 Timeout, closing connection"),
    [REPLY_SHUTDOWN] = LINE("421 4.3.2 Shutting down, closing connection"),
};

struct span smtp_reply_text(enum smtp_reply reply)
{
    INVARIANT(reply > REPLY_NONE && reply < REPLY_COUNT);
    return replies[reply];
}

bool smtp_reply_is_error(enum smtp_reply reply)
{
    return smtp_reply_text(reply).data[0] == '5';
}

enum smtp_reply smtp_reply_of(enum status status)
{
    switch (status) {
    case STATUS_OK:
        return REPLY_OK;
    case STATUS_FULL:
        return REPLY_NO_SPACE;
    default:
        return REPLY_TRY_LATER;
    }
}
