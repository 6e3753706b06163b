#include "tools/store_tended.h"

#include "base/random.h"
#include "tools/stop.h"

static bool take_link(void *context, uint32_t owner, struct span mailbox,
                      const struct store_link *link)
{
    (void)owner; /* there is one shard */
    store_link_add(((struct store_tended *)context)->log, mailbox, link);
    return true;
}

static void add_bytes(void *context, struct medium_name name, uint64_t bytes)
{
    (void)name;
    *(uint64_t *)context += bytes;
}

static uint64_t bytes_now(const struct store_tended *tended)
{
    struct medium *medium = tended->opened.medium;
    uint64_t bytes = 0;
    if (medium->calls->list(medium, add_bytes, &bytes, NULL) != STATUS_OK)
        return 0;
    return bytes;
}

enum status store_tended_open(struct store_tended *tended, const char *directory,
                              struct store_options *options, struct fault *fault)
{
    const struct store_events events = {.link = take_link, .context = tended};
    options->shards = 1;
    options->fetches_max = 1;
    if (random_system(&options->seed, sizeof options->seed) != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "no random numbers from the system");
    enum status status = store_opened_own(&tended->opened, directory, options, fault);
    if (status != STATUS_OK)
        return status;
    tended->bytes_before = bytes_now(tended);
    status = store_log_open(&tended->log, tended->opened.store, 0, tended->opened.medium, &events,
                            fault);
    if (status != STATUS_OK)
        store_opened_close(&tended->opened);
    return status;
}

enum status store_tended_run(struct store_tended *tended,
                             enum status (*outcome)(const struct store_log *log),
                             struct fault *fault)
{
    struct medium *medium = tended->opened.medium;
    enum status status = STATUS_AGAIN;
    struct stop stop;
    bool stopped = false;
    stop_open(&stop);
    while (!stopped && (status = outcome(tended->log)) == STATUS_AGAIN) {
        store_turn(tended->log);
        medium->calls->poll(medium, true);
        stopped = stop_wait(&stop, 0);
    }
    stop_close(&stop);
    if (status == STATUS_OK)
        return STATUS_OK;
    return fault_set(fault, status, "%s: %s", tended->opened.directory,
                     stopped ? "interrupted" : status_text(status));
}

uint64_t store_tended_close(struct store_tended *tended, struct store_counters *counters)
{
    /* What closing makes durable counts, too: the counters are read before they go. */
    *counters = *store_log_counters(tended->log);
    store_log_close(tended->log);
    uint64_t bytes = bytes_now(tended);
    store_opened_close(&tended->opened);
    return bytes;
}
