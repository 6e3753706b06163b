#include "storage/medium/medium_sim.h"

#include "base/invariant.h"
#include "storage/medium/sim_disk.h"

#include <stdlib.h>

struct medium_object {
    struct medium_object *next, **link;
    struct sim_file *file;
    uint32_t under_way; /* reads and writes: they must end before it is closed */
};

struct medium_sim {
    struct medium medium;
    struct sim_disk *disk;
    uint64_t crashes; /* of the disk when this was opened */
    struct medium_object *objects;
};

static struct medium_sim *sim_of(struct medium *medium)
{
    return (struct medium_sim *)medium;
}

static bool sim_is_dead(const struct medium_sim *sim)
{
    return sim->crashes != sim->disk->crashes;
}

/* The disk of a medium that is used: a dead one may only be deinitialised. */
static struct sim_disk *disk_of(struct medium *medium)
{
    struct medium_sim *sim = sim_of(medium);
    INVARIANT(!sim_is_dead(sim));
    return sim->disk;
}

static enum status sim_fence(struct medium *medium, bool read_only, struct fault *fault)
{
    struct sim_disk *disk = disk_of(medium);
    if (read_only)
        return STATUS_OK;
    INVARIANT(disk->writer != medium);
    if (disk->writer)
        return fault_set(fault, STATUS_BUSY, "the simulated disk is in use");
    disk->writer = medium;
    return STATUS_OK;
}

static enum status sim_list(struct medium *medium,
                            void (*visit)(void *context, struct medium_name name, uint64_t bytes),
                            void *context, struct fault *fault)
{
    (void)fault;
    for (const struct sim_file *file = disk_of(medium)->files; file; file = file->next)
        visit(context, file->name, file->bytes);
    return STATUS_OK;
}

static enum status sim_open(struct medium *medium, struct medium_name name,
                            struct medium_object **object)
{
    struct medium_sim *sim = sim_of(medium);
    struct sim_file *file = sim_disk_find(disk_of(medium), name);
    if (!file)
        return STATUS_ABSENT;
    struct medium_object *opened = calloc(1, sizeof *opened);
    if (!opened)
        return STATUS_IO;
    file->users++;
    opened->file = file;
    opened->next = sim->objects;
    opened->link = &sim->objects;
    if (opened->next)
        opened->next->link = &opened->next;
    sim->objects = opened;
    *object = opened;
    return STATUS_OK;
}

static void object_close(struct medium_sim *sim, struct medium_object *object)
{
    INVARIANT(object->under_way == 0);
    *object->link = object->next;
    if (object->next)
        object->next->link = object->link;
    sim_disk_release(sim->disk, object->file);
    free(object);
}

static void sim_close(struct medium *medium, struct medium_object *object)
{
    disk_of(medium);
    object_close(sim_of(medium), object);
}

static uint64_t sim_size(const struct medium_object *object)
{
    return object->file->bytes;
}

static uint64_t sim_space_left(struct medium *medium)
{
    return sim_disk_space_left(disk_of(medium));
}

static void sim_write(struct medium *medium, struct medium_object *object, const void *bytes,
                      uint32_t size, uint64_t offset, struct medium_op *op)
{
    const struct sim_file *file = object->file;
    INVARIANT(size > 0 && size % MEDIUM_BLOCK_BYTES == 0);
    INVARIANT(offset % MEDIUM_BLOCK_BYTES == 0 && (uintptr_t)bytes % MEDIUM_BLOCK_BYTES == 0);
    INVARIANT(offset <= file->bytes && size <= file->bytes - offset);
    object->under_way++;
    sim_disk_start(disk_of(medium), &(struct sim_event){.owner = medium,
                                                        .op = op,
                                                        .action = SIM_WRITE,
                                                        .file = object->file,
                                                        .under_way = &object->under_way,
                                                        .from = bytes,
                                                        .size = size,
                                                        .offset = offset});
}

static void sim_read(struct medium *medium, struct medium_object *object, void *bytes,
                     uint32_t size, uint64_t offset, struct medium_op *op)
{
    object->under_way++;
    sim_disk_start(disk_of(medium), &(struct sim_event){.owner = medium,
                                                        .op = op,
                                                        .action = SIM_READ,
                                                        .file = object->file,
                                                        .under_way = &object->under_way,
                                                        .into = bytes,
                                                        .size = size,
                                                        .offset = offset});
}

static void sim_sync(struct medium *medium, struct medium_object *object, struct medium_op *op)
{
    object->under_way++;
    sim_disk_start(disk_of(medium), &(struct sim_event){.owner = medium,
                                                        .op = op,
                                                        .action = SIM_SYNC,
                                                        .file = object->file,
                                                        .under_way = &object->under_way});
}

static void sim_prepare(struct medium *medium, uint32_t shard, uint64_t bytes, struct medium_op *op)
{
    INVARIANT(bytes > 0 && bytes % MEDIUM_BLOCK_BYTES == 0);
    sim_disk_start(disk_of(medium),
                   &(struct sim_event){.owner = medium,
                                       .op = op,
                                       .action = SIM_PREPARE,
                                       .name = {.kind = MEDIUM_SPARE, .shard = shard},
                                       .size = bytes});
}

static void sim_adopt(struct medium *medium, uint32_t shard, uint32_t number, struct medium_op *op)
{
    INVARIANT(number > 0);
    sim_disk_start(
        disk_of(medium),
        &(struct sim_event){.owner = medium,
                            .op = op,
                            .action = SIM_ADOPT,
                            .name = {.kind = MEDIUM_SEGMENT, .shard = shard, .number = number}});
}

static void sim_begin_rewrite(struct medium *medium, uint32_t shard, uint64_t bytes,
                              struct medium_op *op)
{
    INVARIANT(bytes > 0 && bytes % MEDIUM_BLOCK_BYTES == 0);
    sim_disk_start(disk_of(medium),
                   &(struct sim_event){.owner = medium,
                                       .op = op,
                                       .action = SIM_PREPARE,
                                       .name = {.kind = MEDIUM_REWRITE, .shard = shard},
                                       .size = bytes});
}

static void sim_replace(struct medium *medium, uint32_t shard, uint32_t number, bool retire,
                        struct medium_op *op)
{
    INVARIANT(number > 0);
    sim_disk_start(
        disk_of(medium),
        &(struct sim_event){.owner = medium,
                            .op = op,
                            .action = retire ? SIM_RETIRE : SIM_REPLACE,
                            .name = {.kind = MEDIUM_SEGMENT, .shard = shard, .number = number}});
}

static void sim_recycle(struct medium *medium, uint32_t shard, const void *block, uint64_t bytes,
                        struct medium_op *op)
{
    sim_disk_start(disk_of(medium),
                   &(struct sim_event){.owner = medium,
                                       .op = op,
                                       .action = SIM_RECYCLE,
                                       .name = {.kind = MEDIUM_SPARE, .shard = shard},
                                       .from = block,
                                       .size = MEDIUM_BLOCK_BYTES,
                                       .file_bytes = bytes});
}

static void sim_publish(struct medium *medium, struct medium_name name, const void *bytes,
                        uint32_t size, struct medium_op *op)
{
    INVARIANT(name.kind == MEDIUM_STORE || name.kind == MEDIUM_HINT);
    sim_disk_start(disk_of(medium), &(struct sim_event){.owner = medium,
                                                        .op = op,
                                                        .action = SIM_PUBLISH,
                                                        .name = name,
                                                        .from = bytes,
                                                        .size = size});
}

static void sim_remove(struct medium *medium, struct medium_name name, struct medium_op *op)
{
    sim_disk_start(
        disk_of(medium),
        &(struct sim_event){.owner = medium, .op = op, .action = SIM_REMOVE, .name = name});
}

/* What `done` starts belongs to a later poll, or a disk without latency would never come to an end.
 */
static void sim_poll(struct medium *medium, bool wait)
{
    struct medium_sim *sim = sim_of(medium);
    struct sim_disk *disk = disk_of(medium);
    uint64_t now_ns = clock_monotonic_ns(disk->clock), started = disk->started;
    bool ran = false;
    while (sim_disk_run(disk, medium, now_ns, started))
        ran = true;
    if (wait && !ran && !sim_is_dead(sim))
        sim_disk_run(disk, medium, UINT64_MAX, started);
}

static void sim_deinit(struct medium *medium)
{
    struct medium_sim *sim = sim_of(medium);
    while (!sim_disk_is_idle(sim->disk, medium))
        sim_poll(medium, true);
    while (sim->objects)
        object_close(sim, sim->objects);
    if (sim->disk->writer == medium)
        sim->disk->writer = NULL;
    sim->disk->media--;
    free(sim);
}

static const struct medium_calls sim_calls = {
    .name = "sim",
    .fence = sim_fence,
    .list = sim_list,
    .open = sim_open,
    .close = sim_close,
    .size = sim_size,
    .space_left = sim_space_left,
    .write = sim_write,
    .read = sim_read,
    .sync = sim_sync,
    .prepare = sim_prepare,
    .adopt = sim_adopt,
    .begin_rewrite = sim_begin_rewrite,
    .replace = sim_replace,
    .recycle = sim_recycle,
    .publish = sim_publish,
    .remove = sim_remove,
    .poll = sim_poll,
    .deinit = sim_deinit,
};

enum status medium_sim_open(struct medium **medium, struct sim_disk *disk)
{
    struct medium_sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        return STATUS_FULL;
    sim->medium.calls = &sim_calls;
    sim->disk = disk;
    sim->crashes = disk->crashes;
    disk->media++;
    *medium = &sim->medium;
    return STATUS_OK;
}
