/* Messages to send: read from files, or made up.
 *
 * All are in memory in the form the wire has: CRLF line ends, the last line ended too. Read-only
 * once open, so shards share it. */
#ifndef ENGINE_LOAD_CORPUS_H
#define ENGINE_LOAD_CORPUS_H

#include "base/span.h"
#include "base/status.h"

struct corpus;

struct corpus_text {
    struct span plain;   /* as BDAT and the digest have it */
    struct span stuffed; /* as DATA has it (RFC 5321 section 4.5.2); the same memory if no line
                          * begins with a dot */
};

struct corpus_message {
    struct corpus_text header; /* fields, without the empty line; may be empty */
    struct corpus_text body;   /* after the empty line; may be empty */
    uint64_t digest;           /* of the plain body (base/digest.h) */
    bool eight_bit;            /* a byte above 127 anywhere */
    bool smtputf8;             /* … in the header */
};

/* Reads a Maildir (cur and new), an mbox file ("From " lines at the start or after an empty line;
 * ">From " is unquoted as mboxrd has it), one .eml file, or a folder of .eml files. Messages with
 * an X-Mailrace-Id field lose it; a NUL or a line longer than 998 bytes is sent as it is. ABSENT,
 * DENIED, IO, CONFIG (no message in it) with a line that names the file. */
enum status corpus_open(struct corpus **corpus, const char *path, struct fault *fault) MUST_CHECK;
void corpus_close(struct corpus *corpus);

uint32_t corpus_count(const struct corpus *corpus); /* > 0 */
const struct corpus_message *corpus_at(const struct corpus *corpus, uint32_t index);

#endif
