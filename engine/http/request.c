#include "engine/http/request.h"

#include "base/invariant.h"

static enum http_progress refuse(struct http_request *request, enum http_status status)
{
    request->refusal = status;
    return HTTP_BAD;
}

/* token = 1*tchar (RFC 9110 section 5.6.2). */
static bool is_token(struct span text)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i], letter = ascii_lower(byte);
        bool alphanumeric = (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9');
        if (!alphanumeric && !memchr(marks, byte, sizeof marks - 1))
            return false;
    }
    return text.size > 0;
}

static bool is_visible(struct span text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~')
            return false;
    return text.size > 0;
}

/* Control characters have no place in a head: a bare CR or a NUL is there to deceive. */
static bool is_clean(struct span line)
{
    for (size_t i = 0; i < line.size; i++)
        if ((line.data[i] < ' ' && line.data[i] != '\t') || line.data[i] == 0x7f)
            return false;
    return true;
}

static struct span before(struct span text, size_t end)
{
    return span_of(text.data, end);
}

/* The bytes before the first `mark`, or all of them. */
static struct span until(struct span text, uint8_t mark)
{
    const uint8_t *end = text.size ? memchr(text.data, mark, text.size) : NULL;
    return end ? before(text, (size_t)(end - text.data)) : text;
}

/* The word before the next space, and `rest` past both. False: there is no space. */
static bool take_word(struct span *rest, struct span *word)
{
    struct span first = until(*rest, ' ');
    if (first.size == rest->size)
        return false;
    *word = first;
    *rest = span_from(*rest, first.size + 1);
    return true;
}

/* The path of a target in origin-form or absolute-form (RFC 9112 section 3.2); of any other form it
 * is the target itself, which no page has. */
static struct span path_of(struct span target)
{
    static const struct span scheme = SPAN_INIT("http://");
    if (target.size > scheme.size && span_equal_nocase(before(target, scheme.size), scheme)) {
        target = span_from(target, scheme.size);
        target = span_from(target, until(target, '/').size);
    }
    return until(target, '?');
}

static enum http_method method_of(struct span name)
{
    if (span_equal(name, SPAN("GET")))
        return HTTP_GET;
    return span_equal(name, SPAN("HEAD")) ? HTTP_HEAD : HTTP_OTHER;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

/* request-line = method SP request-target SP HTTP-version
 * HTTP-version = "HTTP" "/" DIGIT "." DIGIT (RFC 9112 sections 2.3 and 3) */
static enum http_progress begin(struct http_request *request, struct span line)
{
    struct span method, target, version = line;
    static const struct span name = SPAN_INIT("HTTP/");
    if (!take_word(&version, &method) || !is_token(method))
        return refuse(request, HTTP_BAD_REQUEST);
    if (!take_word(&version, &target) || !is_visible(target))
        return refuse(request, HTTP_BAD_REQUEST);
    if (version.size != name.size + 3 || !span_equal(before(version, name.size), name))
        return refuse(request, HTTP_BAD_REQUEST);
    const uint8_t *number = version.data + name.size;
    if (!is_digit(number[0]) || number[1] != '.' || !is_digit(number[2]))
        return refuse(request, HTTP_BAD_REQUEST);
    if (number[0] != '1')
        return refuse(request, HTTP_UNKNOWN_VERSION);
    request->begun = true;
    request->method = method_of(method);
    request->path = path_of(target);
    request->minor = (uint8_t)(number[2] - '0');
    return HTTP_MORE;
}

/* field-line = field-name ":" OWS field-value OWS (RFC 9112 section 5): no space before the colon,
 * no folding. */
static enum http_progress take_field(struct http_request *request, struct span line)
{
    struct span name = until(line, ':');
    if (name.size == line.size || !is_token(name))
        return refuse(request, HTTP_BAD_REQUEST);
    request->hosts += span_equal_nocase(name, SPAN("host"));
    return HTTP_MORE;
}

/* RFC 9112 section 3.2: exactly one Host, which HTTP/1.0 did not know. */
static enum http_progress finish(struct http_request *request)
{
    if (request->hosts > 1 || (request->hosts == 0 && request->minor > 0))
        return refuse(request, HTTP_BAD_REQUEST);
    return HTTP_DONE;
}

static enum http_progress take_line(struct http_request *request, struct span line)
{
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    if (!is_clean(line))
        return refuse(request, HTTP_BAD_REQUEST);
    if (line.size == 0) /* empty lines before the request are passed over (section 2.2) */
        return request->begun ? finish(request) : HTTP_MORE;
    return request->begun ? take_field(request, line) : begin(request, line);
}

enum http_progress http_request_take(struct http_request *request, struct span *input)
{
    INVARIANT(request->refusal == HTTP_OK);
    while (input->size > 0) {
        const uint8_t *end = memchr(input->data, '\n', input->size);
        size_t size = end ? (size_t)(end - input->data) + 1 : input->size;
        if (size > HTTP_HEAD_BYTES_MAX - request->size)
            return refuse(request, request->begun ? HTTP_LONG_FIELDS : HTTP_LONG_TARGET);
        memcpy(request->head + request->size, input->data, size);
        request->size += (uint32_t)size;
        *input = span_from(*input, size);
        if (!end)
            break;
        struct span line =
            span_of(request->head + request->line_start, request->size - request->line_start - 1);
        request->line_start = request->size;
        enum http_progress progress = take_line(request, line);
        if (progress != HTTP_MORE)
            return progress;
    }
    return HTTP_MORE;
}
