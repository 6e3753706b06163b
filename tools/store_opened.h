/* A store as the subcommands of `mailrace store` have it open, and what they ask of it. */
#ifndef TOOLS_STORE_OPENED_H
#define TOOLS_STORE_OPENED_H

#include "base/ring.h"
#include "storage/store.h"

struct store_opened { /* embedded */
    struct ring ring;
    struct medium *medium;
    struct store *store;
    const char *directory; /* borrowed */
};

/* To look in, offline or while it is being served. */
enum status store_opened_read(struct store_opened *opened, const char *directory,
                              struct fault *fault) MUST_CHECK;
/* To write, as the only user, into a store that is there. ABSENT; BUSY: somebody has it. */
enum status store_opened_own(struct store_opened *opened, const char *directory,
                             const struct store_options *options, struct fault *fault) MUST_CHECK;
/* To write, as the only user; makes the store if there is none. BUSY: somebody has it. */
enum status store_opened_write(struct store_opened *opened, const char *directory,
                               const struct store_options *options, struct fault *fault) MUST_CHECK;
void store_opened_close(struct store_opened *opened);

/* The messages of the mailbox that a person means by `name`: as it is, or as an address. ABSENT
 * with a line: there are none. To be freed with store_maildrop_free. */
enum status store_opened_peek(const struct store_opened *opened, const char *name,
                              struct maildrop **maildrop, struct fault *fault) MUST_CHECK;

struct mailbox_row {
    struct span name; /* malloc */
    uint32_t messages;
    uint64_t octets;
};

struct mailbox_rows { /* by name */
    struct mailbox_row *rows;
    size_t count;
};

/* All mailboxes that have messages. SYSTEM: no memory. IO, CORRUPT: of the index. */
enum status mailbox_rows_make(struct mailbox_rows *rows, const struct store_opened *opened,
                              struct fault *fault) MUST_CHECK;
void mailbox_rows_deinit(struct mailbox_rows *rows);

/* Reads messages one by one, with a log opened for it. */
struct store_reading {
    const struct store_opened *opened;
    struct store_log *log;
};

enum status store_reading_open(struct store_reading *reading, const struct store_opened *opened,
                               struct fault *fault) MUST_CHECK;
void store_reading_close(struct store_reading *reading);

/* Calls `piece` for each piece of the message's wire form, until it says false. Every piece has
 * passed its checks. IO: also when `piece` said false. CORRUPT, ABSENT: maybe after some pieces. */
enum status store_reading_message(struct store_reading *reading, const struct store_link *link,
                                  bool (*piece)(void *context, const struct store_about *about,
                                                struct span wire),
                                  void *context) MUST_CHECK;

#endif
