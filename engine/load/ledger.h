/* The ledger: what was sent and what became of it, one line (engine/load/ledger_line.h) per
 * message, recipient and step: "sent" before the end of data goes out, later one of the others.
 * engine/load/account.h says what several lines come to; a last line that a crash cut off is no
 * error.
 *
 * Every shard writes into a queue of its own; one thread of the ledger makes lines of what is in
 * them and carries those to the file within a few milliseconds, so that load never waits for the
 * disk unless a queue is full. What one writer writes stays in order; so all about a message must
 * come from one writer. */
#ifndef ENGINE_LOAD_LEDGER_H
#define ENGINE_LOAD_LEDGER_H

#include "base/status.h"
#include "engine/load/ledger_line.h"

struct ledger;

/* Creates the file, or empties it, and starts the thread. `writers`: shards. EXISTS is no fault; a
 * path that can't be written is, with a line that names it. What is no regular file is written to
 * as well; a FIFO waits here for its reader. */
enum status ledger_open(struct ledger **ledger, const char *path, uint32_t writers,
                        struct fault *fault) MUST_CHECK;

/* Writer `writer`'s own thread: false when its queue has no room: nothing happened, try later. No
 * system call. */
bool ledger_write(struct ledger *ledger, uint32_t writer, const struct ledger_entry *entry);
/* Whether `entries` of any size would find room now. Same thread. */
bool ledger_has_room(struct ledger *ledger, uint32_t writer, uint32_t entries);
/* The file could not be written: what follows is dropped. Any thread. */
bool ledger_failed(const struct ledger *ledger);

/* Writes what is left, syncs the file, ends the thread. The first failure of all, with its line.
 * The writers have ended. */
enum status ledger_close(struct ledger *ledger, struct fault *fault) MUST_CHECK;

#endif
