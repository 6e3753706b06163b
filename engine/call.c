#include "engine/call.h"

#include "engine/session_tls.h"
#include "engine/shard_state.h"

static void *opened(void *context, struct net_conn conn, const union net_address *peer)
{
    struct session *session = context;
    char text[NET_ADDRESS_TEXT_BYTES];
    session->flags &= (uint8_t)~SESSION_CONNECTING;
    session->conn = conn;
    session->active_ms = (uint32_t)shard_now_ms(session->shard);
    struct output nothing = {0}; /* a client speaks when it is spoken to */
    session->door->open(session, NULL, span_text(net_address_text(peer, text)), &nothing);
    session_set_timer(session);
    if (session->call->plan->secure)
        session_tls_start(session);
    return session;
}

static const struct net_handler handler = {
    .opened = opened,
    .received = session_received,
    .peer_finished = session_peer_finished,
    .drained = session_drained,
    .closed = session_closed,
    .fetch = session_fetch,
};

enum status call_connect(struct shard *shard, struct call *call, const struct call_plan *plan,
                         const union net_address *source)
{
    struct session *session = pool_take(&shard->sessions);
    if (session == NULL)
        return STATUS_AGAIN;
    uint32_t generation = session->generation ? session->generation : 1;
    *session = (struct session){.shard = shard,
                                .door = plan->door,
                                .kind = DOOR_OUTGOING,
                                .flags = SESSION_CONNECTING,
                                .generation = generation,
                                .active_ms = (uint32_t)shard_now_ms(shard),
                                .call = call};
    struct net_conn conn;
    enum status status =
        shard->net->calls->connect(shard->net, plan->address, source, &handler, session, &conn);
    if (status != STATUS_OK) {
        session->door = NULL;
        pool_give(&shard->sessions, session);
        return status;
    }
    session->conn = conn;
    shard->counters.sessions_opened[DOOR_OUTGOING]++;
    shard->counters.sessions_open[DOOR_OUTGOING]++;
    call->plan = plan;
    call->session = session;
    session_set_timer(session);
    return STATUS_OK;
}
