#include "engine/load/blast.h"

#include "base/invariant.h"
#include "base/random.h"
#include "base/ring.h"
#include "engine/load/generator.h"
#include "engine/load/timeline.h"
#include "engine/net/net_uring.h"
#include "engine/process.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum {
    RING_ENTRIES = 4096,
    RECEIVE_BUFFERS = 1024,
    RECEIVE_BUFFER_BYTES = 1024, /* replies are short */
    SPARE_CONNECTIONS = 64,
    GATHER_US = 250, /* of a closed loop */
    GATHER_CONNECTIONS_MIN = 4,
    SPARE_DESCRIPTORS = 64,
    LOOK_MS = 250,
    LINK_WAIT_MS = 5000,
};

enum ending { GO_ON, END, END_NOW };

#define SIGOVER SIGURG /* from a part to the main thread; ignored where nobody waits for it */

struct blast;

struct part { /* a shard and its thread */
    struct blast *blast;
    uint32_t index;
    pthread_t thread;
    struct ring ring;
    struct net *net;
    struct generator generator;
    struct tally *tally;
    uint64_t busy_ns; /* once it is over: of a net that never rests */
    enum status status;
    struct fault fault;
};

struct blast {
    const struct blast_options *options;
    struct letter_options letters;
    struct corpus *corpus;
    struct paper paper;
    struct ledger *ledger;
    struct timeline timeline;
    struct dpdk *dpdk; /* NULL: the kernel's network alone */
    struct part *parts;
    uint32_t parts_count;       /* whose thread was started */
    pthread_t watcher;          /* the main thread */
    _Atomic(uint32_t) expected; /* parts, as far as is known */
    _Atomic(uint32_t) served;   /* of those: have no more to say, */
    _Atomic(uint32_t) carried;  /* nor to carry, */
    _Atomic(uint32_t) over;     /* and are gone */
    _Atomic(int) ending;        /* enum ending */
};

void blast_options_default(struct blast_options *options)
{
    struct fault fault;
    *options = (struct blast_options){
        .connections = 64,
        .shards = 1,
        .hello = "mailrace.invalid",
        .from = "blast@example.test",
        .to = "user%d@example.test",
        .users = 1000,
        .timeout_ms = 60000,
        .gather_us = BLAST_GATHER_AUTO,
        .seed = 1,
    };
    dpdk_options_default(&options->dpdk);
    options->dpdk.link_wait_ms = LINK_WAIT_MS;
    enum status status = distribution_parse("4k", 0, UINT64_MAX, &options->size, &fault);
    INVARIANT(status == STATUS_OK);
    status = distribution_parse("1", 1, UINT64_MAX, &options->recipients, &fault);
    INVARIANT(status == STATUS_OK);
}

uint32_t blast_gather_us(const struct blast_options *options)
{
    if (options->gather_us != BLAST_GATHER_AUTO)
        return options->gather_us;
    bool gathers = options->rate == 0 && !options->dpdk.wanted &&
                   options->connections / options->shards >= GATHER_CONNECTIONS_MIN;
    return gathers ? GATHER_US : 0;
}

/* ------------------------------------------------------------------------ a part's thread ---- */

static unsigned gather_enough(const struct blast_options *options)
{
    uint32_t quarter = options->connections / options->shards / 4;
    bool counts =
        options->gather_us == BLAST_GATHER_AUTO && quarter > 0 && quarter < RING_GATHER_MAX;
    return counts ? quarter : RING_GATHER_MAX;
}

static enum status part_open(struct part *part)
{
    const struct blast *blast = part->blast;
    enum status status = ring_open(&part->ring, RING_ENTRIES, &part->fault);
    if (status != STATUS_OK)
        return status;
    bool gathers =
        ring_gather(&part->ring, blast_gather_us(blast->options), gather_enough(blast->options));
    if (!gathers && blast->options->gather_us != BLAST_GATHER_AUTO)
        return fault_set(&part->fault, STATUS_SYSTEM, "--gather: needs Linux 6.12 or newer");
    const struct net_uring_options net = {
        .connections_max =
            blast->options->connections / blast->options->shards + 1 + SPARE_CONNECTIONS,
        .buffers = RECEIVE_BUFFERS,
        .buffer_bytes = RECEIVE_BUFFER_BYTES,
    };
    struct net *kernel;
    status = net_uring_open(&kernel, &part->ring, &net, &part->fault);
    if (status != STATUS_OK)
        return status;
    if (blast->dpdk == NULL)
        part->net = kernel;
    else
        status = net_dpdk_open(&part->net, blast->dpdk, part->index, kernel, &part->ring,
                               net.connections_max, &clock_system, &part->fault);
    if (status != STATUS_OK)
        return status;
    const struct generator_options generator = {
        .blast = blast->options,
        .letters = &blast->letters,
        .ledger = blast->ledger,
        .index = part->index,
        .shards = blast->options->shards,
        .clock = &clock_system,
    };
    return generator_open(&part->generator, &generator, part->net, part->tally, &part->fault);
}

static void part_serve(struct part *part)
{
    struct blast *blast = part->blast;
    int ending = GO_ON;
    while (!generator_is_over(&part->generator)) {
        int wanted = atomic_load_explicit(&blast->ending, memory_order_relaxed);
        if (wanted == GO_ON && blast->ledger != NULL && ledger_failed(blast->ledger))
            wanted = END;
        if (wanted > ending)
            generator_end(&part->generator, wanted == END_NOW);
        ending = wanted > ending ? wanted : ending;
        generator_turn(&part->generator, LOOK_MS * NS_PER_MS);
    }
}

/* On a port that they share, parts carry each other's frames: nobody leaves his loop before all
 * are done, and nobody goes before all have left it. */
static void part_carry(struct part *part)
{
    struct blast *blast = part->blast;
    atomic_fetch_add(&blast->served, 1);
    if (blast->dpdk == NULL)
        return;
    while (part->net != NULL && atomic_load(&blast->served) < atomic_load(&blast->expected))
        net_poll(part->net, NS_PER_MS);
    atomic_fetch_add(&blast->carried, 1);
    while (atomic_load(&blast->carried) < atomic_load(&blast->expected))
        sched_yield();
}

static void part_close(struct part *part)
{
    if (part->net != NULL) {
        struct net_counters counters;
        part->net->calls->counters(part->net, &counters);
        part->busy_ns = counters.busy_ns;
        part->net->calls->deinit(part->net);
    }
    generator_close(&part->generator);
    if (part->ring.handlers_count > 0)
        ring_close(&part->ring);
}

static void *part_run(void *argument)
{
    struct part *part = argument;
    part->status = part_open(part);
    if (part->status == STATUS_OK)
        part_serve(part);
    else
        atomic_store(&part->blast->ending, END_NOW);
    part_carry(part);
    part_close(part);
    atomic_fetch_add(&part->blast->over, 1);
    pthread_kill(part->blast->watcher, SIGOVER);
    return NULL;
}

/* ------------------------------------------------------------------------ the main thread ---- */

static void look(struct blast *blast, struct blast_report *report, double seconds, bool last)
{
    struct timeline *timeline = &blast->timeline;
    timeline_look(timeline);
    for (uint32_t i = 0; i < blast->parts_count; i++)
        timeline_add(timeline, blast->parts[i].tally);
    timeline_looked(timeline, seconds, last);
    report->steps_count = timeline->count;
    const struct tally *total = timeline_total(timeline);
    report->seconds = seconds;
    report->in_flight = tally_in_flight(&total->messages);
    uint64_t ended = 0;
    for (uint32_t i = 0; i < SMTP_CLIENT_FAILURES; i++)
        ended += total->failures[i];
    report->connections = (uint32_t)(total->connected > ended ? total->connected - ended : 0);
    if (!last)
        memcpy(&report->total, total, TALLY_COUNTS_BYTES);
}

/* Until all parts are over; a signal ends the load, a second one at once. */
static void watch(struct blast *blast, const sigset_t *signals, blast_progress *progress,
                  void *context, struct blast_report *report)
{
    const struct timespec pause = {.tv_nsec = LOOK_MS * (long)NS_PER_MS};
    uint64_t start_ns = clock_monotonic_ns(&clock_system);
    while (atomic_load(&blast->over) < blast->parts_count) {
        int caught = sigtimedwait(signals, NULL, &pause);
        if (caught == SIGINT || caught == SIGTERM) {
            report->interrupted = true;
            atomic_store(&blast->ending, atomic_load(&blast->ending) == GO_ON ? END : END_NOW);
        }
        uint64_t now_ns = clock_monotonic_ns(&clock_system);
        look(blast, report, (double)(now_ns - start_ns) / (double)NS_PER_S, false);
        if (progress != NULL)
            progress(context, report);
    }
}

static enum status start_parts(struct blast *blast, struct fault *fault)
{
    uint32_t shards = blast->options->shards;
    atomic_store(&blast->expected, shards);
    blast->parts = calloc(shards, sizeof *blast->parts);
    if (blast->parts == NULL)
        return fault_set(fault, STATUS_SYSTEM, "no memory for %u shards", shards);
    for (uint32_t i = 0; i < shards; i++) {
        struct part *part = &blast->parts[i];
        *part = (struct part){.blast = blast, .index = i};
        part->tally = calloc(1, sizeof *part->tally);
        if (part->tally == NULL || pthread_create(&part->thread, NULL, part_run, part) != 0) {
            free(part->tally);
            atomic_store(&blast->ending, END_NOW);
            atomic_store(&blast->expected, i);
            return fault_set(fault, STATUS_SYSTEM, "cannot start a thread for shard %u", i);
        }
        blast->parts_count++;
    }
    return STATUS_OK;
}

/* What is left to say once all parts are over: the first fault of theirs is the run's. */
static enum status gather(struct blast *blast, struct blast_report *report, struct fault *fault)
{
    enum status status = STATUS_OK;
    uint64_t started_ns = UINT64_MAX, ended_ns = 0, late = 0, scheduled = 0, due;
    for (uint32_t i = 0; i < blast->parts_count; i++) {
        struct part *part = &blast->parts[i];
        const struct generator *generator = &part->generator;
        pthread_join(part->thread, NULL);
        if (status == STATUS_OK && part->status != STATUS_OK)
            status = fault_set(fault, part->status, "%s", part->fault.text);
        tally_merge(&report->total, part->tally);
        report->cpu_seconds += (double)part->busy_ns / (double)NS_PER_S;
        report->gave_up |= generator->gave_up;
        if (generator->schedule.started_ns == 0)
            continue;
        late += generator_late(generator, &due);
        scheduled += due;
        uint64_t end_ns = generator_end_ns(generator);
        if (generator->schedule.started_ns < started_ns)
            started_ns = generator->schedule.started_ns;
        if (end_ns > ended_ns)
            ended_ns = end_ns;
    }
    report->seconds =
        ended_ns > started_ns ? (double)(ended_ns - started_ns) / (double)NS_PER_S : 0;
    if (scheduled > 0)
        report->behind = (double)late / (double)scheduled;
    return status;
}

static enum status run(struct blast *blast, blast_progress *progress, void *context,
                       struct blast_report *report, struct fault *fault)
{
    sigset_t signals, before;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGOVER);
    pthread_sigmask(SIG_BLOCK, &signals, &before);
    blast->watcher = pthread_self();
    const struct blast_options *options = blast->options;
    enum status status = STATUS_OK;
    if (options->dpdk.wanted)
        status = dpdk_open(&blast->dpdk, &options->dpdk, options->shards, fault);
    if (status == STATUS_OK)
        status = start_parts(blast, fault);
    watch(blast, &signals, progress, context, report);
    look(blast, report, report->seconds, true);
    memset(&report->total, 0, TALLY_COUNTS_BYTES);
    enum status gathered = gather(blast, report, status == STATUS_OK ? fault : NULL);
    if (blast->dpdk != NULL)
        dpdk_close(blast->dpdk);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status == STATUS_OK ? gathered : status;
}

/* ------------------------------------------------------------------------------ beginning ---- */

static enum status raise_descriptor_limit(const struct blast_options *options, struct fault *fault)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    uint64_t needed =
        (uint64_t)options->connections + SPARE_DESCRIPTORS * (uint64_t)options->shards;
    if (limit.rlim_cur >= needed)
        return STATUS_OK;
    return fault_set(fault, STATUS_SYSTEM,
                     "%u connections need %llu open files, %llu are allowed: raise ulimit -n",
                     options->connections, (unsigned long long)needed,
                     (unsigned long long)limit.rlim_cur);
}

static enum status prepare(struct blast *blast, struct fault *fault)
{
    const struct blast_options *options = blast->options;
    enum status status = raise_descriptor_limit(options, fault);
    if (status == STATUS_OK && options->corpus_path != NULL)
        status = corpus_open(&blast->corpus, options->corpus_path, fault);
    else if (status == STATUS_OK)
        status = paper_open(&blast->paper, options->seed, distribution_max(&options->size), fault);
    if (status != STATUS_OK)
        return status;
    blast->letters = (struct letter_options){
        .from = span_text(options->from),
        .to = options->to,
        .users = options->users,
        .size = options->size,
        .recipients = options->recipients,
        .corpus = blast->corpus,
        .paper = &blast->paper,
        .seed = options->seed,
        .digest = options->ledger_path != NULL,
    };
    if (random_system(&blast->letters.run, sizeof blast->letters.run) != STATUS_OK)
        return fault_set(fault, STATUS_SYSTEM, "the system has no random numbers");
    return STATUS_OK;
}

enum status blast_run(const struct blast_options *options, blast_progress *progress, void *context,
                      struct blast_report *report, struct fault *fault)
{
    INVARIANT(options->shards > 0 && options->connections >= options->shards);
    struct blast blast = {.options = options};
    struct process_figures before, after;
    process_read(&before);
    enum status status = prepare(&blast, fault);
    if (status == STATUS_OK && !timeline_open(&blast.timeline, report->steps, BLAST_STEPS_MAX))
        status = fault_set(fault, STATUS_SYSTEM, "no memory for the time line");
    if (status == STATUS_OK && options->ledger_path != NULL)
        status = ledger_open(&blast.ledger, options->ledger_path, options->shards, fault);
    if (status == STATUS_OK)
        status = run(&blast, progress, context, report, fault);
    for (uint32_t i = 0; i < blast.parts_count; i++)
        free(blast.parts[i].tally);
    free(blast.parts);
    if (blast.ledger != NULL) {
        struct fault ledger;
        report->ledger_failed = ledger_close(blast.ledger, &ledger) != STATUS_OK;
        if (report->ledger_failed && status == STATUS_OK)
            status = fault_set(fault, ledger.status, "%s", ledger.text);
    }
    timeline_close(&blast.timeline);
    if (blast.corpus != NULL)
        corpus_close(blast.corpus);
    paper_close(&blast.paper);
    process_read(&after);
    if (!options->dpdk.wanted)
        report->cpu_seconds = (double)(after.cpu_ns - before.cpu_ns) / (double)NS_PER_S;
    return status;
}
