#include "engine/http/reply.h"

#include "base/clock.h"

/* RFC 9110 section 15, RFC 6585 section 5. */
static const struct span statuses[HTTP_STATUSES] = {
    [HTTP_OK] = SPAN_INIT("200 OK"),
    [HTTP_BAD_REQUEST] = SPAN_INIT("400 Bad Request"),
    [HTTP_NOT_FOUND] = SPAN_INIT("404 Not Found"),
    [HTTP_WRONG_METHOD] = SPAN_INIT("405 Method Not Allowed"),
    [HTTP_TIMEOUT] = SPAN_INIT("408 Request Timeout"),
    [HTTP_LONG_TARGET] = SPAN_INIT("414 URI Too Long"),
    [HTTP_LONG_FIELDS] = SPAN_INIT("431 Request Header Fields Too Large"),
    [HTTP_UNAVAILABLE] = SPAN_INIT("503 Service Unavailable"),
    [HTTP_UNKNOWN_VERSION] = SPAN_INIT("505 HTTP Version Not Supported"),
};

/* "Mon, 23 Nov 2026 16:00:00 GMT" (RFC 9110 section 5.6.7): what mail writes, but for the zone. */
static void add_date(struct output *out, uint64_t wall_ns)
{
    struct clock_date_cache cache = {0};
    char date[CLOCK_DATE_BYTES];
    clock_date(&cache, wall_ns, date);
    output_add(out, SPAN("\r\nDate: "));
    output_add(out, span_of(date, sizeof date - (sizeof "+0000" - 1)));
    output_add(out, SPAN("GMT"));
}

static void begin(struct output *out, enum http_status status, uint64_t wall_ns)
{
    INVARIANT(output_room(out) >= HTTP_REPLY_BYTES_MAX && status < HTTP_STATUSES);
    output_add(out, SPAN("HTTP/1.1 "));
    output_add(out, statuses[status]);
    add_date(out, wall_ns);
    output_add(out, SPAN("\r\nConnection: close\r\n"));
}

void http_reply_page(struct output *out, struct span type, uint64_t wall_ns)
{
    INVARIANT(type.size <= HTTP_TYPE_BYTES_MAX);
    begin(out, HTTP_OK, wall_ns);
    output_add(out, SPAN("Cache-Control: no-store\r\nContent-Type: "));
    output_add(out, type);
    output_add(out, SPAN("\r\n\r\n"));
}

void http_reply_refusal(struct output *out, enum http_status status, bool content, uint64_t wall_ns)
{
    INVARIANT(status != HTTP_OK);
    begin(out, status, wall_ns);
    if (status == HTTP_WRONG_METHOD)
        output_add(out, SPAN("Allow: GET, HEAD\r\n"));
    output_add(out, SPAN("Content-Type: text/plain\r\nContent-Length: "));
    output_add_number(out, statuses[status].size + 1);
    output_add(out, SPAN("\r\n\r\n"));
    if (!content)
        return;
    output_add(out, statuses[status]);
    output_add(out, SPAN("\n"));
}
