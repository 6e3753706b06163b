/* A whole installation in one thread: shards, disk, network, clients and clock, all from one seed.
 *
 * The server side is the real engine (shards, sessions, store) on net_sim and medium_sim; only
 * threads, crypt and the kernel are missing. The clients are actors that keep the ledger. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/random.h"
#include "engine/net/net_sim.h"
#include "engine/shard.h"
#include "storage/index/index.h"
#include "storage/medium/medium_sim.h"
#include "tests/sim/ledger.h"

#define WORLD_SHARDS_MAX 3u
#define WORLD_ACTORS_MAX 16u

struct actor;

struct world {
    uint64_t seed, now_ns;
    struct random random;
    struct clock clock;
    struct sim_network *network;
    struct sim_disk *disk;
    struct ledger *ledger;
    /* The server; NULL while it is down. */
    struct shard_config config;
    const struct recipients *_Atomic recipients;
    uint32_t shards_count;
    struct shard *shards[WORLD_SHARDS_MAX];
    struct net *nets[WORLD_SHARDS_MAX];
    struct medium *media[WORLD_SHARDS_MAX];
    struct medium *main_medium;
    struct store *store;
    struct index *index; /* stays while the server is down */
    struct mesh *mesh;
    bool up;
    /* The clients. */
    struct net *clients;
    struct actor *actors[WORLD_ACTORS_MAX];
    uint32_t actors_count;
    bool resting; /* who is done does not start again */
    uint32_t crashes;
    const char *wrong; /* what broke a promise; NULL: nothing so far */
    uint32_t wrong_message;
};

void world_open(struct world *world, uint64_t seed);

/* Starts the server on what the disk holds, with a drawn number of shards. */
void world_boot(struct world *world);
/* SIGTERM: drains and closes. */
void world_shut_down(struct world *world);
/* The power goes. */
void world_crash(struct world *world);

/* One round of turns, then the clock jumps to the next event. */
void world_step(struct world *world);

void world_set_faults(struct world *world, bool on);

/* The first broken promise is kept. */
void world_blame(struct world *world, const char *wrong, uint32_t message);

/* True with the chance of `per_thousand`. */
static inline bool world_chance(struct world *world, uint32_t per_thousand)
{
    return random_below(&world->random, 1000) < per_thousand;
}

/* ------------------------------------------------------------------------------- actors ---- */

/* A client: connects when `start` is called, is told lines by its table, and is idle when done. */
struct actor_kind {
    void (*start)(struct actor *actor);
    void (*connected)(struct actor *actor);
    /* Bytes arrived: returns how many make up what the actor could use. */
    size_t (*received)(struct actor *actor, struct span bytes);
    void (*closed)(struct actor *actor);
};

#define ACTOR_INPUT_BYTES (1u << 20)

struct actor {
    const struct actor_kind *kind;
    struct world *world;
    struct net_conn conn;
    bool open, busy;  /* connected; between start and closed */
    bool tireless;    /* starts again also while the world rests */
    uint64_t wake_ns; /* starts again then */
    uint32_t input_bytes;
    uint8_t *input;
    void *state; /* the kind's */
};

struct actor *actor_open(struct world *world, const struct actor_kind *kind, size_t state_bytes);
void actor_connect(struct actor *actor, uint16_t port);
void actor_send(struct actor *actor, struct span bytes);
void actor_print(struct actor *actor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void actor_hang_up(struct actor *actor, bool abruptly);

extern const struct actor_kind actor_smtp, actor_pop3;

/* Opens actors: senders, readers that delete, and (later) one inspector per mailbox. */
struct actor *smtp_actor_open(struct world *world);
struct actor *pop3_actor_open(struct world *world);
struct actor *inspector_open(struct world *world, uint32_t mailbox);
bool inspector_is_done(const struct actor *actor);

#define WORLD_SMTP_PORT 25
#define WORLD_POP3_PORT 110
#define WORLD_DOMAIN "sim.test"

#endif
