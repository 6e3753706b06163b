#include "engine/http/session.h"

void http_open(struct http_session *session, const struct http_config *config, void *owner)
{
    *session = (struct http_session){.config = config, .owner = owner};
}

static void refuse(struct http_session *session, enum http_status status, struct output *out)
{
    http_reply_refusal(out, status, session->request.method != HTTP_HEAD,
                       clock_wall_ns(session->config->clock));
    session->state = HTTP_OVER;
}

static void answer(struct http_session *session, struct output *out)
{
    const struct http_config *config = session->config;
    const struct http_request *request = &session->request;
    if (!span_equal(request->path, config->path)) {
        refuse(session, HTTP_NOT_FOUND, out);
    } else if (request->method == HTTP_OTHER) {
        refuse(session, HTTP_WRONG_METHOD, out);
    } else {
        http_reply_page(out, config->type, clock_wall_ns(config->clock));
        session->state = request->method == HTTP_GET ? HTTP_SENDING : HTTP_OVER;
    }
}

static void read_request(struct http_session *session, struct span input, struct output *out)
{
    switch (http_request_take(&session->request, &input)) {
    case HTTP_MORE:
        break;
    case HTTP_DONE:
        answer(session, out);
        break;
    case HTTP_BAD:
        refuse(session, session->request.refusal, out);
        break;
    }
}

size_t http_feed(struct http_session *session, struct span input, struct output *out)
{
    INVARIANT(output_room(out) >= HTTP_REPLY_BYTES_MAX);
    if (session->state == HTTP_READING)
        read_request(session, input, out);
    if (session->state == HTTP_SENDING && session->config->host->page(session->owner, out))
        session->state = HTTP_OVER;
    return input.size;
}

bool http_end(struct http_session *session, enum http_end why, struct output *out)
{
    if (session->state == HTTP_SENDING)
        return false;
    if (session->state == HTTP_READING)
        refuse(session, why == HTTP_END_SHUTDOWN ? HTTP_UNAVAILABLE : HTTP_TIMEOUT, out);
    return true;
}
