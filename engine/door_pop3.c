/* POP3 behind a door: log-ins go to auth and to the mailbox's owner, messages come from the store.
 */
#include "engine/shard_state.h"

#include "engine/smtp/address.h"

static struct pop3_session *pop3(struct session *session)
{
    return &session->pop3.session;
}

/* ------------------------------------------------------------------------------- errands ---- */

static void send_crossing(struct session *session, uint32_t to, enum crossing_kind kind)
{
    struct session_pop3 *mine = &session->pop3;
    INVARIANT(!mine->away);
    mine->away = true;
    mine->crossing.kind = kind;
    mine->crossing.answered = false;
    mine->crossing.home = session->shard->index;
    mine->crossing.session = session;
    mesh_send_crossing(session->shard->mesh, to, &mine->crossing);
}

static void ask_owner(struct session *session, enum crossing_kind kind)
{
    send_crossing(session, session->pop3.owner, kind);
}

static void forget_name(struct session *session)
{
    struct crossing *crossing = &session->pop3.crossing;
    if (crossing->name != NULL)
        blocks_give(&session->shard->blocks, BLOCK_1K, crossing->name);
    crossing->name = NULL;
}

/* Gives list and lock back. On QUIT this is on its way before the reply is, so that a client which
 * comes back at once finds its mailbox free. */
static void release_maildrop(struct session *session)
{
    struct session_pop3 *mine = &session->pop3;
    if (mine->maildrop == NULL)
        return;
    mine->maildrop = NULL;
    ask_owner(session, CROSSING_CLOSE);
}

/* On an auth worker's thread. */
static void password_checked(void *context, uint64_t cookie, enum status status)
{
    struct session *session = context;
    (void)cookie; /* the session outlives its errand */
    struct crossing *crossing = &session->pop3.crossing;
    crossing->status = status;
    crossing->answered = true;
    mesh_send_crossing(session->shard->mesh, crossing->home, crossing);
}

/* ------------------------------------------------------------------ what the session asks ---- */

static void host_log_in(void *owner, struct span user, struct span password)
{
    struct session *session = owner;
    struct session_pop3 *mine = &session->pop3;
    struct crossing *crossing = &mine->crossing;
    struct shard *shard = session->shard;
    enum status status = STATUS_AGAIN;
    mine->away = true;
    crossing->kind = CROSSING_PASSWORD;
    crossing->home = shard->index;
    crossing->session = session;
    crossing->name = blocks_take(&shard->blocks, BLOCK_1K);
    if (crossing->name != NULL) {
        size_t size;
        /* A name that is no mailbox goes on with no name at all: it fails like any other, as
         * slowly. */
        if (!smtp_mailbox_normalise(user, true, crossing->name, &size))
            size = 0;
        struct span name = span_of(crossing->name, size);
        crossing->name_bytes = (uint32_t)size;
        mine->owner = store_owner(shard->store, name);
        status = auth_submit(shard->config->auth, name, password, 0, password_checked, session);
    }
    if (status != STATUS_OK)
        password_checked(session, 0, status);
}

static void on_piece(struct store_fetch *fetch, enum status status, struct span wire, bool last);

static void host_fetch(void *owner, uint32_t index)
{
    struct session *session = owner;
    struct session_pop3 *mine = &session->pop3;
    INVARIANT(!mine->fetching && mine->maildrop != NULL && index < mine->maildrop->count);
    mine->fetching = true;
    mine->answered = mine->last = false;
    mine->fetch = (struct store_fetch){.piece = on_piece, .context = session};
    session->shard->counters.fetches++;
    store_fetch_start(session->shard->log, &mine->fetch, &mine->maildrop->links[index]);
}

static void host_expunge(void *owner)
{
    ask_owner(owner, CROSSING_EXPUNGE);
}

static uint64_t host_octets(void *owner, uint32_t index)
{
    const struct session *session = owner;
    return store_link_octets(&session->pop3.maildrop->links[index]);
}

static size_t host_uidl(void *owner, uint32_t index, char out[70])
{
    const struct session *session = owner;
    return store_uidl_text(&session->pop3.maildrop->links[index], out);
}

const struct pop3_host door_pop3_host = {
    .log_in = host_log_in,
    .fetch = host_fetch,
    .expunge = host_expunge,
    .octets = host_octets,
    .uidl = host_uidl,
};

/* ----------------------------------------------------------------------- sending a message ---- */

static void fetch_is_over(struct session *session)
{
    struct session_pop3 *mine = &session->pop3;
    store_fetch_end(session->shard->log, &mine->fetch);
    mine->fetching = false;
}

/* The present piece, or the reply's end, awaits room; else it is the store's turn. */
static bool is_sending(const struct session_pop3 *mine)
{
    return mine->fetching && (mine->piece.size > 0 || mine->last);
}

/* Sends what is left of the piece; then asks for the next, or ends the fetch. */
static void send_piece(struct session *session)
{
    struct session_pop3 *mine = &session->pop3;
    size_t written = session_write(session, mine->piece);
    mine->piece = span_from(mine->piece, written);
    struct output *out = NULL;
    if (mine->piece.size > 0 ||
        (mine->last && (out = session_output(session, POP3_REPLY_BYTES_MAX, false)) == NULL)) {
        session_wait(session);
        return;
    }
    if (!mine->last) {
        store_fetch_next(session->shard->log, &mine->fetch);
        return;
    }
    fetch_is_over(session);
    pop3_fetch_done(pop3(session), out);
}

static void on_piece(struct store_fetch *fetch, enum status status, struct span wire, bool last)
{
    struct session *session = fetch->context;
    struct session_pop3 *mine = &session->pop3;
    struct output *out = session_output(session, POP3_REPLY_BYTES_MAX, true);
    if (out == NULL || (mine->answered && status != STATUS_OK)) {
        /* The message can't be completed: without its final dot no client takes it for whole. */
        fetch_is_over(session);
        net_abort(session->shard->net, session->conn);
        return;
    }
    if (!mine->answered) {
        mine->answered = true;
        pop3_fetched(pop3(session), status, fetch->octets, fetch->header_bytes, out);
    }
    if (status != STATUS_OK) {
        fetch_is_over(session);
    } else {
        size_t pass = pop3_pass(pop3(session), wire);
        mine->piece = span_of(wire.data, pass);
        mine->last = last || pass < wire.size;
        send_piece(session);
    }
    if (!mine->fetching)
        session_pump(session);
}

/* ------------------------------------------------------------------ what the shard asks ---- */

static void open(struct session *session, const struct session_listener *listener,
                 struct span client, struct output *out)
{
    (void)client;
    session->pop3 = (struct session_pop3){0};
    pop3_open(pop3(session), &listener->pop3, &session->shard->blocks, session,
              session->tls != NULL, out);
}

static void secured(struct session *session, struct span cipher)
{
    (void)cipher; /* nothing of a POP3 session is recorded */
    if (pop3_wish(pop3(session)) == POP3_STLS)
        pop3_secured(pop3(session));
}

static size_t feed(struct session *session, struct span input, struct output *out)
{
    struct session_pop3 *mine = &session->pop3;
    if (mine->fetching) {
        if (is_sending(mine))
            session_wait(session);
        return 0;
    }
    size_t consumed = pop3_feed(pop3(session), input, out);
    if (!mine->away && pop3_wish(pop3(session)) == POP3_CLOSE)
        release_maildrop(session);
    return consumed;
}

static void go_on(struct session *session)
{
    struct session_pop3 *mine = &session->pop3;
    if (is_sending(mine))
        send_piece(session);
}

static enum session_wish wish(const struct session *session)
{
    static const enum session_wish wishes[] = {
        [POP3_GO_ON] = SESSION_GO_ON, [POP3_CLOSE] = SESSION_CLOSE, [POP3_STLS] = SESSION_STARTTLS};
    return wishes[pop3_wish(&session->pop3.session)];
}

static bool expects(const struct session *session)
{
    const struct session_pop3 *mine = &session->pop3;
    return mine->away || (mine->fetching && !is_sending(mine));
}

static bool busy(const struct session *session)
{
    return session->pop3.away || session->pop3.fetching;
}

static uint32_t patience_ms(const struct session *session)
{
    return pop3_patience_ms(&session->pop3.session);
}

/* POP3 has no reply that nobody asked for: the connection just ends, and nothing is deleted. */
static void end(struct session *session, bool shutdown, struct output *out)
{
    (void)session;
    (void)shutdown;
    (void)out;
}

static bool close(struct session *session)
{
    struct session_pop3 *mine = &session->pop3;
    pop3_close(pop3(session));
    if (mine->fetching)
        fetch_is_over(session);
    if (!mine->away)
        release_maildrop(session);
    return mine->away;
}

/* The session ended while its errand was away: whatever that brought is given back. */
static void answered_too_late(struct session *session)
{
    struct session_pop3 *mine = &session->pop3;
    release_maildrop(session);
    if (!mine->away)
        session_ended(session);
}

static void logged_in(struct session *session, enum status status, struct output *out)
{
    struct session_pop3 *mine = &session->pop3;
    struct shard *shard = session->shard;
    if (status != STATUS_OK) {
        shard->counters.login_failures++;
        pop3_logged_in(pop3(session), status, 0, 0, NULL, out);
        return;
    }
    shard->counters.logins++;
    pop3_logged_in(pop3(session), status, mine->maildrop->count, mine->maildrop->octets,
                   mine->maildrop->deleted, out);
}

void door_pop3_answered(struct session *session, struct crossing *crossing)
{
    struct session_pop3 *mine = &session->pop3;
    mine->away = false;
    if (crossing->kind == CROSSING_OPEN && crossing->status == STATUS_OK)
        mine->maildrop = crossing->maildrop; /* ours to give back, whatever happens */
    bool is_right = crossing->kind == CROSSING_PASSWORD && crossing->status == STATUS_OK;
    if (is_right && crossing->name_bytes > 0 && !(session->flags & SESSION_GONE)) {
        ask_owner(session, CROSSING_OPEN);
        return;
    }
    if (is_right)
        crossing->status = STATUS_DENIED;
    forget_name(session);
    if (session->flags & SESSION_GONE) {
        answered_too_late(session);
        return;
    }
    if (crossing->kind == CROSSING_CLOSE)
        return; /* nobody asked for it, so nothing is said */
    struct output *out = session_output(session, POP3_REPLY_BYTES_MAX, true);
    if (out == NULL) {
        net_abort(session->shard->net, session->conn);
        return;
    }
    if (crossing->kind == CROSSING_EXPUNGE)
        pop3_expunged(pop3(session), crossing->status, out);
    else
        logged_in(session, crossing->status, out);
    session_pump(session);
}

const struct door door_pop3 = {
    .name = "pop3",
    .open = open,
    .secured = secured,
    .feed = feed,
    .go_on = go_on,
    .wish = wish,
    .expects = expects,
    .busy = busy,
    .patience_ms = patience_ms,
    .end = end,
    .close = close,
};
