#include "tools/local_text.h"

static const char from_text[] = "From ";

#define FROM_BYTES ((uint32_t)sizeof from_text - 1)

static bool put(const struct local_text *text, struct span bytes)
{
    return bytes.size == 0 || fwrite(bytes.data, 1, bytes.size, text->file) == bytes.size;
}

/* It is known now whether the line has to be quoted: writes what was kept of its beginning. */
static bool decide(struct local_text *text, bool quote)
{
    bool good = true;
    for (text->marks += quote; text->marks > 0 && good; text->marks--)
        good = put(text, SPAN(">"));
    good = good && put(text, span_of(from_text, text->from_size));
    text->from_size = 0;
    text->inside_line = true;
    return good;
}

/* Reads a line's beginning until it is decided: true then. `part` moves on. */
static bool read_beginning(struct local_text *text, struct span *part, bool *quote)
{
    *quote = false;
    for (; part->size > 0; *part = span_from(*part, 1)) {
        if (text->from_size == 0 && part->data[0] == '>')
            text->marks++;
        else if (part->data[0] == (uint8_t)from_text[text->from_size])
            text->from_size++;
        else
            return true;
        *quote = text->from_size == FROM_BYTES;
        if (*quote) {
            *part = span_from(*part, 1);
            return true;
        }
    }
    return false;
}

/* A part of a line, without its end. */
static bool write_part(struct local_text *text, struct span part)
{
    bool quote;
    if (part.size > 0 && !text->inside_line && text->quotes) {
        if (!read_beginning(text, &part, &quote))
            return true;
        if (!decide(text, quote))
            return false;
    }
    return put(text, part);
}

static bool write_run(struct local_text *text, struct span run)
{
    if (text->held_newline && !put(text, SPAN("\n")))
        return false;
    text->held_newline = false;
    bool ended = run.data[run.size - 1] == '\n';
    if (text->held_return && !(ended && run.size == 1) && !write_part(text, SPAN("\r")))
        return false;
    text->held_return = false;
    struct span part = span_of(run.data, run.size - ended);
    if (part.size > 0 && part.data[part.size - 1] == '\r') {
        text->held_return = !ended;
        part.size--;
    }
    if (!write_part(text, part))
        return false;
    if (!ended)
        return true;
    text->held_newline = true;
    if (!decide(text, false))
        return false;
    text->inside_line = false;
    return true;
}

bool local_text_write(struct local_text *text, struct span wire)
{
    struct span run;
    while (unstuff_next(&text->unstuff, &wire, &run))
        if (!write_run(text, run))
            return false;
    return true;
}

bool local_text_end(struct local_text *text, bool newline)
{
    return !newline || !text->held_newline || put(text, SPAN("\n"));
}
