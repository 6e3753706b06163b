/* The part of Linux that the file medium (medium_file.c, file_*.c) talks to, over an image.
 *
 * The very objects that the program is made of run on it: their calls of the C library come here
 * by the linker's --wrap (kernel_calls.c), their io_uring is that of kernel_ring.c. Everything that
 * changes the disk goes into the journal, begun and ended. Operations of a ring end in an order
 * that is drawn. One kernel at a time is the current one. Descriptors belong to the one process
 * that runs on it; kernel_kill is its kill -9: the disk and the page cache stay as they are.
 *
 * Faults: one operation, chosen by its number, fails, moves less than it was asked for, or reads
 * something else. Reads through the page cache see what has ended. */
#ifndef TESTS_CRASH_KERNEL_H
#define TESTS_CRASH_KERNEL_H

#include "base/ring.h"
#include "tests/crash/journal.h"

#define KERNEL_FILES_MAX 256u
#define KERNEL_FLIGHTS_MAX 128u
#define KERNEL_DESCRIPTOR 100000 /* the first one: no real one is that high */

enum kernel_fault {
    FAULT_NONE,
    FAULT_EIO,     /* anything may have happened */
    FAULT_ENOSPC,  /* of what takes space */
    FAULT_SHORT,   /* of reads and writes */
    FAULT_MISREAD, /* the bytes are another place's */
    FAULT_ROTTEN,  /* one page of a file can't be read, for as long as the process lives */
    FAULTS,
};

struct kernel;

struct kernel_options {
    uint64_t seed;
    bool direct;       /* the file system has O_DIRECT, so writes are RWF_DSYNC */
    bool write_zeroes; /* and FALLOC_FL_WRITE_ZEROES */
    enum kernel_fault fault;
    uint64_t fault_operation; /* counted from 0 */
    bool waits_for_read;      /* the fault's operation is the first read from that one on */
    bool verbose;             /* the log's lines go to stderr */
    /* Called before each operation is counted, unless NULL; may change the options. */
    void (*before)(struct kernel *kernel);
    void *context;
};

struct kernel_file {
    bool is_open;
    uint32_t node;
    int lock; /* LOCK_SH, LOCK_EX; 0: none */
};

/* An operation of a ring between its submission and its end. */
struct kernel_flight {
    struct ring *ring;
    struct io_uring_sqe sqe;
    bool begun;
    uint32_t event; /* JOURNAL_NONE: it changes nothing */
    uint32_t found; /* open: what is there already */
    int32_t result; /* known at its beginning */
    bool fails;     /* any part of it happens */
    bool misread;
};

struct kernel {
    struct kernel_options options;
    struct image *now;
    struct journal *journal;
    struct random random;
    struct kernel_file files[KERNEL_FILES_MAX];
    struct kernel_flight flights[KERNEL_FLIGHTS_MAX]; /* in the order of their submission */
    uint32_t flights_count;
    enum sync_purpose purposes[IMAGE_NODES_MAX]; /* of the node's next sync */
    uint64_t operations;
    bool hit;             /* the fault has happened */
    uint32_t rotten_node; /* IMAGE_NONE: all can be read */
    uint64_t rotten_page;
    bool dead;
    uint64_t alarms; /* lines of the log that are errors, and the last one */
    char alarm[160];
    struct kernel *outer; /* the current one before */
};

/* On a copy of the image; becomes the current kernel. The journal outlives it. */
struct kernel *kernel_open(const struct image *image, struct journal *journal,
                           const struct kernel_options *options);
void kernel_close(struct kernel *kernel);
/* The one that the program's calls go to; there must be one. */
struct kernel *kernel_current(void);

/* Whatever is under way has happened or not, or in part; what the process does from now on, to the
 * end of its media, has no effect. */
void kernel_kill(struct kernel *kernel);
/* A new process. */
void kernel_revive(struct kernel *kernel);
/* The power fails, too: after kernel_kill, the disk is like this. */
void kernel_cut(struct kernel *kernel, const struct image *image);

/* Counts an operation; what goes wrong with it. */
enum kernel_fault kernel_operate(struct kernel *kernel);

/* The node of a path in a directory: IMAGE_NONE when there is none. `directory` and `leaf` say
 * where it would be. */
uint32_t kernel_walk(const struct kernel *kernel, uint32_t from, const char *path,
                     uint32_t *directory, const char **leaf);
/* A descriptor, or -EMFILE. */
int kernel_descriptor(struct kernel *kernel, uint32_t node);
/* The file of a descriptor, which must be open. */
struct kernel_file *kernel_file(struct kernel *kernel, int descriptor);

/* Begins a change (and finds out what it is for, if it is a sync or a write), ends it. */
uint32_t kernel_begin(struct kernel *kernel, const struct event *event);
void kernel_end(struct kernel *kernel, uint32_t event, enum event_outcome outcome);

/* Calls that begin and end at once: 0, a descriptor, or -errno. */
int kernel_open_file(struct kernel *kernel, uint32_t from, const char *path, int flags);
int kernel_make_directory(struct kernel *kernel, uint32_t from, const char *path);
int kernel_sync(struct kernel *kernel, int descriptor);
int kernel_sync_all(struct kernel *kernel);
int kernel_unlink(struct kernel *kernel, uint32_t from, const char *path);

/* A ring of this kernel's, for media. */
void kernel_ring_init(struct ring *ring);
void kernel_ring_deinit(struct ring *ring);
/* Ends an operation without telling anybody. */
void kernel_flight_end(struct kernel *kernel, struct kernel_flight *flight,
                       enum event_outcome outcome);

#endif
