/* The inside of a shard, for engine/shard.c, session.c and the doors. */
#ifndef ENGINE_SHARD_STATE_H
#define ENGINE_SHARD_STATE_H

#include "engine/session.h"
#include "engine/shard.h"

struct shard {
    const struct shard_config *config;
    uint32_t index;
    struct net *net;
    struct mesh *mesh;
    struct store *store;
    struct store_log *log;
    struct blocks blocks;
    struct pool sessions;        /* struct session */
    struct pool drafts;          /* struct store_draft */
    struct pool scrapes;         /* struct session_metrics, at the shard that has that door */
    struct pool tls_sessions;    /* struct session_tls; only with TLS, like the next */
    struct pool tls_records;     /* TLS_RECORD_BYTES_MAX each */
    struct store_draft no_draft; /* of messages that arrive whole: always empty */
    struct timer_wheel timers;
    uint64_t now_ns, wall_ns; /* read once per turn, at its first event: see shard_tell_time */
    bool time_is_told;
    uint64_t progress; /* counts what may let a waiting session go on */
    uint64_t progress_tried;
    uint64_t batches_seen; /* of the log, and whether it had room, at the last turn */
    bool had_room;
    struct session *dirty;
    struct session *waiting, *last_waiting; /* in the order they began to wait */
    uint32_t waiting_count;
    uint32_t tries_left;               /* of the waiting, since the last progress */
    const struct shard_driver *driver; /* NULL: none */
    uint64_t driver_ns;                /* when it wants to be asked at the latest */
    struct clock_date_cache date;
    struct session_listener listeners[SHARD_LISTENERS_MAX];
    uint32_t listeners_count;
    bool busy; /* the store has work that only another turn can do */
    bool accept_paused;
    uint32_t handshakes_left; /* steps that this turn has time for */
    bool draining;
    uint64_t drain_deadline_ns;
    struct shard_counters counters;
};

/* Reads the clocks once per turn. The first event after the wait is the moment that counts. */
static inline void shard_tell_time(struct shard *shard)
{
    if (shard->time_is_told)
        return;
    shard->time_is_told = true;
    shard->now_ns = clock_monotonic_ns(shard->config->clock);
    shard->wall_ns = clock_wall_ns(shard->config->clock);
}

static inline uint64_t shard_now_ms(struct shard *shard)
{
    shard_tell_time(shard);
    return shard->now_ns / NS_PER_MS;
}

#endif
