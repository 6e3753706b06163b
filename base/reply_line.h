/* Lines of replies out of a stream that is cut anywhere, as clients read them.
 *
 * A line that is whole in the input is returned where it lies. Of one that comes in pieces the
 * beginning is kept in the struct; what follows it is dropped, since clients act on the first words
 * of a line only. Both ways the text ends at the same byte, so cuts don't matter. Lines end with LF
 * or CRLF. Zeroed memory is ready for a line. */
#ifndef BASE_REPLY_LINE_H
#define BASE_REPLY_LINE_H

#include "base/span.h"

#define REPLY_LINE_BYTES_KEPT 118u /* of a line's text */
#define REPLY_LINE_BYTES_MAX 4096u /* with its end; RFC 5321 and 2449 allow 512 */

struct reply_line {
    uint16_t size; /* bytes of the line so far, the dropped ones too */
    uint8_t head[REPLY_LINE_BYTES_KEPT];
};

enum reply_line_result {
    REPLY_LINE_MORE, /* all input is consumed and the line is not at its end */
    REPLY_LINE_DONE,
    REPLY_LINE_TOO_LONG, /* longer than REPLY_LINE_BYTES_MAX: there is no going on */
};

/* Moves `input` past the rest of one line. DONE: `text` is the line without its end, cut at
 * REPLY_LINE_BYTES_KEPT; valid until the next call, and no longer than the input. */
enum reply_line_result reply_line_take(struct reply_line *line, struct span *input,
                                       struct span *text);

#endif
