/* The figures of all shards behind a door of the first one: HTTP, one page. */
#include "engine/shard_state.h"

enum { SCRAPE_MS = 10000 }; /* for the whole of it, however busy the client seems */

static_assert(METRICS_LINE_BYTES_MAX <= HTTP_REPLY_BYTES_MAX, "the page goes on in any room");

static bool host_page(void *owner, struct output *out)
{
    const struct session *session = owner;
    return metrics_write(&session->metrics->page, out);
}

const struct http_host door_metrics_host = {.page = host_page};

/* Without room for another scrape the connection is taken all the same, to be told so. */
static void open(struct session *session, const struct session_listener *listener,
                 struct span client, struct output *out)
{
    (void)listener;
    (void)client;
    (void)out;
    struct shard *shard = session->shard;
    struct session_metrics *mine = pool_take(&shard->scrapes);
    session->metrics = mine;
    if (mine == NULL)
        return;
    mine->opened_ms = session->active_ms;
    http_open(&mine->session, &shard->config->http, session);
    metrics_begin(&mine->page, shard->config->metrics);
}

static size_t feed(struct session *session, struct span input, struct output *out)
{
    if (session->metrics != NULL)
        return http_feed(&session->metrics->session, input, out);
    http_reply_refusal(out, HTTP_UNAVAILABLE, true, session->shard->wall_ns);
    return input.size;
}

/* The rest of the page comes out of the next feed. */
static void go_on(struct session *session)
{
    (void)session;
}

static enum session_wish wish(const struct session *session)
{
    bool over = session->metrics == NULL || session->metrics->session.state == HTTP_OVER;
    return over ? SESSION_CLOSE : SESSION_GO_ON;
}

static bool expects(const struct session *session)
{
    (void)session;
    return false;
}

static bool busy(const struct session *session)
{
    return session->metrics != NULL && session->metrics->session.state == HTTP_SENDING;
}

/* What is left of SCRAPE_MS, counted as the shard does, from the last sign of life. */
static uint32_t patience_ms(const struct session *session)
{
    uint32_t gone = session->metrics ? session->active_ms - session->metrics->opened_ms : 0;
    return gone < SCRAPE_MS ? SCRAPE_MS - gone : 0;
}

static void end(struct session *session, bool shutdown, struct output *out)
{
    if (session->metrics == NULL)
        return;
    enum http_end why = shutdown ? HTTP_END_SHUTDOWN : HTTP_END_TIMEOUT;
    if (!http_end(&session->metrics->session, why, out))
        net_abort(session->shard->net, session->conn);
}

static bool close(struct session *session)
{
    if (session->metrics != NULL)
        pool_give(&session->shard->scrapes, session->metrics);
    return false;
}

const struct door door_metrics = {
    .name = "metrics",
    .open = open,
    .feed = feed,
    .go_on = go_on,
    .wish = wish,
    .expects = expects,
    .busy = busy,
    .patience_ms = patience_ms,
    .end = end,
    .close = close,
};
