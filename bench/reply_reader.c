#include "bench/reply_reader.h"

/* Reply-code = %x32-35 %x30-35 %x30-39; the line goes on with SP, "-" or its end. */
static bool code_read(const struct reply_reader_reader *reader, unsigned *code)
{
    const uint8_t *start = reader->start;
    if (reader->line_bytes < sizeof(reader->start) || start[0] < '2' || start[0] > '5' ||
        start[1] < '0' || start[1] > '5' || start[2] < '0' || start[2] > '9')
        return false;
    *code = (start[0] - '0') * 100u + (start[1] - '0') * 10u + (start[2] - '0');
    return true;
}

static void line_add(struct reply_reader_reader *reader, struct span piece)
{
    for (size_t i = 0; i < piece.size && reader->line_bytes + i < sizeof(reader->start); i++)
        reader->start[reader->line_bytes + i] = piece.data[i];
    reader->line_bytes += (uint32_t)piece.size;
}

enum reply_reader_result reply_reader_next(struct reply_reader_reader *reader, struct span *bytes,
                                           unsigned *code)
{
    while (bytes->size > 0) {
        const uint8_t *newline = memchr(bytes->data, '\n', bytes->size);
        size_t size = newline ? (size_t)(newline - bytes->data) + 1 : bytes->size;
        if (size > REPLY_READER_LINE_BYTES_MAX - reader->line_bytes)
            return REPLY_READER_BAD;
        line_add(reader, span_of(bytes->data, size));
        *bytes = span_from(*bytes, size);
        if (!newline)
            return REPLY_READER_MORE;
        if (!code_read(reader, code))
            return REPLY_READER_BAD;
        reader->line_bytes = 0;
        if (reader->start[3] != '-')
            return REPLY_READER_DONE;
    }
    return REPLY_READER_MORE;
}
