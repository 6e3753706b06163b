#include "engine/smtp/session.h"

#include "base/invariant.h"
#include "engine/smtp/greeting.h"
#include "engine/smtp/message.h"
#include "engine/smtp/transaction.h"
#include "engine/smtp/verbs.h"

#define HOSTNAME_BYTES_MAX 255u

/* Section 4.5.3.2, for a server: 5 minutes for a command, 3 for a block of data. Who has been told
 * goodbye gets a moment to hear it. */
#define COMMAND_PATIENCE_MS 300000u
#define DATA_PATIENCE_MS 180000u
#define GOODBYE_PATIENCE_MS 10000u

void smtp_open(struct smtp_session *session, const struct smtp_config *config,
               struct blocks *blocks, void *owner, struct span client, bool secure,
               struct output *out)
{
    INVARIANT(config->hostname.size <= HOSTNAME_BYTES_MAX);
    INVARIANT(client.size <= SMTP_CLIENT_BYTES_MAX);
    INVARIANT(output_room(out) >= SMTP_REPLY_BYTES_MAX);
    *session = (struct smtp_session){
        .config = config,
        .blocks = blocks,
        .owner = owner,
        .state = SMTP_NEW,
        .fresh = true,
        .secure = secure,
        .client_size = (uint8_t)client.size,
    };
    if (client.size > 0)
        memcpy(session->client, client.data, client.size);
    smtp_banner(session, out);
}

void smtp_say(struct smtp_session *session, enum smtp_reply reply, struct output *out)
{
    output_add(out, smtp_reply_text(reply));
    if (smtp_reply_is_error(reply) && ++session->errors == session->config->errors_max)
        smtp_leave(session, REPLY_TOO_MANY_ERRORS);
}

void smtp_leave(struct smtp_session *session, enum smtp_reply last_word)
{
    smtp_transaction_end(session);
    session->last_word = (uint8_t)last_word;
    session->said = false;
}

/* Says what has been waiting, and the last word when nothing else is. */
static void speak(struct smtp_session *session, struct output *out)
{
    if (!smtp_queue_empty(&session->queue) &&
        !smtp_queue_drain(&session->queue, session->blocks, out))
        return;
    if (session->last_word == REPLY_NONE || session->said ||
        output_room(out) < SMTP_REPLY_BYTES_MAX)
        return;
    output_add(out, smtp_reply_text(session->last_word));
    session->said = true;
}

static bool feed_line(struct smtp_session *session, struct span input, struct output *out,
                      size_t *consumed)
{
    struct span text;
    switch (smtp_line_next(&session->line, session->blocks, input, consumed, &text)) {
    case SMTP_LINE_DONE:
        smtp_command(session, text, out);
        break;
    case SMTP_LINE_BARE:
        smtp_say(session, REPLY_BARE_COMMAND, out);
        break;
    case SMTP_LINE_TOO_LONG:
        smtp_say(session, REPLY_COMMAND_TOO_LONG, out);
        break;
    case SMTP_LINE_MORE:
        return true;
    case SMTP_LINE_WAIT:
        return false;
    }
    smtp_line_release(&session->line, session->blocks);
    return true;
}

/* Takes one line, or a piece of a body. False: it must wait; `consumed` tells what went before. */
static bool feed_some(struct smtp_session *session, struct span input, struct output *out,
                      size_t *consumed)
{
    bool in_body = session->state == SMTP_DATA || session->state == SMTP_CHUNK;
    return in_body ? smtp_message_feed(session, input, out, consumed)
                   : feed_line(session, input, out, consumed);
}

/* The same, with the replies where their turn is: in `out` or behind those that wait. Nothing is
 * begun without room for its reply. */
static bool feed_in_turn(struct smtp_session *session, struct span input, struct output *out,
                         size_t *consumed)
{
    *consumed = 0;
    if (smtp_queue_empty(&session->queue) ||
        smtp_queue_drain(&session->queue, session->blocks, out))
        return output_room(out) >= SMTP_REPLY_BYTES_MAX && feed_some(session, input, out, consumed);
    struct output held;
    if (!smtp_queue_hold(&session->queue, session->blocks, SMTP_REPLY_BYTES_MAX, &held))
        return false;
    bool going = feed_some(session, input, &held, consumed);
    smtp_queue_keep(&session->queue, &held);
    return going;
}

size_t smtp_feed(struct smtp_session *session, struct span input, struct output *out)
{
    size_t consumed = 0;
    bool going = true;
    while (going && session->last_word == REPLY_NONE &&
           (consumed < input.size || smtp_message_due(session))) {
        size_t size;
        going = feed_in_turn(session, span_from(input, consumed), out, &size);
        consumed += size;
    }
    speak(session, out);
    return consumed;
}

void smtp_stored(struct smtp_session *session, enum status status, struct span id_text,
                 struct output *out)
{
    bool found = smtp_queue_resolve(&session->queue, (uint8_t)smtp_reply_of(status), id_text);
    INVARIANT(found);
    speak(session, out);
}

enum smtp_wish smtp_wish(const struct smtp_session *session)
{
    if (!session->said)
        return SMTP_GO_ON;
    return session->last_word == REPLY_START_TLS ? SMTP_STARTTLS : SMTP_CLOSE;
}

void smtp_secured(struct smtp_session *session, struct span cipher)
{
    smtp_transaction_end(session);
    smtp_line_release(&session->line, session->blocks);
    smtp_greeting_forget(session);
    session->last_word = REPLY_NONE;
    session->said = false;
    session->secure = true;
    session->esmtp = false;
    if (cipher.size > SMTP_CIPHER_BYTES_MAX)
        cipher.size = SMTP_CIPHER_BYTES_MAX;
    session->cipher = cipher;
}

uint32_t smtp_patience_ms(const struct smtp_session *session)
{
    if (session->last_word != REPLY_NONE)
        return GOODBYE_PATIENCE_MS;
    bool in_body = session->state == SMTP_DATA || session->state == SMTP_CHUNK;
    return in_body ? DATA_PATIENCE_MS : COMMAND_PATIENCE_MS;
}

void smtp_end(struct smtp_session *session, enum smtp_ending ending, struct output *out)
{
    bool ending_already = session->last_word != REPLY_NONE && session->last_word != REPLY_START_TLS;
    if (!ending_already)
        smtp_leave(session, ending == SMTP_TIMEOUT ? REPLY_TIMEOUT : REPLY_SHUTDOWN);
    speak(session, out);
}

void smtp_close(struct smtp_session *session)
{
    smtp_transaction_end(session);
    smtp_line_release(&session->line, session->blocks);
    smtp_queue_release(&session->queue, session->blocks);
    smtp_greeting_forget(session);
}
