/* From a file as anybody keeps mail to the form in which the store has it: lines that end with CRLF
 * (LF alone is taken for that), stuffed dots, the final ".CRLF" (RFC 5321 section 4.5.2). */
#ifndef TOOLS_WIRE_TEXT_H
#define TOOLS_WIRE_TEXT_H

#include "base/span.h"
#include "base/status.h"

struct wire_text { /* zeroed memory is an empty one */
    uint8_t *bytes;
    size_t size, capacity;
    size_t trace_bytes;    /* of what receiving added once, see below */
    uint64_t header_bytes; /* behind it, through the empty line; all if there is none */
    uint32_t stuffed;      /* dots added */
    bool eight_bit;
    bool no_final_newline; /* the last line's end is ours */
};

/* The whole message anew; memory is kept from one to the next. CORRUPT: it has a CR that ends no
 * line, which no protocol can carry. SYSTEM: no memory.
 *
 * An export names the mailbox in the header that receiving added: "Return-Path: …", "Delivered-To:
 * `mailbox`", "Received: …". Where the message begins with just these, the line that names it is
 * left out again and the other two are the trace header: import undoes what export did. */
enum status wire_text_make(struct wire_text *text, struct span raw, struct span mailbox) MUST_CHECK;
void wire_text_deinit(struct wire_text *text);

/* The address in a Return-Path field of the header, without < and >; empty: there is none, or it is
 * the null path. */
struct span wire_text_return_path(const struct wire_text *text);

#endif
