#include "engine/smtp/transaction.h"

#include "base/invariant.h"
#include "engine/smtp/address.h"
#include "engine/smtp/greeting.h"
#include "engine/smtp/parameters.h"
#include "engine/smtp/trace.h"

#define ENVELOPE_CLASS_MAX BLOCK_64K

static void release(struct smtp_session *session)
{
    struct envelope *envelope = &session->envelope;
    if (envelope->bytes)
        blocks_give(session->blocks, session->envelope_class, envelope->bytes);
    *envelope = (struct envelope){0};
}

void smtp_transaction_end(struct smtp_session *session)
{
    if (session->staged)
        session->config->host->discard(session->owner);
    session->staged = false;
    session->failure = REPLY_NONE;
    release(session);
    if (session->state != SMTP_NEW)
        session->state = SMTP_IDLE;
}

/* Moves the envelope to a block of the next size. */
static enum smtp_reply grow(struct smtp_session *session)
{
    struct envelope *envelope = &session->envelope;
    if (session->envelope_class == ENVELOPE_CLASS_MAX)
        return REPLY_TOO_MANY_RECIPIENTS;
    enum block_class class = session->envelope_class + 1u;
    uint8_t *bytes = blocks_take(session->blocks, class);
    if (bytes == NULL)
        return REPLY_NO_MEMORY;
    memcpy(bytes, envelope->bytes, envelope->size);
    blocks_give(session->blocks, session->envelope_class, envelope->bytes);
    envelope->bytes = bytes;
    envelope->capacity = block_bytes[class];
    session->envelope_class = (uint8_t) class;
    return REPLY_NONE;
}

struct item {
    enum envelope_tag tag;
    struct span value;
    bool wanted;
};

/* All the wanted items, or none. */
static enum smtp_reply add(struct smtp_session *session, const struct item *items, size_t count)
{
    struct envelope *envelope = &session->envelope;
    uint32_t size = envelope->size, recipients = envelope->recipients;
    for (size_t i = 0; i < count; i++) {
        while (items[i].wanted && !envelope_add(envelope, items[i].tag, items[i].value)) {
            enum smtp_reply refusal = grow(session);
            if (refusal == REPLY_NONE)
                continue;
            envelope_truncate(envelope, size, recipients);
            return refusal;
        }
    }
    return REPLY_NONE;
}

/* Takes `keyword` ("FROM:", "TO:") and the blanks that some clients put after it. */
static bool take_keyword(struct span *text, struct span keyword)
{
    if (text->size < keyword.size || !span_equal_nocase(span_of(text->data, keyword.size), keyword))
        return false;
    *text = span_from(*text, keyword.size);
    while (text->size > 0 && text->data[0] == ' ')
        *text = span_from(*text, 1);
    return true;
}

/* MAIL FROM:<reverse-path> [SP parameters]: all that can be wrong with it. */
static enum smtp_reply parse_mail(const struct smtp_session *session, struct span text,
                                  struct smtp_address *sender, struct smtp_parameters *parameters)
{
    size_t size;
    if (!take_keyword(&text, SPAN("FROM:")) || !smtp_path_parse(text, sender, &size) ||
        (sender->text.size > 0 && sender->domain.size == 0))
        return REPLY_BAD_SENDER;
    text = span_from(text, size);
    if (text.size > 0 && !session->esmtp)
        return REPLY_UNKNOWN_PARAMETER;
    enum smtp_reply refusal = smtp_parameters_parse(text, SMTP_OF_MAIL, false, parameters);
    if (refusal != REPLY_NONE)
        return refusal;
    if (sender->non_ascii && !parameters->smtputf8)
        return REPLY_NEEDS_SMTPUTF8;
    return parameters->size > session->config->message_bytes_max ? REPLY_TOO_BIG : REPLY_NONE;
}

static enum smtp_reply begin(struct smtp_session *session, const struct smtp_address *sender,
                             const struct smtp_parameters *parameters)
{
    uint8_t *block = blocks_take(session->blocks, BLOCK_1K);
    if (block == NULL)
        return REPLY_NO_MEMORY;
    session->envelope = (struct envelope){.bytes = block, .capacity = block_bytes[BLOCK_1K]};
    session->envelope_class = BLOCK_1K;
    session->smtputf8 = parameters->smtputf8;
    struct span envid = span_of(parameters->envid, parameters->envid_size);
    const struct item items[] = {
        {ENVELOPE_REVERSE_PATH, sender->text, true},
        {ENVELOPE_HELO, smtp_helo(session), true},
        {ENVELOPE_CLIENT, span_of(session->client, session->client_size), true},
        {ENVELOPE_PROTOCOL, smtp_protocol(session), true},
        {ENVELOPE_TLS, session->cipher, session->cipher.size > 0},
        {ENVELOPE_ENVID, envid, envid.size > 0},
        {ENVELOPE_RET, parameters->ret, parameters->ret.size > 0},
        {ENVELOPE_BODY, parameters->body, parameters->body.size > 0},
        {ENVELOPE_SMTPUTF8, SPAN(""), parameters->smtputf8},
    };
    return add(session, items, sizeof items / sizeof *items);
}

void smtp_verb_mail(struct smtp_session *session, struct span argument, struct output *out)
{
    struct smtp_address sender;
    struct smtp_parameters parameters;
    enum smtp_reply refusal = parse_mail(session, argument, &sender, &parameters);
    if (refusal == REPLY_NONE)
        refusal = begin(session, &sender, &parameters);
    if (refusal != REPLY_NONE) {
        smtp_transaction_end(session);
        smtp_say(session, refusal, out);
        return;
    }
    session->state = SMTP_MAIL;
    smtp_say(session, REPLY_SENDER_OK, out);
}

/* RCPT TO:<forward-path> [SP parameters] */
static enum smtp_reply parse_rcpt(const struct smtp_session *session, struct span text,
                                  struct smtp_address *recipient,
                                  struct smtp_parameters *parameters)
{
    size_t size;
    if (!take_keyword(&text, SPAN("TO:")) || !smtp_path_parse(text, recipient, &size) ||
        recipient->text.size == 0)
        return REPLY_BAD_RECIPIENT;
    text = span_from(text, size);
    if (text.size > 0 && !session->esmtp)
        return REPLY_UNKNOWN_PARAMETER;
    if (recipient->non_ascii && !session->smtputf8)
        return REPLY_NEEDS_SMTPUTF8;
    return smtp_parameters_parse(text, SMTP_OF_RCPT, session->smtputf8, parameters);
}

static enum smtp_reply ask_host(const struct smtp_session *session, struct span mailbox)
{
    static const uint8_t replies[] = {
        [SMTP_ACCEPT] = REPLY_NONE,
        [SMTP_UNKNOWN_MAILBOX] = REPLY_UNKNOWN_MAILBOX,
        [SMTP_RELAY_DENIED] = REPLY_RELAY_DENIED,
        [SMTP_TRY_LATER] = REPLY_TRY_LATER,
    };
    enum smtp_verdict verdict = session->config->host->recipient(session->owner, mailbox);
    INVARIANT((unsigned)verdict < sizeof replies);
    return replies[verdict];
}

static enum smtp_reply take_recipient(struct smtp_session *session,
                                      const struct smtp_address *recipient,
                                      const struct smtp_parameters *parameters)
{
    uint8_t name[SMTP_MAILBOX_BYTES_MAX];
    if (session->envelope.recipients >= session->config->recipients_max)
        return REPLY_TOO_MANY_RECIPIENTS;
    struct span mailbox = span_of(name, smtp_address_normalise(recipient, name));
    enum smtp_reply refusal = ask_host(session, mailbox);
    if (refusal != REPLY_NONE)
        return refusal;
    struct span orcpt = span_of(parameters->orcpt, parameters->orcpt_size);
    const struct item items[] = {
        {ENVELOPE_MAILBOX, mailbox, true},
        {ENVELOPE_ORIGINAL, recipient->text, !span_equal(recipient->text, mailbox)},
        {ENVELOPE_NOTIFY, parameters->notify, parameters->notify.size > 0},
        {ENVELOPE_ORCPT, orcpt, orcpt.size > 0},
    };
    return add(session, items, sizeof items / sizeof *items);
}

void smtp_verb_rcpt(struct smtp_session *session, struct span argument, struct output *out)
{
    struct smtp_address recipient;
    struct smtp_parameters parameters;
    enum smtp_reply refusal = parse_rcpt(session, argument, &recipient, &parameters);
    if (refusal == REPLY_NONE)
        refusal = take_recipient(session, &recipient, &parameters);
    if (refusal == REPLY_NONE)
        session->state = SMTP_RCPT;
    smtp_say(session, refusal == REPLY_NONE ? REPLY_RECIPIENT_OK : refusal, out);
}
