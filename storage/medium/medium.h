/* Where the log lives: the contract between the store and whatever keeps bytes durably.
 *
 * Two media implement it: medium_file (local files, io_uring, O_DIRECT) and medium_sim (seeded,
 * faulty, in memory). Paths, descriptors, O_DIRECT, syncs and directory entries are the medium's
 * own business: the store knows objects by name and bytes by offset. The words fit an object store
 * just as well (publish = put, append-durable = write at an offset, fence = epoch).
 *
 * Durability: when an operation reports success, what it did survives any crash of process, kernel
 * or power. Until then a crash may leave any part of it. After a failed write nothing about the
 * range may be assumed.
 *
 * Threading: one instance per shard and thread. Operations are asynchronous: the operation's `done`
 * runs from medium_poll (or, for medium_file, from the shard's ring_turn), never from inside the
 * call that started it. The operation struct belongs to the medium from start to `done`; buffers
 * too. Cold paths (opening, recovery, tools) use the medium_*_wait forms, which poll until done. */
#ifndef STORAGE_MEDIUM_MEDIUM_H
#define STORAGE_MEDIUM_MEDIUM_H

#include "base/span.h"
#include "base/status.h"

#include <stdint.h>

#define MEDIUM_BLOCK_BYTES                                                                         \
    4096u /* offsets, sizes and buffers of medium_write are multiples of this */

enum medium_kind {
    MEDIUM_STORE,   /* the store's identity: shard and number are 0 */
    MEDIUM_SEGMENT, /* a piece of one shard's log; number ≥ 1 */
    MEDIUM_HINT,    /* what a sealed segment holds, derived; same number as its segment */
    MEDIUM_SPARE,   /* a segment prepared ahead of need; number 0; becomes a segment by medium_adopt
                     */
    MEDIUM_REWRITE, /* a segment's new form being written; number 0; takes its place by replace */
    MEDIUM_RETIRED, /* what a segment was before it was replaced; number 0; becomes the spare by
                       recycle */
};

struct medium_name {
    enum medium_kind kind;
    uint32_t shard;
    uint32_t number;
};

struct medium_object; /* an open object: opaque, owned by the medium until medium_close */

/* One operation under way. Embedded by the caller. `result`: bytes moved (read, write), 0 (others),
 * or a negative errno: -ENOSPC, -EIO, -ENOENT, … A write moves all of its bytes or fails; a read
 * moves fewer only at the object's end. */
struct medium_op {
    void (*done)(struct medium_op *op);
    int64_t result;
    uint64_t private[6]; /* the medium's */
};

struct medium; /* begins with `const struct medium_calls *calls` in every implementation */

struct medium_calls {
    const char *name; /* "file", "sim" */

    /* Synchronous and cold. fence: become the only user of the store or fail with BUSY; held until
     * medium_deinit; `read_only` users share it among themselves and with a writer (tools looking
     * in). What can be read after a writer's fence is durable, whoever wrote it. */
    enum status (*fence)(struct medium *medium, bool read_only, struct fault *fault);
    enum status (*list)(struct medium *medium,
                        void (*visit)(void *context, struct medium_name name, uint64_t bytes),
                        void *context, struct fault *fault);
    /* ABSENT; CORRUPT: something else has its name. */
    enum status (*open)(struct medium *medium, struct medium_name name,
                        struct medium_object **object);
    void (*close)(struct medium *medium, struct medium_object *object);
    uint64_t (*size)(const struct medium_object *object); /* bytes */
    uint64_t (*space_left)(struct medium *medium);        /* bytes a writer could still use */

    /* Asynchronous. An object's size never changes while it is open, so a write lies within it; a
     * write that is not aligned or not within is a bug, and so is closing an object with a read or
     * write under way. Changes of one name take effect in the order in which they were started. */
    void (*write)(struct medium *medium, struct medium_object *object, const void *bytes,
                  uint32_t size, uint64_t offset, struct medium_op *op); /* durable when done */
    void (*read)(struct medium *medium, struct medium_object *object, void *bytes, uint32_t size,
                 uint64_t offset, struct medium_op *op);
    /* What reads of the object saw before this call, whoever wrote it, is durable when this is
     * done, unless its writing fails: for readers, who are not told when a writer's own operations
     * end. */
    void (*sync)(struct medium *medium, struct medium_object *object, struct medium_op *op);

    /* Makes (or empties) the shard's spare: `bytes` long, reads as zeroes, cheap to overwrite
     * durably. */
    void (*prepare)(struct medium *medium, uint32_t shard, uint64_t bytes, struct medium_op *op);
    /* Renames the shard's spare to segment `number`, durably. */
    void (*adopt)(struct medium *medium, uint32_t shard, uint32_t number, struct medium_op *op);
    /* Makes (or empties) the shard's rewrite, `bytes` long, to be written all over. */
    void (*begin_rewrite)(struct medium *medium, uint32_t shard, uint64_t bytes,
                          struct medium_op *op);
    /* The shard's rewrite takes the place of segment `number`, atomically and durably; objects open
     * on the old one stay readable until closed. What was written to the rewrite is durable
     * already. `retire`: the old one becomes the shard's retired object, in place of another, if
     * the medium can do that; only when this has succeeded may it be recycled. -ENOENT: there is no
     * rewrite, or no such segment. */
    void (*replace)(struct medium *medium, uint32_t shard, uint32_t number, bool retire,
                    struct medium_op *op);
    /* Makes the shard's retired object its spare, durably: with `block` as its first one, and all
     * else as it is. -ENOENT: there is none; -EBUSY: somebody has it open; -EINVAL: it does not
     * have `bytes`. Any other failure may leave neither. */
    void (*recycle)(struct medium *medium, uint32_t shard, const void *block, uint64_t bytes,
                    struct medium_op *op);
    /* Creates or atomically replaces a whole object (STORE, HINT): readers see the old or the new.
     */
    void (*publish)(struct medium *medium, struct medium_name name, const void *bytes,
                    uint32_t size, struct medium_op *op);
    /* Removes an object, durably; open objects stay readable until closed. */
    void (*remove)(struct medium *medium, struct medium_name name, struct medium_op *op);

    /* Runs completions that are due; `wait`: at least one, while any operation is under way. */
    void (*poll)(struct medium *medium, bool wait);
    void (*deinit)(struct medium *medium);
};

struct medium {
    const struct medium_calls *calls;
};

static inline void medium_write(struct medium *m, struct medium_object *object, const void *bytes,
                                uint32_t size, uint64_t offset, struct medium_op *op)
{
    m->calls->write(m, object, bytes, size, offset, op);
}

static inline void medium_read(struct medium *m, struct medium_object *object, void *bytes,
                               uint32_t size, uint64_t offset, struct medium_op *op)
{
    m->calls->read(m, object, bytes, size, offset, op);
}

/* The waiting forms (medium.c): start, poll until done, give back the result as in medium_op. Never
 * from inside a `done` or a handler of the ring. */
int64_t medium_read_wait(struct medium *m, struct medium_object *object, void *bytes, uint32_t size,
                         uint64_t offset);
int64_t medium_write_wait(struct medium *m, struct medium_object *object, const void *bytes,
                          uint32_t size, uint64_t offset);
int64_t medium_sync_wait(struct medium *m, struct medium_object *object);
int64_t medium_prepare_wait(struct medium *m, uint32_t shard, uint64_t bytes);
int64_t medium_adopt_wait(struct medium *m, uint32_t shard, uint32_t number);
int64_t medium_begin_rewrite_wait(struct medium *m, uint32_t shard, uint64_t bytes);
int64_t medium_replace_wait(struct medium *m, uint32_t shard, uint32_t number, bool retire);
int64_t medium_recycle_wait(struct medium *m, uint32_t shard, const void *block, uint64_t bytes);
int64_t medium_publish_wait(struct medium *m, struct medium_name name, const void *bytes,
                            uint32_t size);
int64_t medium_remove_wait(struct medium *m, struct medium_name name);

#endif
