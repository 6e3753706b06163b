#include "engine/load/collector.h"

#include "base/invariant.h"
#include "engine/shard_state.h"

#include <stdlib.h>

#define SPARE_SESSIONS 64u /* those that end, while others take their place */

/* --------------------------------------------------------------------------- mailboxes ---- */

static void tell(struct collector *collector, enum drain_finding finding, uint32_t mailbox,
                 struct span detail)
{
    const struct drain_observer *observer = collector->observer;
    if (observer->found != NULL)
        observer->found(observer->context, finding, account_mailbox(collector->account, mailbox),
                        detail);
}

/* A mailbox where nothing was delivered may not even be there. NULL: nothing has to be said. */
static void give_up(struct collector *collector, uint32_t mailbox, const char *reason)
{
    account_unread(collector->account, mailbox);
    if (reason != NULL && account_expected(collector->account, mailbox) > 0)
        tell(collector, DRAIN_UNREAD, mailbox, span_text(reason));
}

/* Whether it can be logged in to at all. What control characters would do to the commands is
 * nothing a server should see. */
static bool is_user(struct span name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] < ' ' || name.data[i] == 0x7F)
            return false;
    return name.size > 0 && name.size <= CREDENTIALS_BYTES_MAX;
}

/* Gives the fetcher the next mailbox. False: there is none. */
static bool assign(struct collector *collector, struct fetcher *fetcher)
{
    while (collector->next < account_mailboxes(collector->account)) {
        uint32_t mailbox = collector->next++;
        if (!is_user(account_mailbox(collector->account, mailbox))) {
            give_up(collector, mailbox, "cannot be the name of a user");
            continue;
        }
        fetcher->mailbox = mailbox;
        fetcher->attempts = 0;
        fetcher->others_seen = collector->connected;
        fetcher->busy = true;
        collector->busy++;
        return true;
    }
    return false;
}

static void add_absent(struct collector *collector, struct fetcher *fetcher)
{
    fetcher->next = collector->absent;
    collector->absent = fetcher;
}

/* It is through with its mailbox. */
static void dismiss(struct collector *collector, struct fetcher *fetcher)
{
    INVARIANT(fetcher->busy && collector->busy > 0);
    collector->busy--;
    fetcher->busy = false;
    if (assign(collector, fetcher))
        add_absent(collector, fetcher);
}

void collector_opened(struct collector *collector, struct fetcher *fetcher)
{
    if (fetcher->attempts > 1)
        account_again(collector->account, fetcher->mailbox);
}

bool collector_found(struct collector *collector, struct fetcher *fetcher, uint64_t octets)
{
    static const uint8_t findings[ACCOUNT_VERDICTS] = {
        [ACCOUNT_DUPLICATED] = DRAIN_DUPLICATED,
        [ACCOUNT_CORRUPTED] = DRAIN_CORRUPTED,
        [ACCOUNT_UNKNOWN] = DRAIN_UNKNOWN,
    };
    struct span id = fetched_id(&fetcher->message);
    enum account_verdict verdict =
        account_found(collector->account, fetcher->mailbox, id, fetched_digest(&fetcher->message));
    collector->report->messages++;
    collector->report->octets += octets;
    if (verdict != ACCOUNT_FINE)
        tell(collector, findings[verdict], fetcher->mailbox, id);
    return verdict == ACCOUNT_FINE && collector->options->delete;
}

/* ------------------------------------------------------------------------- connections ---- */

void collector_connected(struct collector *collector)
{
    collector->connecting--;
    collector->connected++;
}

static void read_whole(struct collector *collector, struct fetcher *fetcher)
{
    struct drain_report *report = collector->report;
    report->mailboxes_read++;
    report->deleted += fetcher_deleted(fetcher);
    uint32_t undeleted = fetcher_undeleted(fetcher);
    report->undeleted += undeleted;
    if (undeleted > 0)
        tell(collector, DRAIN_UNDELETED, fetcher->mailbox, span_text(fetcher_reason(fetcher)));
}

/* Nobody was there, neither for this mailbox nor for any other meanwhile. */
static bool is_nobody_there(const struct collector *collector, const struct fetcher *fetcher)
{
    return !fetcher->up && collector->connected == fetcher->others_seen;
}

static uint32_t attempts_max(const struct collector *collector, const struct fetcher *fetcher)
{
    uint32_t worth = fetcher_worth(fetcher);
    return collector->connected == 0 && worth > COLLECTOR_ATTEMPTS_NOBODY
               ? COLLECTOR_ATTEMPTS_NOBODY
               : worth;
}

/* The attempt came to nothing, or not to everything. */
static void failed(struct collector *collector, struct fetcher *fetcher)
{
    if (!collector->stopped && fetcher->attempts < attempts_max(collector, fetcher)) {
        uint64_t now_ms = shard_now_ms(collector->shard);
        timer_set(&collector->retries, &fetcher->timer,
                  now_ms + (COLLECTOR_BACKOFF_MS << (fetcher->attempts - 1)));
        return;
    }
    bool nobody = is_nobody_there(collector, fetcher);
    bool cut = nobody || collector->stopped;
    give_up(collector, fetcher->mailbox, cut ? NULL : fetcher_reason(fetcher));
    dismiss(collector, fetcher);
    if (nobody && !collector->stopped) {
        collector->report->gave_up = true;
        collector_stop(collector);
    }
}

void collector_closed(struct collector *collector, struct fetcher *fetcher, bool connected)
{
    collector->open--;
    collector->connecting -= !connected;
    if (connected && fetcher_has_read(fetcher)) {
        read_whole(collector, fetcher);
        dismiss(collector, fetcher);
    } else {
        failed(collector, fetcher);
    }
}

static void absent_again(void *context, struct timer *timer)
{
    add_absent(context,
               (struct fetcher *)(void *)((uint8_t *)timer - offsetof(struct fetcher, timer)));
}

/* False: the shard has no room, but will have when others have ended. */
static bool connect_one(struct collector *collector, struct fetcher *fetcher)
{
    enum status status =
        fetcher_connect(fetcher, account_mailbox(collector->account, fetcher->mailbox));
    if (status != STATUS_OK && collector->open > 0)
        return false;
    collector->absent = fetcher->next;
    fetcher->attempts++;
    collector->open++;
    collector->connecting++;
    if (status != STATUS_OK)
        collector_closed(collector, fetcher, false);
    return true;
}

static uint64_t turn(void *context)
{
    struct collector *collector = context;
    uint64_t now_ms = shard_now_ms(collector->shard);
    timer_wheel_advance(&collector->retries, now_ms, absent_again, collector);
    while (collector->absent != NULL && collector->connecting < COLLECTOR_CONNECTING_MAX &&
           connect_one(collector, collector->absent))
        ;
    uint64_t next_ms = timer_wheel_next_ms(&collector->retries);
    if (next_ms == UINT64_MAX)
        return UINT64_MAX;
    return next_ms > now_ms ? (next_ms - now_ms) * NS_PER_MS : 0;
}

/* ------------------------------------------------------------------------- life and death ---- */

void collector_turn(struct collector *collector, uint64_t wait_ns)
{
    shard_turn(collector->shard, wait_ns);
}

bool collector_is_over(const struct collector *collector)
{
    return collector->busy == 0;
}

/* Those that wait to be connected have no connection that would end. */
static void stop_fetcher(struct collector *collector, struct fetcher *fetcher)
{
    if (fetcher->call.session != NULL) {
        net_abort(collector->shard->net, fetcher->call.session->conn);
    } else if (fetcher->busy) {
        timer_cancel(&collector->retries, &fetcher->timer);
        give_up(collector, fetcher->mailbox, NULL);
        dismiss(collector, fetcher);
    }
}

void collector_stop(struct collector *collector)
{
    if (collector->stopped)
        return;
    collector->stopped = true;
    collector->absent = NULL;
    while (collector->next < account_mailboxes(collector->account))
        give_up(collector, collector->next++, NULL);
    for (uint32_t i = 0; i < collector->fetchers_count; i++)
        stop_fetcher(collector, &collector->fetchers[i]);
}

static void configure(struct collector *collector)
{
    const struct drain_options *options = collector->options;
    uint64_t timeout_ms = options->timeout_ms;
    collector->timeout_ms = timeout_ms < INT32_MAX ? (uint32_t)timeout_ms : INT32_MAX;
    collector->password = span_text(options->password);
    collector->plan = (struct call_plan){
        .door = &fetcher_door,
        .address = &options->target.address,
        .host = options->target.host,
        .secure = options->target.scheme == TARGET_POP3S,
    };
    collector->client = (struct pop3_client_config){
        .stls = options->stls,
        .sasl = true,
        .pipeline = true,
        .unstuff = true,
        .host = &fetcher_host,
    };
    collector->config = (struct shard_config){
        .connections_max = collector->fetchers_count + SPARE_SESSIONS,
        .clock = collector->clock,
    };
    collector->driver = (struct shard_driver){.turn = turn, .context = collector};
}

static enum status open_tls(struct collector *collector, struct fault *fault)
{
    const struct drain_options *options = collector->options;
    const struct tls_client_options tls = {.verify = options->verify, .ca_file = options->ca_file};
    if (!options->stls && !collector->plan.secure)
        return STATUS_OK;
    return tls_client_open(&collector->config.tls_client, &tls, fault);
}

enum status collector_open(struct collector *collector, const struct collector_options *options,
                           struct net *net, struct drain_report *report, struct fault *fault)
{
    *collector = (struct collector){
        .options = options->drain,
        .observer = options->observer,
        .account = options->account,
        .clock = options->clock,
        .report = report,
    };
    uint32_t mailboxes = account_mailboxes(options->account);
    uint32_t most = options->drain->connections;
    collector->fetchers_count = mailboxes < most ? mailboxes : most;
    configure(collector);
    enum status status = open_tls(collector, fault);
    if (status != STATUS_OK)
        return status;
    collector->fetchers = calloc(collector->fetchers_count + 1u, sizeof *collector->fetchers);
    if (collector->fetchers == NULL ||
        shard_open(&collector->shard, &collector->config, 0, net, NULL) != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "no memory for %u connections",
                         collector->fetchers_count);
    shard_drive(collector->shard, &collector->driver);
    timer_wheel_init(&collector->retries, shard_now_ms(collector->shard));
    report->mailboxes = mailboxes;
    for (uint32_t i = 0; i < collector->fetchers_count; i++) {
        collector->fetchers[i].collector = collector;
        if (assign(collector, &collector->fetchers[i]))
            add_absent(collector, &collector->fetchers[i]);
    }
    return STATUS_OK;
}

void collector_close(struct collector *collector)
{
    if (collector->shard != NULL)
        shard_close(collector->shard);
    if (collector->config.tls_client != NULL)
        tls_client_close(collector->config.tls_client);
    free(collector->fetchers);
}
