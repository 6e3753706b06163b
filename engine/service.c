#include "engine/service.h"

#include "base/log.h"
#include "base/random.h"
#include "base/ring.h"
#include "engine/cpus.h"
#include "engine/net/net_uring.h"
#include "engine/privileges.h"
#include "storage/medium_file.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

extern const struct smtp_host door_smtp_host;
extern const struct pop3_host door_pop3_host;

enum {
    RING_ENTRIES = 4096,
    RECEIVE_BUFFERS = 1024,
    RECEIVE_BUFFER_BYTES = 16384,
    LINK_QUEUE_BYTES = 1 << 20,
    DRAIN_MS = 10000,
    LISTEN_BACKLOG = 4096,
    SPARE_DESCRIPTORS = 64,
    CONNECTIONS = 10000, /* per shard, unless told */
};

/* How far the whole has come; members follow. */
enum phase { PHASE_LISTEN, PHASE_ATTACH, PHASE_SERVE, PHASE_STOP };

struct service;

struct member { /* one shard and the thread that turns it */
    struct service *service;
    uint32_t index;
    pthread_t thread;
    struct ring ring;
    struct net *net;
    struct medium *medium;
    struct shard *shard;
    _Atomic uint64_t turns;
    enum phase reached; /* guarded by service->lock */
    bool failed;
    struct fault fault;
};

struct service {
    const struct service_options *options;
    struct shard_config config;
    struct store_options store_options;
    char hostname[256];
    struct cpus cpus;
    bool pinned;
    struct recipients *_Atomic recipients;
    struct ring ring; /* the main thread's: opening the store */
    struct medium *medium;
    struct store *store;
    struct mesh *mesh;
    struct member *members;
    uint32_t members_count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum phase phase; /* guarded by lock */
    atomic_bool stop;
    _Atomic uint32_t drained;
    _Atomic uint32_t waking; /* threads that may still wake members: the main one, and themselves */
    union net_address bound[SERVICE_LISTENERS_MAX];
};

void service_options_default(struct service_options *options)
{
    *options = (struct service_options){
        .message_bytes_max = 64u << 20,
        .memory_bytes = 256u << 20,
        .segment_bytes = 256u << 20,
        .commit_depth = 1,
        .text_line_bytes_max = 1000,
        .durable = true,
    };
}

/* ------------------------------------------------------------------------ a shard's thread ---- */

static enum status member_listen(struct member *member)
{
    struct service *service = member->service;
    const struct service_options *options = service->options;
    struct fault *fault = &member->fault;
    enum status status = STATUS_OK;
    if (service->pinned)
        status = cpus_pin(service->cpus.numbers[member->index % service->cpus.count], fault);
    if (status == STATUS_OK)
        status = ring_open(&member->ring, RING_ENTRIES, fault);
    if (status != STATUS_OK)
        return status;
    const struct net_uring_options net_options = {.connections_max = options->connections_max,
                                                  .buffers = RECEIVE_BUFFERS,
                                                  .buffer_bytes = RECEIVE_BUFFER_BYTES};
    status = net_uring_open(&member->net, &member->ring, &net_options, fault);
    if (status != STATUS_OK)
        return status;
    status =
        shard_open(&member->shard, &service->config, member->index, member->net, service->mesh);
    if (status != STATUS_OK)
        return fault_set(fault, status, "no memory for a shard of %u connections",
                         options->connections_max);
    const struct net_listener_options listen = {.backlog = LISTEN_BACKLOG,
                                                .reuse_port = service->members_count > 1,
                                                .first = member->index == 0};
    for (uint32_t i = 0; status == STATUS_OK && i < options->listeners_count; i++) {
        const struct service_listener *listener = &options->listeners[i];
        /* A port that the system chose for the first shard is everybody's; a unix socket is the
         * first shard's alone. */
        const union net_address *address = member->index ? &service->bound[i] : &listener->address;
        if (member->index > 0 && address->any.sa_family == AF_UNIX)
            continue;
        status = shard_listen(member->shard, listener->door, address, &listen,
                              member->index ? NULL : &service->bound[i], fault);
    }
    return status;
}

static enum status member_attach(struct member *member)
{
    const struct service_options *options = member->service->options;
    const struct medium_file_options file = {.durable = options->durable};
    enum status status = medium_file_open(&member->medium, &member->ring, options->store_directory,
                                          &file, &member->fault);
    if (status != STATUS_OK)
        return status;
    return shard_attach(member->shard, member->service->store, member->medium, &member->fault);
}

/* Tells the main thread how far this member has come and waits until all may go on. */
static enum phase member_report(struct member *member, enum phase reached, enum status status)
{
    struct service *service = member->service;
    pthread_mutex_lock(&service->lock);
    member->reached = reached;
    member->failed = status != STATUS_OK;
    pthread_cond_broadcast(&service->changed);
    while (service->phase < reached)
        pthread_cond_wait(&service->changed, &service->lock);
    enum phase phase = service->phase;
    pthread_mutex_unlock(&service->lock);
    return phase;
}

/* Turns until every shard is drained: until then others may need this one's mailboxes. Nobody goes
 * before all have left their loops. */
static void member_serve(struct member *member)
{
    struct service *service = member->service;
    bool counted = false;
    while (atomic_load(&service->drained) < service->members_count) {
        bool stopping = atomic_load_explicit(&service->stop, memory_order_relaxed);
        if (stopping)
            shard_drain(member->shard);
        shard_turn(member->shard, stopping ? 10 * NS_PER_MS : NS_PER_S);
        atomic_fetch_add(&member->turns, 1);
        if (!counted && shard_is_drained(member->shard)) {
            counted = true;
            atomic_fetch_add(&service->drained, 1);
        }
    }
    atomic_fetch_sub(&service->waking, 1);
    while (atomic_load(&service->waking) > 0)
        sched_yield();
}

static void member_close(struct member *member)
{
    if (member->net != NULL)
        member->net->calls->deinit(member->net);
    if (member->shard != NULL)
        shard_close(member->shard);
    if (member->medium != NULL)
        member->medium->calls->deinit(member->medium);
    if (member->ring.handlers_count > 0)
        ring_close(&member->ring);
}

static void *member_run(void *argument)
{
    struct member *member = argument;
    enum status status = member_listen(member);
    enum phase phase = member_report(member, PHASE_ATTACH, status);
    if (phase == PHASE_ATTACH) {
        status = member_attach(member);
        phase = member_report(member, PHASE_SERVE, status);
    }
    if (phase == PHASE_SERVE)
        member_serve(member);
    member_close(member);
    return NULL;
}

/* ------------------------------------------------------------------------ the main thread ---- */

/* Waits until `member` has come to `phase`; its failure becomes ours. */
static enum status await_member(struct service *service, struct member *member, enum phase phase,
                                struct fault *fault)
{
    pthread_mutex_lock(&service->lock);
    while (member->reached < phase)
        pthread_cond_wait(&service->changed, &service->lock);
    bool failed = member->failed;
    pthread_mutex_unlock(&service->lock);
    return failed ? fault_set(fault, member->fault.status, "%s", member->fault.text) : STATUS_OK;
}

static void set_phase(struct service *service, enum phase phase)
{
    pthread_mutex_lock(&service->lock);
    service->phase = phase;
    pthread_cond_broadcast(&service->changed);
    pthread_mutex_unlock(&service->lock);
}

static enum status start_members(struct service *service, struct fault *fault)
{
    uint32_t count = service->members_count;
    service->members_count = 0;
    service->members = calloc(count, sizeof *service->members);
    if (service->members == NULL || mesh_open(&service->mesh, count, LINK_QUEUE_BYTES) != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "no memory for %u shards", count);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        service->members[i] = (struct member){.service = service, .index = i};
        service->members_count = count;
        if (pthread_create(&service->members[i].thread, NULL, member_run, &service->members[i])) {
            service->members_count = i;
            return fault_set(fault, STATUS_SYSTEM, "cannot start a thread for shard %u", i);
        }
        status = await_member(service, &service->members[i], PHASE_ATTACH, fault);
        if (status != STATUS_OK)
            service->members_count = i + 1;
    }
    return status;
}

static enum status open_store(struct service *service, struct fault *fault)
{
    const struct service_options *options = service->options;
    const struct medium_file_options file = {.create = true, .durable = options->durable};
    enum status status = ring_open(&service->ring, 256, fault);
    if (status == STATUS_OK)
        status = medium_file_open(&service->medium, &service->ring, options->store_directory, &file,
                                  fault);
    if (status == STATUS_OK)
        status = store_open(&service->store, service->medium, STORE_WRITE, &service->store_options,
                            fault);
    return status;
}

static void print_start(const struct service *service)
{
    static const char *const names[DOOR_KINDS] = {"smtp", "lmtp", "pop3"};
    const struct service_options *options = service->options;
    for (uint32_t i = 0; i < options->listeners_count; i++) {
        char text[NET_ADDRESS_TEXT_BYTES];
        log_info("listening %s %s", names[options->listeners[i].door],
                 net_address_text(&service->bound[i], text));
    }
    log_info("%u shard%s, store %s, %s", service->members_count,
             service->members_count == 1 ? "" : "s", options->store_directory,
             medium_file_is_direct(service->members[0].medium)
                 ? "direct I/O"
                 : "no direct I/O: write and fdatasync");
    if (!options->durable)
        log_warning("DURABILITY IS OFF (--durability none): mail acknowledged now may be lost");
    log_info("ready");
}

/* Returns when every shard has ended the turn it may be in: only inside one does it look at what
 * the service may replace. */
static void await_turns(struct service *service)
{
    const struct timespec moment = {.tv_nsec = NS_PER_MS};
    for (uint32_t i = 0; i < service->members_count; i++) {
        struct member *member = &service->members[i];
        for (uint64_t now = atomic_load(&member->turns); atomic_load(&member->turns) == now;) {
            member->net->calls->wake(member->net);
            nanosleep(&moment, NULL);
        }
    }
}

/* Reads the files again; what is wrong with them leaves the old tables in place. */
static void reload(struct service *service)
{
    struct fault fault;
    const struct service_options *options = service->options;
    if (options->passwd_file != NULL && !options->any_password &&
        auth_reload(service->config.auth, options->passwd_file, &fault) != STATUS_OK)
        log_error("%s; the old users stay", fault.text);
    struct recipients *fresh = NULL;
    if (options->recipients_file != NULL) {
        if (recipients_load(&fresh, options->recipients_file, &fault) != STATUS_OK) {
            log_error("%s; the old recipients stay", fault.text);
            return;
        }
        struct recipients *old = atomic_exchange(&service->recipients, fresh);
        await_turns(service);
        recipients_free(old);
    }
    log_info("reloaded");
}

static void await_signals(struct service *service, const sigset_t *signals)
{
    int signal = 0;
    for (;;) {
        if (sigwait(signals, &signal) != 0)
            continue;
        if (signal != SIGHUP)
            break;
        reload(service);
    }
    log_info("%s: draining", signal == SIGTERM ? "SIGTERM" : "SIGINT");
    atomic_store(&service->stop, true);
    for (uint32_t i = 0; i < service->members_count; i++)
        service->members[i].net->calls->wake(service->members[i].net);
    atomic_fetch_sub(&service->waking, 1);
}

static void stop(struct service *service)
{
    set_phase(service, atomic_load(&service->stop) ? PHASE_SERVE : PHASE_STOP);
    for (uint32_t i = 0; i < service->members_count; i++)
        pthread_join(service->members[i].thread, NULL);
    if (service->store != NULL)
        store_close(service->store);
    if (service->medium != NULL)
        service->medium->calls->deinit(service->medium);
    if (service->ring.handlers_count > 0)
        ring_close(&service->ring);
    if (service->mesh != NULL)
        mesh_close(service->mesh);
    if (service->config.auth != NULL)
        auth_close(service->config.auth);
    recipients_free(service->recipients);
    free(service->members);
}

/* As many open files as we may have; connections follow. */
static void raise_descriptor_limit(struct service_options *options, uint32_t shards)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    uint64_t each = limit.rlim_cur > SPARE_DESCRIPTORS * (uint64_t)shards
                        ? limit.rlim_cur / shards - SPARE_DESCRIPTORS
                        : 1;
    if (options->connections_max == 0) {
        options->connections_max = each < CONNECTIONS ? (uint32_t)each : CONNECTIONS;
    } else if (each < options->connections_max) {
        log_warning("%llu open files are allowed: %llu connections per shard, not %u",
                    (unsigned long long)limit.rlim_cur, (unsigned long long)each,
                    options->connections_max);
        options->connections_max = (uint32_t)each;
    }
}

/* Everything that can be checked before anything is started. */
static enum status prepare(struct service *service, struct fault *fault)
{
    const struct service_options *options = service->options;
    for (uint32_t i = 0; options->any_password && i < options->listeners_count; i++)
        if (options->listeners[i].door == DOOR_POP3 &&
            !net_address_is_loopback(&options->listeners[i].address))
            return fault_set(fault, STATUS_USAGE,
                             "--any-password is refused while --pop3 is not on loopback");
    if (options->hostname != NULL)
        snprintf(service->hostname, sizeof service->hostname, "%s", options->hostname);
    else if (gethostname(service->hostname, sizeof service->hostname - 1) != 0)
        return fault_set(fault, STATUS_SYSTEM, "the machine has no name: use --hostname");
    struct recipients *recipients = NULL;
    enum status status = STATUS_OK;
    if (options->recipients_file != NULL)
        status = recipients_load(&recipients, options->recipients_file, fault);
    if (status != STATUS_OK)
        return status;
    atomic_store(&service->recipients, recipients);
    if (options->any_password || options->passwd_file != NULL) {
        struct auth_options auth;
        auth_options_default(&auth);
        auth.passwd_file = options->passwd_file;
        auth.any_password = options->any_password;
        status = auth_open(&service->config.auth, &auth, fault);
        if (status != STATUS_OK)
            return status;
    }
    cpus_usable(&service->cpus);
    uint32_t usable = service->cpus.count;
    service->members_count = options->shards ? options->shards : usable;
    service->pinned = service->members_count <= usable;
    if (options->cpus != NULL && strcmp(options->cpus, "none") == 0)
        service->pinned = false;
    else if (options->cpus != NULL) {
        service->pinned = true;
        status = cpus_parse(options->cpus, &service->cpus, fault);
    }
    return status;
}

static enum status configure(struct service *service, struct fault *fault)
{
    const struct service_options *options = service->options;
    struct smtp_config smtp = {
        .hostname = span_text(service->hostname),
        .message_bytes_max = options->message_bytes_max,
        .recipients_max = 1000,
        .text_line_bytes_max = options->text_line_bytes_max,
        .errors_max = 20,
        .hops_max = 100,
        .host = &door_smtp_host,
        .clock = &clock_system,
    };
    service->config.smtp = service->config.lmtp = smtp;
    service->config.lmtp.lmtp = true;
    service->config.pop3 = (struct pop3_config){
        .hostname = smtp.hostname,
        .plaintext_login = true,
        .errors_max = 10,
        .host = &door_pop3_host,
    };
    service->config.connections_max = options->connections_max;
    service->config.recipients = (const struct recipients *_Atomic *)&service->recipients;
    service->config.clock = &clock_system;
    service->config.drain_ms = DRAIN_MS;
    store_options_default(&service->store_options);
    service->store_options.shards = service->members_count;
    service->store_options.segment_bytes = options->segment_bytes;
    service->store_options.commit_depth = options->commit_depth;
    service->store_options.staging_bytes = options->memory_bytes / service->members_count;
    service->store_options.clock = &clock_system;
    if (random_system(&service->store_options.seed, sizeof service->store_options.seed) !=
        STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "the system has no random numbers");
    return STATUS_OK;
}

static enum status run(struct service *service, const sigset_t *signals, struct fault *fault)
{
    enum status status = start_members(service, fault);
    if (status == STATUS_OK && service->options->user != NULL)
        status = privileges_drop(service->options->user, service->options->store_directory, fault);
    if (status == STATUS_OK)
        status = open_store(service, fault);
    if (status != STATUS_OK)
        return status;
    set_phase(service, PHASE_ATTACH);
    for (uint32_t i = 0; status == STATUS_OK && i < service->members_count; i++)
        status = await_member(service, &service->members[i], PHASE_SERVE, fault);
    if (status != STATUS_OK)
        return status;
    print_start(service);
    atomic_store(&service->waking, service->members_count + 1);
    set_phase(service, PHASE_SERVE);
    await_signals(service, signals);
    return STATUS_OK;
}

enum status service_run(const struct service_options *given, struct fault *fault)
{
    struct service_options options = *given;
    struct service service = {.options = &options,
                              .lock = PTHREAD_MUTEX_INITIALIZER,
                              .changed = PTHREAD_COND_INITIALIZER};
    /* Blocked before any thread exists, so that only sigwait below ever sees them. */
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);

    enum status status = prepare(&service, fault);
    uint32_t shards = service.members_count;
    if (status == STATUS_OK) {
        raise_descriptor_limit(&options, shards);
        status = configure(&service, fault);
    }
    if (status == STATUS_OK)
        status = run(&service, &signals, fault);
    else
        service.members_count = 0;
    stop(&service);
    return status;
}
