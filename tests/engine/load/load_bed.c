#include "tests/engine/load/load_bed.h"

#include "engine/shard_state.h"
#include "tests/check_main.h"

#include <stdlib.h>

enum {
    EPOCH_S = 1700000000,
    ROUNDS_MAX = 20000, /* without the clock moving */
    LOOK_MS = 250,
    SERVER_PORT = 25,
    CONNECTIONS_MAX = 512,
};

static uint64_t bed_monotonic(void *context)
{
    return ((struct load_bed *)context)->now_ns;
}

static uint64_t bed_wall(void *context)
{
    return EPOCH_S * NS_PER_S + ((struct load_bed *)context)->now_ns;
}

struct load_bed_options load_bed_options(void)
{
    struct load_bed_options options = {.seed = 1,
                                       .latency_ns_min = NS_PER_MS,
                                       .latency_ns_max = NS_PER_MS,
                                       .segment_bytes_max = 8192,
                                       .window_bytes = 65536};
    struct fault fault;
    blast_options_default(&options.blast);
    options.blast.connections = 1;
    ck_assert(distribution_parse("1k", 0, UINT64_MAX, &options.blast.size, &fault) == STATUS_OK);
    return options;
}

/* ------------------------------------------------------------------------------- opening ---- */

/* What the shard would wait for is asked for in the next turn, and then known. */
static void watched_poll(struct net *net, uint64_t wait_ns)
{
    struct load_shard *shard =
        (struct load_shard *)((uintptr_t)net->calls - offsetof(struct load_shard, calls));
    shard->wait_ns = wait_ns;
    shard->poll(net, 0);
}

static void open_shard(struct load_bed *bed, uint32_t index)
{
    struct load_shard *shard = &bed->shards[index];
    struct fault fault;
    ck_assert_int_eq(net_sim_open(&shard->net, bed->network), STATUS_OK);
    shard->poll = shard->net->calls->poll;
    shard->calls = *shard->net->calls;
    shard->calls.poll = watched_poll;
    shard->net->calls = &shard->calls;
    shard->tally = calloc(1, sizeof *shard->tally);
    ck_assert_ptr_nonnull(shard->tally);
    const struct generator_options options = {
        .blast = &bed->options.blast,
        .letters = &bed->letters,
        .ledger = bed->ledger,
        .index = index,
        .shards = bed->shards_count,
        .clock = &bed->clock,
    };
    ck_assert_int_eq(generator_open(&shard->generator, &options, shard->net, shard->tally, &fault),
                     STATUS_OK);
}

/* One for all beds of a program: it takes longer to make than most loads. */
static const struct paper *shared_paper(void)
{
    static struct paper paper;
    struct fault fault;
    if (paper.bytes == NULL)
        ck_assert_int_eq(paper_open(&paper, 1, LOAD_BED_MESSAGE_BYTES_MAX, &fault), STATUS_OK);
    return &paper;
}

static void prepare_letters(struct load_bed *bed)
{
    const struct blast_options *blast = &bed->options.blast;
    ck_assert_uint_le(distribution_max(&blast->size), LOAD_BED_MESSAGE_BYTES_MAX);
    bed->letters = (struct letter_options){.from = span_text(blast->from),
                                           .to = blast->to,
                                           .users = blast->users,
                                           .size = blast->size,
                                           .recipients = blast->recipients,
                                           .paper = shared_paper(),
                                           .seed = blast->seed,
                                           .run = 0x0123456789ABCDEF,
                                           .digest = bed->ledger != NULL};
}

void load_bed_open(struct load_bed *bed, const struct load_bed_options *options)
{
    struct fault fault;
    *bed = (struct load_bed){.now_ns = NS_PER_S,
                             .opened_ns = NS_PER_S,
                             .options = *options,
                             .shards_count = options->blast.shards};
    bed->clock = (struct clock){bed_monotonic, bed_wall, bed};
    const struct sim_network_options network = {.seed = options->seed,
                                                .latency_ns_min = options->latency_ns_min,
                                                .latency_ns_max = options->latency_ns_max,
                                                .segment_bytes_max = options->segment_bytes_max,
                                                .window_bytes = options->window_bytes,
                                                .resets_per_million = options->resets_per_million,
                                                .stalls_per_million = options->stalls_per_million,
                                                .connections_max = CONNECTIONS_MAX};
    struct blast_options *blast = &bed->options.blast;
    blast->target.scheme = options->script.lmtp ? TARGET_LMTP : TARGET_SMTP;
    blast->target.address.ipv4.sin_family = AF_INET;
    blast->target.address.ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    blast->target.address.ipv4.sin_port = htons(SERVER_PORT);
    ck_assert_int_eq(sim_network_open(&bed->network, &network, &bed->clock), STATUS_OK);
    scripted_server_open(&bed->server, bed->network, &bed->clock, &blast->target.address,
                         &options->script);
    if (options->ledger_path != NULL)
        ck_assert_int_eq(ledger_open(&bed->ledger, options->ledger_path, bed->shards_count, &fault),
                         STATUS_OK);
    prepare_letters(bed);
    bed->total = calloc(1, sizeof *bed->total);
    ck_assert_ptr_nonnull(bed->total);
    for (uint32_t i = 0; i < bed->shards_count; i++)
        open_shard(bed, i);
}

/* -------------------------------------------------------------------------------- ending ---- */

static void check_sum(const struct tally_outcomes *outcomes)
{
    ck_assert_uint_eq(outcomes->sent,
                      outcomes->acked + outcomes->refused + outcomes->failed + outcomes->doubtful);
}

static void check_shard(const struct load_shard *shard)
{
    const struct generator *generator = &shard->generator;
    const struct tally *tally = shard->tally;
    uint64_t ended = 0;
    for (uint32_t i = 0; i < SMTP_CLIENT_FAILURES; i++)
        ended += tally->failures[i];
    ck_assert(generator_is_over(generator));
    ck_assert_uint_eq(generator->in_flight, 0);
    ck_assert_uint_eq(generator->expected, 0);
    ck_assert_uint_eq(generator->ready, 0);
    ck_assert_ptr_null(generator->again);
    ck_assert_uint_eq(shard_sessions(generator->shard), 0);
    ck_assert_uint_eq(tally->connected, ended);
    ck_assert_uint_eq(tally->messages.sent, generator->started);
    ck_assert_uint_eq(tally->messages.acked, tally->latency[TALLY_TOTAL].count);
    check_sum(&tally->messages);
    check_sum(&tally->recipients);
}

void load_bed_end(struct load_bed *bed)
{
    struct fault fault;
    for (uint32_t i = 0; i < bed->shards_count; i++) {
        struct load_shard *shard = &bed->shards[i];
        check_shard(shard);
        tally_merge(bed->total, shard->tally);
        shard->net->calls->deinit(shard->net);
        generator_close(&shard->generator);
    }
    if (bed->ledger != NULL)
        ck_assert_int_eq(ledger_close(bed->ledger, &fault), STATUS_OK);
}

void load_bed_close(struct load_bed *bed)
{
    scripted_server_close(&bed->server);
    sim_network_close(bed->network);
    for (uint32_t i = 0; i < bed->shards_count; i++)
        free(bed->shards[i].tally);
    free(bed->total);
}

/* ---------------------------------------------------------------------------------- time ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When something will be due that nobody here does by himself. */
static uint64_t next_ns(const struct load_bed *bed)
{
    return earlier(sim_network_next_ns(bed->network), scripted_server_next_ns(&bed->server));
}

bool load_bed_is_over(const struct load_bed *bed)
{
    for (uint32_t i = 0; i < bed->shards_count; i++)
        if (!generator_is_over(&bed->shards[i].generator))
            return false;
    return true;
}

/* One turn of everybody; how long the shards would sleep. */
static uint64_t turn(struct load_bed *bed)
{
    uint64_t wait_ns = UINT64_MAX;
    for (uint32_t i = 0; i < bed->shards_count; i++) {
        generator_turn(&bed->shards[i].generator, LOOK_MS * NS_PER_MS);
        wait_ns = earlier(wait_ns, bed->shards[i].wait_ns);
    }
    scripted_server_turn(&bed->server);
    return wait_ns;
}

/* Turns until nothing is left to do now. A turn's sleep is that of a shard which has seen
 * everything if nothing came since the turn before, at the same time. */
static void jump(struct load_bed *bed, uint64_t limit_ns)
{
    uint64_t wait_ns = 0;
    bool quiet = false;
    for (uint32_t rounds = 0; !quiet; rounds++) {
        if (rounds == ROUNDS_MAX)
            ck_abort_msg("nobody sleeps");
        bool nothing_to_hear = next_ns(bed) > bed->now_ns;
        wait_ns = turn(bed);
        quiet = rounds > 0 && nothing_to_hear && wait_ns > 0 && next_ns(bed) > bed->now_ns;
    }
    if (!load_bed_is_over(bed))
        bed->now_ns = earlier(earlier(bed->now_ns + wait_ns, next_ns(bed)), limit_ns);
}

void load_bed_step(struct load_bed *bed)
{
    jump(bed, bed->now_ns + NS_PER_S);
}

void load_bed_run_until(struct load_bed *bed, uint64_t ns)
{
    while (bed->now_ns < ns && !load_bed_is_over(bed))
        jump(bed, ns);
    bed->now_ns = ns;
}

bool load_bed_run(struct load_bed *bed, uint64_t ms)
{
    uint64_t until_ns = bed->now_ns + ms * NS_PER_MS;
    while (!load_bed_is_over(bed) && bed->now_ns < until_ns)
        jump(bed, until_ns);
    return load_bed_is_over(bed);
}

void load_bed_go(struct load_bed *bed, const struct load_bed_options *options, uint64_t ms)
{
    load_bed_open(bed, options);
    bool over = load_bed_run(bed, ms);
    ck_assert_msg(over, "not over after %lu ms", (unsigned long)ms);
    load_bed_end(bed);
}

/* ---------------------------------------------------------------------------------- text ---- */

static void add_outcomes(struct output *out, const char *before, const struct tally_outcomes *of)
{
    const struct {
        const char *name;
        uint64_t count;
    } parts[] = {{"acked", of->acked},
                 {"refused", of->refused},
                 {"failed", of->failed},
                 {"doubtful", of->doubtful}};
    const char *between = " =";
    output_print(out, "%s%lu", before, (unsigned long)of->sent);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].count == 0)
            continue;
        output_print(out, "%s %lu %s", between, (unsigned long)parts[i].count, parts[i].name);
        between = " +";
    }
}

const char *load_bed_fates(const struct load_bed *bed, char text[LOAD_BED_TEXT_BYTES])
{
    const struct tally *tally = bed->total;
    struct output out = {.data = (uint8_t *)text, .capacity = LOAD_BED_TEXT_BYTES - 1};
    add_outcomes(&out, "", &tally->messages);
    add_outcomes(&out, "; ", &tally->recipients);
    if (tally->retries > 0)
        output_print(&out, "; %lu retries", (unsigned long)tally->retries);
    output_print(&out, ";");
    for (uint32_t i = 0; i < TALLY_CODES; i++)
        if (tally->replies[i] > 0)
            output_print(&out, " %u:%lu", i, (unsigned long)tally->replies[i]);
    output_print(&out, ";");
    for (uint32_t i = 0; i < SMTP_CLIENT_FAILURES; i++)
        if (tally->failures[i] > 0)
            output_print(&out, " %s %lu", smtp_client_failure_name((enum smtp_client_failure)i),
                         (unsigned long)tally->failures[i]);
    if (tally->unconnected > 0)
        output_print(&out, " unconnected %lu", (unsigned long)tally->unconnected);
    text[out.size] = '\0';
    return text;
}

const char *load_bed_latencies(const struct load_bed *bed, char text[LOAD_BED_TEXT_BYTES])
{
    struct output out = {.data = (uint8_t *)text, .capacity = LOAD_BED_TEXT_BYTES - 1};
    for (uint32_t i = 0; i < TALLY_PHASES; i++) {
        const struct histogram *histogram = &bed->total->latency[i];
        if (histogram->count > 0)
            output_print(&out, "%s%s %lu/%lu", out.size > 0 ? " " : "",
                         tally_phase_name((enum tally_phase)i), (unsigned long)histogram->count,
                         (unsigned long)(histogram->sum / 1000));
    }
    text[out.size] = '\0';
    return text;
}
