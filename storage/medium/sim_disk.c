#include "storage/medium/sim_disk.h"

#include "base/crc32c.h"
#include "base/invariant.h"

#include <errno.h>
#include <stdlib.h>

/* ---- the directory ---- */

static int name_compare(struct medium_name a, struct medium_name b)
{
    if (a.shard != b.shard)
        return a.shard < b.shard ? -1 : 1;
    if (a.kind != b.kind)
        return a.kind < b.kind ? -1 : 1;
    return (a.number > b.number) - (a.number < b.number);
}

/* The link that points to the name's file, or to where it belongs. */
static struct sim_file **place_of(struct sim_disk *disk, struct medium_name name)
{
    struct sim_file **place = &disk->files;
    while (*place && name_compare((*place)->name, name) < 0)
        place = &(*place)->next;
    return place;
}

struct sim_file *sim_disk_find(const struct sim_disk *disk, struct medium_name name)
{
    struct sim_file *file = disk->files;
    while (file && name_compare(file->name, name) < 0)
        file = file->next;
    return file && name_compare(file->name, name) == 0 ? file : NULL;
}

static void enter(struct sim_disk *disk, struct sim_file *file)
{
    struct sim_file **place = place_of(disk, file->name);
    file->next = *place;
    *place = file;
}

/* Takes the entry out, if there is one; the file is the caller's then. */
static struct sim_file *leave(struct sim_disk *disk, struct medium_name name)
{
    struct sim_file *file = sim_disk_find(disk, name);
    if (file)
        *place_of(disk, name) = file->next;
    return file;
}

void sim_disk_release(struct sim_disk *disk, struct sim_file *file)
{
    INVARIANT(file->users > 0);
    if (--file->users > 0)
        return;
    disk->used_bytes -= file->bytes;
    struct sim_file *forgotten = file;
    if (file->name.kind == MEDIUM_SEGMENT || file->name.kind == MEDIUM_RETIRED) {
        forgotten = disk->stale;
        disk->stale = file;
    }
    if (forgotten)
        sim_file_free(forgotten);
}

static void discard(struct sim_disk *disk, struct medium_name name)
{
    struct sim_file *file = leave(disk, name);
    if (file)
        sim_disk_release(disk, file);
}

uint64_t sim_disk_space_left(const struct sim_disk *disk)
{
    uint64_t capacity = disk->options.capacity_bytes;
    if (capacity == 0)
        return UINT64_MAX;
    return capacity > disk->used_bytes ? capacity - disk->used_bytes : 0;
}

/* A new file, not yet in the directory; NULL when there is no space for it. */
static struct sim_file *make(struct sim_disk *disk, struct medium_name name, uint64_t bytes)
{
    if (bytes > sim_disk_space_left(disk))
        return NULL;
    disk->used_bytes += bytes;
    return sim_file_open(name, bytes);
}

/* ---- how events end ---- */

static bool coin(struct sim_disk *disk)
{
    return random_below(&disk->random, 2) == 0;
}

/* Copies the sectors that a draw chooses: none, some or all of them. */
static void tear_write(struct sim_disk *disk, const struct sim_event *event)
{
    static const uint8_t odds[] = {0, 1, 4, 7, 8}; /* of 8 */
    uint8_t chance = odds[random_below(&disk->random, sizeof odds)];
    for (uint64_t at = 0; at < event->size; at += SIM_SECTOR_BYTES)
        if (random_below(&disk->random, 8) < chance)
            sim_file_write(event->file, (const uint8_t *)event->from + at, SIM_SECTOR_BYTES,
                           event->offset + at);
}

static int64_t settle_write(struct sim_disk *disk, const struct sim_event *event)
{
    (void)disk;
    sim_file_write(event->file, event->from, (uint32_t)event->size, event->offset);
    return (int64_t)event->size;
}

/* What a write under way has put so far into the range that is being read: nothing or anything. */
static void read_early(struct sim_disk *disk, const struct sim_event *read, uint32_t size,
                       const struct sim_event *write)
{
    for (uint64_t at = 0; at < write->size; at += SIM_SECTOR_BYTES) {
        uint64_t start = write->offset + at, end = start + SIM_SECTOR_BYTES;
        if (start < read->offset)
            start = read->offset;
        if (end > read->offset + size)
            end = read->offset + size;
        if (start < end && coin(disk))
            memcpy((uint8_t *)read->into + (start - read->offset),
                   (const uint8_t *)write->from + (start - write->offset), end - start);
    }
}

static int64_t settle_read(struct sim_disk *disk, const struct sim_event *event)
{
    uint64_t bytes = event->file->bytes;
    uint64_t rest = event->offset < bytes ? bytes - event->offset : 0;
    uint32_t size = (uint32_t)(event->size < rest ? event->size : rest);
    if (size == 0)
        return 0;
    sim_file_read(event->file, event->into, size, event->offset);
    for (const struct sim_event *other = disk->events; other; other = other->next)
        if (other->action == SIM_WRITE && other->file == event->file && coin(disk))
            read_early(disk, event, size, other);
    return size;
}

static void tear_nothing(struct sim_disk *disk, const struct sim_event *event)
{
    (void)disk;
    (void)event;
}

/* Readers may have seen any sector of a write under way: all of them reach the disk, whatever the
 * writer will be told. */
static int64_t settle_sync(struct sim_disk *disk, const struct sim_event *event)
{
    for (const struct sim_event *other = disk->events; other; other = other->next)
        if (other->action == SIM_WRITE && other->file == event->file)
            settle_write(disk, other);
    return 0;
}

static int64_t settle_prepare(struct sim_disk *disk, const struct sim_event *event)
{
    discard(disk, event->name);
    struct sim_file *file = make(disk, event->name, event->size);
    if (!file)
        return -ENOSPC;
    enter(disk, file);
    return 0;
}

/* The old spare, none, one that is too short or all zeroes, or one with old contents. */
static void tear_prepare(struct sim_disk *disk, const struct sim_event *event)
{
    if (coin(disk))
        return;
    discard(disk, event->name);
    uint64_t blocks = event->size / MEDIUM_BLOCK_BYTES;
    uint64_t size = coin(disk) ? blocks : random_below(&disk->random, blocks);
    struct sim_file *file = coin(disk) ? NULL : make(disk, event->name, size * MEDIUM_BLOCK_BYTES);
    if (!file)
        return;
    if (coin(disk))
        sim_file_soil(file, disk->stale, &disk->random);
    enter(disk, file);
}

/* Gives a file that is in the directory another name, which nobody has. */
static void give_name(struct sim_disk *disk, struct sim_file *file, struct medium_name name)
{
    leave(disk, file->name);
    file->name = name;
    enter(disk, file);
}

static int64_t settle_adopt(struct sim_disk *disk, const struct sim_event *event)
{
    struct medium_name spare = {.kind = MEDIUM_SPARE, .shard = event->name.shard};
    if (!sim_disk_find(disk, spare))
        return -ENOENT;
    if (sim_disk_find(disk, event->name))
        return -EEXIST;
    give_name(disk, sim_disk_find(disk, spare), event->name);
    return 0;
}

static struct medium_name retired_of(const struct sim_event *event)
{
    return (struct medium_name){.kind = MEDIUM_RETIRED, .shard = event->name.shard};
}

static int64_t settle_replace(struct sim_disk *disk, const struct sim_event *event)
{
    struct medium_name rewrite = {.kind = MEDIUM_REWRITE, .shard = event->name.shard};
    if (!sim_disk_find(disk, rewrite) || !sim_disk_find(disk, event->name))
        return -ENOENT;
    if (event->action == SIM_RETIRE) {
        discard(disk, retired_of(event));
        give_name(disk, sim_disk_find(disk, event->name), retired_of(event));
    }
    discard(disk, event->name);
    give_name(disk, sim_disk_find(disk, rewrite), event->name);
    return 0;
}

/* The file that can be recycled; NULL: `error` says why there is none. */
static struct sim_file *recyclable(const struct sim_disk *disk, const struct sim_event *event,
                                   int64_t *error)
{
    struct sim_file *file = sim_disk_find(disk, retired_of(event));
    *error = !file ? -ENOENT : file->users > 1 ? -EBUSY : -EINVAL;
    return *error == -EINVAL && file->bytes == event->file_bytes ? file : NULL;
}

static int64_t settle_recycle(struct sim_disk *disk, const struct sim_event *event)
{
    int64_t error;
    struct sim_file *file = recyclable(disk, event, &error);
    if (!file)
        return error;
    sim_file_write(file, event->from, (uint32_t)event->size, 0);
    discard(disk, event->name);
    give_name(disk, file, event->name);
    return 0;
}

/* Any part of the block, and only when it is all there the name. */
static void tear_recycle(struct sim_disk *disk, const struct sim_event *event)
{
    int64_t error;
    struct sim_event write = *event;
    write.file = recyclable(disk, event, &error);
    if (!write.file || coin(disk))
        return;
    tear_write(disk, &write);
    if (coin(disk))
        settle_recycle(disk, event);
}

static int64_t settle_publish(struct sim_disk *disk, const struct sim_event *event)
{
    struct sim_file *file = make(disk, event->name, event->size);
    if (!file)
        return -ENOSPC;
    sim_file_write(file, event->from, (uint32_t)event->size, 0);
    discard(disk, event->name);
    enter(disk, file);
    return 0;
}

static int64_t settle_remove(struct sim_disk *disk, const struct sim_event *event)
{
    if (!sim_disk_find(disk, event->name))
        return -ENOENT;
    discard(disk, event->name);
    return 0;
}

static void tear_change(struct sim_disk *disk, const struct sim_event *event);

static const struct {
    int64_t (*settle)(struct sim_disk *disk, const struct sim_event *event); /* to the result */
    void (*tear)(struct sim_disk *disk, const struct sim_event *event);
} actions[] = {
    [SIM_READ] = {settle_read, tear_nothing},      [SIM_SYNC] = {settle_sync, tear_nothing},
    [SIM_WRITE] = {settle_write, tear_write},      [SIM_PREPARE] = {settle_prepare, tear_prepare},
    [SIM_ADOPT] = {settle_adopt, tear_change},     [SIM_REPLACE] = {settle_replace, tear_change},
    [SIM_RETIRE] = {settle_replace, tear_change},  [SIM_RECYCLE] = {settle_recycle, tear_recycle},
    [SIM_PUBLISH] = {settle_publish, tear_change}, [SIM_REMOVE] = {settle_remove, tear_change},
};

/* A change of the directory is atomic: it happened or it did not. */
static void tear_change(struct sim_disk *disk, const struct sim_event *event)
{
    if (coin(disk))
        actions[event->action].settle(disk, event);
}

/* ---- events ---- */

static uint32_t from_crc(const struct sim_event *event)
{
    return event->from ? crc32c(0, event->from, event->size) : 0;
}

/* Whether it changes or takes away the shard's object of this kind. */
static bool uses(const struct sim_event *event, enum medium_kind kind)
{
    static const struct {
        enum sim_action action;
        enum medium_kind kind;
    } uses[] = {{SIM_ADOPT, MEDIUM_SPARE},
                {SIM_REPLACE, MEDIUM_REWRITE},
                {SIM_RETIRE, MEDIUM_REWRITE},
                {SIM_RETIRE, MEDIUM_RETIRED},
                {SIM_RECYCLE, MEDIUM_RETIRED}};
    for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
        if (uses[i].action == event->action && uses[i].kind == kind)
            return true;
    return event->name.kind == kind;
}

/* True when both change the directory at the same name. */
static bool touch_same(const struct sim_event *a, const struct sim_event *b)
{
    if (a->action <= SIM_WRITE || b->action <= SIM_WRITE)
        return false;
    if (name_compare(a->name, b->name) == 0)
        return true;
    if (a->name.shard != b->name.shard)
        return false;
    for (enum medium_kind kind = MEDIUM_SPARE; kind <= MEDIUM_RETIRED; kind++)
        if (uses(a, kind) && uses(b, kind))
            return true;
    return false;
}

void sim_disk_start(struct sim_disk *disk, const struct sim_event *event)
{
    const struct sim_disk_options *options = &disk->options;
    struct sim_event *started = malloc(sizeof *started);
    INVARIANT(started);
    uint32_t rate = event->action == SIM_READ ? options->read_errors_per_million
                                              : options->write_errors_per_million;
    *started = *event;
    started->fails = random_below(&disk->random, 1000000) < rate;
    started->due_ns =
        clock_monotonic_ns(disk->clock) + options->latency_ns_min +
        random_below(&disk->random, options->latency_ns_max - options->latency_ns_min + 1);
    started->order = disk->started++;
    started->from_crc = from_crc(event);
    for (const struct sim_event *other = disk->events; other; other = other->next)
        if (touch_same(other, event) && other->due_ns > started->due_ns)
            started->due_ns = other->due_ns;
    struct sim_event **place = &disk->events;
    while (*place && (*place)->due_ns <= started->due_ns)
        place = &(*place)->next;
    started->next = *place;
    *place = started;
}

static void event_free(struct sim_event *event)
{
    if (event->under_way)
        --*event->under_way;
    free(event);
}

static void event_end(struct sim_disk *disk, struct sim_event *event)
{
    INVARIANT(from_crc(event) == event->from_crc);
    struct medium_op *op = event->op;
    op->result = -EIO;
    if (event->fails)
        actions[event->action].tear(disk, event);
    else
        op->result = actions[event->action].settle(disk, event);
    event_free(event);
    op->done(op);
}

bool sim_disk_run(struct sim_disk *disk, const void *owner, uint64_t now_ns, uint64_t started)
{
    for (struct sim_event **place = &disk->events; *place; place = &(*place)->next) {
        struct sim_event *event = *place;
        if (event->due_ns > now_ns)
            return false;
        if (event->owner != owner || event->order >= started)
            continue;
        *place = event->next;
        event_end(disk, event);
        return true;
    }
    return false;
}

bool sim_disk_is_idle(const struct sim_disk *disk, const void *owner)
{
    for (const struct sim_event *event = disk->events; event; event = event->next)
        if (event->owner == owner)
            return false;
    return true;
}

/* ---- the disk as the simulation sees it ---- */

enum status sim_disk_open(struct sim_disk **disk, const struct sim_disk_options *options,
                          struct clock *clock)
{
    INVARIANT(options->latency_ns_min <= options->latency_ns_max);
    struct sim_disk *opened = calloc(1, sizeof *opened);
    if (!opened)
        return STATUS_FULL;
    opened->options = *options;
    opened->clock = clock;
    opened->random.state = options->seed;
    *disk = opened;
    return STATUS_OK;
}

void sim_disk_close(struct sim_disk *disk)
{
    INVARIANT(disk->media == 0 && !disk->events);
    while (disk->files) {
        struct sim_file *file = disk->files;
        disk->files = file->next;
        sim_file_free(file);
    }
    if (disk->stale)
        sim_file_free(disk->stale);
    free(disk);
}

void sim_disk_crash(struct sim_disk *disk)
{
    disk->crashes++;
    disk->writer = NULL;
    while (disk->events) {
        struct sim_event *event = disk->events;
        INVARIANT(from_crc(event) == event->from_crc);
        disk->events = event->next;
        actions[event->action].tear(disk, event);
        event_free(event);
    }
}

void sim_disk_set_errors(struct sim_disk *disk, uint32_t write_per_million,
                         uint32_t read_per_million)
{
    disk->options.write_errors_per_million = write_per_million;
    disk->options.read_errors_per_million = read_per_million;
}

void sim_disk_set_capacity(struct sim_disk *disk, uint64_t bytes)
{
    disk->options.capacity_bytes = bytes;
}

void sim_disk_damage(struct sim_disk *disk, struct medium_name name, uint64_t offset, uint8_t xor)
{
    struct sim_file *file = sim_disk_find(disk, name);
    uint8_t byte;
    INVARIANT(file && offset < file->bytes);
    sim_file_read(file, &byte, 1, offset);
    byte ^= xor;
    sim_file_write(file, &byte, 1, offset);
}

uint64_t sim_disk_next_ns(const struct sim_disk *disk)
{
    return disk->events ? disk->events->due_ns : UINT64_MAX;
}
