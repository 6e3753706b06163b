/* Locks on a store's files: of the store's one writer, and of whoever reads a segment.
 *
 * A segment is read through a shared lock, by this process or another one. So the file of a dead
 * segment is written anew only when nobody has it open any more, and whoever opens it too late
 * finds out that it has lost its name. Locks go with their descriptors, also when a process is
 * killed. Cold calls that never wait. */
#ifndef STORAGE_MEDIUM_FILE_LOCK_H
#define STORAGE_MEDIUM_FILE_LOCK_H

#include "base/status.h"

#include <stdint.h>

/* Becomes the only writer of the store in the open directory `root`, which the user knows as
 * `directory`, for as long as the descriptor `lock` is open. BUSY: there is one; and what the
 * system says, with a line. */
enum status file_lock_store(int root, const char *directory, int *lock,
                            struct fault *fault) MUST_CHECK;

/* Opens a segment's file for reading, with the lock of a reader. A descriptor, or -errno. */
int file_lock_open(int root, const char *path);
/* Whether an open file is the one with this name. */
bool file_lock_is_named(int root, const char *path, int fd);
/* Takes a file of `bytes` for its second life, until its descriptor is closed. 0; -EBUSY: somebody
 * reads it, or another name shows that it is still in its first one; -EINVAL: of another size. */
int file_lock_seize(int fd, uint64_t bytes);

#endif
