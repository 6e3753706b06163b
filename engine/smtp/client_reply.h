/* Replies as they come from a server (RFC 5321 section 4.2): a code of three digits, and text in
 * one or more lines, of which the last is told apart by what follows its code. Zeroed memory is
 * ready for a reply. */
#ifndef ENGINE_SMTP_CLIENT_REPLY_H
#define ENGINE_SMTP_CLIENT_REPLY_H

#include "base/reply_line.h"

struct smtp_client_reply {
    struct reply_line line;
    uint16_t code;  /* of the reply at hand, and of the last one between replies */
    uint16_t lines; /* of the reply at hand; 0: between replies */
};

enum smtp_client_reply_result {
    SMTP_CLIENT_REPLY_MORE, /* all input is consumed, no line has ended */
    SMTP_CLIENT_REPLY_LINE, /* a line, not the last */
    SMTP_CLIENT_REPLY_DONE, /* the last line */
    /* The rest ends the conversation. */
    SMTP_CLIENT_REPLY_GARBAGE,
    SMTP_CLIENT_REPLY_MIXED_CODES,
    SMTP_CLIENT_REPLY_LONG_LINE,
    SMTP_CLIENT_REPLY_LONG,
};

#define SMTP_CLIENT_TEXT_BYTES_MAX (REPLY_LINE_BYTES_KEPT - 4u)

/* Moves `input` past the rest of one line. LINE and DONE: `text` is what follows the code, cut at
 * SMTP_CLIENT_TEXT_BYTES_MAX, as valid as reply_line_take's. */
enum smtp_client_reply_result smtp_client_reply_take(struct smtp_client_reply *reply,
                                                     struct span *input, struct span *text);

#endif
