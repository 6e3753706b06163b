#include "engine/smtp/verbs.h"

#include "engine/smtp/greeting.h"
#include "engine/smtp/message.h"
#include "engine/smtp/transaction.h"

static void verb_rset(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)argument;
    smtp_transaction_end(session);
    smtp_say(session, REPLY_OK, out);
}

static void verb_noop(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)argument;
    smtp_say(session, REPLY_OK, out);
}

static void verb_vrfy(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)argument;
    smtp_say(session, REPLY_CANNOT_VERIFY, out);
}

static void verb_expn(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)argument;
    smtp_say(session, REPLY_NOT_OFFERED, out);
}

static void verb_help(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)argument;
    smtp_say(session, REPLY_HELP, out);
}

static void verb_quit(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)argument, (void)out;
    smtp_leave(session, REPLY_BYE);
}

static void verb_starttls(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)argument;
    if (!session->config->starttls || session->secure)
        smtp_say(session, REPLY_NOT_OFFERED, out);
    else
        smtp_leave(session, REPLY_START_TLS);
}

/* Rows stand where a multiplication puts their first four letters, so finding one is a comparison;
 * the compiler refuses two in one place. */
#define KEY(a, b, c, d)                                                                            \
    ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)
#define PLACES 16
#define PLACE(key) ((uint32_t)((key)*0xB252B08Du) >> 28)

/* clang-format off */
#define VERB(a, b, c, d) [PLACE(KEY(a, b, c, d))] = {KEY(a, b, c, d)
#define NO_MORE {NULL, 0}
#define MORE(letters) {(const uint8_t *)letters, sizeof letters - 1}

#define ANY (SMTP_NEW | SMTP_IDLE | SMTP_MAIL | SMTP_RCPT | SMTP_CHUNKS)
#define SMTP SMTP_IN_SMTP
#define LMTP SMTP_IN_LMTP
#define BOTH (SMTP | LMTP)
#define NONE SMTP_ARGUMENT_NONE
#define MAY SMTP_ARGUMENT_ANY
#define MUST SMTP_ARGUMENT_REQUIRED

/* BDAT is always heard, as its bytes come whether it is legal or not. */
static const struct smtp_verb verbs[PLACES] = {
    /*                        rest          where legal in               argument, handler */
    VERB('h', 'e', 'l', 'o'), NO_MORE,      SMTP, ANY,                   MUST, smtp_verb_helo},
    VERB('e', 'h', 'l', 'o'), NO_MORE,      SMTP, ANY,                   MUST, smtp_verb_ehlo},
    VERB('l', 'h', 'l', 'o'), NO_MORE,      LMTP, ANY,                   MUST, smtp_verb_ehlo},
    VERB('s', 't', 'a', 'r'), MORE("TTLS"), BOTH, SMTP_IDLE,             NONE, verb_starttls},
    VERB('m', 'a', 'i', 'l'), NO_MORE,      BOTH, SMTP_IDLE,             MUST, smtp_verb_mail},
    VERB('r', 'c', 'p', 't'), NO_MORE,      BOTH, SMTP_MAIL | SMTP_RCPT, MUST, smtp_verb_rcpt},
    VERB('d', 'a', 't', 'a'), NO_MORE,      BOTH, SMTP_RCPT,             NONE, smtp_verb_data},
    VERB('b', 'd', 'a', 't'), NO_MORE,      BOTH, ANY,                   MAY,  smtp_verb_bdat},
    VERB('r', 's', 'e', 't'), NO_MORE,      BOTH, ANY,                   NONE, verb_rset},
    VERB('n', 'o', 'o', 'p'), NO_MORE,      BOTH, ANY,                   MAY,  verb_noop},
    VERB('v', 'r', 'f', 'y'), NO_MORE,      BOTH, ANY,                   MUST, verb_vrfy},
    VERB('e', 'x', 'p', 'n'), NO_MORE,      BOTH, ANY,                   MAY,  verb_expn},
    VERB('h', 'e', 'l', 'p'), NO_MORE,      BOTH, ANY,                   MAY,  verb_help},
    VERB('q', 'u', 'i', 't'), NO_MORE,      BOTH, ANY,                   NONE, verb_quit},
};
/* clang-format on */

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static struct span trim(struct span text)
{
    while (text.size > 0 && is_blank(text.data[0]))
        text = span_from(text, 1);
    while (text.size > 0 && is_blank(text.data[text.size - 1]))
        text.size--;
    return text;
}

const struct smtp_verb *smtp_verb_find(struct span line, struct span *argument)
{
    const struct span quad = {line.data, 4};
    if (line.size < quad.size)
        return NULL;
    /* 0x20 folds letters, and makes nothing else a letter. */
    uint32_t key = KEY(quad.data[0], quad.data[1], quad.data[2], quad.data[3]) | 0x20202020u;
    const struct smtp_verb *verb = &verbs[PLACE(key)];
    size_t size = quad.size + verb->rest.size;
    if (verb->key != key || line.size < size ||
        !span_equal_nocase(span_of(line.data + quad.size, verb->rest.size), verb->rest) ||
        (line.size > size && !is_blank(line.data[size])))
        return NULL;
    *argument = trim(span_from(line, size));
    return verb;
}

/* A browser was tricked into talking to us, or a proxy is being abused. */
static bool is_http(struct span line)
{
    const struct span methods[] = {SPAN("GET "), SPAN("POST "), SPAN("CONNECT ")};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (line.size >= methods[i].size &&
            span_equal_nocase(span_of(line.data, methods[i].size), methods[i]))
            return true;
    return false;
}

static enum smtp_reply legal(const struct smtp_session *session, const struct smtp_verb *verb,
                             struct span argument)
{
    if (verb == NULL || !(verb->protocols & (session->config->lmtp ? SMTP_IN_LMTP : SMTP_IN_SMTP)))
        return REPLY_UNKNOWN_COMMAND;
    if (!(verb->states & session->state))
        return REPLY_SEQUENCE;
    if (verb->argument == SMTP_ARGUMENT_REQUIRED && argument.size == 0)
        return REPLY_NEEDS_ARGUMENT;
    if (verb->argument == SMTP_ARGUMENT_NONE && argument.size > 0)
        return REPLY_NO_ARGUMENT;
    return REPLY_NONE;
}

void smtp_command(struct smtp_session *session, struct span line, struct output *out)
{
    struct span argument;
    const struct smtp_verb *verb = smtp_verb_find(line, &argument);
    enum smtp_reply refusal = legal(session, verb, argument);
    bool first = session->fresh;
    session->fresh = false;
    if (refusal == REPLY_NONE)
        verb->run(session, argument, out);
    else if (first && is_http(line))
        smtp_leave(session, REPLY_NOT_SMTP);
    else
        smtp_say(session, refusal, out);
}
