/* Changes to a store's files that take several steps: prepare, adopt, begin a rewrite,
 * replace, retire, recycle, publish, remove.
 *
 * Each is a short program of single io_uring operations, run one after the other, so that no system
 * call blocks the shard. A change that fails undoes what it had begun. A few run at once; the
 * others wait in the order in which they came, and so do changes of the same name: their effects
 * come in the order in which they were started. */
#ifndef STORAGE_MEDIUM_FILE_JOB_H
#define STORAGE_MEDIUM_FILE_JOB_H

#include "base/ring.h"
#include "storage/medium/file_name.h"
#include "storage/medium/medium.h"

#define FILE_JOBS_MAX 8u

enum file_change {
    FILE_PREPARE,
    FILE_ADOPT,
    FILE_BEGIN_REWRITE,
    FILE_REPLACE,
    FILE_RETIRE, /* replace, and the old file is the retired one */
    FILE_RECYCLE,
    FILE_PUBLISH,
    FILE_REMOVE,
};

/* One change under way. Open, because it is embedded in struct file_jobs. */
struct file_job {
    struct medium_op *op; /* NULL: free */
    struct file_jobs *jobs;
    enum file_change change;
    uint32_t shard;
    unsigned step;         /* in the change's program */
    const uint8_t *bytes;  /* publish, recycle */
    uint64_t size, filled; /* bytes to be written, and how many of them were */
    int fd, home_fd;       /* the new file and its directory; -1: not open */
    bool created;          /* `from` is ours to remove on failure */
    int32_t result;        /* 0 or the first error */
    char home[FILE_PATH_BYTES], from[FILE_PATH_BYTES], to[FILE_PATH_BYTES];
    char kept[FILE_PATH_BYTES]; /* where the file that was at `to` goes; else as `to` */
};

struct file_jobs {
    struct ring *ring;
    unsigned operation;
    int root;                /* the store's directory, borrowed */
    bool direct;             /* fill with O_DIRECT */
    bool write_zeroes;       /* until the file system refuses FALLOC_FL_WRITE_ZEROES */
    int64_t home;            /* the shard whose directory is known to be durable, or -1 */
    void *zeroes;            /* what spares are filled with */
    uint64_t started, ended; /* changes */
    struct medium_op *queue; /* waiting, oldest first */
    struct medium_op **last; /* where the next one is hooked in */
    struct file_job running[FILE_JOBS_MAX];
};

/* FULL: no memory. Takes one operation number of the ring. */
enum status file_jobs_init(struct file_jobs *jobs, struct ring *ring, int root,
                           bool direct) MUST_CHECK;
/* Nothing may be under way. */
void file_jobs_deinit(struct file_jobs *jobs);

/* Starts a change or queues it. `name`: of the spare (prepare, recycle), the new segment (adopt),
 * the rewrite (begin), the segment (replace, retire), the object (publish, remove). `bytes` and
 * `size` are those of the new file where there is one; `bytes` is NULL for a spare, and one block
 * for a recycled one. */
void file_jobs_start(struct file_jobs *jobs, enum file_change change, struct medium_name name,
                     const void *bytes, uint64_t size, struct medium_op *op);

#endif
