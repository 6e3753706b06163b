#include "storage/medium/file_job.h"

#include "base/invariant.h"
#include "storage/medium/file_lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>

#ifndef FALLOC_FL_WRITE_ZEROES /* Linux 6.17: zeroes by the device itself, into written extents */
#define FALLOC_FL_WRITE_ZEROES 0x80
#endif

#define FILL_BYTES (1u << 20) /* of one write */

/* A waiting change, in the caller's operation. */
struct request {
    struct medium_op *next;
    const void *bytes;
    uint64_t size;
    struct medium_name name;
    enum file_change change;
};
static_assert(sizeof(struct request) <= sizeof(((struct medium_op *)0)->private),
              "a request fits its operation");

static struct request *request_of(struct medium_op *op)
{
    return (struct request *)op->private;
}

/* What a step's end means besides a negative errno, which fails the change. */
enum { STEP_OVER = 0, STEP_AGAIN = 1 };

/* Into a directory entry that outlives a crash: made once per medium and shard. */
static bool wants_home(const struct file_job *job)
{
    return job->jobs->home != job->shard && strcmp(job->home, ".") != 0;
}

static void make_home(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_mkdirat(sqe, job->jobs->root, job->home, 0700);
}

static int32_t home_made(struct file_job *job, int32_t result)
{
    (void)job;
    return result == -EEXIST ? STEP_OVER : result;
}

static void sync_root(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_fsync(sqe, job->jobs->root, 0);
}

static int32_t root_synced(struct file_job *job, int32_t result)
{
    if (result == 0)
        job->jobs->home = job->shard;
    return result;
}

static void open_home(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_openat(sqe, job->jobs->root, job->home, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
}

static int32_t home_opened(struct file_job *job, int32_t result)
{
    if (result < 0) {
        job->jobs->home = -1; /* whatever was made is gone */
        return result;
    }
    job->home_fd = result;
    return STEP_OVER;
}

static void remove_from(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_unlinkat(sqe, job->jobs->root, job->from, 0);
}

static int32_t cleared(struct file_job *job, int32_t result)
{
    (void)job;
    return result == -ENOENT ? STEP_OVER : result;
}

static void create(struct file_job *job, struct io_uring_sqe *sqe)
{
    bool direct =
        (job->change == FILE_PREPARE || job->change == FILE_BEGIN_REWRITE) && job->jobs->direct;
    io_uring_prep_openat(sqe, job->jobs->root, job->from,
                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | (direct ? O_DIRECT : 0), 0600);
}

static int32_t created(struct file_job *job, int32_t result)
{
    if (result < 0)
        return result;
    job->fd = result;
    job->created = true;
    return STEP_OVER;
}

static void allocate(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_fallocate(sqe, job->fd, job->jobs->write_zeroes ? FALLOC_FL_WRITE_ZEROES : 0, 0,
                            (off_t)job->size);
}

static int32_t allocated(struct file_job *job, int32_t result)
{
    struct file_jobs *jobs = job->jobs;
    bool refused = result == -EOPNOTSUPP || result == -EINVAL;
    if (refused && jobs->write_zeroes) {
        jobs->write_zeroes = false;
        return STEP_AGAIN;
    }
    if (refused) /* no fallocate at all: filling makes the extents */
        return STEP_OVER;
    if (result == 0 && (jobs->write_zeroes || !jobs->direct))
        job->filled = job->size;
    return result;
}

/* Written all over by its writer: extents will do. */
static void reserve(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_fallocate(sqe, job->fd, 0, 0, (off_t)job->size);
}

static int32_t reserved(struct file_job *job, int32_t result)
{
    if (result == -EOPNOTSUPP || result == -EINVAL) /* no fallocate at all */
        return STEP_OVER;
    if (result == 0)
        job->filled = job->size;
    return result;
}

static bool wants_filling(const struct file_job *job)
{
    return job->filled < job->size;
}

static void fill(struct file_job *job, struct io_uring_sqe *sqe)
{
    uint64_t rest = job->size - job->filled;
    io_uring_prep_write(sqe, job->fd, job->bytes ? job->bytes + job->filled : job->jobs->zeroes,
                        rest < FILL_BYTES ? (unsigned)rest : FILL_BYTES, job->filled);
}

static int32_t filled(struct file_job *job, int32_t result)
{
    if (result <= 0)
        return result ? result : -EIO;
    job->filled += (uint32_t)result;
    return wants_filling(job) ? STEP_AGAIN : STEP_OVER;
}

static void sync_file(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_fsync(sqe, job->fd, 0);
}

/* What is to be replaced must be there. */
static void probe_target(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_openat(sqe, job->jobs->root, job->to, O_RDONLY | O_CLOEXEC, 0);
}

static int32_t probed(struct file_job *job, int32_t result)
{
    if (result < 0)
        return result;
    job->fd = result;
    return STEP_OVER;
}

/* A second name, before the first one is another file's. Where files have only one, the old one
 * goes. */
static void unlink_kept(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_unlinkat(sqe, job->jobs->root, job->kept, 0);
}

static void link_kept(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_linkat(sqe, job->jobs->root, job->to, job->jobs->root, job->kept, 0);
}

/* Nobody else may have it. Of what it holds, the first block is all that is to be written. */
static void open_retired(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_openat(sqe, job->jobs->root, job->from,
                         O_WRONLY | O_CLOEXEC | (job->jobs->direct ? O_DIRECT : 0), 0);
}

static int32_t retired_opened(struct file_job *job, int32_t result)
{
    if (result < 0)
        return result;
    job->fd = result;
    int error = file_lock_seize(result, job->size);
    job->size = MEDIUM_BLOCK_BYTES;
    job->created = error == 0;
    return error;
}

static void rename_to(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_renameat(sqe, job->jobs->root, job->from, job->jobs->root, job->to,
                           job->change == FILE_ADOPT ? RENAME_NOREPLACE : 0);
}

static void sync_home(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_fsync(sqe, job->home_fd, 0);
}

static bool wants_file_closed(const struct file_job *job)
{
    return job->fd >= 0;
}

static void close_file(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_close(sqe, job->fd);
}

static bool wants_undoing(const struct file_job *job)
{
    return job->created && job->result < 0;
}

static bool wants_home_closed(const struct file_job *job)
{
    return job->home_fd >= 0;
}

static void close_home(struct file_job *job, struct io_uring_sqe *sqe)
{
    io_uring_prep_close(sqe, job->home_fd);
}

/* In tidying up there is nothing left to undo: the first error is the one that counts. And some
 * steps need not succeed. */
static int32_t tidied(struct file_job *job, int32_t result)
{
    (void)job;
    (void)result;
    return STEP_OVER;
}

enum step {
    MAKE_HOME,
    SYNC_ROOT,
    OPEN_HOME,
    CLEAR,
    CREATE,
    ALLOCATE,
    RESERVE,
    FILL,
    SYNC_FILE,
    PROBE,
    UNLINK_KEPT,
    LINK_KEPT,
    OPEN_RETIRED,
    RENAME,
    UNLINK,
    SYNC_HOME,
    CLOSE_FILE, /* from here on also after a failure */
    TIDY = CLOSE_FILE,
    UNDO,
    CLOSE_HOME,
    END,
};

static const struct {
    bool (*wanted)(const struct file_job *job); /* NULL: always */
    void (*submit)(struct file_job *job, struct io_uring_sqe *sqe);
    int32_t (*settle)(struct file_job *job, int32_t result); /* NULL: the result says it */
} steps[END] = {
    [MAKE_HOME] = {wants_home, make_home, home_made},
    [SYNC_ROOT] = {wants_home, sync_root, root_synced},
    [OPEN_HOME] = {NULL, open_home, home_opened},
    [CLEAR] = {NULL, remove_from, cleared},
    [CREATE] = {NULL, create, created},
    [ALLOCATE] = {NULL, allocate, allocated},
    [RESERVE] = {NULL, reserve, reserved},
    [FILL] = {wants_filling, fill, filled},
    [SYNC_FILE] = {NULL, sync_file, NULL},
    [PROBE] = {NULL, probe_target, probed},
    [UNLINK_KEPT] = {NULL, unlink_kept, tidied},
    [LINK_KEPT] = {NULL, link_kept, tidied},
    [OPEN_RETIRED] = {NULL, open_retired, retired_opened},
    [RENAME] = {NULL, rename_to, NULL},
    [UNLINK] = {NULL, remove_from, NULL},
    [SYNC_HOME] = {NULL, sync_home, NULL},
    [CLOSE_FILE] = {wants_file_closed, close_file, tidied},
    [UNDO] = {wants_undoing, remove_from, tidied},
    [CLOSE_HOME] = {wants_home_closed, close_home, tidied},
};

#define TIDYING CLOSE_FILE, UNDO, CLOSE_HOME, END

static const enum step programs[][13] = {
    [FILE_PREPARE] = {MAKE_HOME, SYNC_ROOT, OPEN_HOME, CLEAR, CREATE, ALLOCATE, FILL, SYNC_FILE,
                      SYNC_HOME, TIDYING},
    [FILE_ADOPT] = {OPEN_HOME, RENAME, SYNC_HOME, TIDYING},
    [FILE_BEGIN_REWRITE] = {MAKE_HOME, SYNC_ROOT, OPEN_HOME, CLEAR, CREATE, RESERVE, FILL,
                            SYNC_FILE, TIDYING},
    [FILE_REPLACE] = {OPEN_HOME, PROBE, RENAME, SYNC_HOME, TIDYING},
    [FILE_RETIRE] = {OPEN_HOME, PROBE, UNLINK_KEPT, LINK_KEPT, RENAME, SYNC_HOME, TIDYING},
    [FILE_RECYCLE] = {OPEN_HOME, OPEN_RETIRED, FILL, SYNC_FILE, RENAME, SYNC_HOME, TIDYING},
    [FILE_PUBLISH] = {MAKE_HOME, SYNC_ROOT, OPEN_HOME, CLEAR, CREATE, FILL, SYNC_FILE, RENAME,
                      SYNC_HOME, TIDYING},
    [FILE_REMOVE] = {OPEN_HOME, UNLINK, SYNC_HOME, TIDYING},
};

static enum step job_step(const struct file_job *job)
{
    return programs[job->change][job->step];
}

/* Submits the next step that is wanted; false when the program is over. */
static bool job_submit(struct file_job *job)
{
    for (; job_step(job) != END; job->step++) {
        enum step step = job_step(job);
        if (steps[step].wanted && !steps[step].wanted(job))
            continue;
        struct io_uring_sqe *sqe = ring_sqe(job->jobs->ring);
        steps[step].submit(job, sqe);
        ring_tag(sqe, job->jobs->operation, (uint64_t)(job - job->jobs->running));
        return true;
    }
    return false;
}

/* The path of what a change begins with: the object itself, or what becomes it. */
static void path_from(const struct request *request, char out[FILE_PATH_BYTES])
{
    static const enum medium_kind sources[] = {
        [FILE_ADOPT] = MEDIUM_SPARE,    [FILE_REPLACE] = MEDIUM_REWRITE,
        [FILE_RETIRE] = MEDIUM_REWRITE, [FILE_RECYCLE] = MEDIUM_RETIRED,
        [FILE_REMOVE] = MEDIUM_STORE, /* none, as of the others */
    };
    struct medium_name source = {.kind = sources[request->change], .shard = request->name.shard};
    if (request->change == FILE_PUBLISH)
        file_name_temporary(request->name, out);
    else
        file_name_path(source.kind == MEDIUM_STORE ? request->name : source, out);
}

static void job_begin(struct file_job *job, struct file_jobs *jobs, struct medium_op *op)
{
    const struct request *request = request_of(op);
    struct medium_name name = request->name;
    struct medium_name retired = {.kind = MEDIUM_RETIRED, .shard = name.shard};
    *job = (struct file_job){
        .op = op,
        .jobs = jobs,
        .change = request->change,
        .shard = name.shard,
        .bytes = request->bytes,
        .size = request->size,
        .fd = -1,
        .home_fd = -1,
    };
    file_name_home(name, job->home);
    file_name_path(name, job->to);
    file_name_path(job->change == FILE_RETIRE ? retired : name, job->kept);
    path_from(request, job->from);
}

static bool jobs_touch_same(const struct file_job *a, const struct file_job *b)
{
    const char *const ours[] = {a->from, a->to, a->kept}, *const theirs[] = {b->from, b->to,
                                                                             b->kept};
    for (int i = 0; i < 9; i++)
        if (strcmp(ours[i / 3], theirs[i % 3]) == 0)
            return true;
    return false;
}

/* Starts waiting changes, in order, as far as there are free places and no conflicts. */
static void jobs_dispatch(struct file_jobs *jobs)
{
    while (jobs->queue) {
        struct file_job next, *place = NULL;
        job_begin(&next, jobs, jobs->queue);
        for (struct file_job *job = jobs->running; job < jobs->running + FILE_JOBS_MAX; job++) {
            if (!job->op)
                place = job;
            else if (jobs_touch_same(job, &next))
                return;
        }
        if (!place)
            return;
        jobs->queue = request_of(next.op)->next;
        if (!jobs->queue)
            jobs->last = &jobs->queue;
        *place = next;
        bool submitted = job_submit(place);
        INVARIANT(submitted);
    }
}

static void job_complete(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    (void)flags;
    struct file_jobs *jobs = context;
    INVARIANT(token < FILE_JOBS_MAX && jobs->running[token].op);
    struct file_job *job = &jobs->running[token];
    enum step step = job_step(job);
    int32_t outcome = steps[step].settle ? steps[step].settle(job, result) : result;
    if (outcome == STEP_OVER) {
        job->step++;
    } else if (outcome < 0) {
        INVARIANT(step < TIDY);
        job->result = outcome;
        while (job_step(job) < TIDY)
            job->step++;
    }
    if (job_submit(job))
        return;
    struct medium_op *op = job->op;
    op->result = job->result;
    job->op = NULL;
    jobs->ended++;
    jobs_dispatch(jobs);
    op->done(op);
}

void file_jobs_start(struct file_jobs *jobs, enum file_change change, struct medium_name name,
                     const void *bytes, uint64_t size, struct medium_op *op)
{
    *request_of(op) =
        (struct request){.bytes = bytes, .size = size, .name = name, .change = change};
    *jobs->last = op;
    jobs->last = &request_of(op)->next;
    jobs->started++;
    jobs_dispatch(jobs);
}

enum status file_jobs_init(struct file_jobs *jobs, struct ring *ring, int root, bool direct)
{
    /* Never written, so it is the kernel's one page of zeroes over and over. */
    void *zeroes = mmap(NULL, FILL_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (zeroes == MAP_FAILED)
        return STATUS_FULL;
    *jobs = (struct file_jobs){
        .ring = ring,
        .operation = ring_register(ring, job_complete, jobs),
        .root = root,
        .direct = direct,
        .write_zeroes = true,
        .home = -1,
        .zeroes = zeroes,
        .last = &jobs->queue,
    };
    return STATUS_OK;
}

void file_jobs_deinit(struct file_jobs *jobs)
{
    INVARIANT(jobs->started == jobs->ended);
    munmap(jobs->zeroes, FILL_BYTES);
}
