#include "engine/smtp/client_reply.h"

#include "engine/smtp/client.h"

static bool is_digit(uint8_t byte)
{
    return (uint8_t)(byte - '0') < 10;
}

/* Reply-code = %x32-35 %x30-35 %x30-39; servers are seen with more in the second place. */
static bool parse_code(struct span line, uint16_t *code)
{
    const uint8_t *digit = line.data;
    if (line.size < 3 || digit[0] < '2' || digit[0] > '5' || !is_digit(digit[1]) ||
        !is_digit(digit[2]))
        return false;
    *code = (uint16_t)((digit[0] - '0') * 100 + (digit[1] - '0') * 10 + (digit[2] - '0'));
    return true;
}

/* Reply-line = *( Reply-code "-" [ textstring ] CRLF ) Reply-code [ SP textstring ] CRLF */
static enum smtp_client_reply_result parse(struct smtp_client_reply *reply, struct span line,
                                           struct span *text)
{
    uint16_t code;
    if (!parse_code(line, &code) || (line.size > 3 && line.data[3] != ' ' && line.data[3] != '-'))
        return SMTP_CLIENT_REPLY_GARBAGE;
    if (reply->lines > 0 && code != reply->code)
        return SMTP_CLIENT_REPLY_MIXED_CODES;
    if (reply->lines == SMTP_CLIENT_LINES_MAX)
        return SMTP_CLIENT_REPLY_LONG;
    bool last = line.size == 3 || line.data[3] == ' ';
    reply->code = code;
    reply->lines = last ? 0 : (uint16_t)(reply->lines + 1);
    *text = span_from(line, line.size > 3 ? 4 : 3);
    return last ? SMTP_CLIENT_REPLY_DONE : SMTP_CLIENT_REPLY_LINE;
}

enum smtp_client_reply_result smtp_client_reply_take(struct smtp_client_reply *reply,
                                                     struct span *input, struct span *text)
{
    struct span line;
    switch (reply_line_take(&reply->line, input, &line)) {
    case REPLY_LINE_MORE:
        return SMTP_CLIENT_REPLY_MORE;
    case REPLY_LINE_DONE:
        return parse(reply, line, text);
    case REPLY_LINE_TOO_LONG:
        break;
    }
    return SMTP_CLIENT_REPLY_LONG_LINE;
}
