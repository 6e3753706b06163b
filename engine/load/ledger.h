/* The ledger: what was sent and what became of it, one line per message, recipient and step.
 *
 *   ID RECIPIENT DIGEST OCTETS OUTCOME
 *
 * separated by single blanks, ended by LF: DIGEST is 16 hexadecimal digits (base/digest.h, of the
 * body), OUTCOME "sent" before the end of data goes out, later one of the others; the last line of
 * a message and recipient counts. A recipient's blanks, control characters, backslashes and bytes
 * above 127 are written as \xHH. A last line that is cut off by a crash is no error.
 *
 * Every shard writes into a queue of its own; one thread of the ledger carries them to the file, so
 * that load never waits for the disk unless a queue is full. */
#ifndef ENGINE_LOAD_LEDGER_H
#define ENGINE_LOAD_LEDGER_H

#include "base/span.h"
#include "base/status.h"

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

struct ledger_entry {
    struct span id;        /* 1 … 64 bytes, no blanks */
    struct span recipient; /* ≤ 512 bytes */
    uint64_t digest, octets;
    enum ledger_outcome outcome;
};

#define LEDGER_LINE_BYTES_MAX 2304u

/* The entry as a line with its LF; returns its size. */
size_t ledger_format(const struct ledger_entry *entry, char line[LEDGER_LINE_BYTES_MAX]);

/* The reverse, of a line without its LF; `recipient` has room for 512 bytes. False: no such line.
 */
bool ledger_parse(struct span line, struct ledger_entry *entry, uint8_t *recipient);

struct ledger;

/* Creates the file, or empties it, and starts the thread. `writers`: shards. EXISTS is no fault; a
 * path that can't be written is, with a line that names it. */
enum status ledger_open(struct ledger **ledger, const char *path, uint32_t writers,
                        struct fault *fault) MUST_CHECK;

/* Writer `writer`'s own thread: false when its queue has no room: nothing happened, try later. */
bool ledger_write(struct ledger *ledger, uint32_t writer, const struct ledger_entry *entry);
/* Whether `entries` of any size would find room now. Same thread. */
bool ledger_has_room(struct ledger *ledger, uint32_t writer, uint32_t entries);
/* The file could not be written: what follows is dropped. Any thread. */
bool ledger_failed(const struct ledger *ledger);

/* Writes what is left, syncs the file, ends the thread. The first failure of all, with its line. */
enum status ledger_close(struct ledger *ledger, struct fault *fault) MUST_CHECK;

#endif
