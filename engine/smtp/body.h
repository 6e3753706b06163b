/* The scanner of message bodies: one pass over the bytes as they come, resumable at any byte.
 *
 * It finds where the message ends (RFC 5321 section 4.1.1.4: only CRLF "." CRLF, never a
 * look-alike) and, on the way, what the store and the limits must know: the end of the header,
 * stuffed dots, Received lines, bare CR or LF, lines that are too long, 8-bit bytes. It copies
 * nothing and keeps nothing but the counts below. Bodies of DATA arrive in wire form; chunks of
 * BDAT (RFC 3030) are raw, so there the scanner asks for a dot wherever one must be stuffed. All
 * offsets count bytes of the wire form. */
#ifndef ENGINE_SMTP_BODY_H
#define ENGINE_SMTP_BODY_H

#include "base/span.h"

/* What the last bytes were, as far as the next byte's meaning depends on it. */
enum body_state {
    BODY_TEXT,
    BODY_CR,       /* CR inside a line */
    BODY_START,    /* at the start of a line */
    BODY_START_CR, /* CR as a line's first byte: with LF, an empty line */
    BODY_DOT,      /* a dot as a line's first byte (DATA) */
    BODY_DOT_CR,   /* and CR after it: with LF, the end */
    BODY_ENDED,
};
#define BODY_STATES_OPEN 6 /* the states before BODY_ENDED */

struct body {
    uint64_t bytes;          /* so far, in wire form */
    uint64_t line_start;     /* where the current line began, a stuffed dot not counted */
    uint64_t header_bytes;   /* through the first empty line; 0: not seen (all, once ended) */
    uint32_t line_bytes_max; /* with CRLF */
    uint32_t stuffed;        /* dots at the start of a line, the final one excluded */
    uint32_t hops;           /* Received lines in the header */
    uint8_t state;           /* enum body_state */
    uint8_t matched;   /* bytes of "Received:" matched in this line; RECEIVED_DONE in body.c */
    bool chunked;      /* raw chunks */
    bool eight_bit;    /* some byte ≥ 0x80 */
    bool bare;         /* a CR without LF or a LF without CR */
    bool long_line;    /* a line longer than line_bytes_max */
    bool unterminated; /* chunks whose last line had no CRLF */
};

/* `line_bytes_max`: 0 for no limit, otherwise ≥ 64. `chunked`: BDAT. */
void body_init(struct body *body, uint32_t line_bytes_max, bool chunked);

enum body_event {
    BODY_MORE,  /* all was consumed */
    BODY_END,   /* the end of data was consumed (DATA only) */
    BODY_STUFF, /* chunks: the next byte is a dot at the start of a line: see body_stuff */
};

/* Scans `input` up to the first event; `consumed` bytes belong to the body. All give the same
 * results at any segmentation: body_scan takes 64 bytes at a time with the best the processor has,
 * the baseline with what every processor has, and the scalar twin is their definition. */
enum body_event body_scan(struct body *body, struct span input, size_t *consumed);
enum body_event body_scan_baseline(struct body *body, struct span input, size_t *consumed);
enum body_event body_scan_scalar(struct body *body, struct span input, size_t *consumed);

/* The caller has put a dot into the wire form, as BODY_STUFF asked. */
void body_stuff(struct body *body);

/* The last chunk is through: the bytes that end the message in wire form, ".\r\n" after a "\r\n" if
 * the last line lacks it. Static. */
struct span body_finish(struct body *body);

/* Octets of the message as the client means them (RFC 1870 section 3): without stuffed dots, the
 * end of data, or a line end that body_finish had to add. Never counts a byte that may yet turn out
 * to be part of the end of data. */
uint64_t body_octets(const struct body *body);

#endif
