/* The receiver as a whole: opens the store, starts the shards on their cores, drains and stops
 * them.
 *
 * Starting has two phases, so that privileges can be dropped in between: first every shard opens
 * its ring and its listeners, then (as the user named) the store is opened and the shards attach to
 * it. Any failure takes down what was started and is reported as one line. */
#ifndef ENGINE_SERVICE_H
#define ENGINE_SERVICE_H

#include "engine/net/dpdk/net_dpdk.h"
#include "engine/net/net.h"
#include "engine/shard.h"

#define SERVICE_LISTENERS_MAX SHARD_LISTENERS_MAX

struct service_listener {
    enum door_kind door;
    union net_address address;
};

struct service_options {
    const char *store_directory;
    struct service_listener listeners[SERVICE_LISTENERS_MAX];
    uint32_t listeners_count;
    uint32_t shards;  /* 0: one per usable processor */
    const char *cpus; /* "0,2-3": one per shard; NULL: the first usable ones; "none": not pinned */
    uint32_t connections_max; /* per shard; 0: as open files allow, at most 10,000 */
    uint64_t message_bytes_max;
    uint64_t memory_bytes; /* for messages in flight, of all shards together */
    uint64_t segment_bytes;
    uint64_t reclaim_rate;    /* bytes per second and shard to give space back with; 0: never */
    uint64_t expire_after_ms; /* 0: mail is kept at any age */
    uint32_t keep_messages;   /* of a mailbox; 0: any number */
    uint32_t commit_depth;
    uint32_t gather_us; /* see ring_gather; left out where the kernel can't */
    uint32_t text_line_bytes_max;
    bool durable;
    const char *hostname;    /* NULL: the machine's */
    const char *user;        /* NULL: stay who we are */
    const char *passwd_file; /* NULL: no one can log in, unless any_password */
    bool any_password;
    const char *recipients_file; /* NULL with accept_all */
    bool accept_all;
    const char *tls_certificate_file; /* NULL: no TLS; else with tls_key_file */
    const char *tls_key_file;
    struct dpdk_options dpdk;
};

/* Sizes and limits; nothing to listen on, no store. */
void service_options_default(struct service_options *options);

/* Runs until SIGTERM or SIGINT, then drains; SIGHUP reads the passwd, recipients, certificate and
 * key files again.
 * Prints one line per listener, what is active, and `ready` on stderr. */
enum status service_run(const struct service_options *options, struct fault *fault) MUST_CHECK;

#endif
