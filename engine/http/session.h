/* An HTTP/1 server session, sans-I/O: one request, one page, the end (RFC 9110, 9112).
 *
 * There is one page, on one path, for GET and HEAD; its content is asked of http_host piece by
 * piece, as there is room, so it is never in memory as a whole. After the request's head nothing
 * more of the client is looked at. Memory is constant: struct http_session. */
#ifndef ENGINE_HTTP_SESSION_H
#define ENGINE_HTTP_SESSION_H

#include "base/clock.h"
#include "engine/http/request.h"

struct http_host {
    /* Appends more of the page while there is HTTP_REPLY_BYTES_MAX of room in `out`. True: that was
     * the last of it. */
    bool (*page)(void *owner, struct output *out);
};

struct http_config { /* per listener; outlives its sessions */
    struct span path;
    struct span type; /* media type of the page, at most HTTP_TYPE_BYTES_MAX */
    const struct http_host *host;
    const struct clock *clock;
};

enum http_state {
    HTTP_READING,
    HTTP_SENDING, /* the page is begun and not at its end */
    HTTP_OVER,    /* nothing more is read or said */
};

struct http_session {
    const struct http_config *config;
    void *owner;
    enum http_state state;
    struct http_request request;
};

/* Nothing is said before the client has spoken. */
void http_open(struct http_session *session, const struct http_config *config, void *owner);

/* Needs HTTP_REPLY_BYTES_MAX of room; consumes all of the input. While the state is HTTP_SENDING
 * afterwards there is more to say than `out` had room for: feed again, also with an empty input. */
size_t http_feed(struct http_session *session, struct span input, struct output *out);

enum http_end { HTTP_END_TIMEOUT, HTTP_END_SHUTDOWN };

/* The connection will be closed: says so to a client that is not being answered yet. Needs
 * HTTP_REPLY_BYTES_MAX of room. False: in the middle of the page, which must not look whole: abort
 * the connection. */
bool http_end(struct http_session *session, enum http_end why, struct output *out);

#endif
