/* What the HTTP server says: the head of its page, or a refusal of one line. Every reply ends the
 * connection (RFC 9112 section 9.6), so none needs a length but those that are whole at once. */
#ifndef ENGINE_HTTP_REPLY_H
#define ENGINE_HTTP_REPLY_H

#include "base/output.h"

enum http_status {
    HTTP_OK,
    HTTP_BAD_REQUEST,
    HTTP_NOT_FOUND,
    HTTP_WRONG_METHOD,
    HTTP_TIMEOUT,
    HTTP_LONG_TARGET,
    HTTP_LONG_FIELDS,
    HTTP_UNAVAILABLE, /* the server is ending */
    HTTP_UNKNOWN_VERSION,
    HTTP_STATUSES,
};

#define HTTP_REPLY_BYTES_MAX 512u /* any of the following fits */
#define HTTP_TYPE_BYTES_MAX 128u

/* The head of a page of this media type (at most HTTP_TYPE_BYTES_MAX); what follows is its content,
 * to the end of the connection. */
void http_reply_page(struct output *out, struct span type, uint64_t wall_ns);

/* A whole reply of any status but OK; `content`: false for a HEAD request. */
void http_reply_refusal(struct output *out, enum http_status status, bool content,
                        uint64_t wall_ns);

#endif
