/* A store that is tended while nobody serves it: what a shard does in the background, done at once.
 */
#ifndef TOOLS_STORE_TENDED_H
#define TOOLS_STORE_TENDED_H

#include "tools/store_opened.h"

struct store_tended { /* embedded */
    struct store_opened opened;
    struct store_log *log;
    uint64_t bytes_before; /* of the store's objects */
};

/* As the only user, all mailboxes and logs in one shard. `options` are changed to that. ABSENT,
 * BUSY and all else with one line. */
enum status store_tended_open(struct store_tended *tended, const char *directory,
                              struct store_options *options, struct fault *fault) MUST_CHECK;
/* Until `outcome` is not AGAIN. With a line: what it is; AGAIN: somebody wants us to stop. */
enum status store_tended_run(struct store_tended *tended,
                             enum status (*outcome)(const struct store_log *log),
                             struct fault *fault) MUST_CHECK;
/* Ends what is under way. Returns how many bytes the store's objects have now. */
uint64_t store_tended_close(struct store_tended *tended, struct store_counters *counters);

#endif
