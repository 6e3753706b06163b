#include "engine/smtp/body.h"

#include "base/invariant.h"
#include "engine/smtp/body_step.h"

#define BLOCK_BYTES 64u
#define END_BYTES 3u /* ".\r\n" */

void body_init(struct body *body, uint32_t line_bytes_max, bool chunked)
{
    INVARIANT(line_bytes_max == 0 || line_bytes_max >= BLOCK_BYTES);
    *body = (struct body){
        .line_bytes_max = line_bytes_max ? line_bytes_max : UINT32_MAX,
        .state = BODY_START,
        .chunked = chunked,
    };
}

enum byte_class { BYTE_OTHER, BYTE_CR, BYTE_LF, BYTE_DOT, BYTE_CLASSES };

static enum byte_class byte_class(uint8_t byte)
{
    switch (byte) {
    case '\r':
        return BYTE_CR;
    case '\n':
        return BYTE_LF;
    case '.':
        return BYTE_DOT;
    default:
        return BYTE_OTHER;
    }
}

#define BARE 0x80 /* the byte shows a CR or LF that stands alone */

/* After a bare CR or LF the line goes on: only CRLF ends lines, so only CRLF.CRLF ends messages. */
static const uint8_t transitions[BODY_STATES_OPEN][BYTE_CLASSES] = {
    /*                 other             CR                LF                dot */
    [BODY_TEXT] = {BODY_TEXT, BODY_CR, BODY_TEXT | BARE, BODY_TEXT},
    [BODY_CR] = {BODY_TEXT | BARE, BODY_CR | BARE, BODY_START, BODY_TEXT | BARE},
    [BODY_START] = {BODY_TEXT, BODY_START_CR, BODY_TEXT | BARE, BODY_DOT},
    [BODY_START_CR] = {BODY_TEXT | BARE, BODY_CR | BARE, BODY_START, BODY_TEXT | BARE},
    [BODY_DOT] = {BODY_TEXT, BODY_DOT_CR, BODY_TEXT | BARE, BODY_TEXT},
    [BODY_DOT_CR] = {BODY_TEXT | BARE, BODY_CR | BARE, BODY_ENDED, BODY_TEXT | BARE},
};

static void count_dot(struct body *body)
{
    body->stuffed++;
    body->line_start++;
}

static void end_line(struct body *body, bool empty)
{
    body->long_line |= body->bytes - body->line_start > body->line_bytes_max;
    body->line_start = body->bytes;
    if (body->header_bytes > 0)
        return;
    if (empty)
        body->header_bytes = body->bytes;
    body->matched = empty ? RECEIVED_DONE : 0;
}

static void end_message(struct body *body)
{
    body->state = BODY_ENDED;
    if (body->header_bytes == 0)
        body->header_bytes = body->bytes - END_BYTES;
}

bool body_step(struct body *body, uint8_t byte)
{
    INVARIANT(body->state < BODY_ENDED);
    uint8_t before = body->state;
    uint8_t after = transitions[before][byte_class(byte)];
    body->bytes++;
    body->eight_bit |= byte >> 7;
    body->bare |= (after & BARE) != 0;
    body->state = after & (uint8_t)~BARE;
    if (body->matched != RECEIVED_DONE)
        body_match(body, byte);
    if (body->state == BODY_START)
        end_line(body, before == BODY_START_CR);
    else if (body->state == BODY_DOT)
        count_dot(body);
    if (body->state != BODY_ENDED)
        return false;
    body->stuffed--;
    end_message(body);
    return true;
}

enum body_event body_scan_scalar(struct body *body, struct span input, size_t *consumed)
{
    enum body_event event = BODY_MORE;
    size_t at = 0;
    while (at < input.size && event == BODY_MORE) {
        if (body->chunked && body->state == BODY_START && input.data[at] == '.')
            event = BODY_STUFF;
        else if (body_step(body, input.data[at++]))
            event = BODY_END;
    }
    *consumed = at;
    return event;
}

void body_stuff(struct body *body)
{
    INVARIANT(body->chunked && body->state == BODY_START);
    body->bytes++;
    count_dot(body);
    body->state = BODY_TEXT;
    body->matched = RECEIVED_DONE;
}

struct span body_finish(struct body *body)
{
    INVARIANT(body->chunked && body->state < BODY_ENDED);
    struct span end = SPAN(".\r\n");
    if (body->state != BODY_START) {
        end = SPAN("\r\n.\r\n");
        body->bare |= body->state == BODY_CR || body->state == BODY_START_CR;
        body->unterminated = true;
        body->long_line |= body->bytes + 2 - body->line_start > body->line_bytes_max;
    }
    body->bytes += end.size;
    end_message(body);
    return end;
}

uint64_t body_octets(const struct body *body)
{
    uint64_t octets = body->bytes - body->stuffed - (body->unterminated ? 2 : 0);
    if (body->state == BODY_ENDED)
        return octets - END_BYTES;
    return body->state == BODY_DOT_CR ? octets - 1 : octets;
}
