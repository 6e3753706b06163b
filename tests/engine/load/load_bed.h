/* Generators under test: those of all shards of a run, against a scripted server, on a simulated
 * network with a clock that stands still while anybody has something to do, and then jumps to what
 * is due next. So every latency is exact, and minutes cost nothing.
 *
 * What goes wrong inside the bed fails the test that runs: a generator that does not sleep, an
 * invariant of the tally that does not hold. */
#ifndef TESTS_ENGINE_LOAD_LOAD_BED_H
#define TESTS_ENGINE_LOAD_LOAD_BED_H

#include "engine/load/generator.h"
#include "tests/engine/load/scripted_server.h"

#define LOAD_BED_SHARDS_MAX 2u
#define LOAD_BED_TEXT_BYTES 1024u
#define LOAD_BED_MESSAGE_BYTES_MAX (250u << 10)

struct load_bed_options {
    struct script script;
    struct blast_options blast;
    uint64_t seed;
    uint64_t latency_ns_min, latency_ns_max; /* one way */
    uint32_t segment_bytes_max, window_bytes;
    uint32_t resets_per_million, stalls_per_million;
    const char *ledger_path; /* NULL: none */
};
/* One connection, one shard, messages of 1 KiB to one recipient, closed loop, 1 ms, 64 KiB. */
struct load_bed_options load_bed_options(void);

struct load_shard {
    struct net *net;
    struct net_calls calls; /* the simulated network's, but for a poll that is watched */
    void (*poll)(struct net *net, uint64_t wait_ns);
    uint64_t wait_ns; /* as of the last turn */
    struct generator generator;
    struct tally *tally;
};

struct load_bed {
    uint64_t now_ns, opened_ns;
    struct clock clock;
    struct load_bed_options options;
    struct letter_options letters;
    struct ledger *ledger;
    struct sim_network *network;
    struct scripted_server server;
    uint32_t shards_count;
    struct load_shard shards[LOAD_BED_SHARDS_MAX];
    struct tally *total;
};

void load_bed_open(struct load_bed *bed, const struct load_bed_options *options);
/* Closes everything but what the server and the tally say, and checks that nothing is left under
 * way and that all messages are accounted for. */
void load_bed_end(struct load_bed *bed);
/* The rest. */
void load_bed_close(struct load_bed *bed);

/* All that is due now, then the clock jumps, at most by a second. */
void load_bed_step(struct load_bed *bed);
bool load_bed_is_over(const struct load_bed *bed);
/* Until all generators are over; false: they are not after so long. */
bool load_bed_run(struct load_bed *bed, uint64_t ms) MUST_CHECK;
/* Until that time; the clock then stands there exactly. */
void load_bed_run_until(struct load_bed *bed, uint64_t ns);

/* Opens, runs, ends. */
void load_bed_go(struct load_bed *bed, const struct load_bed_options *options, uint64_t ms);

/* The counts of the total but the latencies' as one line, those that are 0 left out: messages,
 * recipients, retries, replies by code, sessions by their end:
 * "3 = 2 acked + 1 failed; 6 = 4 acked + 2 failed; 1 retries; 220:2 250:9; fine 1 timeout 1". */
const char *load_bed_fates(const struct load_bed *bed, char text[LOAD_BED_TEXT_BYTES]);
/* The latencies, of each phase with any how many and their sum in microseconds:
 * "connect 1/2000 banner 1/0 …". */
const char *load_bed_latencies(const struct load_bed *bed, char text[LOAD_BED_TEXT_BYTES]);

#endif
