#include "tests/crash/proof.h"

#include "base/invariant.h"
#include "tests/crash/contract.h"
#include "tests/crash/states.h"

#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define VERIFICATIONS 10u    /* of so many states one is verified */
#define START_OPERATIONS 40u /* of the kernel, in which a fault may come */
#define SECOND_LIVES 12u     /* of so many states one lives on */
#define SECOND_MOMENTS 6u    /* of whose journal so many moments are looked at */
#define SECOND_STATES 4u     /* with so many states each */
#define SECOND_STEPS 12u
#define SAMPLE_STATES 4u    /* of one moment, when moments are sampled */
#define CONTRACT_STATES 32u /* of one moment */

/* Which states have been seen: no use in checking one twice. */
struct seen {
    uint64_t *keys;
    uint64_t count, mask;
};

static bool seen_add(struct seen *seen, uint64_t key);

static void seen_grow(struct seen *seen)
{
    struct seen grown = {.mask = seen->mask ? seen->mask * 2 + 1 : 1023};
    grown.keys = calloc(grown.mask + 1, sizeof(*grown.keys));
    INVARIANT(grown.keys);
    for (uint64_t i = 0; seen->keys && i <= seen->mask; i++)
        if (seen->keys[i])
            seen_add(&grown, seen->keys[i]);
    free(seen->keys);
    *seen = grown;
}

/* False: it was there. */
static bool seen_add(struct seen *seen, uint64_t key)
{
    if (!seen->keys || seen->count * 2 > seen->mask)
        seen_grow(seen);
    key += key == 0;
    uint64_t at = key & seen->mask;
    for (; seen->keys[at]; at = (at + 1) & seen->mask)
        if (seen->keys[at] == key)
            return false;
    seen->keys[at] = key;
    seen->count++;
    return true;
}

struct work {
    struct proof *proof;
    struct history history;
    struct seen seen, second_seen; /* apart: numbers of states depend on first lives alone */
    struct view view, again;       /* too large for the stack */
    struct states states, second_states;
    uint64_t number; /* of the state */
};

static bool stopped(const struct work *work)
{
    const struct proof *proof = work->proof;
    return proof->failures >= proof->failures_max || (proof->only && work->number >= proof->only);
}

static bool fail(struct work *work, const char *text)
{
    struct proof *proof = work->proof;
    proof->failures++;
    proof->fail(proof->context, proof->history, work->number, text);
    return false;
}

/* Recovers, looks, compares, now and then verifies, too. False: it failed. */
static bool boot_and_check(struct work *work, struct machine *machine, const struct truth *truth)
{
    char text[TRUTH_TEXT_BYTES], line[TRUTH_TEXT_BYTES];
    bool fair = work->proof->liar == SYNC_PURPOSES;
    machine_look(machine, &work->view, machine_boot(machine));
    work->proof->alarms += work->view.alarms > 0 || work->view.fault[0];
    if (!truth_check(truth, &work->view, fair ? WEATHER_FAIR : WEATHER_LIED, text))
        return fail(work, text);
    if (fair && work->number % VERIFICATIONS == 0 && machine_verify(machine, line) != STATUS_OK) {
        snprintf(text, sizeof(text), "store verify, without damage: %.150s", line);
        return fail(work, text);
    }
    return machine->wrong[0] ? fail(work, machine->wrong) : true;
}

/* The index may be of an earlier time. */
static uint32_t lost_runs(const struct work *work)
{
    return work->number % 4 == 3 ? 1 + (uint32_t)(work->number / 4 % 4) : 0;
}

static void machine_of(struct work *work, struct machine *machine, const struct image *image,
                       struct journal *journal, struct letters *letters, const struct truth *truth)
{
    struct machine_options options = work->history.options;
    options.seed = options.kernel.seed = options.seed ^ work->number << 20;
    options.kernel.fault = FAULT_NONE;
    options.kernel.before = NULL;
    options.kernel.verbose = work->proof->only > 0 && work->proof->kernel.verbose;
    if (options.index_log)
        options.index_number = index_log_before(options.index_log, truth->index, lost_runs(work));
    /* The number of shards may change from one start to the next. */
    if (work->number % 5 == 0)
        options.shards = 1 + options.shards % TRUTH_SHARDS_MAX;
    machine_init(machine, image, journal, letters, &options);
}

static void end(struct machine *machine)
{
    if (machine->store)
        machine_kill(machine);
    machine_deinit(machine);
}

static void check_image(struct work *work, const struct image *image, const struct truth *truth)
{
    static const struct journal empty;
    struct machine *machine = malloc(sizeof(*machine));
    struct journal journal = empty;
    INVARIANT(machine);
    machine_of(work, machine, image, &journal, &work->history.letters, truth);
    boot_and_check(work, machine, truth);
    end(machine);
    journal_deinit(&journal);
    free(machine);
}

/* ---- second lives ---- */

/* Killed and booted again without having done anything, it shows the same. */
static bool boots_alike(struct work *work, struct machine *machine, const struct truth *truth)
{
    work->again = work->view;
    machine_kill(machine);
    if (!boot_and_check(work, machine, truth))
        return false;
    return view_same(&work->view, &work->again) ? true : fail(work, "a second boot differs");
}

/* One fault while it starts: it may refuse or complain, but it destroys nothing. */
static bool boot_with_fault(struct work *work, struct machine *machine, const struct truth *truth)
{
    struct kernel *kernel = machine->kernel;
    struct random random = {.state = work->number};
    char text[TRUTH_TEXT_BYTES];
    kernel->options.fault = random_below(&random, 2)
                                ? FAULT_MISREAD
                                : (enum kernel_fault)(1 + random_below(&random, FAULTS - 1));
    kernel->options.waits_for_read = random_below(&random, 2);
    kernel->options.fault_operation = random_below(&random, START_OPERATIONS);
    machine_look(machine, &work->view, machine_boot(machine));
    if (!truth_check(truth, &work->view, kernel->hit ? WEATHER_DAMAGED : WEATHER_FAIR, text))
        return fail(work, text);
    kernel->options.fault = FAULT_NONE;
    if (machine->store)
        machine_kill(machine);
    return true;
}

static void live_on(struct work *work, struct machine *machine, const struct truth *truth)
{
    struct random random = {.state = work->number};
    truth_settle(truth, &work->view, machine->journal);
    uint32_t steps = work->history.kind->rounds ? 1 : SECOND_STEPS;
    for (uint32_t i = 0; i < steps; i++)
        history_step(machine, work->history.kind, &random);
    if (work->number % 2)
        machine_close(machine);
}

/* A sample of the states that the second life could have left behind. */
static void check_second(struct work *work, const struct image *image,
                         const struct journal *journal, struct truth *truth)
{
    struct walker walker;
    struct random random = {.state = work->number};
    uint64_t moments = journal->count / SECOND_MOMENTS + 1;
    walker_init(&walker, journal, image, work->proof->liar);
    for (const struct event *event; (event = walker_step(&walker)) && !work->proof->failures;) {
        if (event->kind == EVENT_NOTE)
            truth_take(truth, &event->note);
        if (random_below(&random, moments) > 0)
            continue;
        struct states *states = &work->second_states;
        states_init(states, &walker, 4096);
        for (uint32_t i = 0; i < SECOND_STATES && i < states->count; i++) {
            uint32_t chosen =
                states->count <= SECOND_STATES ? i : (uint32_t)random_below(&random, states->count);
            struct image *second = states_make(states, chosen, work->number);
            work->proof->states +=
                seen_add(&work->second_seen, image_hash(second) ^ truth->version);
            check_image(work, second, truth);
            image_close(second);
        }
    }
    walker_deinit(&walker);
}

static void check_and_live_on(struct work *work, const struct image *image,
                              const struct truth *truth)
{
    struct machine *machine = malloc(sizeof(*machine));
    struct truth *known = malloc(sizeof(*known));
    uint32_t letters = work->history.letters.count, runs = work->history.index_log.count;
    struct journal journal = {.count = 0};
    INVARIANT(machine && known);
    *known = *truth;
    machine_of(work, machine, image, &journal, &work->history.letters, truth);
    bool good = boot_with_fault(work, machine, truth) && boot_and_check(work, machine, truth) &&
                boots_alike(work, machine, truth);
    if (good)
        live_on(work, machine, truth);
    end(machine);
    work->proof->recycled += machine->recycled;
    if (good)
        check_second(work, image, &journal, known);
    work->history.letters.count = letters; /* the second life's are forgotten */
    index_log_cut(&work->history.index_log, runs);
    journal_deinit(&journal);
    free(known);
    free(machine);
}

/* ---- first lives ---- */

static void check_states(struct work *work, const struct walker *walker, const struct truth *truth)
{
    struct proof *proof = work->proof;
    struct states *states = &work->states;
    states_init(states, walker, proof->sample ? SAMPLE_STATES : work->history.kind->states);
    for (uint32_t i = 0; i < states->count && !stopped(work); i++) {
        struct image *image = states_make(states, i, work->history.seed);
        uint64_t knowledge = (uint64_t)truth->version << 40;
        if (seen_add(&work->seen, image_hash(image) ^ knowledge)) {
            work->number++;
            if (!proof->only || proof->only == work->number) {
                proof->at(proof->context, proof->history, work->number);
                proof->states++;
                if (work->number % SECOND_LIVES == 0 && proof->liar == SYNC_PURPOSES)
                    check_and_live_on(work, image, truth);
                else
                    check_image(work, image, truth);
            }
        }
        image_close(image);
    }
}

static void prove_history(struct work *work)
{
    struct proof *proof = work->proof;
    struct truth *truth = malloc(sizeof(*truth));
    struct walker walker;
    INVARIANT(truth);
    history_make(&work->history, (uint32_t)(proof->history % PROOF_KINDS), proof->history,
                 &proof->kernel);
    proof->hit = work->history.hit;
    proof->recycled += work->history.recycled;
    if (work->history.wrong[0])
        fail(work, work->history.wrong);
    bool wanted = proof->kernel.fault == FAULT_NONE || proof->hit;
    uint64_t moments = proof->sample ? work->history.journal.count / proof->sample + 1 : 1;
    struct random random = {.state = proof->history ^ proof->kernel.fault_operation << 32};
    walker_init(&walker, &work->history.journal, work->history.start, proof->liar);
    truth_init(truth, &work->history.letters);
    for (const struct event *event; wanted && !stopped(work) && (event = walker_step(&walker));) {
        if (event->kind == EVENT_NOTE)
            truth_take(truth, &event->note);
        if (random_below(&random, moments) == 0)
            check_states(work, &walker, truth);
    }
    walker_deinit(&walker);
    history_deinit(&work->history);
    free(truth);
}

/* ---- the medium alone ---- */

static void check_contract(struct work *work, const struct contract *contract,
                           const struct walker *walker, const uint32_t counts[2])
{
    struct proof *proof = work->proof;
    char text[CONTRACT_TEXT_BYTES];
    states_init(&work->states, walker, CONTRACT_STATES);
    for (uint32_t i = 0; i < work->states.count && !stopped(work); i++) {
        struct image *image = states_make(&work->states, i, proof->history);
        uint64_t knowledge = (uint64_t)(counts[0] + counts[1]) << 40;
        if (seen_add(&work->seen, image_hash(image) ^ knowledge)) {
            work->number++;
            if (!proof->only || proof->only == work->number) {
                proof->at(proof->context, proof->history, work->number);
                proof->states++;
                if (!contract_check(contract, image, counts[CONTRACT_BEGUN], counts[CONTRACT_ENDED],
                                    text))
                    fail(work, text);
            }
        }
        image_close(image);
    }
}

static void prove_contract(struct work *work)
{
    struct proof *proof = work->proof;
    uint64_t seed = proof->history;
    struct kernel_options options = {.seed = seed,
                                     .direct = seed / PROOF_KINDS % 3 > 0,
                                     .write_zeroes = seed / PROOF_KINDS % 3 > 1};
    struct contract *contract = contract_open(seed, &options);
    struct image *start = image_open();
    struct walker walker;
    uint32_t counts[2] = {0, 0};
    walker_init(&walker, contract_journal(contract), start, proof->liar);
    for (const struct event *event; !stopped(work) && (event = walker_step(&walker));) {
        if (event->kind == EVENT_NOTE)
            counts[event->note.kind] = event->note.subject;
        check_contract(work, contract, &walker, counts);
    }
    walker_deinit(&walker);
    image_close(start);
    contract_close(contract);
}

const char *proof_kind_text(uint64_t history)
{
    uint64_t kind = history % PROOF_KINDS;
    return kind < HISTORY_KINDS ? history_kinds[kind].name : "the medium alone";
}

void proof_run(struct proof *proof)
{
    mallopt(M_MMAP_THRESHOLD, INT_MAX); /* what is freed is soon wanted again */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    struct work *work = calloc(1, sizeof(*work));
    INVARIANT(work);
    work->proof = proof;
    proof->states = proof->failures = proof->alarms = 0;
    if (proof->history % PROOF_KINDS < HISTORY_KINDS)
        prove_history(work);
    else
        prove_contract(work);
    free(work->seen.keys);
    free(work->second_seen.keys);
    free(work);
}
