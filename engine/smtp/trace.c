#include "engine/smtp/trace.h"

#include "base/invariant.h"
#include "engine/smtp/greeting.h"

struct span smtp_protocol(const struct smtp_session *session)
{
    enum { SECURE = 1, UTF8 = 2, IS_LMTP = 4 };
    static const char *const keywords[] = {
        [0] = "ESMTP",
        [SECURE] = "ESMTPS",
        [UTF8] = "UTF8SMTP",
        [UTF8 | SECURE] = "UTF8SMTPS",
        [IS_LMTP] = "LMTP",
        [IS_LMTP | SECURE] = "LMTPS",
        [IS_LMTP | UTF8] = "UTF8LMTP",
        [IS_LMTP | UTF8 | SECURE] = "UTF8LMTPS",
    };
    if (!session->esmtp)
        return SPAN("SMTP");
    return span_text(keywords[(session->secure ? SECURE : 0) | (session->smtputf8 ? UTF8 : 0) |
                              (session->config->lmtp ? IS_LMTP : 0)]);
}

/* What the trace says about the envelope. */
struct traced {
    struct span reverse_path, recipient;
};

static struct traced traced(const struct envelope *envelope)
{
    struct traced traced = {0};
    struct envelope_cursor cursor = envelope_read(span_of(envelope->bytes, envelope->size));
    unsigned tag;
    struct span value;
    while (envelope_next(&cursor, &tag, &value)) {
        if (tag == ENVELOPE_REVERSE_PATH)
            traced.reverse_path = value;
        else if (tag == ENVELOPE_MAILBOX || tag == ENVELOPE_ORIGINAL)
            traced.recipient = value;
        if (tag == ENVELOPE_MAILBOX && envelope->recipients > 1)
            break;
    }
    INVARIANT(!cursor.bad);
    return traced;
}

/* The client's name is whatever it likes to be called: nothing in it may end a word or a comment.
 */
static void add_name(struct output *out, struct span name)
{
    const struct span unsafe = SPAN("()<>[]\\\",;@");
    bool literal = name.size > 2 && name.data[0] == '[' && name.data[name.size - 1] == ']';
    for (size_t i = 0; i < name.size; i++) {
        bool bracket = literal && (i == 0 || i == name.size - 1);
        bool safe = bracket || !memchr(unsafe.data, name.data[i], unsafe.size);
        output_add(out, safe ? span_of(name.data + i, 1) : SPAN("?"));
    }
}

/* TCP-info = "[" address "]", made of "192.0.2.1:4711" or "[2001:db8::1]:4711"; a name without a
 * port is none. */
static void add_client(struct output *out, struct span client)
{
    size_t size = client.size;
    while (size > 0 && client.data[size - 1] != ':')
        size--;
    if (size == 0) {
        output_add(out, client);
        return;
    }
    struct span address = span_of(client.data, size - 1);
    bool ipv6 = address.size > 2 && address.data[0] == '[';
    if (ipv6)
        address = span_of(address.data + 1, address.size - 2);
    output_add(out, ipv6 ? SPAN("[IPv6:") : SPAN("["));
    output_add(out, address);
    output_add(out, SPAN("]"));
}

static void add_clause(struct output *out, struct span before, struct span value, struct span after)
{
    if (value.size == 0)
        return;
    output_add(out, before);
    output_add(out, value);
    output_add(out, after);
}

size_t smtp_trace(const struct smtp_session *session, struct span id_text, uint64_t wall_ns,
                  struct clock_date_cache *cache, uint8_t out[SMTP_TRACE_BYTES_MAX])
{
    struct output trace = {.data = out, .capacity = SMTP_TRACE_BYTES_MAX};
    struct traced envelope = traced(&session->envelope);
    char date[CLOCK_DATE_BYTES];
    clock_date(cache, wall_ns, date);

    output_add(&trace, SPAN("Return-Path: <"));
    add_clause(&trace, SPAN(""), envelope.reverse_path, SPAN(""));
    output_add(&trace, SPAN(">\r\nReceived: from "));
    add_name(&trace, smtp_helo(session));
    output_add(&trace, SPAN(" ("));
    add_client(&trace, span_of(session->client, session->client_size));
    output_add(&trace, SPAN(")\r\n\tby "));
    output_add(&trace, session->config->hostname);
    output_add(&trace, SPAN(" with "));
    output_add(&trace, smtp_protocol(session));
    add_clause(&trace, SPAN(" ("), session->cipher, SPAN(")"));
    output_add(&trace, SPAN("\r\n\tid "));
    output_add(&trace, id_text);
    /* With more recipients the line would give away blind copies (section 7.2). */
    if (session->envelope.recipients == 1)
        add_clause(&trace, SPAN("\r\n\tfor <"), envelope.recipient, SPAN(">"));
    output_add(&trace, SPAN(";\r\n\t"));
    output_add(&trace, span_of(date, sizeof date));
    output_add(&trace, SPAN("\r\n"));
    return trace.size;
}
