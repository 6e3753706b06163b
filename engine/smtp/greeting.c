#include "engine/smtp/greeting.h"

#include "engine/smtp/transaction.h"

void smtp_banner(const struct smtp_session *session, struct output *out)
{
    output_add(out, SPAN("220 "));
    output_add(out, session->config->hostname);
    output_add(out,
               session->config->lmtp ? SPAN(" LMTP mailrace\r\n") : SPAN(" ESMTP mailrace\r\n"));
}

struct span smtp_helo(const struct smtp_session *session)
{
    const uint8_t *name = session->helo_block ? session->helo_block : session->helo;
    return span_of(name, session->helo_size);
}

void smtp_greeting_forget(struct smtp_session *session)
{
    if (session->helo_block)
        blocks_give(session->blocks, BLOCK_1K, session->helo_block);
    session->helo_block = NULL;
    session->helo_size = 0;
    session->state = SMTP_NEW;
}

/* Clients call themselves many things that are no domain names; what matters is that the name can
 * do no harm where it is shown. */
static bool acceptable(struct span name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] <= ' ' || name.data[i] >= 0x7F)
            return false;
    return name.size <= SMTP_HELO_BYTES_MAX;
}

/* Starts afresh with this name; what was said before is void (section 4.1.4). */
static enum smtp_reply greet(struct smtp_session *session, struct span name, bool esmtp)
{
    if (!acceptable(name))
        return REPLY_BAD_HELLO;
    uint8_t *block = NULL;
    if (name.size > sizeof session->helo) {
        block = blocks_take(session->blocks, BLOCK_1K);
        if (block == NULL)
            return REPLY_TRY_LATER;
    }
    smtp_transaction_end(session);
    smtp_greeting_forget(session);
    session->helo_block = block;
    session->helo_size = (uint8_t)name.size;
    memcpy(block ? block : session->helo, name.data, name.size);
    session->esmtp = esmtp;
    session->state = SMTP_IDLE;
    return REPLY_NONE;
}

void smtp_verb_helo(struct smtp_session *session, struct span argument, struct output *out)
{
    enum smtp_reply refusal = greet(session, argument, false);
    if (refusal != REPLY_NONE) {
        smtp_say(session, refusal, out);
        return;
    }
    output_add(out, SPAN("250 "));
    output_add(out, session->config->hostname);
    output_add(out, SPAN("\r\n"));
}

void smtp_verb_ehlo(struct smtp_session *session, struct span argument, struct output *out)
{
    const struct smtp_config *config = session->config;
    enum smtp_reply refusal = greet(session, argument, true);
    if (refusal != REPLY_NONE) {
        smtp_say(session, refusal, out);
        return;
    }
    output_add(out, SPAN("250-"));
    output_add(out, config->hostname);
    output_add(out, SPAN("\r\n250-PIPELINING\r\n250-SIZE "));
    output_add_number(out, config->message_bytes_max);
    output_add(out, SPAN("\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n"
                         "250-CHUNKING\r\n250-DSN\r\n"));
    if (config->starttls && !session->secure)
        output_add(out, SPAN("250-STARTTLS\r\n"));
    output_add(out, SPAN("250 LIMITS RCPTMAX="));
    output_add_number(out, config->recipients_max);
    output_add(out, SPAN("\r\n"));
}
