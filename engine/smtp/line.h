/* Command lines out of input that is cut anywhere (RFC 5321 section 2.3.8).
 *
 * A line that is whole in the input is returned where it lies; only what is left of a partial one
 * is kept, in a block of 1 KiB held until smtp_line_release. A line that is too long is not kept at
 * all: its bytes are dropped as they come, and it is reported once, at its end. */
#ifndef ENGINE_SMTP_LINE_H
#define ENGINE_SMTP_LINE_H

#include "base/blocks.h"
#include "base/span.h"

#define SMTP_LINE_BYTES_MAX 1024u /* with its end */

struct smtp_line { /* zeroed memory is an empty one */
    uint8_t *block;
    uint16_t size; /* bytes in the block */
    bool too_long; /* the rest of the line is being dropped */
};

enum smtp_line_event {
    SMTP_LINE_DONE,
    SMTP_LINE_BARE,     /* whole, but ended by LF alone */
    SMTP_LINE_TOO_LONG, /* at its end */
    SMTP_LINE_MORE,     /* all input consumed, no end yet */
    SMTP_LINE_WAIT,     /* no block to keep the partial line in: nothing consumed */
};

/* Takes the next line, or what there is of it, from the start of `input`. `text` (DONE) is without
 * its CRLF and valid until the input or the line is touched. */
enum smtp_line_event smtp_line_next(struct smtp_line *line, struct blocks *blocks,
                                    struct span input, size_t *consumed, struct span *text);

/* Gives the block back; the text it held is gone. */
void smtp_line_release(struct smtp_line *line, struct blocks *blocks);

#endif
