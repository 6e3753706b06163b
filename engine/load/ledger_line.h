/* The ledger's line: what became of one message for one recipient.
 *
 *   ID RECIPIENT DIGEST OCTETS OUTCOME
 *
 * separated by single blanks, ended by LF. ID is printable ASCII without blanks; RECIPIENT has its
 * blanks, control characters, backslashes and bytes above 126 written as \xHH; DIGEST is 16
 * hexadecimal digits (base/digest.h, of the body), small letters as in \xHH too; OCTETS, the size
 * of the whole message, is decimal. No line is the beginning of another, so one that was cut off is
 * never taken for a whole one. */
#ifndef ENGINE_LOAD_LEDGER_LINE_H
#define ENGINE_LOAD_LEDGER_LINE_H

#include "base/span.h"

enum ledger_outcome {
    LEDGER_SENT,     /* begun; as a final state: the same as doubtful */
    LEDGER_ACKED,    /* the server has taken responsibility */
    LEDGER_REFUSED,  /* the server said no */
    LEDGER_FAILED,   /* the session ended before the end of data */
    LEDGER_DOUBTFUL, /* … between the end of data and its reply: may be there, once */
    LEDGER_OUTCOMES,
};

/* "sent", "acked", …: static. */
const char *ledger_outcome_name(enum ledger_outcome outcome);

#define LEDGER_ID_BYTES_MAX 64u
#define LEDGER_RECIPIENT_BYTES_MAX 512u
#define LEDGER_LINE_BYTES_MAX 2304u

struct ledger_entry {
    struct span id; /* 1 … LEDGER_ID_BYTES_MAX */
    struct span recipient;
    uint64_t digest, octets;
    enum ledger_outcome outcome;
};

/* Whether it can be an entry's id. */
bool ledger_is_id(struct span id);

/* The entry as a line with its LF; returns its size. */
size_t ledger_format(const struct ledger_entry *entry, char line[LEDGER_LINE_BYTES_MAX]);

/* The reverse, of a line without its LF; `recipient` has room for LEDGER_RECIPIENT_BYTES_MAX. The
 * entry's spans point into the line and there. False: no such line. */
bool ledger_parse(struct span line, struct ledger_entry *entry, uint8_t *recipient);

#endif
