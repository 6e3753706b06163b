#include "engine/smtp/line.h"

static enum smtp_line_event keep(struct smtp_line *line, struct blocks *blocks, struct span part)
{
    if (!line->too_long && line->size + part.size >= SMTP_LINE_BYTES_MAX) {
        smtp_line_release(line, blocks);
        line->too_long = true;
    }
    if (line->too_long || part.size == 0)
        return SMTP_LINE_MORE;
    if (line->block == NULL)
        line->block = blocks_take(blocks, BLOCK_1K);
    if (line->block == NULL)
        return SMTP_LINE_WAIT;
    memcpy(line->block + line->size, part.data, part.size);
    line->size += (uint16_t)part.size;
    return SMTP_LINE_MORE;
}

/* `end` is the last part of a line, through its LF. */
static enum smtp_line_event finish(struct smtp_line *line, struct blocks *blocks, struct span end,
                                   struct span *text)
{
    if (line->too_long || line->size + end.size > SMTP_LINE_BYTES_MAX) {
        smtp_line_release(line, blocks);
        return SMTP_LINE_TOO_LONG;
    }
    struct span whole = end;
    if (line->block) {
        memcpy(line->block + line->size, end.data, end.size);
        line->size += (uint16_t)end.size;
        whole = span_of(line->block, line->size);
    }
    if (whole.size < 2 || whole.data[whole.size - 2] != '\r')
        return SMTP_LINE_BARE;
    *text = span_of(whole.data, whole.size - 2);
    return SMTP_LINE_DONE;
}

enum smtp_line_event smtp_line_next(struct smtp_line *line, struct blocks *blocks,
                                    struct span input, size_t *consumed, struct span *text)
{
    const uint8_t *end = input.size ? memchr(input.data, '\n', input.size) : NULL;
    if (end) {
        *consumed = (size_t)(end - input.data) + 1;
        return finish(line, blocks, span_of(input.data, *consumed), text);
    }
    enum smtp_line_event event = keep(line, blocks, input);
    *consumed = event == SMTP_LINE_WAIT ? 0 : input.size;
    return event;
}

void smtp_line_release(struct smtp_line *line, struct blocks *blocks)
{
    if (line->block)
        blocks_give(blocks, BLOCK_1K, line->block);
    *line = (struct smtp_line){0};
}
