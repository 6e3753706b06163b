/* The shards' threads: each opens its shard on its own core and turns it until all are drained.
 *
 * Starting goes through phases that the main thread leads, so that privileges can be dropped and
 * the store opened in between: listen, attach, serve. Whoever fails reports it and waits for the
 * end. All functions belong to the main thread. */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "base/ring.h"
#include "engine/cpus.h"
#include "engine/service.h"

#include <pthread.h>
#include <stdatomic.h>

/* How far the whole has come; workers follow. */
enum phase { PHASE_LISTEN, PHASE_ATTACH, PHASE_SERVE, PHASE_STOP };

struct workers;

struct worker { /* one shard and the thread that turns it */
    struct workers *workers;
    uint32_t index;
    pthread_t thread;
    struct ring ring;
    struct net *net;
    struct medium *medium;
    struct shard *shard;
    _Atomic uint64_t turns;
    enum phase reached; /* guarded by workers->lock */
    bool failed;
    struct fault fault;
};

struct workers { /* filled in by the service up to `count`; the rest zero but for lock and changed
                  */
    const struct service_options *options;
    const struct shard_config *config;
    struct cpus cpus;
    bool pinned;
    uint32_t count; /* wanted before workers_start, started after it */
    struct worker *list;
    struct mesh *mesh;
    struct dpdk *dpdk; /* NULL: the kernel's network alone */
    struct store *store;
    union net_address bound[SERVICE_LISTENERS_MAX]; /* as the first shard got them */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum phase phase; /* guarded by lock */
    atomic_bool stop;
    _Atomic uint32_t drained;
    _Atomic uint32_t waking; /* threads that may still wake workers: these, and the main one */
};

/* Starts the threads; each opens its ring, its network and its listeners. */
enum status workers_start(struct workers *workers, struct fault *fault) MUST_CHECK;
/* Lets each shard open its log of the store. */
enum status workers_attach(struct workers *workers, struct store *store,
                           struct fault *fault) MUST_CHECK;
/* Lets them serve. */
void workers_serve(struct workers *workers);
/* Returns when every shard has ended the turn it may be in: only inside one does it look at what
 * the service may replace. */
void workers_await_turns(struct workers *workers);
/* Tells them to finish what is under way. */
void workers_drain(struct workers *workers);
/* Waits until all have ended, however far they had come, and frees what they shared. */
void workers_join(struct workers *workers);

#endif
