/* Counts SMTP replies in a stream of bytes, as the load generator needs it: the code of each, with
 * continuation lines passed over (RFC 5321 section 4.2.1). Zeroed memory is a fresh reader. */
#ifndef BENCH_REPLY_READER_H
#define BENCH_REPLY_READER_H

#include "base/span.h"

#define REPLY_READER_LINE_BYTES_MAX 1024u

struct reply_reader_reader {
    uint8_t start[4]; /* the line's first bytes: code and '-' or ' ' */
    uint32_t line_bytes;
};

enum reply_reader_result {
    REPLY_READER_DONE, /* a whole reply; there may be more in the rest */
    REPLY_READER_MORE, /* everything consumed, none ended */
    REPLY_READER_BAD,  /* not SMTP, or a line longer than REPLY_READER_LINE_BYTES_MAX */
};

/* Consumes from the front of `bytes` up to the end of one reply; DONE gives its `code`, 200 … 599.
 */
enum reply_reader_result reply_reader_next(struct reply_reader_reader *reader, struct span *bytes,
                                           unsigned *code);

#endif
