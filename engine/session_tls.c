#include "engine/session_tls.h"

#include "engine/call.h"
#include "engine/shard_state.h"

static bool begin(const struct session *session, struct tls *filter)
{
    const struct shard_config *config = session->shard->config;
    struct span protocol = span_text(session->door->name);
    if (session->kind == DOOR_OUTGOING)
        return tls_connect(filter, config->tls_client, session->call->plan->host, protocol);
    return tls_accept(filter, config->tls, session->shard->index, protocol);
}

bool session_tls_open(struct session *session)
{
    struct shard *shard = session->shard;
    INVARIANT(session->tls == NULL);
    struct session_tls *tls = pool_take(&shard->tls_sessions);
    if (tls == NULL)
        return false;
    *tls = (struct session_tls){.full = session->kind == DOOR_OUTGOING}; /* who calls begins */
    if (!begin(session, &tls->filter)) {
        pool_give(&shard->tls_sessions, tls);
        return false;
    }
    session->tls = tls;
    return true;
}

void session_tls_start(struct session *session)
{
    session_flush(session);
    if (!session_tls_open(session)) {
        net_abort(session->shard->net, session->conn);
        return;
    }
    session_set_timer(session);
    session_tls_received(session, span_of(NULL, 0));
}

static void give_record(struct session *session)
{
    struct session_tls *tls = session->tls;
    if (tls->record != NULL)
        pool_give(&session->shard->tls_records, tls->record);
    tls->record = NULL;
    tls->plain = span_of(NULL, 0);
}

void session_tls_close(struct session *session)
{
    struct session_tls *tls = session->tls;
    give_record(session);
    tls_close(&tls->filter);
    pool_give(&session->shard->tls_sessions, tls);
    session->tls = NULL;
}

/* ----------------------------------------------------------------------------- receiving ---- */

/* Gives the protocol what is decrypted, or a chance to go on. False: it wants no more now. */
static bool hand_on(struct session *session)
{
    struct session_tls *tls = session->tls;
    tls->plain = span_from(tls->plain, session_take(session, tls->plain));
    if (tls->plain.size > 0)
        return false;
    give_record(session);
    return !(session->flags & SESSION_FINISHED);
}

/* Who calls us may not say at length who they are; whom we call, we have chosen. */
static enum tls_result receive(const struct session *session, struct span *input,
                               struct output *plain, struct output *sealed)
{
    struct session_tls *tls = session->tls;
    size_t before = input->size;
    enum tls_result result = tls_receive(&tls->filter, input, plain, sealed);
    if (result != TLS_MORE || tls->filter.up || session->kind == DOOR_OUTGOING)
        return result;
    tls->handshake_bytes += (uint32_t)(before - input->size);
    return tls->handshake_bytes > SESSION_TLS_HANDSHAKE_BYTES_MAX ? TLS_BROKEN : TLS_MORE;
}

/* Lets the filter take a record. False: no room for what it must send. */
static bool step(struct session *session, struct span *input, enum tls_result *result)
{
    struct session_tls *tls = session->tls;
    struct shard *shard = session->shard;
    enum block_class class = tls->filter.up ? BLOCK_1K : BLOCK_4K; /* a handshake says more */
    bool hears_anyhow = !tls->filter.up || session->kind == DOOR_OUTGOING;
    if (!hears_anyhow && !session_may_send(session, class))
        return false;
    struct session_block *block = session_block_take(shard, class);
    if (block == NULL)
        return false;
    INVARIANT(tls->record == NULL);
    tls->record = pool_take(&shard->tls_records);
    INVARIANT(tls->record != NULL); /* there is one for every session */
    struct output plain = {.data = tls->record, .capacity = TLS_RECORD_BYTES_MAX};
    *result = receive(session, input, &plain, &block->out);
    tls->full = *result == TLS_FULL;
    tls->plain = span_of(plain.data, plain.size);
    if (plain.size == 0)
        give_record(session);
    session_block_send(session, block);
    return true;
}

static void secured(struct session *session)
{
    struct shard *shard = session->shard;
    shard->counters.tls_handshakes++;
    shard->counters.tls_resumed += tls_is_resumed(&session->tls->filter);
    session->active_ms = (uint32_t)shard_now_ms(shard);
    session->door->secured(session, span_text(session->tls->filter.cipher));
    session_set_timer(session);
    if (session->block != NULL) /* the banner was held back */
        session_mark_dirty(session);
}

/* The others' handshakes have had all the time that this turn has for them. */
static bool must_queue(struct session *session)
{
    struct shard *shard = session->shard;
    if (session->tls->filter.up || session->tls->full)
        return false;
    if (shard->handshakes_left == 0) {
        net_resume(shard->net, session->conn);
        return true;
    }
    shard->handshakes_left--;
    return false;
}

/* False: nothing more can be done with the input now. */
static bool advance(struct session *session, struct span *input)
{
    if (must_queue(session))
        return false;
    enum tls_result result;
    if (!step(session, input, &result)) {
        session->flags |= SESSION_PAUSED;
        session_wait(session);
        return false;
    }
    switch (result) {
    case TLS_PLAIN:
        return hand_on(session);
    case TLS_UP:
        secured(session);
        return true;
    case TLS_FULL:
        return true;
    case TLS_MORE:
        return false;
    case TLS_ENDED:
        session_peer_finished(session);
        return false;
    case TLS_BROKEN:
        break;
    }
    session->shard->counters.tls_failures++;
    session_finish(session);
    return false;
}

size_t session_tls_received(struct session *session, struct span bytes)
{
    enum { OVER = SESSION_FINISHED | SESSION_PEER_DONE }; /* nothing more is listened to */
    struct session_tls *tls = session->tls;
    struct span input = bytes;
    bool going = true;
    if (tls->filter.up && (tls->plain.size > 0 || bytes.size == 0))
        going = hand_on(session);
    while (going && !(session->flags & OVER) && (input.size > 0 || tls->full))
        going = advance(session, &input);
    return session->flags & OVER ? bytes.size : bytes.size - input.size;
}

/* ------------------------------------------------------------------------------- sending ---- */

bool session_tls_is_shaking_hands(const struct session *session)
{
    return !session->tls->filter.up;
}

bool session_tls_holds(const struct session *session)
{
    return !session->tls->filter.up && !session->tls->filter.broken &&
           !(session->flags & (SESSION_GONE | SESSION_FINISHED));
}

void session_tls_leave_room(struct session_block *block)
{
    uint32_t room = tls_headroom(block->out.capacity);
    block->out.data += room;
    block->out.capacity -= room;
}

bool session_tls_seal(struct session *session, struct session_block *block)
{
    struct tls *filter = &session->tls->filter;
    struct output sealed = {.data = block->bytes,
                            .capacity = block_bytes[block->class] - (uint32_t)sizeof *block};
    if (!filter->up || !tls_send(filter, span_of(block->out.data, block->out.size), &sealed))
        return false;
    block->out = sealed;
    return true;
}

void session_tls_finish(struct session *session)
{
    struct session_block *block = session_block_take(session->shard, BLOCK_1K);
    if (block == NULL)
        return; /* the protocols have said goodbye in words */
    tls_finish(&session->tls->filter, &block->out);
    session_block_send(session, block);
}
