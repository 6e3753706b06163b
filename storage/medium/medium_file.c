#include "storage/medium/medium_file.h"

#include "base/invariant.h"
#include "storage/medium/file_directory.h"
#include "storage/medium/file_job.h"
#include "storage/medium/file_lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

/* Reading and writing go through different descriptors, since O_DIRECT belongs to the descriptor.
 * Most objects are only read: the one for writing is opened at the first write. */
struct medium_object {
    struct medium_object *next, **link;
    struct medium_name name;
    uint64_t bytes; /* an object's size never changes: replacing makes a new file */
    int read_fd, write_fd;
    uint32_t under_way; /* reads and writes: they must end before it is closed */
};

struct medium_file {
    struct medium medium;
    struct ring *ring;
    unsigned operation;
    uint64_t started, ended; /* reads and writes */
    int root, lock;          /* lock: -1 unless fenced for writing */
    bool direct, durable;
    struct medium_object *objects; /* open */
    struct file_jobs jobs;
    char directory[];
};

static struct medium_file *file_of(struct medium *medium)
{
    return (struct medium_file *)medium;
}

/* ---- reads and writes ---- */

enum io_step { IO_READ, IO_WRITE, IO_SYNC, IO_FLUSH, IO_FAIL };

/* A read or write under way, in the caller's operation. */
struct io {
    struct medium_file *file;
    struct medium_object *object;
    uint8_t *bytes;
    uint64_t offset;
    uint32_t size, moved;
    enum io_step step;
};
static_assert(sizeof(struct io) <= sizeof(((struct medium_op *)0)->private),
              "an input or output fits its operation");

static struct io *io_of(struct medium_op *op)
{
    return (struct io *)op->private;
}

static void io_submit(struct medium_op *op)
{
    const struct io *io = io_of(op);
    const struct medium_object *object = io->object;
    struct io_uring_sqe *sqe = ring_sqe(io->file->ring);
    uint8_t *bytes = io->bytes + io->moved;
    uint32_t size = io->size - io->moved;
    uint64_t offset = io->offset + io->moved;
    switch (io->step) {
    case IO_READ:
        io_uring_prep_read(sqe, object->read_fd, bytes, size, offset);
        break;
    case IO_WRITE:
        io_uring_prep_write(sqe, object->write_fd, bytes, size, offset);
        if (io->file->direct && io->file->durable)
            sqe->rw_flags = RWF_DSYNC;
        break;
    case IO_SYNC:
        io_uring_prep_fsync(sqe, object->write_fd, IORING_FSYNC_DATASYNC);
        break;
    case IO_FLUSH: /* clean pages too: whoever wrote them, the device may still hold them */
        io_uring_prep_fsync(sqe, object->read_fd, IORING_FSYNC_DATASYNC);
        break;
    case IO_FAIL: /* `done` must not run from inside the call that started it */
        io_uring_prep_nop(sqe);
        break;
    }
    INVARIANT((uint64_t)(uintptr_t)op >> RING_TOKEN_BITS == 0);
    ring_tag(sqe, io->file->operation, (uint64_t)(uintptr_t)op);
}

/* Takes in what a step achieved; true when another one follows, else op->result is set. */
static bool io_goes_on(struct medium_op *op, int32_t result)
{
    struct io *io = io_of(op);
    if (io->step == IO_FAIL)
        return false;
    if (result < 0 || (io->step == IO_WRITE && result == 0)) {
        op->result = result < 0 ? result : -EIO;
        return false;
    }
    io->moved += (uint32_t)result;
    op->result = io->moved;
    bool full = io->moved == io->size;
    switch (io->step) {
    case IO_READ:
        return result > 0 && !full;
    case IO_WRITE:
        if (full && !io->file->direct && io->file->durable) {
            io->step = IO_SYNC;
            return true;
        }
        return !full;
    default:
        return false;
    }
}

static void io_complete(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    (void)flags;
    struct medium_file *file = context;
    struct medium_op *op = (struct medium_op *)(uintptr_t)token;
    if (io_goes_on(op, result)) {
        io_submit(op);
        return;
    }
    file->ended++;
    io_of(op)->object->under_way--;
    op->done(op);
}

static void io_start(struct io io, struct medium_op *op)
{
    io.file->started++;
    io.object->under_way++;
    *io_of(op) = io;
    io_submit(op);
}

/* Opens the object for writing unless it is. Its name must still be its own. 0 or -errno. */
static int object_open_for_writing(struct medium_file *file, struct medium_object *object)
{
    char path[FILE_PATH_BYTES];
    struct stat ours, named;
    if (object->write_fd >= 0) /* without a name it is gone with the process */
        return fstat(object->write_fd, &named) == 0 && named.st_nlink > 0 ? 0 : -ESTALE;
    file_name_path(object->name, path);
    int fd = openat(file->root, path, O_WRONLY | O_CLOEXEC | (file->direct ? O_DIRECT : 0));
    if (fd < 0)
        return -errno;
    if (fstat(object->read_fd, &ours) < 0 || fstat(fd, &named) < 0 || ours.st_dev != named.st_dev ||
        ours.st_ino != named.st_ino) {
        close(fd);
        return -ESTALE;
    }
    object->write_fd = fd;
    return 0;
}

static void file_write(struct medium *medium, struct medium_object *object, const void *bytes,
                       uint32_t size, uint64_t offset, struct medium_op *op)
{
    struct medium_file *file = file_of(medium);
    INVARIANT(size > 0 && size % MEDIUM_BLOCK_BYTES == 0);
    INVARIANT(offset % MEDIUM_BLOCK_BYTES == 0 && (uintptr_t)bytes % MEDIUM_BLOCK_BYTES == 0);
    INVARIANT(offset <= object->bytes && size <= object->bytes - offset);
    int error = object_open_for_writing(file, object);
    op->result = error;
    io_start((struct io){.file = file,
                         .object = object,
                         .bytes = (uint8_t *)(uintptr_t)bytes,
                         .offset = offset,
                         .size = size,
                         .step = error ? IO_FAIL : IO_WRITE},
             op);
}

static void file_read(struct medium *medium, struct medium_object *object, void *bytes,
                      uint32_t size, uint64_t offset, struct medium_op *op)
{
    io_start((struct io){.file = file_of(medium),
                         .object = object,
                         .bytes = bytes,
                         .offset = offset,
                         .size = size,
                         .step = IO_READ},
             op);
}

static void file_sync(struct medium *medium, struct medium_object *object, struct medium_op *op)
{
    io_start((struct io){.file = file_of(medium), .object = object, .step = IO_FLUSH}, op);
}

/* ---- changes of the directory ---- */

static void file_prepare(struct medium *medium, uint32_t shard, uint64_t bytes,
                         struct medium_op *op)
{
    INVARIANT(bytes > 0 && bytes % MEDIUM_BLOCK_BYTES == 0);
    struct medium_name name = {.kind = MEDIUM_SPARE, .shard = shard};
    file_jobs_start(&file_of(medium)->jobs, FILE_PREPARE, name, NULL, bytes, op);
}

static void file_adopt(struct medium *medium, uint32_t shard, uint32_t number, struct medium_op *op)
{
    INVARIANT(number > 0);
    struct medium_name name = {.kind = MEDIUM_SEGMENT, .shard = shard, .number = number};
    file_jobs_start(&file_of(medium)->jobs, FILE_ADOPT, name, NULL, 0, op);
}

static void file_begin_rewrite(struct medium *medium, uint32_t shard, uint64_t bytes,
                               struct medium_op *op)
{
    INVARIANT(bytes > 0 && bytes % MEDIUM_BLOCK_BYTES == 0);
    struct medium_name name = {.kind = MEDIUM_REWRITE, .shard = shard};
    file_jobs_start(&file_of(medium)->jobs, FILE_BEGIN_REWRITE, name, NULL, bytes, op);
}

static void file_replace(struct medium *medium, uint32_t shard, uint32_t number, bool retire,
                         struct medium_op *op)
{
    INVARIANT(number > 0);
    struct medium_name name = {.kind = MEDIUM_SEGMENT, .shard = shard, .number = number};
    enum file_change change = retire ? FILE_RETIRE : FILE_REPLACE;
    file_jobs_start(&file_of(medium)->jobs, change, name, NULL, 0, op);
}

static void file_recycle(struct medium *medium, uint32_t shard, const void *block, uint64_t bytes,
                         struct medium_op *op)
{
    struct medium_name name = {.kind = MEDIUM_SPARE, .shard = shard};
    file_jobs_start(&file_of(medium)->jobs, FILE_RECYCLE, name, block, bytes, op);
}

static void file_publish(struct medium *medium, struct medium_name name, const void *bytes,
                         uint32_t size, struct medium_op *op)
{
    INVARIANT(name.kind == MEDIUM_STORE || name.kind == MEDIUM_HINT);
    file_jobs_start(&file_of(medium)->jobs, FILE_PUBLISH, name, bytes, size, op);
}

static void file_remove(struct medium *medium, struct medium_name name, struct medium_op *op)
{
    file_jobs_start(&file_of(medium)->jobs, FILE_REMOVE, name, NULL, 0, op);
}

/* ---- cold calls ---- */

static enum status file_open(struct medium *medium, struct medium_name name,
                             struct medium_object **object)
{
    struct medium_file *file = file_of(medium);
    char path[FILE_PATH_BYTES];
    struct stat about;
    file_name_path(name, path);
    if (fstatat(file->root, path, &about, 0) < 0)
        return status_from_errno(errno);
    if (!S_ISREG(about.st_mode)) /* a pipe would keep us waiting */
        return STATUS_CORRUPT;
    int fd = name.kind == MEDIUM_SEGMENT ? file_lock_open(file->root, path)
                                         : openat(file->root, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return status_from_errno(name.kind == MEDIUM_SEGMENT ? -fd : errno);
    struct medium_object *opened = calloc(1, sizeof *opened);
    if (!opened || fstat(fd, &about) < 0) {
        free(opened);
        close(fd);
        return STATUS_IO;
    }
    /* Readahead would bring blocks still to be written into the cache. Advice may be refused. */
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    opened->name = name;
    opened->bytes = (uint64_t)about.st_size;
    opened->read_fd = fd;
    opened->write_fd = -1;
    opened->next = file->objects;
    opened->link = &file->objects;
    if (opened->next)
        opened->next->link = &opened->next;
    file->objects = opened;
    *object = opened;
    return STATUS_OK;
}

static void file_close(struct medium *medium, struct medium_object *object)
{
    (void)medium;
    INVARIANT(object->under_way == 0);
    *object->link = object->next;
    if (object->next)
        object->next->link = object->link;
    close(object->read_fd);
    if (object->write_fd >= 0)
        close(object->write_fd);
    free(object);
}

static uint64_t file_size(const struct medium_object *object)
{
    return object->bytes;
}

static uint64_t file_space_left(struct medium *medium)
{
    struct statvfs about;
    if (fstatvfs(file_of(medium)->root, &about) < 0)
        return 0;
    if (about.f_blocks == 0) /* it has no limit, or keeps it to itself */
        return UINT64_MAX;
    return (uint64_t)about.f_bavail * about.f_frsize;
}

static enum status file_list(struct medium *medium,
                             void (*visit)(void *context, struct medium_name name, uint64_t bytes),
                             void *context, struct fault *fault)
{
    struct medium_file *file = file_of(medium);
    return file_directory_list(file->root, file->directory, visit, context, fault);
}

/* Readers need no more than the locks on what they read: nothing that is published ever changes
 * under them, and that the directory can be read was seen when it was opened. */
static enum status file_fence(struct medium *medium, bool read_only, struct fault *fault)
{
    struct medium_file *file = file_of(medium);
    INVARIANT(file->lock < 0);
    if (read_only)
        return STATUS_OK;
    int lock;
    enum status status = file_lock_store(file->root, file->directory, &lock, fault);
    if (status != STATUS_OK)
        return status;
    status = file_directory_sweep(file->root, file->directory, fault);
    /* A process that was killed leaves writes in the cache that were never synced. They must not be
     * believed and vouched for, and then be lost with the power. */
    if (status == STATUS_OK && syncfs(file->root) < 0)
        status = fault_set(fault, status_from_errno(errno), "cannot sync %s: %s", file->directory,
                           strerror(errno));
    if (status != STATUS_OK) {
        close(lock);
        return status;
    }
    file->lock = lock;
    return STATUS_OK;
}

static uint64_t under_way(const struct medium_file *file)
{
    return file->started - file->ended + file->jobs.started - file->jobs.ended;
}

static void file_poll(struct medium *medium, bool wait)
{
    struct medium_file *file = file_of(medium);
    uint64_t ended = file->ended + file->jobs.ended;
    do
        ring_turn(file->ring, wait && under_way(file) > 0 ? UINT64_MAX : 0);
    while (wait && under_way(file) > 0 && file->ended + file->jobs.ended == ended);
}

static void file_deinit(struct medium *medium)
{
    struct medium_file *file = file_of(medium);
    while (under_way(file) > 0)
        file_poll(medium, true);
    while (file->objects)
        file_close(medium, file->objects);
    file_jobs_deinit(&file->jobs);
    if (file->lock >= 0)
        close(file->lock);
    close(file->root);
    free(file);
}

static const struct medium_calls file_calls = {
    .name = "file",
    .fence = file_fence,
    .list = file_list,
    .open = file_open,
    .close = file_close,
    .size = file_size,
    .space_left = file_space_left,
    .write = file_write,
    .read = file_read,
    .sync = file_sync,
    .prepare = file_prepare,
    .adopt = file_adopt,
    .begin_rewrite = file_begin_rewrite,
    .replace = file_replace,
    .recycle = file_recycle,
    .publish = file_publish,
    .remove = file_remove,
    .poll = file_poll,
    .deinit = file_deinit,
};

/* ---- opening ---- */

static enum status directory_failed(const char *directory, const char *what, struct fault *fault)
{
    enum status status = status_from_errno(errno);
    if (status != STATUS_ABSENT && status != STATUS_DENIED)
        status = STATUS_SYSTEM;
    return fault_set(fault, status, "cannot %s %s: %s", what, directory, strerror(errno));
}

/* A new directory's entry must outlive a crash as well as what will be in it. */
static bool directory_sync_parent(int root)
{
    int parent = openat(root, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0)
        return false;
    int result = fsync(parent);
    close(parent);
    return result == 0;
}

static enum status directory_open(const char *directory, bool create, int *root,
                                  struct fault *fault)
{
    bool made = create && mkdir(directory, 0700) == 0;
    if (create && !made && errno != EEXIST)
        return directory_failed(directory, "create", fault);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return directory_failed(directory, "open", fault);
    if (made && !directory_sync_parent(fd)) {
        enum status status = directory_failed(directory, "sync the parent of", fault);
        close(fd);
        return status;
    }
    *root = fd;
    return STATUS_OK;
}

enum status medium_file_open(struct medium **medium, struct ring *ring, const char *directory,
                             const struct medium_file_options *options, struct fault *fault)
{
    int root = -1;
    enum status status = directory_open(directory, options->create, &root, fault);
    if (status != STATUS_OK)
        return status;
    size_t name_bytes = strlen(directory) + 1;
    struct medium_file *file = calloc(1, sizeof *file + name_bytes);
    bool direct = file_directory_has_direct(root);
    if (!file || file_jobs_init(&file->jobs, ring, root, direct) != STATUS_OK) {
        free(file);
        close(root);
        return fault_set(fault, STATUS_SYSTEM, "no memory to open %s", directory);
    }
    file->medium.calls = &file_calls;
    file->ring = ring;
    file->operation = ring_register(ring, io_complete, file);
    file->root = root;
    file->lock = -1;
    file->direct = direct;
    file->durable = options->durable;
    memcpy(file->directory, directory, name_bytes);
    *medium = &file->medium;
    return STATUS_OK;
}

bool medium_file_is_direct(const struct medium *medium)
{
    return ((const struct medium_file *)medium)->direct;
}
