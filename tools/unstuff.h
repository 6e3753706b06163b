/* From wire form to the message itself: takes out the dots that SMTP stuffed and the final ".CRLF"
 * (RFC 5321 section 4.5.2). Works on any cut of the input. */
#ifndef TOOLS_UNSTUFF_H
#define TOOLS_UNSTUFF_H

#include "base/span.h"

#include <stdio.h>

struct unstuff {      /* zeroed memory is the beginning of a message */
    bool inside_line; /* the next byte does not begin a line */
    bool after_dot;   /* a dot began this line and was taken out */
};

/* The next run of the message's bytes in `wire`, which moves on: up to and with a newline, or what
 * there is of a line. False: there are no more. */
bool unstuff_next(struct unstuff *unstuff, struct span *wire, struct span *run);

/* Writes what `wire` stands for. False when the file can't take it. */
bool unstuff_write(struct unstuff *unstuff, struct span wire, FILE *file)
    __attribute__((warn_unused_result));

#endif
