/* Deletions on their way to the log, as many records and turns as they take.
 *
 * A request is a maildrop whose marked messages are to go. Its ids are appended in message number
 * order; each record that became durable takes its links out of the index at once, so that index
 * and log agree whatever happens to the rest. */
#ifndef STORAGE_EXPUNGE_H
#define STORAGE_EXPUNGE_H

#include "base/status.h"
#include "storage/record.h"
#include "storage/store.h"

struct store_log;

struct expunge { /* embedded in the maildrop */
    struct expunge *next;
    uint64_t cookie;
    uint32_t cursor;  /* message number to look at next */
    uint32_t settled; /* … for the next id of a record that became durable */
    uint32_t flights; /* records appended and not settled */
    enum status status;
    bool appended; /* all of it */
};

struct expunges {
    struct expunge *first, *last;
};

/* Appends what there is room for, tells what has ended. */
void expunge_turn(struct store_log *log);

/* A deletion's record has ended. `cookie` as given to commit_add. */
void expunge_settle(struct store_log *log, uint64_t cookie, const struct record *record,
                    enum status status);

#endif
