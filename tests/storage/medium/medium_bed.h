/* A medium to test on, on any of its grounds, and what tests of media have in common. */
#ifndef TESTS_STORAGE_MEDIUM_MEDIUM_BED_H
#define TESTS_STORAGE_MEDIUM_MEDIUM_BED_H

#include "base/ring.h"
#include "storage/medium/medium.h"
#include "storage/medium/medium_file.h"
#include "storage/medium/medium_sim.h"

#define BED_DISK "/var/tmp" /* a file system on a device, as far as a test can tell */
#define BED_SHM "/dev/shm"  /* tmpfs: no O_DIRECT */

struct medium_bed {
    struct ring ring;
    char directory[64]; /* empty: simulated */
    struct sim_disk *disk;
    struct clock clock;
    uint64_t now_ns; /* the simulated clock's */
    struct medium *medium;
};

/* A fresh directory under `parent` for the directories of all beds, removed at the end with all
 * that is in it. For unchecked fixtures: it must outlive tests that abort. */
void medium_ground_open(const char *parent);
void medium_ground_close(void);

/* A fresh directory on the ground, and a medium on it. */
void medium_bed_open_file(struct medium_bed *bed);
void medium_bed_open_sim(struct medium_bed *bed, const struct sim_disk_options *options);
/* Another medium on the same ground: the caller deinitialises it. */
struct medium *medium_bed_another(struct medium_bed *bed);
/* bed->medium may be NULL by then. */
void medium_bed_close(struct medium_bed *bed);

/* Lets a little time pass and polls. */
void medium_bed_step(struct medium_bed *bed);

/* The path of a file in the bed's directory, in a buffer of the function's own. */
const char *medium_bed_path(const struct medium_bed *bed, const char *name);

static inline struct medium_name store_name(void)
{
    return (struct medium_name){.kind = MEDIUM_STORE};
}

static inline struct medium_name segment_name(uint32_t shard, uint32_t number)
{
    return (struct medium_name){.kind = MEDIUM_SEGMENT, .shard = shard, .number = number};
}

static inline struct medium_name hint_name(uint32_t shard, uint32_t number)
{
    return (struct medium_name){.kind = MEDIUM_HINT, .shard = shard, .number = number};
}

static inline struct medium_name spare_name(uint32_t shard)
{
    return (struct medium_name){.kind = MEDIUM_SPARE, .shard = shard};
}

/* An operation that remembers how often it ended, and as which one of all. */
struct counted_op {
    struct medium_op op; /* first */
    unsigned ended;
    unsigned *turn; /* counts all ends; may be NULL */
    unsigned place; /* 1: the first to end */
};

void counted_op_done(struct medium_op *op);

#define COUNTED_OP                                                                                 \
    {                                                                                              \
        .op.done = counted_op_done                                                                 \
    }

/* The object, which must be there. */
struct medium_object *must_open(struct medium *medium, struct medium_name name);
/* Makes segment `number` with `bytes` zeroes and opens it. */
struct medium_object *must_make_segment(struct medium *medium, uint32_t shard, uint32_t number,
                                        uint64_t bytes);
bool medium_has(struct medium *medium, struct medium_name name);
/* Whether the object holds exactly this. */
bool medium_holds(struct medium *medium, struct medium_name name, struct span bytes);

/* What the medium lists: at most 16 objects. */
struct listing {
    unsigned count;
    struct {
        struct medium_name name;
        uint64_t bytes;
    } seen[16];
};

struct listing medium_list(struct medium *medium);
/* Whether it has exactly one such entry. */
bool listing_has(const struct listing *listing, struct medium_name name, uint64_t bytes);

#endif
