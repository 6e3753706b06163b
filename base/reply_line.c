#include "base/reply_line.h"

static void keep(struct reply_line *line, struct span piece)
{
    if (line->size < sizeof line->head) {
        size_t room = sizeof line->head - line->size;
        memcpy(line->head + line->size, piece.data, piece.size < room ? piece.size : room);
    }
    line->size = (uint16_t)(line->size + piece.size);
}

/* The line without its end, as far as `kept` has it; `size` is that of the whole line with LF. */
static struct span text_of(const uint8_t *kept, size_t size)
{
    size--;
    if (size > 0 && size <= REPLY_LINE_BYTES_KEPT && kept[size - 1] == '\r')
        size--;
    return span_of(kept, size < REPLY_LINE_BYTES_KEPT ? size : REPLY_LINE_BYTES_KEPT);
}

enum reply_line_result reply_line_take(struct reply_line *line, struct span *input,
                                       struct span *text)
{
    const uint8_t *end = input->size > 0 ? memchr(input->data, '\n', input->size) : NULL;
    struct span piece = span_of(input->data, end ? (size_t)(end - input->data) + 1 : input->size);
    if (piece.size > REPLY_LINE_BYTES_MAX - line->size)
        return REPLY_LINE_TOO_LONG;
    *input = span_from(*input, piece.size);
    if (end && line->size == 0) {
        *text = text_of(piece.data, piece.size);
        return REPLY_LINE_DONE;
    }
    if (piece.size > 0)
        keep(line, piece);
    if (!end)
        return REPLY_LINE_MORE;
    *text = text_of(line->head, line->size);
    line->size = 0;
    return REPLY_LINE_DONE;
}
