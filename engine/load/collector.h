/* Reads all mailboxes of an account, over a number of connections of one shard.
 *
 * Each connection takes the next mailbox that nobody has read. One that could not be read is tried
 * again a few times, as often as its failure is worth it, after a while that doubles. When nobody
 * is there at all the rest is given up at once. All of it belongs to one thread. */
#ifndef ENGINE_LOAD_COLLECTOR_H
#define ENGINE_LOAD_COLLECTOR_H

#include "engine/load/drain.h"
#include "engine/load/fetcher.h"

#define COLLECTOR_ATTEMPTS_NOBODY 3u /* where no connection ever came up */
#define COLLECTOR_BACKOFF_MS 250u    /* before the second attempt; then twice as long each time */
#define COLLECTOR_CONNECTING_MAX 64u /* at once: servers' queues are short */

struct collector_options {
    const struct drain_options *drain;
    const struct drain_observer *observer;
    struct account *account;
    const struct clock *clock;
};

struct collector {
    const struct drain_options *options;
    const struct drain_observer *observer;
    struct account *account;
    const struct clock *clock;
    struct shard_config config;
    struct shard_driver driver;
    struct shard *shard;
    struct call_plan plan;
    struct pop3_client_config client;
    struct span password;
    uint32_t timeout_ms;
    struct timer_wheel retries;

    struct fetcher *fetchers;
    uint32_t fetchers_count;
    struct fetcher *absent;    /* to be connected now */
    uint32_t connecting, open; /* connections: that are not up yet, all */
    uint32_t busy;             /* fetchers that have a mailbox */
    uint32_t next;             /* mailbox */
    uint64_t connected;        /* connections that ever came up */
    bool stopped;
    struct drain_report *report; /* its counts, as they grow */
};

/* Sets everything up. `net` and the report outlive it. Lines as of tls_client_open; SYSTEM: no
 * memory. To be closed in any case. */
enum status collector_open(struct collector *collector, const struct collector_options *options,
                           struct net *net, struct drain_report *report,
                           struct fault *fault) MUST_CHECK;
/* All connections have ended, or net is deinitialised before. */
void collector_close(struct collector *collector);

/* One turn of the shard; waits at most `wait_ns`. */
void collector_turn(struct collector *collector, uint64_t wait_ns);
/* Cuts everything off: mailboxes that were not read yet will not be. */
void collector_stop(struct collector *collector);
/* Nothing is under way any more, and nothing will be. */
bool collector_is_over(const struct collector *collector);

/* ---------------------------------------------------------------------- for the fetchers ---- */

/* A connection came up. */
void collector_connected(struct collector *collector);
/* Its mailbox is open, and read from the start. */
void collector_opened(struct collector *collector, struct fetcher *fetcher);
/* One ended that had come up, or else came to nothing. */
void collector_closed(struct collector *collector, struct fetcher *fetcher, bool connected);
/* A message of this size was read. True: it shall be deleted. */
bool collector_found(struct collector *collector, struct fetcher *fetcher, uint64_t octets);

#endif
