/* Counting for TOP (RFC 1939 section 7): the headers, the empty line after them, and so many lines
 * of the body, out of a message in wire form that comes in pieces. */
#ifndef ENGINE_POP3_TOP_H
#define ENGINE_POP3_TOP_H

#include "base/span.h"

struct pop3_top {
    uint64_t header_left; /* wire bytes up to and with the empty line: set once they are known */
    uint64_t lines_left;  /* of the body */
    uint8_t matched;      /* how much of ".\r\n" the present line is so far */
    bool ended;           /* the message's own final line has passed */
};

/* `lines` of the body are asked for. */
static inline struct pop3_top pop3_top_ask(uint64_t lines)
{
    return (struct pop3_top){.lines_left = lines};
}

/* How many bytes of the next piece belong to the answer; fewer than given: that was all of it. */
size_t pop3_top_pass(struct pop3_top *top, struct span piece);

#endif
