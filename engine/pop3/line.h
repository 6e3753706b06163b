/* Command lines out of a stream of bytes that may be cut anywhere.
 *
 * A line that arrives in one piece is used where it lies; only an incomplete one is copied to a
 * block, which is wiped when it is given back, since it may hold a password. Lines end with LF or
 * CRLF. A line that is too long, or for which there is no block, is swallowed up to its end, so
 * that the conversation stays in step. */
#ifndef ENGINE_POP3_LINE_H
#define ENGINE_POP3_LINE_H

#include "base/blocks.h"
#include "base/span.h"

enum pop3_line_result {
    POP3_LINE_MORE, /* all input is consumed and the line is not at its end */
    POP3_LINE_DONE,
    POP3_LINE_OVERLONG, /* at its end, but longer than POP3_COMMAND_BYTES_MAX */
    POP3_LINE_LOST,     /* at its end, but no block was free to hold its beginning */
};

struct pop3_line {
    uint8_t *block; /* NULL: nothing is held */
    uint16_t size;  /* bytes held */
    uint8_t fate;   /* enum pop3_line_result as far as it is decided; MORE: undecided */
};

/* Moves `input` past the rest of one line. DONE: `text` is the line without its end; OVERLONG: its
 * first POP3_COMMAND_BYTES_MAX bytes; valid until pop3_line_release, which must follow either, and
 * LOST too. */
enum pop3_line_result pop3_line_take(struct pop3_line *line, struct blocks *blocks,
                                     struct span *input, struct span *text);

/* Wipes and gives back what is held: ready for the next line. */
void pop3_line_release(struct pop3_line *line, struct blocks *blocks);

#endif
