#include "engine/smtp/client.h"

#include "base/invariant.h"
#include "engine/smtp/client_extensions.h"
#include "engine/smtp/client_greeting.h"
#include "engine/smtp/client_transaction.h"

#define MINUTE_MS 60000u
#define SERVICE_NOT_AVAILABLE 421u

void smtp_client_start(struct smtp_client *session, const struct smtp_client_config *config,
                       void *owner, bool secure)
{
    *session = (struct smtp_client){
        .config = config,
        .owner = owner,
        .awaited = 1,
        .turn = SMTP_CLIENT_LISTEN,
        .hearing = SMTP_CLIENT_BANNER,
        .secure = secure,
    };
}

static bool is_over(const struct smtp_client *session)
{
    return session->turn == SMTP_CLIENT_OVER;
}

/* -------------------------------------------------------------------------------- saying ---- */

static void say_quit(struct smtp_client *session, struct output *out)
{
    output_add(out, SPAN("QUIT\r\n"));
    session->awaited++;
    session->turn = SMTP_CLIENT_LISTEN;
    if (session->oldest == NULL)
        session->hearing = SMTP_CLIENT_QUIT;
}

typedef void say(struct smtp_client *session, struct output *out);

static say *const sayings[SMTP_CLIENT_TURNS] = {
    [SMTP_CLIENT_SAY_EHLO] = smtp_client_say_ehlo,
    [SMTP_CLIENT_SAY_HELO] = smtp_client_say_helo,
    [SMTP_CLIENT_SAY_STARTTLS] = smtp_client_say_starttls,
    [SMTP_CLIENT_SAY_PLAIN] = smtp_client_say_plain,
    [SMTP_CLIENT_SAY_LOGIN] = smtp_client_say_login,
    [SMTP_CLIENT_SAY_USER] = smtp_client_say_user,
    [SMTP_CLIENT_SAY_PASSWORD] = smtp_client_say_password,
    [SMTP_CLIENT_SAY_RSET] = smtp_client_say_rset,
    [SMTP_CLIENT_SAY_MAIL] = smtp_client_say_mail,
    [SMTP_CLIENT_SAY_RCPT] = smtp_client_say_rcpt,
    [SMTP_CLIENT_SAY_DATA] = smtp_client_say_data,
    [SMTP_CLIENT_SAY_BDAT] = smtp_client_say_bdat,
    [SMTP_CLIENT_SAY_DOT] = smtp_client_say_dot,
    [SMTP_CLIENT_SAY_QUIT] = say_quit,
};

static bool pipelines(const struct smtp_client *session)
{
    return session->config->pipeline && smtp_client_offered(session, SMTP_CLIENT_PIPELINING);
}

/* RFC 2920 section 3.1: what comes before a message's first command, and DATA, must be answered
 * before anything else is said; for that they LISTEN. */
static bool may_speak(const struct smtp_client *session)
{
    return session->awaited == 0 || pipelines(session);
}

static void speak(struct smtp_client *session, struct output *out)
{
    while (may_speak(session)) {
        if (session->turn == SMTP_CLIENT_IDLE && session->leaving)
            session->turn = SMTP_CLIENT_SAY_QUIT;
        if (smtp_client_give_up(session))
            continue;
        if (!sayings[session->turn] || output_room(out) < SMTP_CLIENT_COMMAND_BYTES_MAX)
            return;
        sayings[session->turn](session, out);
    }
}

/* ------------------------------------------------------------------------------- hearing ---- */

static void hear_quit(struct smtp_client *session, uint16_t code, bool good)
{
    (void)code, (void)good;
    session->turn = SMTP_CLIENT_OVER;
}

struct hearing {
    uint8_t good;    /* first digit of the replies that let the conversation go on */
    uint8_t interim; /* and of those that don't end the phase yet; 0: none */
    uint16_t patience_minutes;
    void (*hear)(struct smtp_client *session, uint16_t code, bool good);
};

static const struct hearing hearings[SMTP_CLIENT_PHASES] = {
    [SMTP_CLIENT_BANNER] = {2, 0, 5, smtp_client_hear_banner},
    [SMTP_CLIENT_HELLO] = {2, 0, 5, smtp_client_hear_hello},
    [SMTP_CLIENT_TLS] = {2, 2, 5, smtp_client_hear_tls},
    [SMTP_CLIENT_AUTH] = {2, 3, 5, smtp_client_hear_auth},
    [SMTP_CLIENT_RSET] = {2, 0, 5, smtp_client_hear_rset},
    [SMTP_CLIENT_MAIL] = {2, 0, 5, smtp_client_hear_mail},
    [SMTP_CLIENT_RCPT] = {2, 0, 5, smtp_client_hear_rcpt},
    [SMTP_CLIENT_DATA] = {3, 0, 2, smtp_client_hear_data},
    [SMTP_CLIENT_COMMIT] = {2, 0, 10, smtp_client_hear_commit},
    [SMTP_CLIENT_QUIT] = {2, 0, 5, hear_quit},
};

static void report(const struct smtp_client *session, uint16_t code, struct span text)
{
    session->config->host->phase(session->owner, (enum smtp_client_phase)session->hearing, code,
                                 text, session->oldest);
}

/* The last line of a reply that is awaited. */
static void hear(struct smtp_client *session, struct span text)
{
    uint16_t code = session->code;
    unsigned digit = code / 100u;
    const struct hearing *hearing = &hearings[session->hearing];
    if (digit < 4 && digit != hearing->good && digit != hearing->interim) {
        smtp_client_fail(session, SMTP_CLIENT_OUT_OF_STEP);
        return;
    }
    session->awaited--;
    if (digit != hearing->interim)
        report(session, code, text);
    if (code != SERVICE_NOT_AVAILABLE || session->hearing >= SMTP_CLIENT_MAIL)
        hearing->hear(session, code, digit == hearing->good);
    if (code == SERVICE_NOT_AVAILABLE)
        smtp_client_fail(session, SMTP_CLIENT_SHUT_DOWN);
}

/* A line of a reply. The first one to EHLO offers nothing (RFC 5321 section 4.1.1.1). */
static void hear_line(struct smtp_client *session, struct span text, bool first, bool last)
{
    session->code = session->reply.code;
    if (session->awaited == 0) {
        bool leaving = session->code == SERVICE_NOT_AVAILABLE;
        smtp_client_fail(session, leaving ? SMTP_CLIENT_SHUT_DOWN : SMTP_CLIENT_UNASKED);
        return;
    }
    if (session->hearing == SMTP_CLIENT_HELLO && !session->helo && !first && session->code < 300)
        smtp_client_extension_read(text, &session->offers, &session->size_max);
    if (last)
        hear(session, text);
}

/* False: there is nothing more to hear. */
static bool take_line(struct smtp_client *session, struct span *input)
{
    static const uint8_t failures[] = {
        [SMTP_CLIENT_REPLY_GARBAGE] = SMTP_CLIENT_GARBAGE,
        [SMTP_CLIENT_REPLY_MIXED_CODES] = SMTP_CLIENT_MIXED_CODES,
        [SMTP_CLIENT_REPLY_LONG_LINE] = SMTP_CLIENT_LONG_LINE,
        [SMTP_CLIENT_REPLY_LONG] = SMTP_CLIENT_LONG_REPLY,
    };
    struct span text;
    bool first = session->reply.lines == 0;
    enum smtp_client_reply_result result = smtp_client_reply_take(&session->reply, input, &text);
    switch (result) {
    case SMTP_CLIENT_REPLY_MORE:
        return false;
    case SMTP_CLIENT_REPLY_LINE:
    case SMTP_CLIENT_REPLY_DONE:
        hear_line(session, text, first, result == SMTP_CLIENT_REPLY_DONE);
        return true;
    default:
        smtp_client_fail(session, (enum smtp_client_failure)failures[result]);
        return false;
    }
}

/* Nothing may come between the reply to STARTTLS and the handshake, which the client begins: what
 * does was put there by someone else. */
void smtp_client_feed(struct smtp_client *session, struct span input, struct output *out)
{
    while (!is_over(session) && session->turn != SMTP_CLIENT_HANDSHAKE &&
           take_line(session, &input))
        ;
    if (session->turn == SMTP_CLIENT_HANDSHAKE && input.size > 0)
        smtp_client_fail(session, SMTP_CLIENT_UNASKED);
    speak(session, out);
}

/* ------------------------------------------------------------------------------ messages ---- */

void smtp_client_send(struct smtp_client *session, struct smtp_client_message *message,
                      struct output *out)
{
    INVARIANT(smtp_client_wish(session) == SMTP_CLIENT_READY);
    smtp_client_begin(session, message);
    speak(session, out);
}

struct smtp_client_message *smtp_client_body(const struct smtp_client *session)
{
    INVARIANT(session->turn == SMTP_CLIENT_BODY);
    return session->newest;
}

/* The end of data ends the transaction, whatever comes of it (RFC 5321 section 4.1.1.4). */
void smtp_client_body_sent(struct smtp_client *session, struct output *out)
{
    if (is_over(session))
        return;
    INVARIANT(session->turn == SMTP_CLIENT_BODY);
    session->newest->sent = true;
    session->awaited++;
    session->turn = SMTP_CLIENT_IDLE;
    if (!smtp_client_chunks(session))
        session->open = false;
    speak(session, out);
}

/* ---------------------------------------------------------------------- wishes and ends ---- */

enum smtp_client_wish smtp_client_wish(const struct smtp_client *session)
{
    switch ((enum smtp_client_turn)session->turn) {
    case SMTP_CLIENT_OVER:
        return SMTP_CLIENT_CLOSE;
    case SMTP_CLIENT_HANDSHAKE:
        return SMTP_CLIENT_STARTTLS;
    case SMTP_CLIENT_BODY:
        return smtp_client_chunks(session) ? SMTP_CLIENT_SEND_CHUNK : SMTP_CLIENT_SEND_DATA;
    case SMTP_CLIENT_IDLE:
        return may_speak(session) ? SMTP_CLIENT_READY : SMTP_CLIENT_GO_ON;
    case SMTP_CLIENT_LISTEN:
        return SMTP_CLIENT_GO_ON;
    default:
        return may_speak(session) ? SMTP_CLIENT_SPEAK : SMTP_CLIENT_GO_ON;
    }
}

void smtp_client_secured(struct smtp_client *session, struct output *out)
{
    INVARIANT(session->turn == SMTP_CLIENT_HANDSHAKE);
    report(session, session->code, SPAN(""));
    session->secure = true;
    smtp_client_greet(session);
    speak(session, out);
}

void smtp_client_quit(struct smtp_client *session, struct output *out)
{
    session->leaving = true;
    speak(session, out);
}

void smtp_client_fail(struct smtp_client *session, enum smtp_client_failure failure)
{
    if (is_over(session))
        return;
    bool goodbye = session->turn == SMTP_CLIENT_LISTEN && session->hearing == SMTP_CLIENT_QUIT;
    if (!goodbye || failure != SMTP_CLIENT_LOST)
        session->failure = (uint8_t)failure;
    session->turn = SMTP_CLIENT_OVER;
    session->awaited = 0;
    smtp_client_abandon(session);
}

enum smtp_client_failure smtp_client_failure(const struct smtp_client *session)
{
    return (enum smtp_client_failure)session->failure;
}

const char *smtp_client_failure_name(enum smtp_client_failure failure)
{
    static const char *const names[SMTP_CLIENT_FAILURES] = {
        [SMTP_CLIENT_FINE] = "fine",
        [SMTP_CLIENT_TURNED_AWAY] = "turned away",
        [SMTP_CLIENT_NO_TLS] = "no TLS",
        [SMTP_CLIENT_NO_AUTH] = "no AUTH",
        [SMTP_CLIENT_SHUT_DOWN] = "shut down",
        [SMTP_CLIENT_GARBAGE] = "garbage",
        [SMTP_CLIENT_MIXED_CODES] = "mixed codes",
        [SMTP_CLIENT_LONG_LINE] = "long line",
        [SMTP_CLIENT_LONG_REPLY] = "long reply",
        [SMTP_CLIENT_OUT_OF_STEP] = "out of step",
        [SMTP_CLIENT_UNASKED] = "unasked reply",
        [SMTP_CLIENT_LOST] = "connection lost",
        [SMTP_CLIENT_TIMEOUT] = "timeout",
        [SMTP_CLIENT_TLS_FAILED] = "TLS failed",
    };
    INVARIANT((unsigned)failure < SMTP_CLIENT_FAILURES);
    return names[failure];
}

uint16_t smtp_client_code(const struct smtp_client *session)
{
    return session->code;
}

enum smtp_client_phase smtp_client_awaits(const struct smtp_client *session)
{
    bool awaiting = session->awaited > 0 || session->turn == SMTP_CLIENT_HANDSHAKE;
    return awaiting ? (enum smtp_client_phase)session->hearing : SMTP_CLIENT_PHASES;
}

/* A block of data may take three minutes. */
uint32_t smtp_client_patience_ms(const struct smtp_client *session)
{
    enum smtp_client_phase phase = smtp_client_awaits(session);
    if (phase != SMTP_CLIENT_PHASES)
        return hearings[phase].patience_minutes * MINUTE_MS;
    return session->turn == SMTP_CLIENT_BODY ? 3 * MINUTE_MS : 0;
}

unsigned smtp_client_offers(const struct smtp_client *session)
{
    return session->offers;
}

uint64_t smtp_client_size_max(const struct smtp_client *session)
{
    return session->size_max;
}
