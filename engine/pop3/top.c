#include "engine/pop3/top.h"

static const char final_line[] = ".\r\n";
#define FINAL_LINE_BYTES 3
#define NOT_FINAL (FINAL_LINE_BYTES + 1) /* `matched` of a line that is something else */

static void match_final_line(struct pop3_top *top, struct span part)
{
    for (size_t i = 0; i < part.size && top->matched < NOT_FINAL; i++) {
        bool same = top->matched < FINAL_LINE_BYTES && part.data[i] == final_line[top->matched];
        top->matched = same ? top->matched + 1 : NOT_FINAL;
    }
}

/* Passes the rest of one line, or as much of it as there is. */
static size_t pass_line(struct pop3_top *top, struct span rest)
{
    const uint8_t *end = memchr(rest.data, '\n', rest.size);
    size_t size = end ? (size_t)(end - rest.data) + 1 : rest.size;
    match_final_line(top, span_of(rest.data, size));
    if (end) {
        top->ended = top->matched == FINAL_LINE_BYTES;
        top->matched = 0;
    }
    if (top->header_left > 0)
        top->header_left -= size < top->header_left ? size : top->header_left;
    else if (end)
        top->lines_left--;
    return size;
}

size_t pop3_top_pass(struct pop3_top *top, struct span piece)
{
    size_t passed = 0;
    while (passed < piece.size && !top->ended && (top->header_left > 0 || top->lines_left > 0))
        passed += pass_line(top, span_from(piece, passed));
    return passed;
}
