#include "engine/smtp/message.h"

#include "base/invariant.h"
#include "engine/smtp/parameters.h"
#include "engine/smtp/transaction.h"

/* Why the message, as far as it is known, can't be taken. What lasts comes before what may pass,
 * and nothing depends on how the input was cut. */
static enum smtp_reply refusal(const struct smtp_session *session)
{
    const struct body *body = &session->body;
    if (body_octets(body) > session->config->message_bytes_max)
        return REPLY_TOO_BIG;
    if (body->bare)
        return REPLY_BARE_NEWLINE;
    if (body->long_line)
        return REPLY_LONG_LINE;
    if (body->hops > session->config->hops_max)
        return REPLY_LOOP;
    return session->failure;
}

static void discard(struct smtp_session *session)
{
    if (session->staged)
        session->config->host->discard(session->owner);
    session->staged = false;
}

/* Gives the host a piece of a body that goes on; false: it asked to wait. */
static bool stage(struct smtp_session *session, struct span piece)
{
    if (refusal(session) != REPLY_NONE) {
        discard(session);
        return true;
    }
    if (piece.size == 0)
        return true;
    enum status status = session->config->host->stage(session->owner, piece);
    if (status == STATUS_AGAIN)
        return false;
    session->staged |= status == STATUS_OK;
    if (status != STATUS_OK) {
        discard(session);
        session->failure = (uint8_t)smtp_reply_of(status);
    }
    return true;
}

/* The body is complete; `tail` is what was not staged. False: the host asked to wait. */
static bool end_message(struct smtp_session *session, struct span tail, struct output *out)
{
    const struct body *body = &session->body;
    struct smtp_answer answer = {.count = 1, .reply = (uint8_t)refusal(session)};
    if (session->config->lmtp)
        answer.count = session->envelope.recipients;
    if (answer.reply == REPLY_NONE) {
        const struct smtp_message message = {
            .envelope = &session->envelope,
            .tail = tail,
            .wire_bytes = body->bytes,
            .header_bytes = body->header_bytes,
            .stuffed = body->stuffed,
            .eight_bit = body->eight_bit,
            .smtputf8 = session->smtputf8,
            .no_final_newline = body->unterminated,
        };
        enum status status = session->config->host->store(session->owner, &message);
        if (status == STATUS_AGAIN)
            return false;
        session->staged &= status != STATUS_OK;
        if (status != STATUS_OK)
            answer.reply = (uint8_t)smtp_reply_of(status);
    }
    smtp_transaction_end(session);
    if (answer.reply == REPLY_NONE)
        session->errors = 0;
    if (answer.reply != REPLY_NONE && !session->config->lmtp)
        smtp_say(session, answer.reply, out);
    else
        smtp_queue_add(&session->queue, &answer, out);
    return true;
}

static bool feed_data(struct smtp_session *session, struct span input, struct output *out,
                      size_t *consumed)
{
    struct body before = session->body;
    enum body_event event = body_scan(&session->body, input, consumed);
    struct span piece = span_of(input.data, *consumed);
    if (event == BODY_END ? end_message(session, piece, out) : stage(session, piece))
        return true;
    session->body = before;
    *consumed = 0;
    return false;
}

static bool end_chunk(struct smtp_session *session, struct output *out)
{
    if (session->chunk_after != SMTP_CHUNKS) { /* no transaction: read, not wanted */
        session->state = session->chunk_after;
        session->failure = REPLY_NONE;
        smtp_say(session, REPLY_SEQUENCE, out);
        return true;
    }
    if (session->chunk_last) {
        struct body before = session->body;
        if (end_message(session, body_finish(&session->body), out))
            return true;
        session->body = before;
        return false;
    }
    enum smtp_reply reply = refusal(session);
    session->state = SMTP_CHUNKS;
    smtp_say(session, reply == REPLY_NONE ? REPLY_CHUNK_OK : reply, out);
    return true;
}

static bool feed_chunk(struct smtp_session *session, struct span input, struct output *out,
                       size_t *consumed)
{
    if (input.size > session->chunk_left)
        input.size = session->chunk_left;
    *consumed = 0;
    while (*consumed < input.size) {
        struct body before = session->body;
        struct span rest = span_from(input, *consumed);
        size_t size;
        enum body_event event = body_scan(&session->body, rest, &size);
        struct span piece = span_of(rest.data, size);
        if (event == BODY_STUFF && size == 0) {
            body_stuff(&session->body);
            piece = SPAN(".");
        }
        if (!stage(session, piece)) {
            session->body = before;
            return false;
        }
        *consumed += size;
        session->chunk_left -= size;
    }
    return session->chunk_left > 0 || end_chunk(session, out);
}

bool smtp_message_feed(struct smtp_session *session, struct span input, struct output *out,
                       size_t *consumed)
{
    return session->state == SMTP_DATA ? feed_data(session, input, out, consumed)
                                       : feed_chunk(session, input, out, consumed);
}

static void begin_body(struct smtp_session *session, bool chunked)
{
    body_init(&session->body, session->config->text_line_bytes_max, chunked);
}

void smtp_verb_data(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)argument;
    begin_body(session, false);
    session->state = SMTP_DATA;
    smtp_say(session, REPLY_SEND_BODY, out);
}

/* chunk-size [ SP "LAST" ]: false if not even the size is known. `good`: the rest is as it must be.
 */
static bool parse_chunk(struct span text, uint64_t *size, bool *last, bool *good)
{
    size_t digits = 0;
    while (digits < text.size && text.data[digits] != ' ')
        digits++;
    if (!smtp_number_parse(span_of(text.data, digits), size))
        return false;
    text = span_from(text, digits);
    while (text.size > 0 && text.data[0] == ' ')
        text = span_from(text, 1);
    *last = span_equal_nocase(text, SPAN("LAST"));
    *good = *last || text.size == 0;
    return true;
}

/* Without its size the chunk can't be told from commands: that ends the session. In every other
 * case exactly that many bytes follow, wanted or not, and one answer. */
void smtp_verb_bdat(struct smtp_session *session, struct span argument, struct output *out)
{
    (void)out;
    bool good;
    if (!parse_chunk(argument, &session->chunk_left, &session->chunk_last, &good)) {
        smtp_leave(session, REPLY_BAD_CHUNK_SIZE);
        return;
    }
    bool legal = session->state == SMTP_RCPT || session->state == SMTP_CHUNKS;
    if (session->state != SMTP_CHUNKS)
        begin_body(session, true);
    if (!legal)
        session->failure = REPLY_SEQUENCE;
    else if (!good)
        session->failure = REPLY_BAD_CHUNK;
    session->chunk_after = legal ? SMTP_CHUNKS : session->state;
    session->state = SMTP_CHUNK;
}
