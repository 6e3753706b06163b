/* The subcommands of `mailrace store`: what store.c's table calls. */
#ifndef TOOLS_STORE_ACTION_H
#define TOOLS_STORE_ACTION_H

#include "base/status.h"

#include <stdint.h>

struct store_opened;

struct store_flags {
    bool json, follow;
    const char *from, *maildir, *mbox;
    uint64_t message_bytes_max, segment_bytes;
    uint32_t skip;
};

struct store_call {
    const char *directory;
    char **operands; /* what follows DIR, NULL behind the last */
    struct store_flags flags;
    bool incomplete; /* set with a failure: all was done but what is damaged or was left out; exit
                        1 */
};

/* Those that look into a store opened for reading. */
typedef enum status store_look(const struct store_opened *opened, struct store_call *call,
                               struct fault *fault);

store_look store_export, store_look_cat, store_look_info, store_look_ls, store_look_mailboxes,
    store_look_verify;

/* Those that open it themselves. */
typedef enum status store_run(struct store_call *call, struct fault *fault);

store_run store_import, store_tail;

#endif
