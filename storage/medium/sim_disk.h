/* Inside the simulated disk: its directory, and the events that are operations under way.
 *
 * An event changes nothing until it is over. Then it is settled (it succeeds), torn (an injected
 * fault, or a power cut: a drawn part of it happens), or refused for lack of space. What a medium
 * starts here ends in the order of the moments drawn, save that changes of one name end in the
 * order in which they were started. */
#ifndef STORAGE_MEDIUM_SIM_DISK_H
#define STORAGE_MEDIUM_SIM_DISK_H

#include "storage/medium/medium_sim.h"
#include "storage/medium/sim_file.h"

enum sim_action {
    SIM_READ,
    SIM_SYNC,
    SIM_WRITE,
    SIM_PREPARE, /* a spare or a rewrite */
    SIM_ADOPT,
    SIM_REPLACE,
    SIM_RETIRE,
    SIM_RECYCLE,
    SIM_PUBLISH,
    SIM_REMOVE,
};

struct sim_event {
    struct sim_event *next; /* by due_ns, then by order */
    const void *owner;      /* the medium */
    struct medium_op *op;
    enum sim_action action;
    struct medium_name
        name;              /* prepare: spare or rewrite; adopt: the segment to be; recycle: spare */
    struct sim_file *file; /* read, sync, write */
    uint32_t *under_way;   /* read, sync, write: of the object, to be counted down */
    void *into;            /* read */
    const void *from;      /* write, publish, recycle */
    uint64_t size, offset;
    uint64_t file_bytes; /* recycle: that the file must have */
    /* Filled by sim_disk_start. */
    uint64_t due_ns, order;
    uint32_t from_crc; /* the bytes must stay as they are until the end */
    bool fails;
};

struct sim_disk {
    struct sim_disk_options options;
    const struct clock *clock;
    struct random random;
    struct sim_file *files; /* the directory, by shard, kind and number */
    struct sim_file *stale; /* the last segment removed: what a torn spare may turn out to hold */
    uint64_t used_bytes;
    struct sim_event *events;
    uint64_t started; /* events, ever */
    uint64_t crashes; /* a medium opened before the last one is dead */
    uint32_t media;   /* open */
    const void *writer;
};

/* The object with this name as readers see it now; NULL: there is none. */
struct sim_file *sim_disk_find(const struct sim_disk *disk, struct medium_name name);
/* One user less: frees the file and its space with the last one. */
void sim_disk_release(struct sim_disk *disk, struct sim_file *file);

/* Of the capacity; UINT64_MAX when that has no limit. */
uint64_t sim_disk_space_left(const struct sim_disk *disk);

/* Puts an operation under way; it ends at the moment the event says. */
void sim_disk_start(struct sim_disk *disk, const struct sim_event *event);
/* Ends the owner's first event that is due by `now_ns` and among the first `started` ever; false
 * when there is none. */
bool sim_disk_run(struct sim_disk *disk, const void *owner, uint64_t now_ns, uint64_t started);
bool sim_disk_is_idle(const struct sim_disk *disk, const void *owner);

#endif
