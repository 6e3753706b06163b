/* mailrace store expire: old messages leave their mailboxes. */
#include "base/clock.h"
#include "tools/store_action.h"
#include "tools/store_tended.h"

#include <inttypes.h>
#include <stdio.h>

enum status store_expire(struct store_call *call, struct fault *fault)
{
    struct store_tended tended;
    struct store_options options;
    struct store_counters counters;
    if (call->flags.older_than_ms == 0 && call->flags.keep == 0)
        return fault_set(fault, STATUS_USAGE, "which messages? Give --older-than or --keep");
    store_options_default(&options);
    options.expire_after_ns = call->flags.older_than_ms * NS_PER_MS;
    options.keep_messages = call->flags.keep;
    enum status status = store_tended_open(&tended, call->directory, &options, fault);
    if (status != STATUS_OK)
        return status;
    status = store_tended_run(&tended, store_expire_outcome, fault);
    uint64_t bytes = store_tended_close(&tended, &counters);
    printf(call->flags.json ? "{\"messages\": %" PRIu64 ", \"bytes_before\": %" PRIu64
                              ", \"bytes_after\": %" PRIu64 "}\n"
                            : "%" PRIu64 " messages deleted: %" PRIu64 " bytes, now %" PRIu64 "\n",
           counters.expired, tended.bytes_before, bytes);
    return status;
}
