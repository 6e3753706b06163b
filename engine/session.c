#include "engine/session.h"

#include "base/fetch.h"
#include "engine/session_tls.h"
#include "engine/shard_state.h"

enum {
    LINGER_MS = 10000,             /* for the peer's FIN after ours, */
    CALL_LINGER_MS = 1000,         /* and when it was us who called: nothing is owed to it */
    UNSENT_REPLIES_MAX = 2 * 4096, /* in blocks, that the network has not taken yet, */
    UNSENT_BYTES_MAX = 2 * 65536,  /* and with messages; more waits */
};

uint64_t session_cookie(const struct session *session)
{
    return (uint64_t)session->generation << 32 | pool_slot(&session->shard->sessions, session);
}

struct session *session_of_cookie(struct shard *shard, uint64_t cookie)
{
    struct session *session = pool_at(&shard->sessions, (uint32_t)cookie);
    return session->generation == (uint32_t)(cookie >> 32) ? session : NULL;
}

/* ------------------------------------------------------------------------------ output ---- */

static void give_block(struct shard *shard, struct session_block *block)
{
    blocks_give(&shard->blocks, block->class, block);
}

static void block_release(struct net_tx *tx, void *context)
{
    struct shard *shard = context;
    give_block(shard, (struct session_block *)(void *)tx);
    shard->progress++;
}

/* Small blocks are what everybody's replies need: a peer that does not read ties up few of them. */
bool session_may_send(const struct session *session, enum block_class class)
{
    return session->unsent_bytes < (class <= BLOCK_4K ? UNSENT_REPLIES_MAX : UNSENT_BYTES_MAX);
}

struct session_block *session_block_take(struct shard *shard, enum block_class class)
{
    struct session_block *block = blocks_take(&shard->blocks, class);
    if (block == NULL)
        return NULL;
    block->class = class;
    block->tx.release = block_release;
    block->tx.context = shard;
    block->out = (struct output){.data = block->bytes,
                                 .capacity = block_bytes[class] - (uint32_t)sizeof *block};
    return block;
}

void session_block_send(struct session *session, struct session_block *block)
{
    if (block->out.size == 0) {
        /* No progress: whoever waits would be tried again for a block that it took itself. */
        give_block(session->shard, block);
        return;
    }
    block->tx.data = block->out.data;
    block->tx.size = block->out.size;
    session->unsent_bytes += block_bytes[block->class];
    net_send(session->shard->net, session->conn, &block->tx);
}

void session_flush(struct session *session)
{
    struct session_block *block = session->block;
    if (block == NULL || (session->tls != NULL && session_tls_holds(session)))
        return;
    session->block = NULL;
    if ((session->flags & (SESSION_GONE | SESSION_FINISHED)) ||
        (session->tls != NULL && !session_tls_seal(session, block)))
        block->out.size = 0;
    session_block_send(session, block);
}

void session_mark_dirty(struct session *session)
{
    if (session->flags & SESSION_DIRTY)
        return;
    session->flags |= SESSION_DIRTY;
    session->next_dirty = session->shard->dirty;
    session->shard->dirty = session;
}

static struct output *take_block(struct session *session, enum block_class class, bool must)
{
    session_flush(session);
    INVARIANT(session->block == NULL);
    if (!must && !session_may_send(session, class))
        return NULL;
    struct session_block *block = session_block_take(session->shard, class);
    if (block == NULL)
        return NULL;
    if (session->tls != NULL)
        session_tls_leave_room(block);
    session->block = block;
    session_mark_dirty(session);
    return &block->out;
}

struct output *session_output(struct session *session, uint32_t room, bool must)
{
    if (session->block != NULL && output_room(&session->block->out) >= room)
        return &session->block->out;
    return take_block(session, BLOCK_4K, must);
}

/* The smallest block that holds what is left; any block when those have run out. */
static struct output *take_block_for(struct session *session, size_t size)
{
    enum block_class class = BLOCK_4K;
    while (class < BLOCK_64K && block_bytes[class] - sizeof(struct session_block) < size)
        class ++;
    struct output *out = take_block(session, class, false);
    while (out == NULL && class -- > BLOCK_4K)
        out = take_block(session, class, false);
    return out;
}

/* An empty one that is too small would be a piece of its own to send. */
void session_expect(struct session *session, size_t bytes)
{
    struct session_block *small = session->block;
    if (small != NULL && (small->out.size > 0 || output_room(&small->out) >= bytes))
        return;
    session->block = NULL;
    if (take_block_for(session, bytes) == NULL)
        session->block = small;
    else if (small != NULL)
        give_block(session->shard, small);
}

size_t session_write(struct session *session, struct span bytes)
{
    size_t written = 0;
    while (written < bytes.size) {
        struct output *out = session->block ? &session->block->out : NULL;
        if (out == NULL || output_room(out) == 0)
            out = take_block_for(session, bytes.size - written);
        if (out == NULL)
            break;
        size_t part = bytes.size - written;
        if (part > output_room(out))
            part = output_room(out);
        output_add(out, span_of(bytes.data + written, part));
        written += part;
    }
    return written;
}

/* --------------------------------------------------------------------- going on and ending ---- */

/* Waits for progress of the shard (room in the log, a block given back, a commit), unless something
 * particular is sure to come for this session. */
static void wait_for_progress(struct session *session)
{
    if ((session->flags & SESSION_WAITING) || session->unsent_bytes > 0 ||
        session->door->expects(session))
        return;
    session->flags |= SESSION_WAITING;
    struct shard *shard = session->shard;
    session->next_waiting = NULL;
    if (shard->waiting == NULL)
        shard->waiting = session;
    else
        shard->last_waiting->next_waiting = session;
    shard->last_waiting = session;
    shard->waiting_count++;
}

void session_wait(struct session *session)
{
    session->flags |= SESSION_STUCK;
    wait_for_progress(session);
}

void session_finish(struct session *session)
{
    if (session->flags & (SESSION_FINISHED | SESSION_GONE))
        return;
    session_flush(session);
    if (session->tls != NULL)
        session_tls_finish(session);
    session->flags |= SESSION_FINISHED;
    session_flush(session); /* drops what waited for the end of a handshake */
    net_finish(session->shard->net, session->conn);
    if (session->flags & SESSION_PAUSED) /* else the peer's end is never seen */
        net_resume(session->shard->net, session->conn);
    uint32_t linger_ms = session->kind == DOOR_OUTGOING ? CALL_LINGER_MS : LINGER_MS;
    timer_set(&session->shard->timers, &session->timer, shard_now_ms(session->shard) + linger_ms);
}

/* The peer will send nothing more and has been told all that it asked for. */
static bool is_through(const struct session *session)
{
    return (session->flags & (SESSION_PEER_DONE | SESSION_STUCK)) == SESSION_PEER_DONE &&
           !session->door->expects(session);
}

static size_t feed(struct session *session, struct span input)
{
    size_t consumed = 0;
    struct output nowhere = {0};
    session->flags &= (uint8_t)~SESSION_STUCK;
    for (;;) {
        struct output *out = session_output(session, SMTP_REPLY_BYTES_MAX, false);
        if (out == NULL) {
            session->flags |= SESSION_STUCK;
            if (session->kind == DOOR_OUTGOING) /* an answer is heard even if no other can follow */
                consumed += session->door->feed(session, span_from(input, consumed), &nowhere);
            break;
        }
        uint32_t before = out->size;
        size_t taken = session->door->feed(session, span_from(input, consumed), out);
        consumed += taken;
        const struct output *now = session->block ? &session->block->out : &nowhere;
        bool stuck = taken == 0 && now == out && now->size == before;
        if (stuck || output_room(now) >= SMTP_REPLY_BYTES_MAX)
            break;
    }
    return consumed;
}

size_t session_take(struct session *session, struct span bytes)
{
    struct shard *shard = session->shard;
    session->active_ms = (uint32_t)shard_now_ms(shard);
    if (session->flags & SESSION_FINISHED)
        return bytes.size; /* nothing after QUIT is executed */
    size_t consumed = feed(session, bytes);
    enum session_wish wish = session->door->wish(session);
    if (wish != SESSION_GO_ON && session->under_way == 0) {
        if (wish == SESSION_STARTTLS)
            session_tls_start(session);
        else
            session_finish(session);
        return bytes.size; /* what came in clear before the handshake is dropped */
    }
    if (consumed < bytes.size)
        session->flags |= SESSION_PAUSED;
    if (session->flags & (SESSION_PAUSED | SESSION_STUCK))
        wait_for_progress(session);
    return consumed;
}

void session_fetch(const void *context, unsigned step)
{
    const struct session *session = context;
    if (step == 0)
        fetch(session, sizeof *session);
    else if (session->door->fetch != NULL)
        session->door->fetch(session);
}

size_t session_received(void *context, struct span bytes)
{
    struct session *session = context;
    return session->tls == NULL ? session_take(session, bytes)
                                : session_tls_received(session, bytes);
}

void session_pump(struct session *session)
{
    if (session->flags & (SESSION_GONE | SESSION_FINISHED))
        return;
    bool paused = session->flags & SESSION_PAUSED;
    session->flags &= (uint8_t)~SESSION_PAUSED;
    session->door->go_on(session);
    session_received(session, span_of(NULL, 0));
    if (paused)
        net_resume(session->shard->net, session->conn);
    /* In TLS the end may have come although not all that came before it was taken. */
    if (!(session->flags & SESSION_PAUSED) && is_through(session))
        session_finish(session);
}

void session_peer_finished(void *context)
{
    struct session *session = context;
    session->flags |= SESSION_PEER_DONE;
    if (!session->door->expects(session))
        session_pump(session);
}

void session_drained(void *context)
{
    struct session *session = context;
    session->unsent_bytes = 0;
    if (session->flags & (SESSION_PAUSED | SESSION_STUCK))
        session_pump(session);
}

void session_ended(struct session *session)
{
    INVARIANT(session->flags & SESSION_GONE);
    struct shard *shard = session->shard;
    shard->counters.sessions_open[session->kind]--;
    session->generation++;
    session->flags = 0;
    session->door = NULL;
    pool_give(&shard->sessions, session);
    shard->progress++;
}

static void unlink_from(struct session **list, struct session *session, size_t offset)
{
    for (;;) {
        INVARIANT(*list != NULL);
        if (*list == session)
            break;
        list = (struct session **)(void *)((uint8_t *)*list + offset);
    }
    *list = *(struct session **)(void *)((uint8_t *)session + offset);
}

static void stop_waiting(struct session *session)
{
    struct shard *shard = session->shard;
    struct session *before = NULL, *next = shard->waiting;
    for (; next != session; next = next->next_waiting) {
        INVARIANT(next != NULL);
        before = next;
    }
    if (before == NULL)
        shard->waiting = session->next_waiting;
    else
        before->next_waiting = session->next_waiting;
    if (shard->last_waiting == session)
        shard->last_waiting = before;
    shard->waiting_count--;
}

void session_closed(void *context, enum net_close_reason reason)
{
    struct session *session = context;
    struct shard *shard = session->shard;
    (void)reason;
    session->flags |= SESSION_GONE;
    session_flush(session);
    if (session->flags & SESSION_DIRTY)
        unlink_from(&shard->dirty, session, offsetof(struct session, next_dirty));
    if (session->flags & SESSION_WAITING)
        stop_waiting(session);
    session->flags &= (uint8_t) ~(SESSION_DIRTY | SESSION_WAITING | SESSION_PAUSED);
    timer_cancel(&shard->timers, &session->timer);
    bool away = session->door->close(session);
    if (session->tls != NULL)
        session_tls_close(session);
    if (!away)
        session_ended(session);
}

/* ----------------------------------------------------------------------------- time ---- */

static uint32_t patience_ms(const struct session *session)
{
    bool shaking_hands = session->tls != NULL && session_tls_is_shaking_hands(session);
    return shaking_hands && session->kind != DOOR_OUTGOING ? SESSION_TLS_PATIENCE_MS
                                                           : session->door->patience_ms(session);
}

void session_set_timer(struct session *session)
{
    struct shard *shard = session->shard;
    timer_set(&shard->timers, &session->timer, shard_now_ms(shard) + patience_ms(session));
}

/* Says why, as far as there is room to, and ends. */
static void say_goodbye(struct session *session)
{
    struct output *out = session_output(session, SMTP_REPLY_BYTES_MAX, true);
    if (out == NULL) {
        net_abort(session->shard->net, session->conn);
        return;
    }
    session->door->end(session, session->shard->draining, out);
    session_finish(session);
}

void session_expired(struct session *session)
{
    struct shard *shard = session->shard;
    if (session->flags & SESSION_FINISHED) {
        net_abort(shard->net, session->conn);
        return;
    }
    uint32_t patience = patience_ms(session);
    uint32_t silent = (uint32_t)shard_now_ms(shard) - session->active_ms;
    if (silent < patience) {
        timer_set(&shard->timers, &session->timer, shard_now_ms(shard) + (patience - silent));
        return;
    }
    shard->counters.timeouts++;
    say_goodbye(session);
}

void session_drain(struct session *session, bool force)
{
    if (session->flags & SESSION_GONE)
        return;
    if (force)
        net_abort(session->shard->net, session->conn);
    else if (!(session->flags & (SESSION_FINISHED | SESSION_STUCK)) &&
             !session->door->busy(session))
        say_goodbye(session);
}

/* ------------------------------------------------------------------------------- opening ---- */

/* No memory for TLS, or no block for the banner. */
static void *refuse(struct session *session)
{
    struct shard *shard = session->shard;
    shard->counters.sessions_refused[session->kind]++;
    if (session->tls != NULL)
        session_tls_close(session);
    session->door = NULL;
    pool_give(&shard->sessions, session);
    return NULL;
}

static void *session_opened(void *context, struct net_conn conn, const union net_address *peer)
{
    const struct session_listener *listener = context;
    struct shard *shard = listener->shard;
    struct session *session = shard->draining ? NULL : pool_take(&shard->sessions);
    if (session == NULL) {
        shard->counters.sessions_refused[listener->kind]++;
        return NULL;
    }
    uint32_t generation = session->generation ? session->generation : 1;
    *session = (struct session){.shard = shard,
                                .door = listener->door,
                                .kind = (uint8_t)listener->kind,
                                .conn = conn,
                                .generation = generation,
                                .active_ms = (uint32_t)shard_now_ms(shard)};
    if (door_kind_is_secure(listener->kind) && !session_tls_open(session))
        return refuse(session);
    struct output *out = session_output(session, SMTP_REPLY_BYTES_MAX, false);
    char text[NET_ADDRESS_TEXT_BYTES];
    if (out == NULL)
        return refuse(session);
    session->door->open(session, listener, span_text(net_address_text(peer, text)), out);
    shard->counters.sessions_opened[session->kind]++;
    shard->counters.sessions_open[session->kind]++;
    session_set_timer(session);
    return session;
}

const struct net_handler session_handler = {
    .opened = session_opened,
    .received = session_received,
    .peer_finished = session_peer_finished,
    .drained = session_drained,
    .closed = session_closed,
    .fetch = session_fetch,
};
