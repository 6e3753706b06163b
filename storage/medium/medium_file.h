/* The medium on local files: DIR/STORE, DIR/shard-NN/NNNNNNNN.seg, .idx, spare.tmp, DIR/lock.
 *
 * All operations go through the shard's ring. Segments are written with O_DIRECT and RWF_DSYNC into
 * extents that were zeroed ahead with O_DIRECT; where the file system has no O_DIRECT (tmpfs) with
 * a plain write whose full length is checked, then fdatasync. Segments are read through the page
 * cache with readahead off (POSIX_FADV_RANDOM): only blocks already written and durable are ever
 * asked for, so no page of the range still to be written gets into the cache, where it would slow
 * the writer.
 *
 * The descriptor for writing is opened at an object's first write, by its name: -ENOENT or -ESTALE
 * when that is no longer its own, and -ESTALE when it has lost its name later. Opening, listing and
 * fencing block, everything else is the ring's. A medium takes two of the ring's operation numbers
 * for good. */
#ifndef STORAGE_MEDIUM_MEDIUM_FILE_H
#define STORAGE_MEDIUM_MEDIUM_FILE_H

#include "base/ring.h"
#include "storage/medium/medium.h"

struct medium_file_options {
    bool create;  /* the directory (one level), when it is absent */
    bool durable; /* false: writes to objects are not synced (--durability none): for measuring */
};

/* ABSENT, DENIED, SYSTEM with
 * a line naming the directory. The ring outlives the medium. */
enum status medium_file_open(struct medium **medium, struct ring *ring, const char *directory,
                             const struct medium_file_options *options,
                             struct fault *fault) MUST_CHECK;

/* True when segments are written with O_DIRECT: printed at start. */
bool medium_file_is_direct(const struct medium *medium);

#endif
