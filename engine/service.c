#include "engine/service.h"

#include "base/log.h"
#include "base/random.h"
#include "base/ring.h"
#include "engine/metrics.h"
#include "engine/privileges.h"
#include "engine/worker.h"
#include "storage/medium/medium_file.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    DRAIN_MS = 10000,
    SPARE_DESCRIPTORS = 64,
    CONNECTIONS = 10000, /* per shard, unless told */
};

struct service {
    const struct service_options *options;
    struct shard_config config;
    struct store_options store_options;
    char hostname[256];
    struct recipients *_Atomic recipients;
    struct ring ring; /* the main thread's: opening the store */
    struct medium *medium;
    struct store *store;
    struct workers workers;
    struct metrics_source metrics;
};

void service_options_default(struct service_options *options)
{
    *options = (struct service_options){
        .message_bytes_max = 64u << 20,
        .memory_bytes = 256u << 20,
        .segment_bytes = 256u << 20,
        .reclaim_rate = 32u << 20,
        .commit_depth = 1,
        .gather_us = 100,
        .text_line_bytes_max = 1000,
        .durable = true,
    };
    dpdk_options_default(&options->dpdk);
}

static enum status open_store(struct service *service, struct fault *fault)
{
    const struct service_options *options = service->options;
    const struct medium_file_options file = {.create = true, .durable = options->durable};
    enum status status = ring_open(&service->ring, 256, fault);
    if (status == STATUS_OK)
        status = medium_file_open(&service->medium, &service->ring, options->store_directory, &file,
                                  fault);
    service->store_options.index_directory = options->store_directory;
    if (status == STATUS_OK)
        status = store_open(&service->store, service->medium, STORE_WRITE, &service->store_options,
                            fault);
    return status;
}

static void print_start(const struct service *service)
{
    const struct service_options *options = service->options;
    for (uint32_t i = 0; i < options->listeners_count; i++) {
        char text[NET_ADDRESS_TEXT_BYTES];
        log_info("listening %s %s", door_name(options->listeners[i].door),
                 net_address_text(&service->workers.bound[i], text));
        if (options->listeners[i].door == DOOR_METRICS &&
            !net_address_is_loopback(&options->listeners[i].address))
            log_warning("metrics are open to everybody who reaches %s", text);
    }
    log_info("%u shard%s, store %s, %s", service->workers.count,
             service->workers.count == 1 ? "" : "s", options->store_directory,
             medium_file_is_direct(service->workers.list[0].medium)
                 ? "direct I/O"
                 : "no direct I/O: write and fdatasync");
    if (service->workers.dpdk != NULL)
        log_info("dpdk %s", dpdk_text(service->workers.dpdk));
    if (!options->durable)
        log_warning("DURABILITY IS OFF (--durability none): mail acknowledged now may be lost");
    log_info("ready");
}

/* Reads the files again; what is wrong with them leaves the old tables in place. */
static void reload(struct service *service)
{
    struct fault fault;
    const struct service_options *options = service->options;
    if (options->passwd_file != NULL && !options->any_password &&
        auth_reload(service->config.auth, options->passwd_file, &fault) != STATUS_OK)
        log_error("%s; the old users stay", fault.text);
    if (service->config.tls != NULL && tls_server_reload(service->config.tls, &fault) != STATUS_OK)
        log_error("%s; the old certificate stays", fault.text);
    struct recipients *fresh = NULL;
    if (options->recipients_file != NULL) {
        if (recipients_load(&fresh, options->recipients_file, &fault) != STATUS_OK) {
            log_error("%s; the old recipients stay", fault.text);
            return;
        }
        struct recipients *old = atomic_exchange(&service->recipients, fresh);
        workers_await_turns(&service->workers);
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
    workers_drain(&service->workers);
}

static void stop(struct service *service)
{
    workers_join(&service->workers);
    if (service->workers.dpdk != NULL)
        dpdk_close(service->workers.dpdk);
    if (service->store != NULL)
        store_close(service->store);
    if (service->medium != NULL)
        service->medium->calls->deinit(service->medium);
    if (service->ring.handlers_count > 0)
        ring_close(&service->ring);
    if (service->config.auth != NULL)
        auth_close(service->config.auth);
    if (service->config.tls != NULL)
        tls_server_close(service->config.tls);
    recipients_free(service->recipients);
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
        if (door_kind_is_pop3(options->listeners[i].door) &&
            !net_address_is_loopback(&options->listeners[i].address))
            return fault_set(fault, STATUS_USAGE,
                             "--any-password is refused while --%s is not on loopback",
                             door_name(options->listeners[i].door));
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
    cpus_usable(&service->workers.cpus);
    uint32_t usable = service->workers.cpus.count;
    service->workers.count = options->shards ? options->shards : usable;
    service->workers.pinned = service->workers.count <= usable;
    if (options->cpus != NULL && strcmp(options->cpus, "none") == 0)
        service->workers.pinned = false;
    else if (options->cpus != NULL) {
        service->workers.pinned = true;
        status = cpus_parse(options->cpus, &service->workers.cpus, fault);
    }
    return status;
}

static enum status open_tls(struct service *service, struct fault *fault)
{
    const struct service_options *options = service->options;
    if (options->tls_certificate_file == NULL)
        return STATUS_OK;
    const struct tls_server_options tls = {.certificate_file = options->tls_certificate_file,
                                           .key_file = options->tls_key_file,
                                           .shards = service->workers.count,
                                           .clock = &clock_system};
    return tls_server_open(&service->config.tls, &tls, fault);
}

static void read_shard(void *context, uint32_t shard, struct shard_figures *figures)
{
    const struct service *service = context;
    shard_read(service->workers.list[shard].shard, figures);
}

static void read_log(void *context, uint32_t log, struct store_stats *recovered)
{
    const struct service *service = context;
    store_stats(service->store, log, recovered);
}

static void configure_metrics(struct service *service)
{
    service->metrics = (struct metrics_source){
        .shards = service->workers.count,
        .durable = service->options->durable,
        .read_shard = read_shard,
        .read_log = read_log,
        .context = service,
    };
    service->config.metrics = &service->metrics;
    service->config.http = (struct http_config){
        .path = SPAN("/metrics"),
        .type = SPAN(METRICS_TYPE),
        .host = &door_metrics_host,
        .clock = &clock_system,
    };
}

static enum status configure(struct service *service, struct fault *fault)
{
    const struct service_options *options = service->options;
    enum status status = open_tls(service, fault);
    if (status != STATUS_OK)
        return status;
    struct smtp_config smtp = {
        .hostname = span_text(service->hostname),
        .message_bytes_max = options->message_bytes_max,
        .recipients_max = 1000,
        .text_line_bytes_max = options->text_line_bytes_max,
        .errors_max = 20,
        .starttls = service->config.tls != NULL,
        .hops_max = 100,
        .host = &door_smtp_host,
        .clock = &clock_system,
    };
    service->config.smtp = service->config.lmtp = smtp;
    service->config.lmtp.lmtp = true;
    service->config.pop3 = (struct pop3_config){
        .hostname = smtp.hostname,
        .plaintext_login = true,
        .stls = service->config.tls != NULL,
        .errors_max = 10,
        .host = &door_pop3_host,
    };
    configure_metrics(service);
    service->config.connections_max = options->connections_max;
    service->config.recipients = (const struct recipients *_Atomic *)&service->recipients;
    service->config.clock = &clock_system;
    service->config.drain_ms = DRAIN_MS;
    store_options_default(&service->store_options);
    service->store_options.shards = service->workers.count;
    service->store_options.segment_bytes = options->segment_bytes;
    service->store_options.reclaim_rate = options->reclaim_rate;
    service->store_options.expire_after_ns = options->expire_after_ms * NS_PER_MS;
    service->store_options.keep_messages = options->keep_messages;
    service->store_options.commit_depth = options->commit_depth;
    /* A quarter of the budget is for staged pieces; batches, receive buffers and bytes received
     * while their session waits have the rest. */
    service->store_options.staging_bytes = options->memory_bytes / 4 / service->workers.count;
    service->store_options.clock = &clock_system;
    if (random_system(&service->store_options.seed, sizeof service->store_options.seed) !=
        STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "the system has no random numbers");
    return STATUS_OK;
}

static enum status run(struct service *service, const sigset_t *signals, struct fault *fault)
{
    const struct dpdk_options *dpdk = &service->options->dpdk;
    enum status status = STATUS_OK;
    if (dpdk->wanted)
        status = dpdk_open(&service->workers.dpdk, dpdk, service->workers.count, fault);
    if (status == STATUS_OK)
        status = workers_start(&service->workers, fault);
    else
        service->workers.count = 0;
    if (status == STATUS_OK && service->options->user != NULL)
        status = privileges_drop(service->options->user, service->options->store_directory, fault);
    if (status == STATUS_OK)
        status = open_store(service, fault);
    if (status != STATUS_OK)
        return status;
    uint32_t found = store_shards_on_disk(service->store);
    service->metrics.logs = found > service->metrics.shards ? found : service->metrics.shards;
    status = workers_attach(&service->workers, service->store, fault);
    if (status != STATUS_OK)
        return status;
    print_start(service);
    workers_serve(&service->workers);
    await_signals(service, signals);
    return STATUS_OK;
}

enum status service_run(const struct service_options *given, struct fault *fault)
{
    struct service_options options = *given;
    struct service service = {
        .options = &options,
        .workers = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}};
    service.workers.options = &options;
    service.workers.config = &service.config;
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
    uint32_t shards = service.workers.count;
    if (status == STATUS_OK) {
        raise_descriptor_limit(&options, shards);
        status = configure(&service, fault);
    }
    if (status == STATUS_OK)
        status = run(&service, &signals, fault);
    else
        service.workers.count = 0;
    stop(&service);
    return status;
}
