#include "engine/pop3/client.h"

#include "base/invariant.h"
#include "engine/pop3/client_fetch.h"
#include "engine/pop3/client_login.h"

void pop3_client_start(struct pop3_client *session, const struct pop3_client_config *config,
                       const struct credentials *credentials, void *owner, bool secure)
{
    *session = (struct pop3_client){
        .config = config,
        .credentials = credentials,
        .owner = owner,
        .awaited = 1,
        .turn = POP3_CLIENT_LISTEN,
        .hearing = POP3_CLIENT_GREETING,
        .secure = secure,
    };
}

static bool is_over(const struct pop3_client *session)
{
    return session->turn == POP3_CLIENT_OVER;
}

/* --------------------------------------------------------------------------------- saying ---- */

static void say_quit(struct pop3_client *session, struct output *out)
{
    output_add(out, SPAN("QUIT\r\n"));
    pop3_client_listen_for(session, POP3_CLIENT_QUIT);
}

typedef void say(struct pop3_client *session, struct output *out);

static say *const sayings[POP3_CLIENT_TURNS] = {
    [POP3_CLIENT_SAY_CAPA] = pop3_client_say_capa,
    [POP3_CLIENT_SAY_STLS] = pop3_client_say_stls,
    [POP3_CLIENT_SAY_USER] = pop3_client_say_user,
    [POP3_CLIENT_SAY_PASS] = pop3_client_say_pass,
    [POP3_CLIENT_SAY_AUTH] = pop3_client_say_auth,
    [POP3_CLIENT_SAY_RESPONSE] = pop3_client_say_response,
    [POP3_CLIENT_SAY_STAT] = pop3_client_say_stat,
    [POP3_CLIENT_SAY_UIDL] = pop3_client_say_uidl,
    [POP3_CLIENT_FETCH] = pop3_client_say_queued,
    [POP3_CLIENT_SAY_QUIT] = say_quit,
};

static bool has_to_speak(const struct pop3_client *session)
{
    if (session->turn == POP3_CLIENT_FETCH)
        return pop3_client_fetch_due(session);
    return sayings[session->turn] != NULL;
}

static void speak(struct pop3_client *session, struct output *out)
{
    for (;;) {
        if (session->turn == POP3_CLIENT_FETCH)
            pop3_client_fetch_on(session);
        if (!has_to_speak(session) || output_room(out) < POP3_CLIENT_COMMAND_BYTES_MAX)
            return;
        sayings[session->turn](session, out);
    }
}

/* -------------------------------------------------------------------------------- hearing ---- */

static void hear_quit(struct pop3_client *session, enum pop3_client_status status, struct span text)
{
    pop3_client_report(session, POP3_CLIENT_QUIT, status == POP3_CLIENT_OK, text, 0);
    if (status == POP3_CLIENT_ERR)
        pop3_client_fail(session, POP3_CLIENT_NOT_DELETED);
    session->turn = POP3_CLIENT_OVER;
}

typedef void hear(struct pop3_client *session, enum pop3_client_status status, struct span text);

static hear *const hearings[POP3_CLIENT_PHASES] = {
    [POP3_CLIENT_GREETING] = pop3_client_hear_greeting,
    [POP3_CLIENT_CAPA] = pop3_client_hear_capa,
    [POP3_CLIENT_TLS] = pop3_client_hear_stls,
    [POP3_CLIENT_LOGIN] = pop3_client_hear_login,
    [POP3_CLIENT_STAT] = pop3_client_hear_stat,
    [POP3_CLIENT_UIDL] = pop3_client_hear_uidl,
    [POP3_CLIENT_RETR] = pop3_client_hear_retr,
    [POP3_CLIENT_DELE] = pop3_client_hear_dele,
    [POP3_CLIENT_QUIT] = hear_quit,
};

/* Takes `word` and the blank behind it off the start of the line. */
static bool take_status(struct span *line, struct span word)
{
    if (line->size < word.size || memcmp(line->data, word.data, word.size) != 0)
        return false;
    if (line->size > word.size && line->data[word.size] != ' ')
        return false;
    *line = span_from(*line, line->size > word.size ? word.size + 1 : word.size);
    return true;
}

/* RFC 1939 section 3: status indicators are in upper case. */
static bool parse_status(struct span *line, enum pop3_client_status *status)
{
    if (take_status(line, SPAN("+OK")))
        *status = POP3_CLIENT_OK;
    else if (take_status(line, SPAN("-ERR")))
        *status = POP3_CLIENT_ERR;
    else if (take_status(line, SPAN("+")))
        *status = POP3_CLIENT_MORE;
    else
        return false;
    return true;
}

static void hear_reply(struct pop3_client *session, struct span line)
{
    enum pop3_client_status status;
    if (!parse_status(&line, &status)) {
        pop3_client_fail(session, POP3_CLIENT_GARBAGE);
        return;
    }
    enum pop3_client_phase phase = pop3_client_awaits(session);
    if (phase == POP3_CLIENT_PHASES) {
        pop3_client_fail(session, POP3_CLIENT_UNASKED);
        return;
    }
    if (status == POP3_CLIENT_MORE && phase != POP3_CLIENT_LOGIN) {
        pop3_client_fail(session, POP3_CLIENT_OUT_OF_STEP);
        return;
    }
    session->awaited--;
    hearings[phase](session, status, line);
}

/* False: there is nothing more to hear. */
static bool take_line(struct pop3_client *session, struct span *input)
{
    struct span line;
    switch (reply_line_take(&session->line, input, &line)) {
    case REPLY_LINE_MORE:
        return false;
    case REPLY_LINE_DONE:
        if (session->listing)
            pop3_client_hear_row(session, line);
        else
            hear_reply(session, line);
        return true;
    case REPLY_LINE_TOO_LONG:
        break;
    }
    pop3_client_fail(session, POP3_CLIENT_LONG_LINE);
    return false;
}

static bool take_some(struct pop3_client *session, struct span *input)
{
    if (!session->in_message)
        return take_line(session, input);
    pop3_client_hear_message(session, input);
    return input->size > 0;
}

/* Nothing may come between the reply to STLS and the handshake, which the client begins: what does
 * was put there by someone else. */
void pop3_client_feed(struct pop3_client *session, struct span input, struct output *out)
{
    while (!is_over(session) && session->turn != POP3_CLIENT_HANDSHAKE &&
           take_some(session, &input))
        ;
    if (session->turn == POP3_CLIENT_HANDSHAKE && input.size > 0)
        pop3_client_fail(session, POP3_CLIENT_UNASKED);
    speak(session, out);
}

/* ---------------------------------------------------------------------- wishes and ends ---- */

enum pop3_client_wish pop3_client_wish(const struct pop3_client *session)
{
    if (is_over(session))
        return POP3_CLIENT_CLOSE;
    if (session->turn == POP3_CLIENT_HANDSHAKE)
        return POP3_CLIENT_STLS;
    return has_to_speak(session) ? POP3_CLIENT_SPEAK : POP3_CLIENT_GO_ON;
}

void pop3_client_secured(struct pop3_client *session, struct output *out)
{
    INVARIANT(session->turn == POP3_CLIENT_HANDSHAKE);
    pop3_client_report(session, POP3_CLIENT_TLS, true, SPAN(""), 0);
    session->secure = true;
    session->turn = POP3_CLIENT_SAY_CAPA;
    speak(session, out);
}

void pop3_client_quit(struct pop3_client *session, struct output *out)
{
    session->leaving = true;
    speak(session, out);
}

void pop3_client_fail(struct pop3_client *session, enum pop3_client_failure failure)
{
    if (is_over(session))
        return;
    bool goodbye = session->turn == POP3_CLIENT_LISTEN && session->hearing == POP3_CLIENT_QUIT;
    if (failure != POP3_CLIENT_LOST || !goodbye || session->deleted)
        session->failure = (uint8_t)failure;
    session->turn = POP3_CLIENT_OVER;
    session->awaited = 0;
}

enum pop3_client_failure pop3_client_failure(const struct pop3_client *session)
{
    return (enum pop3_client_failure)session->failure;
}

const char *pop3_client_failure_name(enum pop3_client_failure failure)
{
    static const char *const names[POP3_CLIENT_FAILURES] = {
        [POP3_CLIENT_FINE] = "fine",
        [POP3_CLIENT_TURNED_AWAY] = "turned away",
        [POP3_CLIENT_NO_TLS] = "no TLS",
        [POP3_CLIENT_NOT_DELETED] = "not deleted",
        [POP3_CLIENT_GARBAGE] = "garbage",
        [POP3_CLIENT_LONG_LINE] = "long line",
        [POP3_CLIENT_LONG_REPLY] = "long reply",
        [POP3_CLIENT_OUT_OF_STEP] = "out of step",
        [POP3_CLIENT_UNASKED] = "unasked reply",
        [POP3_CLIENT_LOST] = "connection lost",
        [POP3_CLIENT_TIMEOUT] = "timeout",
        [POP3_CLIENT_TLS_FAILED] = "TLS failed",
    };
    INVARIANT((unsigned)failure < POP3_CLIENT_FAILURES);
    return names[failure];
}

enum pop3_client_phase pop3_client_awaits(const struct pop3_client *session)
{
    bool awaiting = session->awaited > 0 || session->listing || session->in_message ||
                    session->turn == POP3_CLIENT_HANDSHAKE;
    if (is_over(session) || !awaiting)
        return POP3_CLIENT_PHASES;
    if (session->turn == POP3_CLIENT_FETCH)
        return pop3_client_fetching(session);
    return (enum pop3_client_phase)session->hearing;
}
