#include "tests/engine/load/bed_load.h"

#include "engine/load/generator.h"
#include "tests/check_main.h"

enum { FIRST_PORT = 1000, RUN_MS_MAX = 600000 };

static struct letter_options letters_of(const struct blast_options *blast,
                                        const struct paper *paper, bool digest)
{
    return (struct letter_options){.from = span_text(blast->from),
                                   .to = blast->to,
                                   .users = blast->users,
                                   .size = blast->size,
                                   .recipients = blast->recipients,
                                   .paper = paper,
                                   .seed = blast->seed,
                                   .run = 1,
                                   .digest = digest};
}

static void run(struct bed *bed, struct generator *generator)
{
    uint64_t until_ns = bed->now_ns + RUN_MS_MAX * NS_PER_MS;
    while (!generator_is_over(generator) && bed->now_ns < until_ns) {
        generator_turn(generator, 0);
        bed_step(bed);
    }
    ck_assert(generator_is_over(generator));
    ck_assert_uint_eq(shard_sessions(generator->shard), 0);
}

void bed_load(struct bed *bed, enum door_kind door, struct blast_options *options,
              const char *ledger_path, struct tally *tally)
{
    struct fault fault;
    struct net *net;
    struct paper paper;
    struct generator generator;
    struct ledger *ledger = NULL;
    options->target.address.ipv4 = (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        .sin_port = htons((uint16_t)(FIRST_PORT + door)),
    };
    ck_assert(net_sim_open(&net, bed->network) == STATUS_OK);
    ck_assert(paper_open(&paper, options->seed, distribution_max(&options->size), &fault) ==
              STATUS_OK);
    if (ledger_path != NULL)
        ck_assert(ledger_open(&ledger, ledger_path, 1, &fault) == STATUS_OK);
    const struct letter_options letters = letters_of(options, &paper, ledger != NULL);
    const struct generator_options generator_options = {
        .blast = options, .letters = &letters, .ledger = ledger, .shards = 1, .clock = &bed->clock};
    ck_assert(generator_open(&generator, &generator_options, net, tally, &fault) == STATUS_OK);
    run(bed, &generator);
    net->calls->deinit(net);
    generator_close(&generator);
    if (ledger != NULL)
        ck_assert(ledger_close(ledger, &fault) == STATUS_OK);
    paper_close(&paper);
}
