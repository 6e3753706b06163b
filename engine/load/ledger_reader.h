/* The entries of a ledger's file, in order.
 *
 * Whatever the file holds, memory is the reader's fixed buffer. A file that does not end with LF
 * was cut off by a crash: the rest after its last LF counts if it is a whole line, else it is left
 * out. One thread. */
#ifndef ENGINE_LOAD_LEDGER_READER_H
#define ENGINE_LOAD_LEDGER_READER_H

#include "base/status.h"
#include "engine/load/ledger_line.h"

struct ledger_reader;

/* Opens the file; a FIFO or device will do too. As errno has it (ABSENT, DENIED, IO, …), SYSTEM (no
 * memory), with a line that names the file. */
enum status ledger_reader_open(struct ledger_reader **reader, const char *path,
                               struct fault *fault) MUST_CHECK;
void ledger_reader_close(struct ledger_reader *reader);

/* The next entry, with *more true; at the end false. Its spans are good until the next call.
 * CORRUPT: a line that is none, IO: the file can't be read further; with a line that names the
 * place. */
enum status ledger_reader_next(struct ledger_reader *reader, struct ledger_entry *entry, bool *more,
                               struct fault *fault) MUST_CHECK;

/* Of the entry read last: 1 … */
uint64_t ledger_reader_line(const struct ledger_reader *reader);

#endif
