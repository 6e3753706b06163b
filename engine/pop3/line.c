#include "engine/pop3/line.h"

#include "base/invariant.h"
#include "engine/pop3/server.h"

#include <assert.h>

/* A held line fills exactly one block. */
static_assert(POP3_COMMAND_BYTES_MAX == 1024, "BLOCK_1K holds a command line");

static void hold(struct pop3_line *line, struct blocks *blocks, struct span piece)
{
    if (line->fate != POP3_LINE_MORE)
        return;
    if (!line->block)
        line->block = blocks_take(blocks, BLOCK_1K);
    if (!line->block) {
        line->fate = POP3_LINE_LOST;
        return;
    }
    size_t room = POP3_COMMAND_BYTES_MAX - line->size;
    size_t size = piece.size < room ? piece.size : room;
    memcpy(line->block + line->size, piece.data, size);
    line->size = (uint16_t)(line->size + size);
    if (piece.size > room)
        line->fate = POP3_LINE_OVERLONG;
}

static struct span without_line_end(struct span text)
{
    text.size--;
    if (text.size > 0 && text.data[text.size - 1] == '\r')
        text.size--;
    return text;
}

/* The whole line in one piece of input. */
static enum pop3_line_result take_in_place(struct span whole, struct span *text)
{
    if (whole.size > POP3_COMMAND_BYTES_MAX) {
        *text = span_of(whole.data, POP3_COMMAND_BYTES_MAX);
        return POP3_LINE_OVERLONG;
    }
    *text = without_line_end(whole);
    return POP3_LINE_DONE;
}

enum pop3_line_result pop3_line_take(struct pop3_line *line, struct blocks *blocks,
                                     struct span *input, struct span *text)
{
    if (input->size == 0)
        return POP3_LINE_MORE;
    const uint8_t *end = memchr(input->data, '\n', input->size);
    size_t size = end ? (size_t)(end - input->data) + 1 : input->size;
    struct span piece = span_of(input->data, size);
    *input = span_from(*input, size);

    bool begun = line->size > 0 || line->fate != POP3_LINE_MORE;
    if (end && !begun)
        return take_in_place(piece, text);
    hold(line, blocks, piece);
    if (!end)
        return POP3_LINE_MORE;
    struct span held = span_of(line->block, line->size);
    if (line->fate == POP3_LINE_MORE) {
        *text = without_line_end(held);
        return POP3_LINE_DONE;
    }
    *text = held;
    return line->fate;
}

void pop3_line_release(struct pop3_line *line, struct blocks *blocks)
{
    if (line->block) {
        explicit_bzero(line->block, line->size);
        blocks_give(blocks, BLOCK_1K, line->block);
    }
    *line = (struct pop3_line){0};
}
