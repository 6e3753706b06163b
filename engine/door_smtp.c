/* SMTP and LMTP behind a door: the session's host is the shard's store. */
#include "engine/shard_state.h"

#include "base/fetch.h"
#include "engine/smtp/message.h"

static struct smtp_session *smtp(struct session *session)
{
    return &session->smtp.session;
}

/* ------------------------------------------------------------------ what the session asks ---- */

static enum smtp_verdict host_recipient(void *owner, struct span mailbox)
{
    const struct session *session = owner;
    return recipients_check(atomic_load(session->shard->config->recipients), mailbox);
}

static void give_draft(struct session *session)
{
    if (session->smtp.draft == NULL)
        return;
    pool_give(&session->shard->drafts, session->smtp.draft);
    session->smtp.draft = NULL;
}

static enum status host_stage(void *owner, struct span piece)
{
    struct session *session = owner;
    struct shard *shard = session->shard;
    bool fresh = session->smtp.draft == NULL;
    if (fresh) {
        session->smtp.draft = pool_take(&shard->drafts);
        if (session->smtp.draft == NULL)
            return STATUS_AGAIN;
        *session->smtp.draft = (struct store_draft){0};
    }
    enum status status = store_stage(shard->log, session->smtp.draft, piece);
    if (fresh && status != STATUS_OK) /* nothing was kept, so nobody will discard it */
        give_draft(session);
    return status;
}

static enum status host_store(void *owner, const struct smtp_message *message)
{
    struct session *session = owner;
    struct shard *shard = session->shard;
    char id[STORE_ID_TEXT_BYTES];
    uint8_t trace[SMTP_TRACE_BYTES_MAX];
    shard_tell_time(shard);
    store_id_text(store_next_id(shard->log), id);
    const struct store_message record = {
        .envelope = message->envelope,
        .trace = span_of(trace, smtp_trace(smtp(session), span_of(id, sizeof id), shard->wall_ns,
                                           &shard->date, trace)),
        .tail = message->tail,
        .received_ns = shard->wall_ns,
        .stuffed = message->stuffed,
        .header_bytes = message->header_bytes,
        .flags = (message->eight_bit ? STORE_EIGHT_BIT : 0u) |
                 (message->smtputf8 ? STORE_SMTPUTF8 : 0u) | (session->tls ? STORE_TLS : 0u),
    };
    struct store_draft *draft = session->smtp.draft ? session->smtp.draft : &shard->no_draft;
    enum status status = store_append(shard->log, draft, &record, session_cookie(session));
    if (status == STATUS_AGAIN)
        return status;
    give_draft(session);
    if (status == STATUS_OK)
        session->under_way++;
    return status;
}

static void host_discard(void *owner)
{
    struct session *session = owner;
    if (session->smtp.draft != NULL)
        store_discard(session->shard->log, session->smtp.draft);
    give_draft(session);
}

const struct smtp_host door_smtp_host = {
    .recipient = host_recipient,
    .stage = host_stage,
    .store = host_store,
    .discard = host_discard,
};

/* ------------------------------------------------------------------ what the shard asks ---- */

static void open_with(struct session *session, const struct smtp_config *config, struct span client,
                      struct output *out)
{
    smtp_open(smtp(session), config, &session->shard->blocks, session, client, session->tls != NULL,
              out);
}

static void open_smtp(struct session *session, const struct session_listener *listener,
                      struct span client, struct output *out)
{
    (void)listener;
    open_with(session, &session->shard->config->smtp, client, out);
}

static void open_lmtp(struct session *session, const struct session_listener *listener,
                      struct span client, struct output *out)
{
    (void)listener;
    open_with(session, &session->shard->config->lmtp, client, out);
}

static void secured(struct session *session, struct span cipher)
{
    smtp_secured(smtp(session), cipher);
}

static size_t feed(struct session *session, struct span input, struct output *out)
{
    size_t consumed = smtp_feed(smtp(session), input, out);
    if (smtp_message_due(smtp(session))) /* the store had no room; no input will bring us back */
        session_wait(session);
    return consumed;
}

/* Held replies come out of the next feed. */
static void go_on(struct session *session)
{
    (void)session;
}

static enum session_wish wish(const struct session *session)
{
    static const enum session_wish wishes[] = {[SMTP_GO_ON] = SESSION_GO_ON,
                                               [SMTP_CLOSE] = SESSION_CLOSE,
                                               [SMTP_STARTTLS] = SESSION_STARTTLS};
    return wishes[smtp_wish(&session->smtp.session)];
}

static bool expects(const struct session *session)
{
    return session->under_way > 0;
}

static bool busy(const struct session *session)
{
    return session->under_way > 0 || session->smtp.draft != NULL;
}

static uint32_t patience_ms(const struct session *session)
{
    return smtp_patience_ms(&session->smtp.session);
}

static void end(struct session *session, bool shutdown, struct output *out)
{
    smtp_end(smtp(session), shutdown ? SMTP_SHUTDOWN : SMTP_TIMEOUT, out);
}

static bool close(struct session *session)
{
    smtp_close(smtp(session));
    INVARIANT(session->smtp.draft == NULL);
    return false;
}

void door_smtp_stored(struct session *session, uint64_t id, enum status status)
{
    INVARIANT(session->under_way > 0);
    session->under_way--;
    char text[STORE_ID_TEXT_BYTES];
    store_id_text(id, text);
    struct output no_room = {0};
    struct output *out = session_output(session, SMTP_REPLY_BYTES_MAX, false);
    smtp_stored(smtp(session), status, span_of(text, sizeof text), out ? out : &no_room);
    session_pump(session);
}

/* The envelope's names are in the first lines of its block. */
static void fetch_smtp(const struct session *session)
{
    if (session->smtp.session.envelope.bytes != NULL)
        fetch(session->smtp.session.envelope.bytes, ENVELOPE_BYTES_USUAL);
    if (session->smtp.draft != NULL)
        fetch(session->smtp.draft, sizeof *session->smtp.draft);
}

#define SMTP_DOOR                                                                                  \
    .secured = secured, .feed = feed, .go_on = go_on, .wish = wish, .expects = expects,            \
    .busy = busy, .patience_ms = patience_ms, .end = end, .close = close, .fetch = fetch_smtp

const struct door door_smtp = {.name = "smtp", .open = open_smtp, SMTP_DOOR};
const struct door door_lmtp = {.name = "lmtp", .open = open_lmtp, SMTP_DOOR};
