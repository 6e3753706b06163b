#include "engine/smtp/client_transaction.h"

#include "base/invariant.h"

/* -------------------------------------------------------------------- messages under way ---- */

/* Where the reader stands: at the first command of the oldest message, or at QUIT. */
static void hear_next_message(struct smtp_client *session)
{
    const struct smtp_client_message *message = session->oldest;
    session->heard = 0;
    if (message == NULL)
        session->hearing = SMTP_CLIENT_QUIT;
    else
        session->hearing = message->reset ? SMTP_CLIENT_RSET : SMTP_CLIENT_MAIL;
}

void smtp_client_begin(struct smtp_client *session, struct smtp_client_message *message)
{
    INVARIANT(message->recipient_count > 0);
    for (uint32_t i = 0; i < message->recipient_count; i++) {
        message->recipients[i].code = 0;
        message->recipients[i].outcome = SMTP_CLIENT_PENDING;
    }
    message->next = NULL;
    message->taken = 0;
    message->reset = session->open;
    message->refused = message->sent = false;
    session->turn = message->reset ? SMTP_CLIENT_SAY_RSET : SMTP_CLIENT_SAY_MAIL;
    session->said_rcpts = 0;
    if (session->oldest) {
        session->newest->next = message;
        session->newest = message;
    } else {
        session->oldest = session->newest = message;
        hear_next_message(session);
    }
}

static void end_oldest(struct smtp_client *session)
{
    struct smtp_client_message *message = session->oldest;
    session->oldest = message->next;
    hear_next_message(session);
    session->config->host->done(session->owner, message);
}

static void settle(struct smtp_client_recipient *recipient, bool accepted, uint16_t code)
{
    recipient->outcome = accepted ? SMTP_CLIENT_ACCEPTED : SMTP_CLIENT_REFUSED;
    recipient->code = code;
}

/* All recipients that have come as far as `from`. */
static void settle_all(struct smtp_client_message *message, enum smtp_client_outcome from,
                       bool accepted, uint16_t code)
{
    for (uint32_t i = 0; i < message->recipient_count; i++)
        if (message->recipients[i].outcome == from)
            settle(&message->recipients[i], accepted, code);
}

bool smtp_client_give_up(struct smtp_client *session)
{
    const struct smtp_client_message *message = session->newest;
    bool recipients_next = session->turn == SMTP_CLIENT_SAY_RCPT;
    bool body_next = session->turn == SMTP_CLIENT_SAY_DATA || session->turn == SMTP_CLIENT_SAY_BDAT;
    if (session->awaited > 0 ||
        !((recipients_next && message->refused) || (body_next && message->taken == 0)))
        return false;
    INVARIANT(message == session->oldest);
    session->turn = SMTP_CLIENT_IDLE;
    end_oldest(session);
    return true;
}

void smtp_client_abandon(struct smtp_client *session)
{
    while (session->oldest) {
        struct smtp_client_message *message = session->oldest;
        for (uint32_t i = 0; i < message->recipient_count; i++)
            if (message->recipients[i].outcome <= SMTP_CLIENT_TAKEN)
                message->recipients[i].outcome =
                    message->sent ? SMTP_CLIENT_DOUBTFUL : SMTP_CLIENT_FAILED;
        end_oldest(session);
    }
}

/* ------------------------------------------------------------------------------- hearing ---- */

void smtp_client_hear_rset(struct smtp_client *session, uint16_t code, bool good)
{
    (void)code;
    if (good)
        session->hearing = SMTP_CLIENT_MAIL;
    else
        smtp_client_fail(session, SMTP_CLIENT_TURNED_AWAY);
}

void smtp_client_hear_mail(struct smtp_client *session, uint16_t code, bool good)
{
    struct smtp_client_message *message = session->oldest;
    session->hearing = SMTP_CLIENT_RCPT;
    if (good)
        return;
    message->refused = true;
    settle_all(message, SMTP_CLIENT_PENDING, false, code);
    if (message == session->newest)
        session->open = false;
}

/* A server that takes recipients without a sender can't be told what to do with them. */
void smtp_client_hear_rcpt(struct smtp_client *session, uint16_t code, bool good)
{
    struct smtp_client_message *message = session->oldest;
    struct smtp_client_recipient *recipient = &message->recipients[session->heard];
    if (message->refused && good) {
        smtp_client_fail(session, SMTP_CLIENT_OUT_OF_STEP);
        return;
    }
    if (good) {
        recipient->outcome = SMTP_CLIENT_TAKEN;
        message->taken++;
    } else if (!message->refused) {
        settle(recipient, false, code);
    }
    if (++session->heard < message->recipient_count)
        return;
    session->heard = 0;
    session->hearing = smtp_client_chunks(session) ? SMTP_CLIENT_COMMIT : SMTP_CLIENT_DATA;
}

/* Pipelined, DATA may be accepted though no recipient was (RFC 2920 section 3.1): then the message
 * is only its end. Not so in LMTP (RFC 2033 section 4.2), where nobody would answer for it. */
void smtp_client_hear_data(struct smtp_client *session, uint16_t code, bool good)
{
    struct smtp_client_message *message = session->oldest;
    if (!good) {
        settle_all(message, SMTP_CLIENT_TAKEN, false, code);
        session->turn = SMTP_CLIENT_IDLE;
        end_oldest(session);
    } else if (message->taken > 0) {
        session->hearing = SMTP_CLIENT_COMMIT;
        session->turn = SMTP_CLIENT_BODY;
    } else if (!session->config->lmtp) {
        session->hearing = SMTP_CLIENT_COMMIT;
        session->turn = SMTP_CLIENT_SAY_DOT;
    } else {
        smtp_client_fail(session, SMTP_CLIENT_OUT_OF_STEP);
    }
}

static struct smtp_client_recipient *next_taken(struct smtp_client *session)
{
    const struct smtp_client_message *message = session->oldest;
    while (session->heard < message->recipient_count)
        if (message->recipients[session->heard++].outcome == SMTP_CLIENT_TAKEN)
            return &message->recipients[session->heard - 1];
    return NULL;
}

/* Over LMTP each recipient taken has a reply of its own, in order (RFC 2033 section 4.2). A chunk
 * that was refused leaves behind a state that only RSET defines (RFC 3030 section 4.2). */
void smtp_client_hear_commit(struct smtp_client *session, uint16_t code, bool good)
{
    struct smtp_client_message *message = session->oldest;
    if (session->config->lmtp && message->taken > 0) {
        settle(next_taken(session), good, code);
        if (--message->taken > 0) {
            session->awaited++;
            return;
        }
    } else {
        settle_all(message, SMTP_CLIENT_TAKEN, good, code);
    }
    if (smtp_client_chunks(session) && message == session->newest)
        session->open = !good;
    end_oldest(session);
}

/* -------------------------------------------------------------------------------- saying ---- */

/* A command was written that will be answered. */
static void said(struct smtp_client *session, enum smtp_client_turn next)
{
    session->awaited++;
    session->turn = (uint8_t)next;
}

void smtp_client_say_rset(struct smtp_client *session, struct output *out)
{
    output_add(out, SPAN("RSET\r\n"));
    said(session, SMTP_CLIENT_SAY_MAIL);
}

void smtp_client_say_mail(struct smtp_client *session, struct output *out)
{
    const struct smtp_client_message *message = session->newest;
    INVARIANT(message->reverse_path.size <= SMTP_CLIENT_PATH_BYTES_MAX);
    output_add(out, SPAN("MAIL FROM:<"));
    output_add(out, message->reverse_path);
    output_add(out, SPAN(">"));
    if (smtp_client_offered(session, SMTP_CLIENT_SIZE)) {
        output_add(out, SPAN(" SIZE="));
        output_add_number(out, message->octets);
    }
    if (message->eight_bit && smtp_client_offered(session, SMTP_CLIENT_8BITMIME))
        output_add(out, SPAN(" BODY=8BITMIME"));
    if (message->smtputf8 && smtp_client_offered(session, SMTP_CLIENT_SMTPUTF8))
        output_add(out, SPAN(" SMTPUTF8"));
    output_add(out, SPAN("\r\n"));
    session->open = true;
    said(session, SMTP_CLIENT_SAY_RCPT);
}

void smtp_client_say_rcpt(struct smtp_client *session, struct output *out)
{
    const struct smtp_client_message *message = session->newest;
    struct span path = message->recipients[session->said_rcpts].path;
    INVARIANT(path.size <= SMTP_CLIENT_PATH_BYTES_MAX);
    output_add(out, SPAN("RCPT TO:<"));
    output_add(out, path);
    output_add(out, SPAN(">\r\n"));
    if (++session->said_rcpts < message->recipient_count)
        said(session, SMTP_CLIENT_SAY_RCPT);
    else
        said(session, smtp_client_chunks(session) ? SMTP_CLIENT_SAY_BDAT : SMTP_CLIENT_SAY_DATA);
}

void smtp_client_say_data(struct smtp_client *session, struct output *out)
{
    output_add(out, SPAN("DATA\r\n"));
    said(session, SMTP_CLIENT_LISTEN);
}

/* Its reply comes after the chunk: it is awaited from smtp_client_body_sent on. */
void smtp_client_say_bdat(struct smtp_client *session, struct output *out)
{
    output_add(out, SPAN("BDAT "));
    output_add_number(out, session->newest->octets);
    output_add(out, SPAN(" LAST\r\n"));
    session->turn = SMTP_CLIENT_BODY;
}

void smtp_client_say_dot(struct smtp_client *session, struct output *out)
{
    output_add(out, SPAN(".\r\n"));
    session->open = false;
    said(session, SMTP_CLIENT_IDLE);
}
