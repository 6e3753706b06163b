/* Damage at rest: in stores that were closed in order each kind of place goes bad, byte by byte and
 * block by block: a flipped bit, a sector that is lost, a block that is another place's. What is
 * damaged must be named and never served, the rest must be there, the damage must not spread, and
 * new mail must be safe.
 *
 *   damage                           TAP, one test for each kind of place
 *   damage --store N --harm M        as a failure names it
 *   damage --first                   ends at the first failure */
#include "base/invariant.h"
#include "tests/crash/history.h"
#include "tests/crash/places.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORES 7u
#define LIVES 2u
#define FAILURES_MAX 5u /* told of one store */
#define DENSE_PLACES 2u /* of a kind, in one store */
#define DENSE_BYTES 240u
#define SPARSE_STEP 311u
#define LONG_LIVES 64u /* after one of so many harms the log goes on into another segment */
#define LONG_LIFE_MESSAGES 32u
#define CHUNK_BYTES 9000u
#define TURNS_MAX 1000
#define SECOND_BOOTS 4u /* of so many harms one is booted twice */

enum harm_kind { HARM_BIT, HARM_LOST, HARM_ALIEN, HARM_TWIN, HARMS };

struct harm {
    enum harm_kind kind;
    const struct place *place;
    uint32_t at; /* in the place */
};

/* What a store's process leaves behind, also when it aborts. */
struct progress {
    uint64_t harm, failures;
    uint64_t harms[PLACE_KINDS], bad[PLACE_KINDS];
};

struct request {
    uint64_t only; /* 0: all */
    bool first;
};

/* A store before it is harmed, and what is known of it. */
struct bed {
    uint64_t seed;
    struct machine_options options;
    struct letters letters;
    struct truth truth;
    struct image *image;
    struct places places;
    struct view view, again;
    uint32_t seen[PLACE_KINDS];
    const struct request *request;
    struct progress *progress;
};

/* ---- making ---- */

static void take_notes(struct truth *truth, const struct journal *journal)
{
    for (uint32_t i = 0; i < journal->count; i++)
        if (journal->events[i].kind == EVENT_NOTE)
            truth_take(truth, &journal->events[i].note);
}

/* In chunks of one size: only what refers to them tells them apart. */
static void send_chunks(struct machine *machine)
{
    for (int i = 0; i < 4; i++) {
        machine_send_piece(machine, 0, CHUNK_BYTES, "ab");
        machine_turn(machine);
    }
}

static void bed_make(struct bed *bed)
{
    const struct history_kind *kind = &history_kinds[bed->seed % HISTORY_KINDS];
    struct machine *machine = malloc(sizeof(*machine));
    struct journal journal = {.count = 0};
    struct image *empty = image_open();
    struct random random = {.state = bed->seed};
    INVARIANT(machine);
    bed->options = history_options(kind, bed->seed);
    bed->options.links_stall = false;
    truth_init(&bed->truth, &bed->letters);
    machine_init(machine, empty, &journal, &bed->letters, &bed->options);
    for (uint32_t life = 0; life < LIVES; life++) {
        enum status status = machine_boot(machine);
        INVARIANT(status == STATUS_OK);
        send_chunks(machine);
        for (uint32_t i = 0; i < kind->steps; i++)
            history_step(machine, kind, &random);
        machine_close(machine);
    }
    bed->image = image_copy(machine->kernel->now);
    take_notes(&bed->truth, &journal);
    machine_deinit(machine);
    journal_deinit(&journal);
    image_close(empty);
    places_find(&bed->places, bed->image, "store");
}

/* ---- harming ---- */

/* Some block of some file, of this one often. */
static void alien_block(const struct bed *bed, const struct place *place, struct random *random,
                        uint8_t block[IMAGE_PAGE_BYTES])
{
    const struct place *from = &bed->places.items[random_below(random, bed->places.count)];
    uint64_t offset = random_below(random, 2) ? from->offset : place->offset;
    memset(block, 0, IMAGE_PAGE_BYTES);
    image_read(bed->image, from->node, block, IMAGE_PAGE_BYTES,
               offset / IMAGE_PAGE_BYTES * IMAGE_PAGE_BYTES);
}

/* In a record's place another one of its size, if there is any. */
static void make_twin(const struct bed *bed, const struct place *place, struct random *random,
                      struct image *image)
{
    const struct places *places = &bed->places;
    uint32_t size = places->items[place - places->items + 1].size;
    uint32_t start = (uint32_t)random_below(random, places->count);
    uint8_t *record = malloc(place->size + size);
    INVARIANT(record);
    for (uint32_t i = 0; i < places->count - 1; i++) {
        const struct place *other = &places->items[(start + i) % (places->count - 1)];
        if (other->kind != PLACE_RECORD_HEADER || other == place || other[1].size != size)
            continue;
        image_read(bed->image, other->node, record, place->size + size, other->offset);
        image_write(image, place->node, record, place->size + size, place->offset);
        break;
    }
    free(record);
}

/* The disk with the harm done; NULL when it would be the same. */
static struct image *harm_image(const struct bed *bed, const struct harm *harm)
{
    const struct place *place = harm->place;
    struct image *image = image_copy(bed->image);
    struct random random = {.state = bed->seed ^ (uint64_t)place->offset << 20 ^ harm->at};
    uint8_t block[IMAGE_PAGE_BYTES], before[IMAGE_PAGE_BYTES], after[IMAGE_PAGE_BYTES];
    uint32_t at = place->offset + harm->at, unit = IMAGE_PAGE_BYTES, left = place->size - harm->at;
    uint32_t size = left < IMAGE_SECTOR_BYTES ? left : IMAGE_SECTOR_BYTES;
    switch (harm->kind) {
    case HARM_BIT:
        image_read(image, place->node, block, 1, at);
        block[0] ^= (uint8_t)(1u << random_below(&random, 8));
        image_write(image, place->node, block, 1, at);
        return image;
    case HARM_LOST:
        unit = IMAGE_SECTOR_BYTES;
        memset(block, 0, unit);
        break;
    case HARM_ALIEN:
        alien_block(bed, place, &random, block);
        break;
    default:
        make_twin(bed, place, &random, image);
        break;
    }
    if (harm->kind != HARM_TWIN)
        image_write(image, place->node, block, unit, at / unit * unit);
    image_read(bed->image, place->node, before, size, at);
    image_read(image, place->node, after, size, at);
    if (memcmp(before, after, size) != 0)
        return image;
    image_close(image);
    return NULL;
}

/* ---- checking ---- */

static bool fail(struct bed *bed, const struct harm *harm, const char *text)
{
    static const char *const kinds[HARMS] = {"a flipped bit", "a lost sector",
                                             "another place's block", "another record"};
    struct progress *progress = bed->progress;
    progress->failures++;
    progress->bad[harm->place->kind]++;
    printf("# %s in %s: %s; alone: damage --store %" PRIu64 " --harm %" PRIu64 "\n",
           kinds[harm->kind], place_kind_text(harm->place->kind), text, bed->seed, progress->harm);
    fflush(stdout);
    return false;
}

/* Boots and compares; NULL `before`: for the first time. */
static bool look(struct bed *bed, const struct harm *harm, struct machine *machine,
                 const struct view *before)
{
    char text[TRUTH_TEXT_BYTES];
    machine_look(machine, &bed->view, machine_boot(machine));
    if (!truth_check(&bed->truth, &bed->view, WEATHER_DAMAGED, text))
        return fail(bed, harm, text);
    if (machine->wrong[0])
        return fail(bed, harm, machine->wrong);
    if (before && (!view_same(&bed->view, before) || !bed->view.fault[0] != !before->fault[0]))
        return fail(bed, harm, "a second boot differs");
    return true;
}

static bool is_there(const struct view *view, const struct letter *letter)
{
    for (uint32_t i = 0; i < view->count; i++)
        if (view->sights[i].id == letter->id && view->sights[i].status == STATUS_OK)
            return true;
    return false;
}

/* The log may have to wait for its next segment. */
static bool send_one(struct machine *machine, uint32_t bytes)
{
    uint32_t number = machine->letters->count;
    for (int turns = 0; machine->letters->count == number && turns < TURNS_MAX; turns++) {
        machine_send(machine, 0, bytes, "a");
        machine_turn(machine);
    }
    return machine->letters->count > number && machine_rest(machine);
}

/* New mail after the damage is as safe as ever, and the damage stays named. */
static bool new_mail_stays(struct bed *bed, const struct harm *harm, struct machine *machine)
{
    uint32_t number = bed->letters.count;
    bool was_named = bed->view.alarms > 0 && harm->place->kind < PLACE_HINT_HEADER;
    uint32_t count = bed->progress->harm % LONG_LIVES == 0 ? LONG_LIFE_MESSAGES : 1;
    for (uint32_t i = 0; i < count; i++)
        if (!send_one(machine, count == 1 ? 300 : 9000))
            return fail(bed, harm, "new mail is not taken");
    take_notes(&bed->truth, machine->journal);
    machine_kill(machine);
    if (!look(bed, harm, machine, NULL))
        return false;
    if (was_named && bed->view.alarms == 0)
        return fail(bed, harm, "the damage is no longer named");
    return is_there(&bed->view, &bed->letters.items[number]) ? true
                                                             : fail(bed, harm, "new mail is lost");
}

static bool check_machine(struct bed *bed, const struct harm *harm, struct machine *machine)
{
    char line[TRUTH_TEXT_BYTES];
    if (machine_verify(machine, line) == STATUS_OK && !harm->place->last)
        return fail(bed, harm, "store verify does not name it");
    if (!look(bed, harm, machine, NULL))
        return false;
    if (bed->progress->harm % SECOND_BOOTS != 0)
        return true;
    bed->again = bed->view;
    if (machine->store)
        machine_kill(machine);
    if (!look(bed, harm, machine, &bed->again))
        return false;
    return bed->view.fault[0] ? true : new_mail_stays(bed, harm, machine);
}

static void check_harm(struct bed *bed, const struct harm *harm)
{
    struct progress *progress = bed->progress;
    const struct request *request = bed->request;
    uint32_t letters = bed->letters.count;
    struct truth *known = malloc(sizeof(*known));
    struct machine *machine = malloc(sizeof(*machine));
    struct journal journal = {.count = 0};
    struct image *image;
    INVARIANT(machine && known);
    progress->harm++;
    bool wanted = !request->only || request->only == progress->harm;
    if (wanted && progress->failures < FAILURES_MAX && (image = harm_image(bed, harm))) {
        struct machine_options options = bed->options;
        options.seed ^= progress->harm << 20;
        options.kernel.verbose = request->only > 0;
        progress->harms[harm->place->kind]++;
        *known = bed->truth;
        machine_init(machine, image, &journal, &bed->letters, &options);
        (void)check_machine(bed, harm, machine);
        if (machine->store)
            machine_kill(machine);
        machine_deinit(machine);
        bed->truth = *known;
        bed->letters.count = letters;
        image_close(image);
    }
    journal_deinit(&journal);
    free(machine);
    free(known);
}

/* The first places of a kind byte by byte, the others here and there. */
static void check_place(struct bed *bed, const struct place *place)
{
    struct harm harm = {.place = place};
    bool dense = bed->seen[place->kind]++ < DENSE_PLACES && place->size <= DENSE_BYTES;
    for (; harm.at < place->size; harm.at += dense ? 1 : SPARSE_STEP)
        check_harm(bed, &harm);
    for (harm.at = 0; harm.at < place->size; harm.at += IMAGE_SECTOR_BYTES)
        for (harm.kind = HARM_LOST; harm.kind <= HARM_ALIEN; harm.kind++)
            if (dense || harm.at == 0)
                check_harm(bed, &harm);
    harm = (struct harm){.kind = HARM_TWIN, .place = place};
    if (place->kind == PLACE_RECORD_HEADER)
        check_harm(bed, &harm);
}

/* In a process of its own: an abort is a finding like any other. */
static void run(uint64_t seed, const struct request *request, struct progress *progress)
{
    progress->harm = progress->failures = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        struct bed *bed = calloc(1, sizeof(*bed));
        INVARIANT(bed);
        bed->seed = seed;
        bed->request = request;
        bed->progress = progress;
        bed_make(bed);
        for (uint32_t i = 0; i < bed->places.count; i++)
            if (!request->first || progress->failures == 0)
                check_place(bed, &bed->places.items[i]);
        fflush(NULL);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (status == 0)
        return;
    progress->failures++;
    progress->bad[PLACE_IDENTITY]++;
    printf("# the process ended with status %d; alone: damage --store %" PRIu64 " --harm %" PRIu64
           "\n",
           status, seed, progress->harm);
}

int main(int argc, char **argv)
{
    struct request request = {.only = 0};
    uint64_t first = 0, count = STORES, failed = 0;
    struct progress *progress =
        mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED)
        return 71;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--first") == 0)
            request.first = true;
        if (strcmp(argv[i], "--harm") == 0 && i + 1 < argc)
            request.only = strtoull(argv[++i], NULL, 10);
        if (strcmp(argv[i], "--store") == 0 && i + 1 < argc) {
            first = strtoull(argv[++i], NULL, 10);
            count = 1;
        }
    }
    for (uint64_t seed = first; seed < first + count && !(request.first && failed); seed++) {
        run(seed, &request, progress);
        failed += progress->failures;
    }
    if (request.first || request.only)
        return failed > 0;
    printf("1..%u\n", PLACE_KINDS);
    for (unsigned i = 0; i < PLACE_KINDS; i++)
        printf("%sok %u - damage in %s: %" PRIu64 " times\n", progress->bad[i] ? "not " : "", i + 1,
               place_kind_text((enum place_kind)i), progress->harms[i]);
    return 0;
}
