#include "engine/pop3/client_body.h"

/* What the last bytes were, as far as the next byte's meaning depends on it. */
enum {
    START, /* at the start of a line */
    TEXT,
    CR,     /* the last byte was one */
    DOT,    /* a dot as a line's first byte, not handed on yet */
    DOT_CR, /* and CR after it, not handed on either */
};

struct scan {
    struct span input;
    size_t at;   /* bytes passed */
    size_t from; /* those before were handed on, or won't be */
    bool unstuff;
    struct pop3_client_sink sink;
};

static void hand_on(const struct scan *scan, struct span bytes)
{
    if (bytes.size > 0)
        scan->sink.bytes(scan->sink.owner, bytes);
}

static void hand_on_passed(struct scan *scan)
{
    hand_on(scan, span_of(scan->input.data + scan->from, scan->at - scan->from));
    scan->from = scan->at;
}

/* At the start of a line. The dot and what follows it may be the end. */
static uint8_t pass_start(struct scan *scan)
{
    if (scan->input.data[scan->at] != '.')
        return TEXT;
    hand_on_passed(scan);
    scan->from = ++scan->at;
    return DOT;
}

static uint8_t pass_dot(struct scan *scan)
{
    if (scan->input.data[scan->at] == '\r') {
        scan->from = ++scan->at;
        return DOT_CR;
    }
    if (!scan->unstuff)
        hand_on(scan, SPAN("."));
    return TEXT;
}

/* It was not the end after all. */
static uint8_t pass_dot_cr(struct scan *scan)
{
    hand_on(scan, scan->unstuff ? SPAN("\r") : SPAN(".\r"));
    return CR;
}

/* To the start of the next line, or as far as there is input. */
static uint8_t pass_text(struct scan *scan, uint8_t state)
{
    const uint8_t *rest = scan->input.data + scan->at;
    size_t left = scan->input.size - scan->at;
    const uint8_t *lf = memchr(rest, '\n', left);
    if (lf == NULL) {
        scan->at += left;
        return rest[left - 1] == '\r' ? CR : TEXT;
    }
    bool crlf = lf > rest ? lf[-1] == '\r' : state == CR;
    scan->at += (size_t)(lf - rest) + 1;
    return crlf ? START : TEXT;
}

bool pop3_client_body_take(struct pop3_client_body *body, struct span *input, bool unstuff,
                           struct pop3_client_sink sink)
{
    struct scan scan = {.input = *input, .unstuff = unstuff, .sink = sink};
    uint8_t state = body->state;
    bool ended = false;
    while (scan.at < input->size && !ended) {
        switch (state) {
        case START:
            state = pass_start(&scan);
            break;
        case DOT:
            state = pass_dot(&scan);
            break;
        case DOT_CR:
            ended = input->data[scan.at] == '\n';
            state = ended ? START : pass_dot_cr(&scan);
            break;
        default:
            state = pass_text(&scan, state);
        }
    }
    body->state = state;
    if (ended)
        scan.from = ++scan.at;
    hand_on_passed(&scan);
    *input = span_from(*input, scan.at);
    return ended;
}
