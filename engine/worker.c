#include "engine/worker.h"

#include "base/log.h"
#include "engine/net/net_uring.h"
#include "storage/medium/medium_file.h"

#include <sched.h>
#include <stdlib.h>
#include <time.h>

enum {
    RING_ENTRIES = 4096,
    GATHER_ENOUGH = 32, /* commands, replies taken and commits, for a turn to begin */
    RECEIVE_BUFFERS = 1024,
    RECEIVE_BUFFER_BYTES = 16384,
    LINK_QUEUE_BYTES = 1 << 20,
    LISTEN_BACKLOG = 4096,
    LISTEN_TRIES = 20,
    LISTEN_PAUSE_MS = 100,
};

/* ------------------------------------------------------------------------ a shard's thread ---- */

/* A process killed a moment ago may still hold its listeners: the kernel takes an io_uring down
 * after the process. So an address in use is asked for again for a little while. */
static enum status listen_patiently(struct worker *worker, const struct service_listener *listener,
                                    const union net_address *address, union net_address *bound)
{
    const struct net_listener_options options = {.backlog = LISTEN_BACKLOG,
                                                 .reuse_port = worker->workers->count > 1 &&
                                                               listener->door != DOOR_METRICS,
                                                 .first = worker->index == 0};
    const struct timespec pause = {.tv_nsec = LISTEN_PAUSE_MS * (long)NS_PER_MS};
    enum status status = STATUS_NETWORK;
    for (int tries = 0; tries < LISTEN_TRIES && status == STATUS_NETWORK; tries++) {
        if (tries > 0)
            nanosleep(&pause, NULL);
        status =
            shard_listen(worker->shard, listener->door, address, &options, bound, &worker->fault);
    }
    return status;
}

static enum status worker_listen(struct worker *worker)
{
    struct workers *workers = worker->workers;
    const struct service_options *options = workers->options;
    struct fault *fault = &worker->fault;
    enum status status = STATUS_OK;
    if (workers->pinned)
        status = cpus_pin(workers->cpus.numbers[worker->index % workers->cpus.count], fault);
    if (status == STATUS_OK)
        status = ring_open(&worker->ring, RING_ENTRIES, fault);
    if (status != STATUS_OK)
        return status;
    if (!ring_gather(&worker->ring, options->gather_us, GATHER_ENOUGH) && worker->index == 0)
        log_info("this kernel takes what arrives at once: --gather needs Linux 6.12");
    const struct net_uring_options net_options = {.connections_max = options->connections_max,
                                                  .buffers = RECEIVE_BUFFERS,
                                                  .buffer_bytes = RECEIVE_BUFFER_BYTES};
    struct net *kernel;
    status = net_uring_open(&kernel, &worker->ring, &net_options, fault);
    if (status != STATUS_OK)
        return status;
    if (workers->dpdk == NULL)
        worker->net = kernel;
    else
        status = net_dpdk_open(&worker->net, workers->dpdk, worker->index, kernel, &worker->ring,
                               options->connections_max, &clock_system, fault);
    if (status != STATUS_OK)
        return status;
    status = shard_open(&worker->shard, workers->config, worker->index, worker->net, workers->mesh);
    if (status != STATUS_OK)
        return fault_set(fault, status, "no memory for a shard of %u connections",
                         options->connections_max);
    for (uint32_t i = 0; status == STATUS_OK && i < options->listeners_count; i++) {
        const struct service_listener *listener = &options->listeners[i];
        /* A port that the system chose for the first shard is everybody's; a unix socket and the
         * metrics are the first shard's alone. */
        const union net_address *address = worker->index ? &workers->bound[i] : &listener->address;
        bool alone = address->any.sa_family == AF_UNIX || listener->door == DOOR_METRICS;
        if (worker->index > 0 && alone)
            continue;
        status =
            listen_patiently(worker, listener, address, worker->index ? NULL : &workers->bound[i]);
    }
    return status;
}

static enum status worker_attach(struct worker *worker)
{
    const struct service_options *options = worker->workers->options;
    const struct medium_file_options file = {.durable = options->durable};
    enum status status = medium_file_open(&worker->medium, &worker->ring, options->store_directory,
                                          &file, &worker->fault);
    if (status != STATUS_OK)
        return status;
    return shard_attach(worker->shard, worker->workers->store, worker->medium, &worker->fault);
}

/* Tells the main thread how far this worker has come and waits until all may go on. */
static enum phase worker_report(struct worker *worker, enum phase reached, enum status status)
{
    struct workers *workers = worker->workers;
    pthread_mutex_lock(&workers->lock);
    worker->reached = reached;
    worker->failed = status != STATUS_OK;
    pthread_cond_broadcast(&workers->changed);
    while (workers->phase < reached)
        pthread_cond_wait(&workers->changed, &workers->lock);
    enum phase phase = workers->phase;
    pthread_mutex_unlock(&workers->lock);
    return phase;
}

/* Turns until every shard is drained: until then others may need this one's mailboxes. Nobody goes
 * before all have left their loops. */
static void worker_serve(struct worker *worker)
{
    struct workers *workers = worker->workers;
    bool counted = false;
    while (atomic_load(&workers->drained) < workers->count) {
        bool stopping = atomic_load_explicit(&workers->stop, memory_order_relaxed);
        if (stopping)
            shard_drain(worker->shard);
        shard_turn(worker->shard, stopping ? 10 * NS_PER_MS : NS_PER_S);
        atomic_fetch_add(&worker->turns, 1);
        if (!counted && shard_is_drained(worker->shard)) {
            counted = true;
            atomic_fetch_add(&workers->drained, 1);
        }
    }
    atomic_fetch_sub(&workers->waking, 1);
    while (atomic_load(&workers->waking) > 0)
        sched_yield();
}

static void worker_close(struct worker *worker)
{
    if (worker->net != NULL)
        worker->net->calls->deinit(worker->net);
    if (worker->shard != NULL)
        shard_close(worker->shard);
    if (worker->medium != NULL)
        worker->medium->calls->deinit(worker->medium);
    if (worker->ring.handlers_count > 0)
        ring_close(&worker->ring);
}

static void *worker_run(void *argument)
{
    struct worker *worker = argument;
    enum status status = worker_listen(worker);
    enum phase phase = worker_report(worker, PHASE_ATTACH, status);
    if (phase == PHASE_ATTACH) {
        status = worker_attach(worker);
        phase = worker_report(worker, PHASE_SERVE, status);
    }
    if (phase == PHASE_SERVE)
        worker_serve(worker);
    worker_close(worker);
    return NULL;
}

/* ------------------------------------------------------------------------ the main thread ---- */

/* Waits until `worker` has come to `phase`; its failure becomes ours. */
static enum status await_worker(struct workers *workers, struct worker *worker, enum phase phase,
                                struct fault *fault)
{
    pthread_mutex_lock(&workers->lock);
    while (worker->reached < phase)
        pthread_cond_wait(&workers->changed, &workers->lock);
    bool failed = worker->failed;
    pthread_mutex_unlock(&workers->lock);
    return failed ? fault_set(fault, worker->fault.status, "%s", worker->fault.text) : STATUS_OK;
}

static void set_phase(struct workers *workers, enum phase phase)
{
    pthread_mutex_lock(&workers->lock);
    workers->phase = phase;
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
}

enum status workers_start(struct workers *workers, struct fault *fault)
{
    uint32_t count = workers->count;
    workers->count = 0;
    workers->list = calloc(count, sizeof *workers->list);
    if (workers->list == NULL || mesh_open(&workers->mesh, count, LINK_QUEUE_BYTES) != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "no memory for %u shards", count);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        workers->list[i] = (struct worker){.workers = workers, .index = i};
        workers->count = count;
        if (pthread_create(&workers->list[i].thread, NULL, worker_run, &workers->list[i])) {
            workers->count = i;
            return fault_set(fault, STATUS_SYSTEM, "cannot start a thread for shard %u", i);
        }
        status = await_worker(workers, &workers->list[i], PHASE_ATTACH, fault);
        if (status != STATUS_OK)
            workers->count = i + 1;
    }
    return status;
}

enum status workers_attach(struct workers *workers, struct store *store, struct fault *fault)
{
    enum status status = STATUS_OK;
    workers->store = store;
    set_phase(workers, PHASE_ATTACH);
    for (uint32_t i = 0; status == STATUS_OK && i < workers->count; i++)
        status = await_worker(workers, &workers->list[i], PHASE_SERVE, fault);
    return status;
}

void workers_serve(struct workers *workers)
{
    atomic_store(&workers->waking, workers->count + 1);
    set_phase(workers, PHASE_SERVE);
}

void workers_await_turns(struct workers *workers)
{
    const struct timespec moment = {.tv_nsec = NS_PER_MS};
    for (uint32_t i = 0; i < workers->count; i++) {
        struct worker *worker = &workers->list[i];
        uint64_t turns = atomic_load(&worker->turns);
        while (atomic_load(&worker->turns) == turns) {
            worker->net->calls->wake(worker->net);
            nanosleep(&moment, NULL);
        }
    }
}

void workers_drain(struct workers *workers)
{
    atomic_store(&workers->stop, true);
    for (uint32_t i = 0; i < workers->count; i++)
        workers->list[i].net->calls->wake(workers->list[i].net);
    atomic_fetch_sub(&workers->waking, 1);
}

void workers_join(struct workers *workers)
{
    set_phase(workers, atomic_load(&workers->stop) ? PHASE_SERVE : PHASE_STOP);
    for (uint32_t i = 0; i < workers->count; i++)
        pthread_join(workers->list[i].thread, NULL);
    if (workers->mesh != NULL)
        mesh_close(workers->mesh);
    free(workers->list);
}
