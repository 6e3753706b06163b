/* From wire form to a file as Unix keeps mail: lines that end with LF, without stuffed dots and the
 * final ".CRLF"; in an mbox with ">" before every line that begins with "From " or with ">"s and
 * that (mboxrd). Works on any cut of the input. */
#ifndef TOOLS_LOCAL_TEXT_H
#define TOOLS_LOCAL_TEXT_H

#include "tools/unstuff.h"

struct local_text { /* `file` and `quotes` are given, the rest is zero at the beginning of a
                       message */
    FILE *file;
    bool quotes; /* an mbox */
    struct unstuff unstuff;
    bool held_return;   /* a CR that may belong to a line's end */
    bool held_newline;  /* the end of a line, written when more comes */
    bool inside_line;   /* what the line begins with is known and written */
    uint64_t marks;     /* ">"s that the line began with so far, */
    uint32_t from_size; /* … and bytes of "From " behind them */
};

/* False when the file can't take it. */
bool local_text_write(struct local_text *text, struct span wire)
    __attribute__((warn_unused_result));
/* The message is over; `newline`: with the end of its last line. */
bool local_text_end(struct local_text *text, bool newline) __attribute__((warn_unused_result));

#endif
