/* mailrace store compact: all disk space back that can be had. */
#include "base/log.h"
#include "tools/store_action.h"
#include "tools/store_tended.h"

#include <inttypes.h>
#include <stdio.h>

static void print(const struct store_counters *counters, uint64_t before, uint64_t after, bool json)
{
    if (json)
        printf("{\"compacted\": %" PRIu64 ", \"removed\": %" PRIu64 ", \"bytes_before\": %" PRIu64
               ", \"bytes_after\": %" PRIu64 "}\n",
               counters->compactions, counters->segments_reclaimed, before, after);
    else
        printf("%" PRIu64 " segments compacted, %" PRIu64 " given back: %" PRIu64 " bytes, now "
               "%" PRIu64 "\n",
               counters->compactions, counters->segments_reclaimed, before, after);
}

enum status store_compact(struct store_call *call, struct fault *fault)
{
    struct store_tended tended;
    struct store_options options;
    struct store_counters counters;
    store_options_default(&options);
    enum status status = store_tended_open(&tended, call->directory, &options, fault);
    if (status != STATUS_OK)
        return status;
    store_reclaim_all(tended.log);
    status = store_tended_run(&tended, store_reclaim_outcome, fault);
    uint64_t bytes = store_tended_close(&tended, &counters);
    print(&counters, tended.bytes_before, bytes, call->flags.json);
    return status;
}
