/* The simulation: many seeds of a mixed SMTP and POP3 workload with faults and power cuts, each
 * checked against the promises of the store.
 *
 *   sim                       a thousand seeds from 1, and the determinism test: TAP
 *   sim --seeds FIRST COUNT   those seeds: TAP
 *   sim --seed N              one, with what happened
 *
 * Every seed runs in a process of its own: what a crash leaves behind goes with it, and an abort is
 * a finding like any other. */
#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct outcome {
    char wrong[160];
    uint64_t trace;
    uint32_t message, messages, acked, deleted, crashes;
};

static bool anyone_busy(const struct world *world)
{
    for (uint32_t i = 0; i < world->actors_count; i++)
        if (world->actors[i]->busy)
            return true;
    return false;
}

/* Whoever is busy finishes; nobody begins. */
static void rest(struct world *world)
{
    world->resting = true;
    for (uint32_t i = 0; i < world->actors_count; i++)
        world->actors[i]->wake_ns = UINT64_MAX;
}

/* The load: senders and readers under faults, with power cuts and orderly restarts in between. */
static void run_load(struct world *world)
{
    uint32_t target = 30 + (uint32_t)random_below(&world->random, 120);
    uint32_t cuts = (uint32_t)random_below(&world->random, 4);
    for (int i = 0; i < 5; i++)
        smtp_actor_open(world);
    for (int i = 0; i < 3; i++)
        pop3_actor_open(world);
    world_set_faults(world, true);
    while (world->ledger->count < target && world->wrong == NULL) {
        world_step(world);
        if (cuts == 0 || random_below(&world->random, 1500) > 0)
            continue;
        cuts--;
        if (world_chance(world, 800))
            world_crash(world);
        else
            world_shut_down(world);
        world_boot(world);
        world_set_faults(world, true);
    }
    rest(world);
    uint64_t patience_ns = world->now_ns + random_below(&world->random, 3 * NS_PER_S);
    while (anyone_busy(world) && world->now_ns < patience_ns)
        world_step(world);
}

/* Healed and started again, every mailbox is read by somebody who deletes nothing. */
static void inspect(struct world *world)
{
    world_set_faults(world, false);
    if (world_chance(world, 600))
        world_crash(world);
    else
        world_shut_down(world);
    world_boot(world);
    struct actor *inspectors[LEDGER_MAILBOXES];
    for (uint32_t i = 0; i < LEDGER_MAILBOXES; i++)
        inspectors[i] = inspector_open(world, i);
    uint64_t deadline_ns = world->now_ns + 120 * NS_PER_S;
    for (uint32_t done = 0; done < LEDGER_MAILBOXES && world->wrong == NULL;) {
        world_step(world);
        done = 0;
        for (uint32_t i = 0; i < LEDGER_MAILBOXES; i++)
            done += inspector_is_done(inspectors[i]);
        if (world->now_ns > deadline_ns)
            world_blame(world, "a mailbox that can't be inspected", 0);
    }
    uint32_t number = 0;
    const char *wrong = world->wrong ? NULL : ledger_check_all(world->ledger, &number);
    if (wrong != NULL)
        world_blame(world, wrong, number);
}

static void on_finding(void *context, const char *line)
{
    (void)context;
    fprintf(stderr, "verify: %s\n", line);
}

/* Through this index, NULL: through one that is made anew. How many links mailboxes have. */
static uint64_t verify_through(struct world *world, struct index *index)
{
    struct store_options options;
    struct store *store;
    struct medium *medium;
    uint64_t links = 0;
    store_options_default(&options);
    options.clock = &world->clock;
    options.index = index;
    if (medium_sim_open(&medium, world->disk) != STATUS_OK ||
        store_open(&store, medium, STORE_READ, &options, NULL) != STATUS_OK ||
        store_verify(store, on_finding, NULL) != STATUS_OK) {
        world_blame(world, "a store that does not verify", 0);
        return 0;
    }
    for (uint32_t shard = 0; shard < store_shards_on_disk(store); shard++) {
        struct store_stats stats;
        store_stats(store, shard, &stats);
        links += stats.links;
    }
    return links;
}

static void verify(struct world *world)
{
    world_shut_down(world);
    world->index->read_only = true;
    if (verify_through(world, world->index) != verify_through(world, NULL))
        world_blame(world, "an index that says something else than the logs", 0);
}

static void run_seed(uint64_t seed, struct outcome *outcome)
{
    static struct world world;
    world_open(&world, seed);
    world_boot(&world);
    run_load(&world);
    if (world.wrong == NULL)
        inspect(&world);
    if (world.wrong == NULL)
        verify(&world);
    *outcome = (struct outcome){.trace = world.ledger->trace,
                                .message = world.wrong_message,
                                .messages = world.ledger->count,
                                .crashes = world.crashes};
    for (uint32_t i = 0; i < world.ledger->count; i++) {
        const struct ledger_message *message = &world.ledger->messages[i];
        outcome->acked += message->outcome == LEDGER_ACKED;
        for (uint32_t box = 0; box < LEDGER_MAILBOXES; box++)
            outcome->deleted += message->deletions[box] == LEDGER_DELETED;
    }
    if (world.wrong != NULL)
        snprintf(outcome->wrong, sizeof outcome->wrong, "%s", world.wrong);
}

/* In a process of its own. */
static void try_seed(uint64_t seed, struct outcome *outcome)
{
    int ends[2];
    memset(outcome, 0, sizeof *outcome);
    if (pipe(ends) != 0)
        abort();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        run_seed(seed, outcome);
        _exit(write(ends[1], outcome, sizeof *outcome) == sizeof *outcome ? 0 : 1);
    }
    close(ends[1]);
    ssize_t size = read(ends[0], outcome, sizeof *outcome);
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    if (size != sizeof *outcome || status != 0)
        snprintf(outcome->wrong, sizeof outcome->wrong, "ended with %s %d",
                 WIFSIGNALED(status) ? "signal" : "code",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static bool report(uint64_t seed, const struct outcome *outcome)
{
    if (outcome->wrong[0] == '\0')
        return true;
    printf("# seed %" PRIu64 ": %s (message %" PRIu32 "); to see it: sim --seed %" PRIu64 "\n",
           seed, outcome->wrong, outcome->message, seed);
    return false;
}

static bool run_seeds(uint64_t first, uint64_t count)
{
    struct outcome outcome, sum = {0};
    uint32_t wrong = 0;
    for (uint64_t seed = first; seed < first + count && wrong < 10; seed++) {
        try_seed(seed, &outcome);
        wrong += !report(seed, &outcome);
        sum.messages += outcome.messages;
        sum.acked += outcome.acked;
        sum.deleted += outcome.deleted;
        sum.crashes += outcome.crashes;
    }
    printf("# %" PRIu64 " seeds: %" PRIu32 " messages, %" PRIu32 " acknowledged, %" PRIu32
           " deletions, %" PRIu32 " power cuts\n",
           count, sum.messages, sum.acked, sum.deleted, sum.crashes);
    /* A workload that acknowledges or deletes nothing would prove nothing. */
    return wrong == 0 && sum.acked > 10 * count && sum.deleted > count && sum.crashes > count / 2;
}

static bool same_trace_twice(void)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct outcome one, two;
        try_seed(seed, &one);
        try_seed(seed, &two);
        if (one.trace != two.trace || one.messages != two.messages || one.trace == 0) {
            printf("# seed %" PRIu64 ": trace %016" PRIx64 ", then %016" PRIx64 "\n", seed,
                   one.trace, two.trace);
            return false;
        }
    }
    return true;
}

static int show_seed(uint64_t seed)
{
    struct outcome outcome;
    run_seed(seed, &outcome);
    printf("seed %" PRIu64 ": %s (message %" PRIu32 "); trace %016" PRIx64 ", %" PRIu32
           " messages, %" PRIu32 " acknowledged, %" PRIu32 " deletions, %" PRIu32 " power cuts\n",
           seed, outcome.wrong[0] ? outcome.wrong : "all promises kept", outcome.message,
           outcome.trace, outcome.messages, outcome.acked, outcome.deleted, outcome.crashes);
    return outcome.wrong[0] ? 1 : 0;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, count = 1000;
    if (argc == 3 && strcmp(argv[1], "--seed") == 0)
        return show_seed(strtoull(argv[2], NULL, 10));
    if (argc == 4 && strcmp(argv[1], "--seeds") == 0) {
        first = strtoull(argv[2], NULL, 10);
        count = strtoull(argv[3], NULL, 10);
    } else if (argc != 1) {
        fprintf(stderr, "usage: sim [--seed N | --seeds FIRST COUNT]\n");
        return 64;
    }
    printf("TAP version 13\n1..2\n");
    printf("%s 1 - the same seed gives the same trace twice\n",
           same_trace_twice() ? "ok" : "not ok");
    printf("%s 2 - %" PRIu64 " seeds from %" PRIu64 " keep every promise\n",
           run_seeds(first, count) ? "ok" : "not ok", count, first);
    return 0;
}
