/* One core: poll, feed, commit, flush. The only place where network, protocols and store meet.
 *
 * A shard is a struct with one function, shard_turn; the thread that runs it is only a loop around
 * that, so a simulation runs any number of shards in one thread. Everything it needs is sized at
 * open; nothing of it is touched by other threads but its inbox and its queues of links
 * (engine/mesh.h). */
#ifndef ENGINE_SHARD_H
#define ENGINE_SHARD_H

#include "base/clock.h"
#include "engine/auth.h"
#include "engine/http/session.h"
#include "engine/mesh.h"
#include "engine/net/net.h"
#include "engine/pop3/server.h"
#include "engine/recipients.h"
#include "engine/smtp/server.h"
#include "engine/tls.h"
#include "storage/store.h"

/* Those for mail in clear come first. */
enum door_kind {
    DOOR_SMTP,
    DOOR_LMTP,
    DOOR_POP3,
    DOOR_SMTPS,
    DOOR_POP3S,
    DOOR_METRICS,
    DOOR_KINDS,
    DOOR_OUTGOING = DOOR_KINDS, /* the kind of connections that we make: engine/call.h */
};

/* "smtp", "lmtp", …: of each kind another, as metrics and log lines say it. */
const char *door_name(enum door_kind kind);

static inline bool door_kind_is_pop3(enum door_kind kind)
{
    return kind == DOOR_POP3 || kind == DOOR_POP3S;
}

static inline bool door_kind_is_secure(enum door_kind kind)
{
    return kind == DOOR_SMTPS || kind == DOOR_POP3S;
}

#define SHARD_LISTENERS_MAX 32

struct metrics_source;

struct shard_config {         /* the same for every shard; outlives them */
    uint32_t connections_max; /* sessions of one shard */
    struct smtp_config smtp, lmtp;
    struct pop3_config pop3;
    struct http_config http;
    const struct metrics_source
        *metrics; /* of the first shard's DOOR_METRICS; NULL: no such door */
    const struct recipients *_Atomic
        *recipients; /* where the present table is; holds NULL: accept all */
    struct auth *auth;
    struct tls_server *tls; /* NULL: in clear only. With it, plain log-ins are for loopback */
    struct tls_client *tls_client; /* for calls, and for one shard alone; NULL: in clear only */
    const struct clock *clock;
    uint32_t drain_ms; /* how long sessions may go on after shard_drain */
};

/* The hosts that the protocols' configurations name: the store, behind a session of this engine. */
extern const struct smtp_host door_smtp_host;
extern const struct pop3_host door_pop3_host;
extern const struct http_host door_metrics_host;

struct shard_counters { /* for metrics and the exit line; written by the shard's thread */
    uint64_t sessions_open[DOOR_KINDS + 1]; /* now; the last are outgoing */
    uint64_t sessions_opened[DOOR_KINDS + 1], sessions_refused[DOOR_KINDS + 1];
    uint64_t messages_stored, messages_failed, logins, login_failures, fetches, timeouts;
    uint64_t tls_handshakes, tls_resumed, tls_failures;
};

struct shard_figures { /* everything that a shard counts */
    struct shard_counters counters;
    struct net_counters net;
    struct store_counters store;
};

/* Somebody who makes a shard call out: has its say once per turn, after the events, before what was
 * said is sent. */
struct shard_driver {
    /* Returns for how long, in nanoseconds, it need not be asked again unless something happens. */
    uint64_t (*turn)(void *context);
    void *context;
};

struct shard;

/* Makes the shard and its pools. `net` and `mesh` outlive it. Without a mesh (NULL) it has no log
 * either, and only calls out. */
enum status shard_open(struct shard **shard, const struct shard_config *config, uint32_t index,
                       struct net *net, struct mesh *mesh) MUST_CHECK;

/* Starts listening; connections are served once the store is attached and the shard turns. */
enum status shard_listen(struct shard *shard, enum door_kind door, const union net_address *address,
                         const struct net_listener_options *options, union net_address *bound,
                         struct fault *fault) MUST_CHECK;

/* Opens the shard's log; before the first turn. */
enum status shard_attach(struct shard *shard, struct store *store, struct medium *medium,
                         struct fault *fault) MUST_CHECK;

/* Before the first turn; outlives the shard. */
void shard_drive(struct shard *shard, const struct shard_driver *driver);

/* One turn; waits at most `wait_ns` when there is nothing to do. */
void shard_turn(struct shard *shard, uint64_t wait_ns);

/* Begins to end: no new connections, idle sessions get 421, messages under way are finished.
 * Sessions that have not ended after `drain_ms` are cut off. The shard goes on turning until
 * shard_is_drained. */
void shard_drain(struct shard *shard);
bool shard_is_drained(const struct shard *shard);

/* Closes the log (vouching for all it holds) and frees everything. The net must be deinitialised
 * afterwards, by its owner; all sessions have ended by then or are dropped. */
void shard_close(struct shard *shard);

/* Live: to be read on the shard's thread, or torn but harmlessly elsewhere. */
const struct shard_counters *shard_counters(const struct shard *shard);
/* Copies all of them, of a shard with a log; any thread: each number whole, not all of one moment.
 */
void shard_read(const struct shard *shard, struct shard_figures *figures);
/* Connections that have a session now. */
uint32_t shard_sessions(const struct shard *shard);

#endif
