#include "tests/crash/history.h"

#include "tests/crash/states.h"

#include <stdio.h>
#include <stdlib.h>

#define RECLAIM_RATE (16u << 20)
#define EXPIRE_AFTER_NS (20 * NS_PER_S)
#define DELTA_BYTES 1500u
#define WAIT_NS_MAX (3 * NS_PER_S)
#define TURNS 8
#define ROUND_LETTERS 7u

const struct history_kind history_kinds[HISTORY_KINDS] = {
    {.name = "a few small messages",
     .lives = 2,
     .steps = 12,
     .states = 256,
     .shards = 1,
     .commit_depth = 2,
     .bytes = 200,
     .direct = true,
     .write_zeroes = true},
    {.name = "small ones in groups, two shards",
     .lives = 3,
     .steps = 60,
     .states = 24,
     .shards = 2,
     .commit_depth = 1,
     .bytes = 900,
     .direct = true,
     .links_stall = true},
    {.name = "large messages, deep commits",
     .lives = 3,
     .steps = 40,
     .states = 24,
     .shards = 1,
     .commit_depth = 4,
     .bytes = 9000,
     .direct = true,
     .write_zeroes = true},
    {.name = "a file system without direct I/O",
     .lives = 3,
     .steps = 50,
     .states = 24,
     .shards = 1,
     .commit_depth = 3,
     .bytes = 3000,
     .direct = false},
    {.name = "segment after segment",
     .lives = 3,
     .steps = 90,
     .states = 12,
     .shards = 2,
     .commit_depth = 2,
     .bytes = 15000,
     .direct = true,
     .links_stall = true},
    {.name = "many short lives",
     .lives = 8,
     .steps = 10,
     .states = 24,
     .shards = 2,
     .commit_depth = 3,
     .bytes = 600,
     .direct = true,
     .write_zeroes = true},
    {.name = "most is deleted, and compacted away",
     .lives = 4,
     .steps = 160,
     .states = 4,
     .shards = 1,
     .commit_depth = 2,
     .bytes = 15000,
     .direct = true,
     .write_zeroes = true,
     .has_index = true,
     .reclaims = true},
    {.name = "mail expires, and is compacted away, without direct I/O",
     .lives = 4,
     .steps = 160,
     .states = 4,
     .shards = 2,
     .commit_depth = 1,
     .bytes = 15000,
     .has_index = true,
     .reclaims = true,
     .expires = true},
    {.name = "one segment after the other is compacted",
     .lives = 2,
     .steps = 2,
     .states = 16,
     .shards = 1,
     .commit_depth = 1,
     .bytes = 50000,
     .direct = true,
     .write_zeroes = true,
     .has_index = true,
     .reclaims = true,
     .rounds = true},
    {.name = "the same without direct I/O",
     .lives = 2,
     .steps = 2,
     .states = 16,
     .shards = 1,
     .commit_depth = 1,
     .bytes = 50000,
     .has_index = true,
     .reclaims = true,
     .rounds = true},
};

static const char *draw_mailboxes(struct random *random)
{
    static const char *const choices[] = {"a", "b", "c", "d", "ab", "cd", "bad", "abcd"};
    return choices[random_below(random, sizeof(choices) / sizeof(*choices))];
}

static void turns(struct machine *machine, int count)
{
    for (int i = 0; i < count; i++)
        machine_turn(machine);
}

/* Where space is to come back. */
static void reclaim_step(struct machine *machine, const struct history_kind *kind,
                         struct random *random)
{
    uint32_t shard = (uint32_t)random_below(random, machine->options.shards);
    uint32_t bytes = 1 + (uint32_t)random_below(random, kind->bytes);
    const char *mailboxes = draw_mailboxes(random);
    uint64_t draw = random_below(random, 32);
    switch (draw) {
    case 0:
        store_reclaim_all(machine->logs[shard]);
        break;
    case 1:
    case 2:
    case 3:
        machine_delete(machine, (uint32_t)random_below(random, TRUTH_MAILBOXES));
        break;
    case 4:
    case 5:
    case 6:
        machine_wait(machine, random_below(random, WAIT_NS_MAX));
        break;
    case 7:
    case 8:
    case 9:
        machine_send_piece(machine, (uint32_t)random_below(random, MACHINE_DRAFTS), bytes,
                           mailboxes);
        break;
    default:
        if (draw < 18)
            machine_send(machine, shard, 4 * bytes, mailboxes);
        else
            turns(machine, TURNS);
        break;
    }
}

/* Fills more than a segment, deletes nearly all of it, gives back what there is. */
static void round_step(struct machine *machine, const struct history_kind *kind,
                       struct random *random)
{
    for (uint32_t i = 0; i < ROUND_LETTERS; i++) {
        machine_send(machine, 0, kind->bytes, draw_mailboxes(random));
        turns(machine, 2 * TURNS);
    }
    for (uint32_t i = 0; i < TRUTH_MAILBOXES; i++) {
        machine_delete(machine, i);
        turns(machine, 2 * TURNS);
    }
    store_reclaim_all(machine->logs[0]);
    for (uint32_t i = 0; i < ROUND_LETTERS; i++) {
        machine_send(machine, 0, 300, draw_mailboxes(random));
        turns(machine, 2 * TURNS);
    }
}

void history_step(struct machine *machine, const struct history_kind *kind, struct random *random)
{
    if (kind->rounds) {
        round_step(machine, kind, random);
        return;
    }
    if (kind->reclaims) {
        reclaim_step(machine, kind, random);
        return;
    }
    uint32_t shard = (uint32_t)random_below(random, machine->options.shards);
    uint32_t bytes = 1 + (uint32_t)random_below(random, kind->bytes);
    const char *mailboxes = draw_mailboxes(random);
    switch (random_below(random, 12)) {
    case 0:
        machine_delete(machine, (uint32_t)random_below(random, TRUTH_MAILBOXES));
        break;
    case 1:
    case 2:
        machine_send_piece(machine, (uint32_t)random_below(random, MACHINE_DRAFTS), bytes,
                           mailboxes);
        break;
    case 3:
        machine_send(machine, shard, 4 * bytes, mailboxes);
        break;
    case 4:
    case 5:
    case 6:
        machine_send(machine, shard, bytes, mailboxes);
        break;
    default:
        machine_turn(machine);
        break;
    }
}

/* What a history knows of itself as it grows. */
struct making {
    struct history *history;
    struct machine machine;
    struct walker walker;
    struct truth truth;
    struct random random;
};

static void catch_up(struct making *making)
{
    for (const struct event *event; (event = walker_step(&making->walker));)
        if (event->kind == EVENT_NOTE)
            truth_take(&making->truth, &event->note);
}

/* The index is derived: at times it is one of an earlier time. */
static void lose_runs(struct making *making)
{
    struct machine *machine = &making->machine;
    if (!machine->options.index_log || random_below(&making->random, 3) > 0)
        return;
    machine->index_number = index_log_before(machine->options.index_log, machine->index_number,
                                             1 + (uint32_t)random_below(&making->random, 3));
    journal_note(machine->journal, NOTE_INDEX, machine->index_number, 0);
}

static void power_cut(struct making *making)
{
    struct states *states = malloc(sizeof(*states));
    catch_up(making);
    states_init(states, &making->walker, 64);
    struct image *image = states_make(
        states, (uint32_t)random_below(&making->random, states->count), making->history->seed);
    kernel_cut(making->machine.kernel, image);
    lose_runs(making);
    image_close(image);
    free(states);
}

/* Boots, looks and compares. When the fault comes just then, the store may refuse or complain, but
 * it must destroy nothing: then it is killed and boots once more. */
static bool begin_life(struct making *making)
{
    struct history *history = making->history;
    struct machine *machine = &making->machine;
    struct view *view = malloc(sizeof(*view));
    bool was_hit = machine->kernel->hit, good = false;
    for (bool again = true; again;) {
        enum status status = machine_boot(machine);
        machine_look(machine, view, status);
        bool is_hit = machine->kernel->hit && !was_hit;
        again = is_hit && (status != STATUS_OK || view->fault[0] || view->alarms > 0);
        was_hit = machine->kernel->hit;
        catch_up(making);
        good = truth_check(&making->truth, view, is_hit ? WEATHER_DAMAGED : WEATHER_FAIR,
                           history->wrong);
        if (again && status == STATUS_OK)
            machine_kill(machine);
        again = again && good;
    }
    if (good)
        truth_settle(&making->truth, view, machine->journal);
    free(view);
    return good;
}

static void live(struct making *making, bool last)
{
    const struct history_kind *kind = making->history->kind;
    struct machine *machine = &making->machine;
    uint64_t steps = random_below(&making->random, kind->steps) + 1;
    for (uint64_t i = 0; i < steps; i++)
        history_step(machine, kind, &making->random);
    uint64_t end = random_below(&making->random, 4);
    if (end == 0)
        machine_close(machine);
    else
        machine_kill(machine);
    if (end >= 2 && !last)
        power_cut(making);
}

struct machine_options history_options(const struct history_kind *kind, uint64_t seed)
{
    return (struct machine_options){
        .kernel = {.seed = seed, .direct = kind->direct, .write_zeroes = kind->write_zeroes},
        .seed = seed,
        .shards = kind->shards,
        .commit_depth = kind->commit_depth,
        .links_stall = kind->links_stall,
        .deleted_eighths = kind->reclaims ? 7 : 3,
        .reclaim_rate = kind->reclaims ? RECLAIM_RATE : 0,
        .expire_after_ns = kind->expires ? EXPIRE_AFTER_NS : 0,
        .delta_bytes = kind->has_index ? DELTA_BYTES : 0,
    };
}

static void set_options(struct history *history, const struct kernel_options *kernel)
{
    history->options = history_options(history->kind, history->seed);
    history->options.kernel.fault = kernel->fault;
    history->options.kernel.fault_operation = kernel->fault_operation;
    history->options.kernel.verbose = kernel->verbose;
    history->options.kernel.before = kernel->before;
    history->options.kernel.context = kernel->context;
    history->options.index_log = history->kind->has_index ? &history->index_log : NULL;
}

void history_make(struct history *history, uint32_t kind, uint64_t seed,
                  const struct kernel_options *kernel)
{
    struct making *making = calloc(1, sizeof(*making));
    *history = (struct history){.kind = &history_kinds[kind], .seed = seed};
    set_options(history, kernel);
    history->start = image_open();
    making->history = history;
    making->random.state = ~seed;
    machine_init(&making->machine, history->start, &history->journal, &history->letters,
                 &history->options);
    walker_init(&making->walker, &history->journal, history->start, SYNC_PURPOSES);
    truth_init(&making->truth, &history->letters);
    for (uint32_t i = 0; i < history->kind->lives && begin_life(making); i++)
        live(making, i + 1 == history->kind->lives);
    if (making->machine.wrong[0] && !history->wrong[0])
        memcpy(history->wrong, making->machine.wrong, sizeof(history->wrong));
    history->hit = making->machine.kernel->hit;
    if (making->machine.store)
        machine_kill(&making->machine);
    history->recycled = making->machine.recycled;
    machine_deinit(&making->machine);
    walker_deinit(&making->walker);
    free(making);
}

void history_deinit(struct history *history)
{
    image_close(history->start);
    journal_deinit(&history->journal);
    index_log_deinit(&history->index_log);
}
