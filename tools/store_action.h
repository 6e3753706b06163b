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
    uint64_t older_than_ms;
    uint32_t skip, keep;
};

struct store_call {
    const char *directory;
    char **operands; /* what follows DIR, NULL behind the last */
    struct store_flags flags;
    bool incomplete; /* set with a failure: all was done but what is damaged or was left out; exit
                        1 */
};

/* Those that look into a store opened for reading. */
enum status store_export(const struct store_opened *opened, struct store_call *call,
                         struct fault *fault) MUST_CHECK;
enum status store_look_cat(const struct store_opened *opened, struct store_call *call,
                           struct fault *fault) MUST_CHECK;
enum status store_look_info(const struct store_opened *opened, struct store_call *call,
                            struct fault *fault) MUST_CHECK;
enum status store_look_ls(const struct store_opened *opened, struct store_call *call,
                          struct fault *fault) MUST_CHECK;
enum status store_look_mailboxes(const struct store_opened *opened, struct store_call *call,
                                 struct fault *fault) MUST_CHECK;
enum status store_look_verify(const struct store_opened *opened, struct store_call *call,
                              struct fault *fault) MUST_CHECK;

/* Those that open it themselves. */
enum status store_compact(struct store_call *call, struct fault *fault) MUST_CHECK;
enum status store_expire(struct store_call *call, struct fault *fault) MUST_CHECK;
enum status store_import(struct store_call *call, struct fault *fault) MUST_CHECK;
enum status store_tail(struct store_call *call, struct fault *fault) MUST_CHECK;

#endif
