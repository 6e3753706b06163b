#include "tests/crash/kernel.h"

#include "base/invariant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* Wrapped calls of the C library carry no context. */
static struct kernel *current;

struct kernel *kernel_current(void)
{
    INVARIANT(current);
    return current;
}

enum kernel_fault kernel_operate(struct kernel *kernel)
{
    if (kernel->dead)
        return FAULT_NONE;
    if (kernel->options.before)
        kernel->options.before(kernel);
    return kernel->operations++ == kernel->options.fault_operation ? kernel->options.fault
                                                                   : FAULT_NONE;
}

/* ---- names ---- */

uint32_t kernel_walk(const struct kernel *kernel, uint32_t from, const char *path,
                     uint32_t *directory, const char **leaf)
{
    uint32_t node = *path == '/' ? IMAGE_ROOT : from;
    *directory = node;
    for (*leaf = path; *path; path += strspn(path, "/")) {
        char name[IMAGE_NAME_BYTES];
        size_t size = strcspn(path, "/");
        INVARIANT(size < sizeof(name));
        memcpy(name, path, size);
        name[size] = '\0';
        *leaf = path;
        path += size;
        if (size == 0 || strcmp(name, ".") == 0)
            continue;
        if (node == IMAGE_NONE)
            return IMAGE_NONE;
        *directory = node;
        /* There is only one level of stores, all in the root. */
        node = strcmp(name, "..") == 0 ? IMAGE_ROOT : image_find(kernel->now, node, name);
    }
    return node;
}

int kernel_descriptor(struct kernel *kernel, uint32_t node)
{
    for (uint32_t i = 0; i < KERNEL_FILES_MAX; i++) {
        if (kernel->files[i].is_open)
            continue;
        kernel->files[i] = (struct kernel_file){.is_open = true, .node = node};
        return KERNEL_DESCRIPTOR + (int)i;
    }
    return -EMFILE;
}

struct kernel_file *kernel_file(struct kernel *kernel, int descriptor)
{
    uint32_t index = (uint32_t)(descriptor - KERNEL_DESCRIPTOR);
    INVARIANT(index < KERNEL_FILES_MAX && kernel->files[index].is_open);
    return &kernel->files[index];
}

/* ---- changes ---- */

static bool ends_with(const char *name, const char *suffix)
{
    size_t size = strlen(name), length = strlen(suffix);
    return size >= length && strcmp(name + size - length, suffix) == 0;
}

/* By the name that a file was given last: what the sync of its directory is for, and its own. */
static const struct {
    const char *suffix;
    enum sync_purpose of_name, of_file;
} kinds_of_file[] = {
    {"STORE.tmp", SYNC_STORE_FILE, SYNC_STORE_FILE},
    {"STORE", SYNC_STORE_NAME, SYNC_STORE_FILE},
    {"spare.tmp", SYNC_SPARE_NAME, SYNC_SPARE_FILE},
    {".idx.tmp", SYNC_HINT_FILE, SYNC_HINT_FILE},
    {".idx", SYNC_HINT_NAME, SYNC_HINT_FILE},
    {"rewrite.tmp", SYNC_REWRITE, SYNC_REWRITE},
    {"retired.tmp", SYNC_REPLACEMENT, SYNC_BLANK_HEADER},
    {".seg", SYNC_SEGMENT_NAME, SYNC_BATCH},
};

static void note_name(struct kernel *kernel, uint32_t directory, const char *name, uint32_t node)
{
    if (kernel->now->nodes[node]->is_directory) {
        kernel->purposes[directory] =
            directory == IMAGE_ROOT ? SYNC_STORE_FOLDER : SYNC_SHARD_FOLDER;
        return;
    }
    for (size_t i = 0; i < sizeof(kinds_of_file) / sizeof(*kinds_of_file); i++) {
        if (!ends_with(name, kinds_of_file[i].suffix))
            continue;
        kernel->purposes[directory] = kinds_of_file[i].of_name;
        kernel->purposes[node] = kinds_of_file[i].of_file;
        return;
    }
}

static void note_write(enum sync_purpose *purpose, uint64_t offset)
{
    if (*purpose == SYNC_BATCH || *purpose == SYNC_SEGMENT_HEADER)
        *purpose = offset == 0 ? SYNC_SEGMENT_HEADER : SYNC_BATCH;
}

/* Which sync will make the change durable. */
static void note_purpose(struct kernel *kernel, const struct event *event)
{
    switch (event->kind) {
    case EVENT_ENTER:
        note_name(kernel, event->node, event->name, event->target);
        break;
    case EVENT_RENAME:
        note_name(kernel, event->node, event->new_name, event->target);
        if (ends_with(event->name, "rewrite.tmp"))
            kernel->purposes[event->node] = SYNC_REPLACEMENT;
        break;
    case EVENT_LEAVE:
        if (!ends_with(event->name, ".tmp"))
            kernel->purposes[event->node] = SYNC_REMOVAL;
        break;
    case EVENT_WRITE:
        note_write(&kernel->purposes[event->node], event->offset);
        break;
    default:
        break;
    }
}

static void note_image(struct kernel *kernel, uint32_t directory)
{
    const struct image_node *node = kernel->now->nodes[directory];
    for (uint32_t i = 0; i < node->entries_count; i++) {
        note_name(kernel, directory, node->entries[i].name, node->entries[i].node);
        note_image(kernel, node->entries[i].node);
    }
}

uint32_t kernel_begin(struct kernel *kernel, const struct event *event)
{
    INVARIANT(!kernel->dead);
    note_purpose(kernel, event);
    uint32_t begun = journal_add(kernel->journal, event);
    kernel->journal->events[begun].purpose =
        event->node == IMAGE_NONE ? SYNC_WHOLE : kernel->purposes[event->node];
    return begun;
}

void kernel_end(struct kernel *kernel, uint32_t event, enum event_outcome outcome)
{
    const struct event *begun = &kernel->journal->events[event];
    uint64_t draw = random_next(&kernel->random);
    if (outcome == OUTCOME_FAILED)
        event_apply_part(begun, kernel->now, draw);
    else
        event_apply(begun, kernel->now, NULL, NULL);
    journal_add(kernel->journal,
                &(struct event){.kind = EVENT_END, .of = event, .outcome = outcome, .draw = draw});
}

/* ---- calls that begin and end at once ---- */

/* Counts the call: 0, or the -errno that it is to fail with. */
static int trouble(struct kernel *kernel, bool takes_space)
{
    enum kernel_fault fault = kernel_operate(kernel);
    if (fault != FAULT_EIO && (fault != FAULT_ENOSPC || !takes_space))
        return kernel->dead ? -EIO : 0;
    kernel->hit = true;
    return fault == FAULT_EIO ? -EIO : -ENOSPC;
}

static int change(struct kernel *kernel, const struct event *event, int trouble)
{
    uint32_t begun = kernel_begin(kernel, event);
    kernel_end(kernel, begun, trouble == 0 ? OUTCOME_DONE : OUTCOME_FAILED);
    return trouble;
}

static int create(struct kernel *kernel, uint32_t directory, const char *leaf, bool is_directory)
{
    struct event event = {
        .kind = EVENT_ENTER, .node = directory, .is_directory = is_directory, .target = 0};
    int error = trouble(kernel, true);
    if (error == -ENOSPC || kernel->dead)
        return error;
    event.target = image_add(kernel->now, is_directory);
    snprintf(event.name, sizeof(event.name), "%s", leaf);
    error = change(kernel, &event, error);
    return error ? error : (int)event.target;
}

int kernel_open_file(struct kernel *kernel, uint32_t from, const char *path, int flags)
{
    uint32_t directory;
    const char *leaf;
    uint32_t node = kernel_walk(kernel, from, path, &directory, &leaf);
    if (node == IMAGE_NONE && (flags & O_CREAT)) {
        int made = create(kernel, directory, leaf, false);
        return made < 0 ? made : kernel_descriptor(kernel, (uint32_t)made);
    }
    if (node == IMAGE_NONE)
        return -ENOENT;
    if ((flags & O_DIRECTORY) && !kernel->now->nodes[node]->is_directory)
        return -ENOTDIR;
    int error = trouble(kernel, false);
    return error ? error : kernel_descriptor(kernel, node);
}

int kernel_make_directory(struct kernel *kernel, uint32_t from, const char *path)
{
    uint32_t directory;
    const char *leaf;
    if (kernel_walk(kernel, from, path, &directory, &leaf) != IMAGE_NONE)
        return -EEXIST;
    int made = create(kernel, directory, leaf, true);
    return made < 0 ? made : 0;
}

static int sync_node(struct kernel *kernel, uint32_t node)
{
    int error = trouble(kernel, false);
    if (kernel->dead)
        return error;
    return change(kernel, &(struct event){.kind = EVENT_SYNC, .node = node}, error);
}

int kernel_sync(struct kernel *kernel, int descriptor)
{
    return sync_node(kernel, kernel_file(kernel, descriptor)->node);
}

int kernel_sync_all(struct kernel *kernel)
{
    return sync_node(kernel, IMAGE_NONE);
}

int kernel_unlink(struct kernel *kernel, uint32_t from, const char *path)
{
    struct event event = {.kind = EVENT_LEAVE};
    const char *leaf;
    if (kernel_walk(kernel, from, path, &event.node, &leaf) == IMAGE_NONE)
        return -ENOENT;
    int error = trouble(kernel, false);
    if (kernel->dead)
        return error;
    snprintf(event.name, sizeof(event.name), "%s", leaf);
    return change(kernel, &event, error);
}

/* ---- processes ---- */

struct kernel *kernel_open(const struct image *image, struct journal *journal,
                           const struct kernel_options *options)
{
    struct kernel *kernel = calloc(1, sizeof(*kernel));
    INVARIANT(kernel);
    kernel->options = *options;
    kernel->now = image_copy(image);
    kernel->journal = journal;
    kernel->random.state = options->seed;
    kernel->rotten_node = IMAGE_NONE;
    kernel->outer = current;
    note_image(kernel, IMAGE_ROOT);
    return current = kernel;
}

void kernel_close(struct kernel *kernel)
{
    INVARIANT(current == kernel && kernel->flights_count == 0);
    current = kernel->outer;
    image_close(kernel->now);
    free(kernel);
}

void kernel_kill(struct kernel *kernel)
{
    static const enum event_outcome ends[] = {OUTCOME_DONE, OUTCOME_UNHEARD, OUTCOME_FAILED};
    for (uint32_t i = 0; i < kernel->flights_count; i++)
        kernel_flight_end(kernel, &kernel->flights[i], ends[random_below(&kernel->random, 3)]);
    kernel->dead = true;
}

void kernel_revive(struct kernel *kernel)
{
    INVARIANT(kernel->dead && kernel->flights_count == 0);
    memset(kernel->files, 0, sizeof(kernel->files));
    kernel->rotten_node = IMAGE_NONE;
    kernel->dead = false;
}

void kernel_cut(struct kernel *kernel, const struct image *image)
{
    INVARIANT(kernel->dead && kernel->flights_count == 0);
    image_close(kernel->now);
    kernel->now = image_copy(image);
    journal_add(kernel->journal, &(struct event){.kind = EVENT_CUT, .image = image_copy(image)});
}
