#include "engine/load/fetched.h"

/* Where the next byte belongs. LF ends a header's line, with or without CR before it. */
enum state {
    START,    /* to a line of the header, */
    START_CR, /* of which CR was the first byte */
    NAME,     /* to a line that so far is the field's name */
    ID,       /* to the field's value */
    TEXT,     /* to any other line */
    BODY,
};

void fetched_start(struct fetched *fetched)
{
    digest_start(&fetched->digest);
    fetched->state = START;
    fetched->matched = fetched->id_bytes = 0;
    fetched->in_id = fetched->id_done = fetched->id_seen = false;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

/* A line that begins with a blank goes on with the field before it (RFC 5322 section 2.2.3). */
static enum state pass_start(struct fetched *fetched, uint8_t byte)
{
    fetched->in_id &= byte == ' ' || byte == '\t';
    fetched->matched = 0;
    switch (byte) {
    case '\n':
        return BODY;
    case '\r':
        return START_CR;
    case ' ':
    case '\t':
        return fetched->in_id ? ID : TEXT;
    default:
        return NAME;
    }
}

static enum state pass_name(struct fetched *fetched, uint8_t byte)
{
    static const struct span name = SPAN_INIT("x-mailrace-id");
    if (byte == '\n')
        return START;
    if (fetched->matched < name.size)
        return ascii_lower(byte) == name.data[fetched->matched++] ? NAME : TEXT;
    if (byte != ':')
        return byte == ' ' || byte == '\t' ? NAME : TEXT;
    if (fetched->id_seen)
        return TEXT;
    fetched->id_seen = fetched->in_id = true;
    return ID;
}

/* What is no id is forgotten, and the rest of the field with it. */
static enum state pass_id(struct fetched *fetched, uint8_t byte)
{
    if (byte == '\n')
        return START;
    if (is_blank(byte)) {
        fetched->id_done = fetched->id_bytes > 0;
        return ID;
    }
    if (fetched->id_done || fetched->id_bytes == sizeof fetched->id) {
        fetched->id_bytes = 0;
        fetched->in_id = false;
        return TEXT;
    }
    fetched->id[fetched->id_bytes++] = byte;
    return ID;
}

/* To the start of the next line, or as far as there are bytes; returns how many. */
static size_t skip_text(struct fetched *fetched, struct span bytes)
{
    const uint8_t *lf = memchr(bytes.data, '\n', bytes.size);
    if (lf == NULL)
        return bytes.size;
    fetched->state = START;
    return (size_t)(lf - bytes.data) + 1;
}

void fetched_add(struct fetched *fetched, struct span bytes)
{
    for (size_t at = 0; at < bytes.size;) {
        uint8_t byte = bytes.data[at];
        switch ((enum state)fetched->state) {
        case START:
            fetched->state = (uint8_t)pass_start(fetched, byte);
            at += fetched->state != NAME; /* of which it is the first byte */
            break;
        case START_CR:
            fetched->state = byte == '\n' ? BODY : TEXT;
            at += byte == '\n';
            break;
        case NAME:
            fetched->state = (uint8_t)pass_name(fetched, byte);
            at++;
            break;
        case ID:
            fetched->state = (uint8_t)pass_id(fetched, byte);
            at++;
            break;
        case TEXT:
            at += skip_text(fetched, span_from(bytes, at));
            break;
        case BODY:
            digest_add(&fetched->digest, span_from(bytes, at));
            return;
        }
    }
}

struct span fetched_id(const struct fetched *fetched)
{
    struct span id = span_of(fetched->id, fetched->id_bytes);
    return ledger_is_id(id) ? id : span_of(NULL, 0);
}

uint64_t fetched_digest(const struct fetched *fetched)
{
    return digest_end(&fetched->digest);
}
