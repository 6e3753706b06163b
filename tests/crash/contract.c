#include "tests/crash/contract.h"

#include "base/invariant.h"
#include "storage/medium/medium_file.h"

#include <stdio.h>
#include <stdlib.h>

#define FOLDER "/store"
#define OBJECTS_MAX 16u
#define BYTES_MAX 16384u

enum action {
    PREPARE,
    ADOPT,
    WRITE,
    WATCHED_WRITE,
    PUBLISH,
    REPLACE,
    RETIRE,
    RECYCLE,
    REMOVE,
    ACTIONS
};

struct operation {
    enum action action;
    uint32_t number; /* 1, 2, … */
    struct medium_name name;
    uint32_t size;
    uint64_t offset;
    uint8_t *bytes; /* write, publish, replace, retire, recycle */
};

struct object {
    struct medium_name name;
    uint32_t size;
    uint8_t bytes[BYTES_MAX];
};

/* What there is to be found. */
struct content {
    struct object objects[OBJECTS_MAX];
    uint32_t count;
};

struct contract {
    struct kernel_options options;
    struct journal journal;
    struct operation operations[CONTRACT_OPERATIONS];
    struct content contents[CONTRACT_OPERATIONS + 1]; /* after so many operations */
};

static const struct medium_name spare = {.kind = MEDIUM_SPARE};
static const struct medium_name rewrite = {.kind = MEDIUM_REWRITE};
static const struct medium_name retired = {.kind = MEDIUM_RETIRED};

static bool same_name(struct medium_name a, struct medium_name b)
{
    return a.kind == b.kind && a.shard == b.shard && a.number == b.number;
}

static struct object *object_of(struct content *content, struct medium_name name)
{
    for (uint32_t i = 0; i < content->count; i++)
        if (same_name(content->objects[i].name, name))
            return &content->objects[i];
    return NULL;
}

static const struct object *object_in(const struct content *content, struct medium_name name)
{
    return object_of((struct content *)(uintptr_t)content, name);
}

static struct object *object_obtain(struct content *content, struct medium_name name)
{
    struct object *object = object_of(content, name);
    if (!object) {
        INVARIANT(content->count < OBJECTS_MAX);
        object = &content->objects[content->count++];
    }
    *object = (struct object){.name = name};
    return object;
}

static void drop(struct content *content, struct medium_name name)
{
    struct object *object = object_of(content, name);
    if (object)
        *object = content->objects[--content->count];
}

static void apply(struct content *content, const struct operation *operation)
{
    struct object *object;
    switch (operation->action) {
    case PREPARE:
        object_obtain(content, spare)->size = operation->size;
        break;
    case ADOPT:
        object_of(content, spare)->name = operation->name;
        break;
    case WRITE:
    case WATCHED_WRITE:
        memcpy(object_of(content, operation->name)->bytes + operation->offset, operation->bytes,
               operation->size);
        break;
    case RECYCLE:
        drop(content, spare);
        object = object_of(content, retired);
        object->name = spare;
        memcpy(object->bytes, operation->bytes, MEDIUM_BLOCK_BYTES);
        break;
    case RETIRE:
        drop(content, retired);
        object_of(content, operation->name)->name = retired;
        object = object_obtain(content, operation->name);
        object->size = operation->size;
        memcpy(object->bytes, operation->bytes, operation->size);
        break;
    case PUBLISH:
    case REPLACE:
        object = object_obtain(content, operation->name);
        object->size = operation->size;
        memcpy(object->bytes, operation->bytes, operation->size);
        break;
    default:
        drop(content, operation->name);
        break;
    }
}

/* ---- making a journal ---- */

static void set_bytes(struct operation *operation, uint32_t size, struct random *random)
{
    operation->size = size;
    operation->bytes = aligned_alloc(MEDIUM_BLOCK_BYTES, BYTES_MAX);
    INVARIANT(operation->bytes);
    for (uint32_t i = 0; i < BYTES_MAX; i++)
        operation->bytes[i] = (uint8_t)random_next(random);
}

/* An object of this kind, if there is one. */
static bool find_kind(const struct content *content, enum medium_kind kind, struct random *random,
                      struct medium_name *name)
{
    uint32_t start = (uint32_t)random_below(random, OBJECTS_MAX);
    for (uint32_t i = 0; i < content->count; i++) {
        const struct object *object = &content->objects[(start + i) % content->count];
        if (object->name.kind != kind)
            continue;
        *name = object->name;
        return true;
    }
    return false;
}

static uint32_t blocks(struct random *random, uint32_t most)
{
    return MEDIUM_BLOCK_BYTES * (1 + (uint32_t)random_below(random, most));
}

/* What comes next; false: this can't be done now. */
static bool draw_operation(const struct content *content, uint32_t number, struct random *random,
                           struct operation *operation)
{
    *operation =
        (struct operation){.action = (enum action)random_below(random, ACTIONS), .number = number};
    switch (operation->action) {
    case PREPARE:
        operation->name = spare;
        operation->size = blocks(random, 4);
        return true;
    case ADOPT:
        operation->name = (struct medium_name){.kind = MEDIUM_SEGMENT, .number = number};
        return object_in(content, spare) != NULL;
    case WRITE:
    case WATCHED_WRITE:
        if (!find_kind(content, MEDIUM_SEGMENT, random, &operation->name))
            return false;
        set_bytes(operation,
                  blocks(random, object_in(content, operation->name)->size / MEDIUM_BLOCK_BYTES),
                  random);
        operation->offset = object_in(content, operation->name)->size - operation->size;
        return true;
    case PUBLISH:
        if (random_below(random, 2) && !find_kind(content, MEDIUM_HINT, random, &operation->name))
            operation->name = (struct medium_name){.kind = MEDIUM_HINT, .number = number};
        set_bytes(operation, 1 + (uint32_t)random_below(random, 2000), random);
        return true;
    case RECYCLE:
        if (!object_in(content, retired))
            return false;
        set_bytes(operation, object_in(content, retired)->size, random);
        return true;
    case REPLACE:
    case RETIRE:
        if (!find_kind(content, MEDIUM_SEGMENT, random, &operation->name))
            return false;
        set_bytes(operation, blocks(random, 4), random);
        return true;
    default:
        return find_kind(content, random_below(random, 2) ? MEDIUM_SEGMENT : MEDIUM_HINT, random,
                         &operation->name);
    }
}

static struct medium *open_medium(struct ring *ring, bool read_only)
{
    struct medium_file_options options = {.create = !read_only, .durable = true};
    struct medium *medium;
    struct fault fault;
    kernel_ring_init(ring);
    enum status status = medium_file_open(&medium, ring, FOLDER, &options, &fault);
    INVARIANT(status == STATUS_OK);
    status = medium->calls->fence(medium, read_only, &fault);
    INVARIANT(status == STATUS_OK);
    return medium;
}

static struct medium_object *open_object(struct medium *medium, struct medium_name name)
{
    struct medium_object *object;
    enum status status = medium->calls->open(medium, name, &object);
    INVARIANT(status == STATUS_OK);
    return object;
}

/* Somebody else may read what is being written before it is durable; what was read is durable once
 * the reader has synced it. */
struct watched {
    struct medium_op op; /* first */
    bool is_over;
};

static void watched_done(struct medium_op *op)
{
    ((struct watched *)op)->is_over = true;
}

static int64_t write_watched(struct medium *medium, struct medium_object *object,
                             const struct operation *operation)
{
    struct watched watched = {.op.done = watched_done};
    struct ring ring;
    struct medium *reader = open_medium(&ring, true);
    struct medium_object *read = open_object(reader, operation->name);
    uint8_t *bytes = malloc(operation->size);
    INVARIANT(bytes);
    medium_write(medium, object, operation->bytes, operation->size, operation->offset, &watched.op);
    for (bool seen = false; !watched.is_over && !seen;) {
        medium->calls->poll(medium, false);
        medium_read_wait(reader, read, bytes, operation->size, operation->offset);
        seen = memcmp(bytes, operation->bytes, operation->size) == 0;
    }
    int64_t result = medium_sync_wait(reader, read);
    if (result >= 0)
        journal_note(kernel_current()->journal, CONTRACT_ENDED, operation->number, 0);
    while (!watched.is_over)
        medium->calls->poll(medium, true);
    reader->calls->deinit(reader);
    kernel_ring_deinit(&ring);
    free(bytes);
    return watched.op.result;
}

static int64_t replace(struct medium *medium, const struct operation *operation)
{
    int64_t result = medium_begin_rewrite_wait(medium, 0, operation->size);
    INVARIANT(result >= 0);
    struct medium_object *object = open_object(medium, rewrite);
    result = medium_write_wait(medium, object, operation->bytes, operation->size, 0);
    INVARIANT(result >= 0);
    result = medium_replace_wait(medium, 0, operation->name.number, operation->action == RETIRE);
    medium->calls->close(medium, object);
    return result;
}

static int64_t execute(struct medium *medium, const struct operation *operation)
{
    switch (operation->action) {
    case PREPARE:
        return medium_prepare_wait(medium, 0, operation->size);
    case ADOPT:
        return medium_adopt_wait(medium, 0, operation->name.number);
    case PUBLISH:
        return medium_publish_wait(medium, operation->name, operation->bytes, operation->size);
    case REPLACE:
    case RETIRE:
        return replace(medium, operation);
    case RECYCLE:
        return medium_recycle_wait(medium, 0, operation->bytes, operation->size);
    case REMOVE:
        return medium_remove_wait(medium, operation->name);
    default:
        break;
    }
    struct medium_object *object = open_object(medium, operation->name);
    int64_t result = operation->action == WATCHED_WRITE
                         ? write_watched(medium, object, operation)
                         : medium_write_wait(medium, object, operation->bytes, operation->size,
                                             operation->offset);
    medium->calls->close(medium, object);
    return result;
}

struct contract *contract_open(uint64_t seed, const struct kernel_options *options)
{
    struct contract *contract = calloc(1, sizeof(*contract));
    struct image *image = image_open();
    struct random random = {.state = seed};
    struct ring ring;
    INVARIANT(contract);
    contract->options = *options;
    struct kernel *kernel = kernel_open(image, &contract->journal, options);
    struct medium *medium = open_medium(&ring, false);
    for (uint32_t i = 0; i < CONTRACT_OPERATIONS; i++) {
        struct operation *operation = &contract->operations[i];
        contract->contents[i + 1] = contract->contents[i];
        while (!draw_operation(&contract->contents[i], i + 1, &random, operation))
            continue;
        apply(&contract->contents[i + 1], operation);
        journal_note(&contract->journal, CONTRACT_BEGUN, i + 1, 0);
        int64_t result = execute(medium, operation);
        INVARIANT(result >= 0);
        journal_note(&contract->journal, CONTRACT_ENDED, i + 1, 0);
    }
    kernel_kill(kernel);
    medium->calls->deinit(medium);
    kernel_ring_deinit(&ring);
    kernel_close(kernel);
    image_close(image);
    return contract;
}

void contract_close(struct contract *contract)
{
    for (uint32_t i = 0; i < CONTRACT_OPERATIONS; i++)
        free(contract->operations[i].bytes);
    journal_deinit(&contract->journal);
    free(contract);
}

const struct journal *contract_journal(const struct contract *contract)
{
    return &contract->journal;
}

/* ---- checking ---- */

struct reader {
    struct medium *medium;
    struct content *found;
};

static void visit(void *context, struct medium_name name, uint64_t bytes)
{
    struct reader *reader = context;
    struct object *object = object_obtain(reader->found, name);
    struct medium_object *opened;
    object->size = bytes < BYTES_MAX ? (uint32_t)bytes : BYTES_MAX;
    if (reader->medium->calls->open(reader->medium, name, &opened) != STATUS_OK)
        return;
    if (object->size > 0)
        medium_read_wait(reader->medium, opened, object->bytes, object->size, 0);
    reader->medium->calls->close(reader->medium, opened);
}

static void read_all(const struct contract *contract, const struct image *image,
                     struct content *found)
{
    struct journal journal = {.count = 0};
    struct ring ring;
    struct kernel *kernel = kernel_open(image, &journal, &contract->options);
    struct reader reader = {.medium = open_medium(&ring, false), .found = found};
    enum status status = reader.medium->calls->list(reader.medium, visit, &reader, NULL);
    INVARIANT(status == STATUS_OK);
    kernel_kill(kernel);
    reader.medium->calls->deinit(reader.medium);
    kernel_ring_deinit(&ring);
    kernel_close(kernel);
    journal_deinit(&journal);
}

/* The range that may be anything; none: of no size. */
static bool same_object(const struct object *found, const struct object *wanted, uint64_t free_from,
                        uint32_t free_size)
{
    if (!found || !wanted || found->size != wanted->size)
        return found == wanted;
    for (uint32_t i = 0; i < found->size; i++)
        if ((i < free_from || i >= free_from + free_size) && found->bytes[i] != wanted->bytes[i])
            return false;
    return true;
}

/* True when the object is as it should be. */
static bool check_name(const struct contract *contract, const struct content *found,
                       struct medium_name name, uint32_t begun, uint32_t ended)
{
    const struct object *here = object_in(found, name);
    const struct operation *under_way = begun > ended ? &contract->operations[begun - 1] : NULL;
    uint64_t from = 0;
    uint32_t size = 0;
    if (under_way && under_way->action == PREPARE && name.kind == MEDIUM_SPARE)
        return true;
    if (under_way && (under_way->action == REPLACE || under_way->action == RETIRE) &&
        name.kind == MEDIUM_REWRITE)
        return true;
    if (under_way && (under_way->action == RETIRE || under_way->action == RECYCLE) &&
        name.kind == MEDIUM_RETIRED)
        return true;
    if (under_way && (under_way->action == WRITE || under_way->action == WATCHED_WRITE) &&
        same_name(under_way->name, name)) {
        from = under_way->offset;
        size = under_way->size;
    }
    return same_object(here, object_in(&contract->contents[ended], name), from, size) ||
           same_object(here, object_in(&contract->contents[begun], name), from, size);
}

bool contract_check(const struct contract *contract, const struct image *image, uint32_t begun,
                    uint32_t ended, char text[CONTRACT_TEXT_BYTES])
{
    static const char *const kinds[] = {"STORE", "segment", "hint", "spare", "rewrite", "retired"};
    struct content *found = calloc(1, sizeof(*found));
    struct medium_name bad = {.kind = MEDIUM_STORE};
    bool good = true;
    INVARIANT(found);
    if (begun > 0)
        read_all(contract, image, found);
    const struct content *lists[] = {found, &contract->contents[ended], &contract->contents[begun]};
    for (uint32_t l = 0; l < 3; l++)
        for (uint32_t i = 0; i < lists[l]->count && good; i++) {
            bad = lists[l]->objects[i].name;
            good = check_name(contract, found, bad, begun, ended);
        }
    if (!good)
        snprintf(text, CONTRACT_TEXT_BYTES, "%s %u is not as operation %u has left it",
                 kinds[bad.kind], bad.number, ended);
    free(found);
    return good;
}
