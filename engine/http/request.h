/* The head of one HTTP/1 request out of a stream of bytes that may be cut anywhere (RFC 9112).
 *
 * Only as much is understood as one page on one path needs: method, path, version, Host; other
 * fields are checked for their form and forgotten, and a body is the caller's to ignore. The head
 * is kept whole, so its size is bounded; no input is scanned twice for its end. Embedded in the
 * session. */
#ifndef ENGINE_HTTP_REQUEST_H
#define ENGINE_HTTP_REQUEST_H

#include "base/span.h"
#include "engine/http/reply.h"

#define HTTP_HEAD_BYTES_MAX 4096u /* request line, fields and line ends */

enum http_method { HTTP_OTHER, HTTP_GET, HTTP_HEAD };

enum http_progress {
    HTTP_MORE, /* all input is consumed and the head is not at its end */
    HTTP_DONE, /* the empty line was reached: method and path are set */
    HTTP_BAD,  /* `refusal` says how to answer; no more may be fed */
};

struct http_request { /* zeroed memory is one that has not begun */
    uint8_t head[HTTP_HEAD_BYTES_MAX];
    uint32_t size;       /* bytes of it that have arrived */
    uint32_t line_start; /* of the line that is arriving */
    uint32_t hosts;      /* Host fields so far */
    uint8_t minor;       /* of HTTP/1.minor */
    bool begun;          /* the request line was read */
    enum http_method method;
    enum http_status refusal;
    struct span path; /* into `head`: without the query, not decoded */
};

/* Moves `input` past as much of the head as it holds. */
enum http_progress http_request_take(struct http_request *request, struct span *input);

#endif
