/* Which messages do mailboxes still have? Asked by what moves or removes records.
 *
 * The answer comes from the owners of the mailboxes and from the index below them, read off the
 * shard's thread. It errs on one side only: `live` may still be said of a link that is deleted at
 * this moment, or that its owner has not yet been given; `dead` is said only of what is deleted
 * durably, or was never in that mailbox, and stays true for ever. */
#ifndef STORAGE_RECLAIM_LIVENESS_H
#define STORAGE_RECLAIM_LIVENESS_H

#include "base/span.h"
#include "base/status.h"
#include "storage/index/clerk.h"

#include <stdbool.h>
#include <stdint.h>

struct store_log;

struct liveness_question { /* one link of one message */
    uint64_t id;           /* of the message; all links are of durable records */
    struct span mailbox;   /* stays where it is until the answer */
    bool live;             /* the answer */
};

/* A bundle of questions (tens to thousands: mailboxes in order of their names' hashes are found
 * faster), embedded by the asker; the store's from liveness_ask to `answered`. */
struct liveness {
    struct job job; /* the store's */
    struct liveness_question *questions;
    uint32_t count;
    enum status status; /* not OK: the index could not be read, and `live` is said of the unknown */
    /* From the asking log's store_turn, never from inside liveness_ask. Not called any more after
     * store_log_abandon. store_log_close waits for it. */
    void (*answered)(struct liveness *liveness);
    void *context;         /* the asker's */
    struct store_log *log; /* the store's */
};

/* On the thread of `log`, which may be any: mailboxes need not be its own. */
void liveness_ask(struct store_log *log, struct liveness *liveness);

#endif
