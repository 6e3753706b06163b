/* Shards under test: the real engine on the simulated network and disk, in one thread, with clients
 * that a test scripts line by line.
 *
 * Time is the bed's: it jumps from event to event while a test waits, so minutes of patience cost
 * nothing. What goes wrong inside the bed fails the test that runs. */
#ifndef TESTS_ENGINE_SHARD_BED_H
#define TESTS_ENGINE_SHARD_BED_H

#include "base/random.h"
#include "engine/net/net_sim.h"
#include "engine/shard.h"
#include "storage/medium/medium_sim.h"

#define BED_SHARDS_MAX 3u
#define BED_CLIENTS_MAX 96u
#define BED_INPUT_BYTES (4u << 20)

struct bed_options {
    uint64_t seed;
    uint32_t shards;
    uint32_t connections_max;   /* per shard */
    uint32_t window_bytes;      /* of the network: what a peer that reads nothing still takes */
    uint32_t segment_bytes_max; /* what is received at once */
    uint32_t recipients_max;
    uint64_t staging_bytes;
    uint32_t drain_ms;
    uint64_t disk_ns;          /* of one operation */
    uint32_t link_queue_bytes; /* between two shards */
    const char *passwd_file;   /* NULL: any password is right */
    uint32_t auth_requests_max;
    uint32_t idle_per_thousand; /* how often a shard sits a round out, as a busy core would */
    struct tls_server *tls;     /* NULL: in clear, without the doors of TLS */
};
/* One shard, 64 connections, 64 KiB, any password, 1 ms, in clear. */
struct bed_options bed_options(void);

struct bed;

struct client {
    struct bed *bed;
    struct net_conn conn;
    bool open;       /* connected */
    bool over;       /* the connection is closed */
    bool ended;      /* the server will say nothing more */
    bool deaf;       /* reads nothing */
    bool deaf_now;   /* has left bytes unread */
    size_t size, at; /* bytes heard; those that bed_hears went through */
    uint8_t *input;  /* NUL-terminated */
};

struct bed {
    uint64_t now_ns;
    struct clock clock;
    struct sim_network *network;
    struct sim_disk *disk;
    struct shard_config config;
    const struct recipients *_Atomic recipients;
    struct medium *main_medium;
    struct store *store;
    struct mesh *mesh;
    uint32_t shards_count;
    uint32_t idle_per_thousand;
    struct random random;
    struct shard *shards[BED_SHARDS_MAX];
    struct net *nets[BED_SHARDS_MAX];
    struct medium *media[BED_SHARDS_MAX];
    struct net *clients_net;
    uint32_t clients_count;
    struct client clients[BED_CLIENTS_MAX];
    struct net_calls calls; /* the simulated network's, but for a poll that is watched */
    void (*poll)(struct net *net, uint64_t wait_ns);
    uint32_t sleepless; /* turns since bed_open before which a shard would not have slept */
};

void bed_open(struct bed *bed, const struct bed_options *options);
/* Drains, closes everything, and lets the invariants have their say. */
void bed_close(struct bed *bed);

/* One round of turns, then the clock jumps to what is due next, at most 100 ms. */
void bed_step(struct bed *bed);
void bed_run(struct bed *bed, uint64_t ms);

/* Connects; the server may not have accepted yet. */
struct client *bed_connect(struct bed *bed, enum door_kind door);
/* The same, and waits for the banner. */
struct client *bed_greet(struct bed *bed, enum door_kind door);
void bed_say(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bed_send(struct client *client, struct span bytes);
/* Waits until `text` comes behind what was heard before, at most two minutes. */
bool bed_hears(struct client *client, const char *text) MUST_CHECK;
/* Waits for the server's end of the connection, at most `ms`. */
bool bed_ends(struct client *client, uint64_t ms) MUST_CHECK;
void bed_finish(struct client *client); /* half close */
void bed_abort(struct client *client);
/* Reads nothing from now on, or again. */
void bed_deafen(struct client *client, bool deaf);

/* EHLO, one message of about `bytes` for the recipient, and its 250. */
void bed_deliver(struct bed *bed, const char *recipient, size_t bytes);
/* USER, PASS and the +OK. */
struct client *bed_log_in(struct bed *bed, const char *mailbox);

/* Sessions of all shards. */
uint32_t bed_sessions(const struct bed *bed);

#endif
