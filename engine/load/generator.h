/* One shard's part of a load: its connections, its letters, its schedule.
 *
 * Closed loop: every connection has a letter under way, or as many as pipelining allows. Open loop:
 * the k-th letter of all should begin k/rate seconds after the start, whether a connection is free
 * then or not; what waits is begun as soon as one is, and counts from when it should have. The
 * schedule starts when all connections are ready, or have failed once, or after GENERATOR_START_MS.
 *
 * A connection that fails is made again, after a while that doubles. The load ends early when no
 * connection ever took a letter though each was tried a few times, or when none has been ready for
 * GENERATOR_GIVE_UP_MS. All of it belongs to one thread; only the figures are read by others.
 */
#ifndef ENGINE_LOAD_GENERATOR_H
#define ENGINE_LOAD_GENERATOR_H

#include "engine/load/blast.h"
#include "engine/load/ledger.h"
#include "engine/load/schedule.h"
#include "engine/load/sender.h"

#define GENERATOR_START_MS 5000u
#define GENERATOR_GIVE_UP_MS 30000u
#define GENERATOR_HOPELESS 3u        /* connections in a row that came to nothing */
#define GENERATOR_CONNECTING_MAX 64u /* at once: servers' queues are short */

struct generator_options { /* what the shards of a run have in common, and which one this is */
    const struct blast_options *blast;
    const struct letter_options *letters;
    struct ledger *ledger; /* NULL: none; writer `index` is ours */
    uint32_t index, shards;
    const struct clock *clock;
};

struct generator {
    const struct blast_options *options;
    struct ledger *ledger;
    uint32_t index, shards;
    const struct clock *clock;
    struct shard_config config;
    struct shard_driver driver;
    struct shard *shard;
    struct call_plan plan;
    struct smtp_client_config client;
    uint32_t timeout_ms;
    struct letter_desk *desk;
    struct tally *tally;
    struct timer_wheel reconnects; /* of senders */
    struct timer_wheel attempts;   /* of letters */

    struct sender *senders;
    uint32_t senders_count;
    struct sender *idle, *last_idle; /* in the order they became so; some may have ended since */
    struct sender *absent;           /* to be connected now */
    uint32_t connecting, up, ready;  /* connections */
    uint32_t tried;                  /* senders whose first connection was ready, or has ended */
    uint32_t hopeless;               /* senders that failed HOPELESS times in a row */
    uint64_t ready_ns;               /* when one was last ready; 0: never */

    struct schedule schedule;
    uint64_t begun_ns;    /* the first turn */
    uint64_t ended_ns;    /* the last answer */
    uint64_t stopped_ns;  /* since when no more letters are begun; 0: they are */
    uint64_t started;     /* letters, each once */
    uint64_t late;        /* of those: more than a second */
    uint64_t in_flight;   /* letters begun and not ended, those that wait for another attempt too */
    uint64_t expected;    /* lines of the ledger that letters under way will need */
    struct letter *again; /* whose next attempt is due; cut: that must be ended */
    bool starved;         /* letters or ledger have no room at the moment */
    bool gave_up;
    bool cut;     /* no letter is tried again */
    bool hurried; /* the senders know that it has ended */
};

/* Sets up the shard's part, on its thread. `net` outlives it. `tally` is large, zeroed, and the
 * caller's. Lines as of letter_desk_open, tls_client_open. */
enum status generator_open(struct generator *generator, const struct generator_options *options,
                           struct net *net, struct tally *tally, struct fault *fault) MUST_CHECK;
/* All connections have ended, or net is deinitialised before. */
void generator_close(struct generator *generator);

/* One turn of the shard; waits at most `wait_ns`. */
void generator_turn(struct generator *generator, uint64_t wait_ns);
/* Begins no more letters; those under way are finished. `now`: they are not. */
void generator_end(struct generator *generator, bool now);
/* Nothing is under way any more, and nothing will be. */
bool generator_is_over(const struct generator *generator);

/* Once it is over. When its part of the run ended: the last answer came, or, in an open loop, the
 * schedule was over if that was later. */
uint64_t generator_end_ns(const struct generator *generator);
/* Open loop: how many letters should have begun before it stopped beginning any, and of these how
 * many began more than a second late, or not at all. */
uint64_t generator_late(const struct generator *generator, uint64_t *due);

/* Whether another letter may begin now. */
bool generator_is_due(const struct generator *generator);
/* The timer of a letter that waits for another attempt: it is due. */
void generator_attempt(void *generator, struct timer *timer);
/* Letters that wait for another attempt will not get it, and end as soon as the ledger has room:
 * for those that it has none for, to be called again. */
void generator_cut_attempts(struct generator *generator);

/* ---------------------------------------------------------------------- for the senders ---- */

/* The next letter that may begin now; NULL: none may. */
struct letter *generator_next(struct generator *generator);
/* No letter will ever begin again. */
bool generator_has_ended(const struct generator *generator);
/* The sender has room for a letter: sender_offer will be called when there may be one. */
void generator_idle(struct generator *generator, struct sender *sender);
/* Every recipient's fate is known. */
void generator_done(struct generator *generator, struct letter *letter, uint64_t now_ns);
/* A reply came. */
void generator_heard(struct generator *generator, uint16_t code);
/* A connection came up; it takes letters. */
void generator_connected(struct generator *generator);
void generator_ready(struct generator *generator, struct sender *sender);
/* One ended that had come up, or else came to nothing. */
void generator_closed(struct generator *generator, struct sender *sender, bool connected);

#endif
