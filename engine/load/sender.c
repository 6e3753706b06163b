#include "engine/load/sender.h"

#include "base/fetch.h"
#include "base/invariant.h"
#include "engine/load/generator.h"
#include "engine/session_tls.h"
#include "engine/shard_state.h"

#define IDLE_PATIENCE_MS 3600000u
#define LAST_PATIENCE_MS 5000u /* with a server that is not needed any more */

static struct sender *sender_of(const struct session *session)
{
    return (struct sender *)(void *)session->call;
}

static struct letter *letter_of(struct smtp_client_message *message)
{
    return (struct letter *)(void *)message;
}

static uint64_t now_ns(const struct sender *sender)
{
    struct shard *shard = sender->call.session->shard;
    shard_tell_time(shard);
    return shard->now_ns;
}

static void measure(struct sender *sender, enum tally_phase phase, uint64_t since_ns)
{
    histogram_record(&sender->generator->tally->latency[phase], now_ns(sender) - since_ns);
}

/* ---------------------------------------------------------------- what the session tells ---- */

/* Pipelined, the replies to an envelope are all to what was said at once. */
static uint64_t since(const struct sender *sender, enum smtp_client_phase phase,
                      const struct letter *letter)
{
    if (letter == NULL)
        return sender->asked_ns;
    if (phase == SMTP_CLIENT_COMMIT)
        return letter->ended_ns;
    bool together = sender->client.config->pipeline &&
                    smtp_client_offered(&sender->client, SMTP_CLIENT_PIPELINING);
    return together ? letter->said_ns : sender->asked_ns;
}

static void host_phase(void *owner, enum smtp_client_phase phase, uint16_t code, struct span text,
                       struct smtp_client_message *message)
{
    static const uint8_t phases[SMTP_CLIENT_PHASES] = {
        [SMTP_CLIENT_BANNER] = TALLY_BANNER, [SMTP_CLIENT_HELLO] = TALLY_EHLO,
        [SMTP_CLIENT_TLS] = TALLY_TLS,       [SMTP_CLIENT_AUTH] = TALLY_AUTH,
        [SMTP_CLIENT_RSET] = TALLY_PHASES,   [SMTP_CLIENT_MAIL] = TALLY_MAIL,
        [SMTP_CLIENT_RCPT] = TALLY_RCPT,     [SMTP_CLIENT_DATA] = TALLY_DATA,
        [SMTP_CLIENT_COMMIT] = TALLY_COMMIT, [SMTP_CLIENT_QUIT] = TALLY_PHASES,
    };
    struct sender *sender = owner;
    (void)text;
    generator_heard(sender->generator, code);
    if (phases[phase] != TALLY_PHASES)
        measure(sender, phases[phase], since(sender, phase, letter_of(message)));
    sender->asked_ns = now_ns(sender);
    if (phase == SMTP_CLIENT_DATA) /* a message for nobody is only its end, said at once */
        letter_of(message)->ended_ns = sender->asked_ns;
}

static void host_done(void *owner, struct smtp_client_message *message)
{
    struct sender *sender = owner;
    sender->under_way--;
    generator_done(sender->generator, letter_of(message), now_ns(sender));
}

const struct smtp_client_host sender_host = {.phase = host_phase, .done = host_done};

/* -------------------------------------------------------------------------------- saying ---- */

/* Where the next command may go without taking a block for it: perhaps nowhere. */
static struct output *here(struct session *session, struct output *nowhere)
{
    return session->block != NULL ? &session->block->out : nowhere;
}

/* Something is said now: the next answer is to it, or still to what was said before. */
static uint64_t ask(struct sender *sender)
{
    uint64_t now = now_ns(sender);
    if (smtp_client_awaits(&sender->client) == SMTP_CLIENT_PHASES)
        sender->asked_ns = now;
    return now;
}

/* False: there is no letter to be had now. */
static bool give(struct sender *sender, struct output *out)
{
    struct generator *generator = sender->generator;
    uint32_t most = generator->options->per_connection;
    struct letter *letter = NULL;
    generator_ready(generator, sender);
    if (most == 0 || sender->given < most) {
        if (sender->under_way == SENDER_WINDOW)
            return false;
        letter = generator_next(generator);
        if (letter == NULL && !generator_has_ended(generator)) {
            generator_idle(generator, sender);
            return false;
        }
    }
    uint64_t now = ask(sender);
    if (letter == NULL) {
        smtp_client_quit(&sender->client, out);
        return true;
    }
    letter->said_ns = now;
    sender->given++;
    sender->under_way++;
    smtp_client_send(&sender->client, &letter->message, out);
    return true;
}

/* Writes as much of the body that is due as there is room for. */
static bool write_body(struct session *session, bool stuffed)
{
    struct sender *sender = sender_of(session);
    struct letter *letter = letter_of(smtp_client_body(&sender->client));
    session_expect(session, letter->message.octets + SMTP_CLIENT_COMMAND_BYTES_MAX);
    for (; sender->part < letter->parts_count; sender->part++, sender->offset = 0) {
        const struct corpus_text *text = &letter->parts[sender->part];
        struct span rest = span_from(stuffed ? text->stuffed : text->plain, sender->offset);
        size_t written = session_write(session, rest);
        sender->offset += written;
        if (written < rest.size)
            return false;
    }
    struct span end = stuffed ? SPAN(".\r\n") : SPAN("");
    sender->offset += session_write(session, span_from(end, sender->offset));
    if (sender->offset < end.size)
        return false;
    sender->part = 0;
    sender->offset = 0;
    letter->ended_ns = ask(sender);
    struct output nowhere = {0};
    smtp_client_body_sent(&sender->client, here(session, &nowhere));
    return true;
}

/* False: nothing more can be said now. */
static bool serve_wish(struct session *session)
{
    struct sender *sender = sender_of(session);
    struct output *out = NULL;
    enum smtp_client_wish wish = smtp_client_wish(&sender->client);
    if (wish == SMTP_CLIENT_SPEAK || wish == SMTP_CLIENT_READY) {
        out = session_output(session, SMTP_CLIENT_COMMAND_BYTES_MAX, false);
        if (out == NULL) {
            session_wait(session);
            return false;
        }
    }
    switch (wish) {
    case SMTP_CLIENT_READY:
        return give(sender, out);
    case SMTP_CLIENT_SPEAK:
        smtp_client_feed(&sender->client, span_of(NULL, 0), out);
        return true;
    case SMTP_CLIENT_SEND_DATA:
    case SMTP_CLIENT_SEND_CHUNK:
        if (write_body(session, wish == SMTP_CLIENT_SEND_DATA))
            return true;
        session_wait(session);
        return false;
    case SMTP_CLIENT_CLOSE:
        if (smtp_client_failure(&sender->client) != SMTP_CLIENT_FINE)
            net_abort(session->shard->net, session->conn); /* no use in waiting for its FIN */
        return false;
    case SMTP_CLIENT_GO_ON:
    case SMTP_CLIENT_STARTTLS:
        break;
    }
    return false;
}

static void serve(struct session *session)
{
    while (serve_wish(session))
        ;
}

/* Patience counts from when what is awaited was asked for: an answer that comes byte by byte is
 * late all the same. It may be due earlier than what was awaited before. */
static void set_patience(struct session *session)
{
    struct shard *shard = session->shard;
    uint64_t asked_ms = sender_of(session)->asked_ns / NS_PER_MS;
    uint64_t due_ms = asked_ms + session->door->patience_ms(session);
    session->active_ms = (uint32_t)asked_ms;
    if (session->timer.deadline_ms > due_ms)
        timer_set(&shard->timers, &session->timer, due_ms);
}

void sender_offer(struct sender *sender)
{
    struct session *session = sender->call.session;
    if (session == NULL || session->flags & (SESSION_FINISHED | SESSION_GONE | SESSION_CONNECTING))
        return; /* it was idle, but is no longer */
    serve(session);
    set_patience(session); /* also of one that has room for more, and is idle again */
}

/* ------------------------------------------------------------------ what the shard asks ---- */

static void open(struct session *session, const struct session_listener *listener,
                 struct span client, struct output *out)
{
    (void)listener, (void)client, (void)out;
    struct sender *sender = sender_of(session);
    measure(sender, TALLY_CONNECT, sender->asked_ns);
    sender->asked_ns = now_ns(sender);
    generator_connected(sender->generator);
    smtp_client_start(&sender->client, &sender->generator->client, sender,
                      session->call->plan->secure);
}

static void secured(struct session *session, struct span cipher)
{
    (void)cipher;
    struct sender *sender = sender_of(session);
    if (session->call->plan->secure) { /* the banner comes next */
        measure(sender, TALLY_TLS, sender->asked_ns);
        sender->asked_ns = now_ns(sender);
        return;
    }
    struct output *out = session_output(session, SMTP_CLIENT_COMMAND_BYTES_MAX, true);
    struct output nowhere = {0};
    smtp_client_secured(&sender->client, out ? out : &nowhere);
}

static size_t feed(struct session *session, struct span input, struct output *out)
{
    smtp_client_feed(&sender_of(session)->client, input, out);
    serve(session);
    set_patience(session);
    return input.size;
}

/* The peer takes what it is sent, or there is room again: a sign of life for a long body. */
static void go_on(struct session *session)
{
    struct sender *sender = sender_of(session);
    enum smtp_client_wish wish = smtp_client_wish(&sender->client);
    if (wish == SMTP_CLIENT_SEND_DATA || wish == SMTP_CLIENT_SEND_CHUNK)
        sender->asked_ns = now_ns(sender);
}

static enum session_wish wish(const struct session *session)
{
    switch (smtp_client_wish(&sender_of(session)->client)) {
    case SMTP_CLIENT_CLOSE:
        return SESSION_CLOSE;
    case SMTP_CLIENT_STARTTLS:
        return SESSION_STARTTLS;
    default:
        return SESSION_GO_ON;
    }
}

static bool expects(const struct session *session)
{
    (void)session;
    return false;
}

static uint32_t patience_ms(const struct session *session)
{
    const struct sender *sender = sender_of(session);
    uint32_t own = sender->generator->timeout_ms;
    bool connecting = session->flags & SESSION_CONNECTING;
    bool last = generator_has_ended(sender->generator) ||
                (!connecting && smtp_client_awaits(&sender->client) == SMTP_CLIENT_QUIT);
    if (last && own > LAST_PATIENCE_MS)
        own = LAST_PATIENCE_MS;
    if (connecting)
        return own;
    uint32_t protocol = smtp_client_patience_ms(&sender->client);
    if (protocol == 0)
        return IDLE_PATIENCE_MS;
    return protocol < own ? protocol : own;
}

static void end(struct session *session, bool shutdown, struct output *out)
{
    (void)shutdown, (void)out;
    if (!(session->flags & SESSION_CONNECTING))
        smtp_client_fail(&sender_of(session)->client, SMTP_CLIENT_TIMEOUT);
    net_abort(session->shard->net, session->conn);
}

static bool busy(const struct session *session)
{
    return sender_of(session)->under_way > 0;
}

static bool close(struct session *session)
{
    struct sender *sender = sender_of(session);
    bool connected = !(session->flags & SESSION_CONNECTING);
    if (connected) {
        bool no_tls = session->tls != NULL && session_tls_is_shaking_hands(session);
        smtp_client_fail(&sender->client, no_tls ? SMTP_CLIENT_TLS_FAILED : SMTP_CLIENT_LOST);
    }
    sender->part = 0;
    sender->offset = 0;
    sender->given = 0;
    INVARIANT(sender->under_way == 0);
    generator_closed(sender->generator, sender, connected);
    sender->call.session = NULL;
    return false;
}

void sender_hurry(struct sender *sender)
{
    struct session *session = sender->call.session;
    if (session != NULL && !(session->flags & (SESSION_FINISHED | SESSION_GONE)))
        set_patience(session);
}

static void fetch_sender(const struct session *session)
{
    fetch(session->call, sizeof(struct sender));
}

#define SENDER_DOOR                                                                                \
    .open = open, .secured = secured, .feed = feed, .go_on = go_on, .wish = wish,                  \
    .expects = expects, .patience_ms = patience_ms, .end = end, .busy = busy, .close = close,      \
    .fetch = fetch_sender

const struct door sender_door = {.name = "smtp", SENDER_DOOR};
const struct door sender_lmtp_door = {.name = "lmtp", SENDER_DOOR};

bool sender_connect(struct sender *sender, const union net_address *source)
{
    struct generator *generator = sender->generator;
    shard_tell_time(generator->shard);
    sender->asked_ns = generator->shard->now_ns;
    return call_connect(generator->shard, &sender->call, &generator->plan, source) == STATUS_OK;
}
