#include "engine/pop3/session.h"

#include "engine/pop3/reply.h"
#include "engine/pop3/verbs.h"

#define LOGIN_PATIENCE_MS (2 * 60 * 1000u)
#define PATIENCE_MS (10 * 60 * 1000u) /* RFC 1939 section 3: at least */

void pop3_open(struct pop3_session *session, const struct pop3_config *config,
               struct blocks *blocks, void *owner, bool secure, struct output *out)
{
    *session =
        (struct pop3_session){.config = config, .blocks = blocks, .owner = owner, .secure = secure};
    pop3_reply_banner(out, config->hostname);
}

/* ------------------------------------------------------------------------- commands in ---- */

static bool reads_commands(const struct pop3_session *session)
{
    return session->state == POP3_AUTHORIZATION || session->state == POP3_SASL ||
           session->state == POP3_TRANSACTION;
}

static void hear(struct pop3_session *session, enum pop3_line_result result, struct span text,
                 struct output *out)
{
    bool sasl = session->state == POP3_SASL;
    if (sasl)
        session->state = POP3_AUTHORIZATION;
    if (result == POP3_LINE_LOST)
        pop3_reply(out, POP3_NO_MEMORY);
    else if (!sasl)
        pop3_execute(session, text, result == POP3_LINE_DONE, out);
    else if (result == POP3_LINE_DONE)
        pop3_do_sasl_response(session, text, out);
    else
        pop3_refuse(session, POP3_NO_LINE, out);
}

size_t pop3_feed(struct pop3_session *session, struct span input, struct output *out)
{
    struct span rest = input;
    while (output_room(out) >= POP3_REPLY_BYTES_MAX) {
        if (session->state == POP3_LISTING) {
            pop3_list_on(session, out);
            continue;
        }
        if (!reads_commands(session))
            break;
        struct span text;
        enum pop3_line_result result =
            pop3_line_take(&session->line, session->blocks, &rest, &text);
        if (result == POP3_LINE_MORE)
            break;
        hear(session, result, text, out);
        pop3_line_release(&session->line, session->blocks);
    }
    return input.size - rest.size;
}

/* ------------------------------------------------------------------------- answers ---- */

void pop3_logged_in(struct pop3_session *session, enum status status, uint32_t count,
                    uint64_t octets, uint8_t *deleted, struct output *out)
{
    INVARIANT(session->state == POP3_LOGGING_IN);
    session->state = POP3_AUTHORIZATION;
    if (status == STATUS_DENIED) {
        pop3_refuse(session, POP3_NO_CREDENTIALS, out);
    } else if (status != STATUS_OK) {
        pop3_reply(out, status == STATUS_BUSY ? POP3_NO_LOCK : POP3_NO_MAILDROP);
    } else {
        INVARIANT(deleted || count == 0);
        session->state = POP3_TRANSACTION;
        session->count = count;
        session->octets = octets;
        session->deleted = deleted;
        pop3_reply_maildrop(session, out);
    }
}

void pop3_fetched(struct pop3_session *session, enum status status, uint64_t octets,
                  uint64_t header_bytes, struct output *out)
{
    INVARIANT(session->state == POP3_FETCHING);
    if (status != STATUS_OK) {
        bool for_good = status == STATUS_CORRUPT || status == STATUS_ABSENT;
        session->state = POP3_TRANSACTION;
        pop3_reply(out, for_good ? POP3_NO_READABLE : POP3_NO_READ);
        return;
    }
    session->state = POP3_SENDING;
    session->top.header_left = header_bytes;
    output_add(out, SPAN("+OK "));
    output_add_number(out, octets);
    output_add(out, SPAN(" octets\r\n"));
}

size_t pop3_pass(struct pop3_session *session, struct span piece)
{
    INVARIANT(session->state == POP3_SENDING);
    return session->fetching_lines ? pop3_top_pass(&session->top, piece) : piece.size;
}

void pop3_fetch_done(struct pop3_session *session, struct output *out)
{
    INVARIANT(session->state == POP3_SENDING);
    session->state = POP3_TRANSACTION;
    if (session->fetching_lines && !session->top.ended)
        output_add(out, SPAN(".\r\n"));
}

void pop3_expunged(struct pop3_session *session, enum status status, struct output *out)
{
    INVARIANT(session->state == POP3_EXPUNGING);
    session->state = POP3_OVER;
    pop3_reply(out, status == STATUS_OK ? POP3_OK_BYE : POP3_NO_EXPUNGE);
}

/* ------------------------------------------------------------------------- wishes ---- */

enum pop3_wish pop3_wish(const struct pop3_session *session)
{
    if (session->state == POP3_SECURING)
        return POP3_STLS;
    return session->state == POP3_OVER ? POP3_CLOSE : POP3_GO_ON;
}

/* RFC 2595 section 4: what was learned from the client before TLS is discarded. */
void pop3_secured(struct pop3_session *session)
{
    INVARIANT(session->state == POP3_SECURING);
    pop3_forget_user(session);
    pop3_line_release(&session->line, session->blocks);
    session->secure = true;
    session->state = POP3_AUTHORIZATION;
}

static bool is_logged_in(const struct pop3_session *session)
{
    switch ((enum pop3_state)session->state) {
    case POP3_TRANSACTION:
    case POP3_LISTING:
    case POP3_FETCHING:
    case POP3_SENDING:
    case POP3_EXPUNGING:
        return true;
    default:
        return false;
    }
}

uint32_t pop3_patience_ms(const struct pop3_session *session)
{
    return is_logged_in(session) ? PATIENCE_MS : LOGIN_PATIENCE_MS;
}

void pop3_close(struct pop3_session *session)
{
    pop3_forget_user(session);
    pop3_line_release(&session->line, session->blocks);
    session->state = POP3_OVER;
}
