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

/* Reads a Maildir (cur and new), a folder of .eml files, an mbox file ("From " lines at the start
 * or after an empty line; ">From " is unquoted as mboxrd has it), or one message in a file that is
 * named .eml or does not begin with "From ". In a folder, files are read in the order of their
 * names; those that begin with a dot and what is no regular file are passed over.
 *
 * Every LF, CR and CRLF ends a line, so becomes CRLF. A text that does not begin with a field is
 * all body; one without an empty line is all header. A "From " line before the first field of a
 * message is left out, and so are X-Mailrace-Id fields; a NUL or a line longer than 998 bytes is
 * sent as it is. A file without any text is no message. ABSENT, DENIED, IO, SYSTEM (no memory),
 * CONFIG (no message in it) with a line that names the file. */
enum status corpus_open(struct corpus **corpus, const char *path, struct fault *fault) MUST_CHECK;
void corpus_close(struct corpus *corpus);

uint32_t corpus_count(const struct corpus *corpus); /* > 0 */
/* One of them, 0 … count-1; as long as the corpus is open. */
const struct corpus_message *corpus_at(const struct corpus *corpus, uint32_t index);

#endif
