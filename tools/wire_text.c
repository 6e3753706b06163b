#include "tools/wire_text.h"

#include <stdlib.h>

#define TRACE_BYTES_MAX 4096u

static const struct span end_of_data = SPAN_INIT(".\r\n");
static const struct span return_path = SPAN_INIT("Return-Path:");
static const struct span delivered_to = SPAN_INIT("Delivered-To: ");
static const struct span received = SPAN_INIT("Received:");

static bool begins_with(struct span text, struct span with)
{
    return text.size >= with.size && span_equal_nocase(span_of(text.data, with.size), with);
}

/* ---- lines ---- */

/* The next line without its end; `ended`: it had one. False: there are no more. */
static bool next_line(struct span *raw, struct span *line, bool *ended)
{
    if (raw->size == 0)
        return false;
    const uint8_t *end = memchr(raw->data, '\n', raw->size);
    size_t size = end ? (size_t)(end - raw->data) : raw->size;
    *line = span_of(raw->data, size);
    *ended = end != NULL;
    *raw = span_from(*raw, size + *ended);
    if (*ended && size > 0 && line->data[size - 1] == '\r')
        line->size--;
    return true;
}

static bool make_room(struct wire_text *text, size_t bytes)
{
    if (bytes <= text->capacity - text->size)
        return true;
    size_t capacity = (text->size + bytes) * 2;
    uint8_t *grown = realloc(text->bytes, capacity);
    if (grown == NULL)
        return false;
    text->bytes = grown;
    text->capacity = capacity;
    return true;
}

static void put(struct wire_text *text, struct span bytes)
{
    if (bytes.size > 0)
        memcpy(text->bytes + text->size, bytes.data, bytes.size);
    text->size += bytes.size;
}

static bool has_eight_bit(struct span line)
{
    uint8_t bits = 0;
    for (size_t i = 0; i < line.size; i++)
        bits |= line.data[i];
    return bits & 0x80;
}

static enum status add_line(struct wire_text *text, struct span line)
{
    if (line.size > 0 && memchr(line.data, '\r', line.size) != NULL)
        return STATUS_CORRUPT;
    if (!make_room(text, line.size + 1 + 2 + end_of_data.size))
        return STATUS_SYSTEM;
    if (line.size > 0 && line.data[0] == '.') {
        put(text, SPAN("."));
        text->stuffed++;
    }
    put(text, line);
    put(text, SPAN("\r\n"));
    text->eight_bit |= has_eight_bit(line);
    if (line.size == 0 && text->header_bytes == 0)
        text->header_bytes = text->size - text->trace_bytes;
    return STATUS_OK;
}

/* ---- what an export added ---- */

struct trace {
    size_t top;  /* bytes of the Return-Path line, */
    size_t name; /* … of the line behind it, which names the mailbox, */
    size_t rest; /* … and of the Received field */
};

static bool is_folded(struct span raw)
{
    return raw.size > 0 && (raw.data[0] == ' ' || raw.data[0] == '\t');
}

static bool find_trace(struct span raw, struct span mailbox, struct trace *trace)
{
    struct span line, rest = raw;
    bool ended;
    if (!next_line(&rest, &line, &ended) || !begins_with(line, return_path))
        return false;
    size_t top = raw.size - rest.size;
    if (!next_line(&rest, &line, &ended) || line.size < delivered_to.size ||
        !span_equal(span_of(line.data, delivered_to.size), delivered_to) ||
        !span_equal(span_from(line, delivered_to.size), mailbox))
        return false;
    size_t name = raw.size - rest.size - top;
    if (!next_line(&rest, &line, &ended) || !begins_with(line, received))
        return false;
    while (is_folded(rest))
        next_line(&rest, &line, &ended);
    *trace = (struct trace){top, name, raw.size - rest.size - top - name};
    return ended && top + trace->rest <= TRACE_BYTES_MAX;
}

static enum status add_lines(struct wire_text *text, struct span raw)
{
    struct span line;
    bool ended;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && next_line(&raw, &line, &ended)) {
        status = add_line(text, line);
        text->no_final_newline = !ended;
    }
    return status;
}

enum status wire_text_make(struct wire_text *text, struct span raw, struct span mailbox)
{
    struct trace trace;
    *text = (struct wire_text){.bytes = text->bytes, .capacity = text->capacity};
    if (!make_room(text, raw.size + raw.size / 16 + end_of_data.size))
        return STATUS_SYSTEM;
    enum status status = STATUS_OK;
    if (find_trace(raw, mailbox, &trace)) {
        status = add_lines(text, span_of(raw.data, trace.top));
        raw = span_from(raw, trace.top + trace.name);
        if (status == STATUS_OK)
            status = add_lines(text, span_of(raw.data, trace.rest));
        raw = span_from(raw, trace.rest);
        text->trace_bytes = text->size;
        text->header_bytes = 0;
    }
    if (status == STATUS_OK)
        status = add_lines(text, raw);
    if (status != STATUS_OK)
        return status;
    if (text->header_bytes == 0)
        text->header_bytes = text->size - text->trace_bytes;
    put(text, end_of_data);
    return STATUS_OK;
}

void wire_text_deinit(struct wire_text *text)
{
    free(text->bytes);
    *text = (struct wire_text){0};
}

struct span wire_text_return_path(const struct wire_text *text)
{
    struct span rest = span_of(text->bytes, text->trace_bytes + text->header_bytes), line;
    bool ended;
    while (next_line(&rest, &line, &ended)) {
        if (!begins_with(line, return_path))
            continue;
        const uint8_t *open = memchr(line.data, '<', line.size);
        const uint8_t *close =
            open ? memchr(open, '>', (size_t)(line.data + line.size - open)) : NULL;
        return close ? span_of(open + 1, (size_t)(close - open - 1)) : span_of(NULL, 0);
    }
    return span_of(NULL, 0);
}
