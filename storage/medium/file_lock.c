#include "storage/medium/file_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_ATTEMPTS 100 /* each lost to another segment that was replaced at that moment */

/* ---- the writer ---- */

/* Who holds the lock, as far as its file tells; 0: unknown. */
static long holder_of(int lock)
{
    char text[32] = {0};
    ssize_t size = pread(lock, text, sizeof text - 1, 0);
    return size > 0 ? strtol(text, NULL, 10) : 0;
}

static enum status lock_failed(const char *directory, int lock, struct fault *fault)
{
    if (errno != EWOULDBLOCK)
        return fault_set(fault, status_from_errno(errno), "cannot lock %s/lock: %s", directory,
                         strerror(errno));
    long holder = holder_of(lock);
    if (holder > 0)
        return fault_set(fault, STATUS_BUSY, "%s is in use by process %ld", directory, holder);
    return fault_set(fault, STATUS_BUSY, "%s is in use by another process", directory);
}

enum status file_lock_store(int root, const char *directory, int *lock, struct fault *fault)
{
    int fd = faccessat(root, ".", W_OK | X_OK, AT_EACCESS) < 0
                 ? -1
                 : openat(root, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fault_set(fault, status_from_errno(errno), "cannot write to %s: %s", directory,
                         strerror(errno));
    enum status status =
        flock(fd, LOCK_EX | LOCK_NB) < 0 ? lock_failed(directory, fd, fault) : STATUS_OK;
    if (status == STATUS_OK && (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", getpid()) < 0))
        status = fault_set(fault, status_from_errno(errno), "cannot write to %s/lock: %s",
                           directory, strerror(errno));
    if (status == STATUS_OK)
        *lock = fd;
    else
        close(fd);
    return status;
}

/* ---- readers ---- */

bool file_lock_is_named(int root, const char *path, int fd)
{
    struct stat ours, named;
    return fstat(fd, &ours) == 0 && fstatat(root, path, &named, 0) == 0 &&
           ours.st_dev == named.st_dev && ours.st_ino == named.st_ino;
}

/* The name is looked at behind the lock: it was lost before the file could be seized. */
int file_lock_open(int root, const char *path)
{
    for (int i = 0; i < OPEN_ATTEMPTS; i++) {
        int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            return -errno;
        int error = flock(fd, LOCK_SH | LOCK_NB) < 0 ? errno : 0;
        if (error == 0 && file_lock_is_named(root, path, fd))
            return fd;
        close(fd);
        if (error != 0 && error != EWOULDBLOCK)
            return -error;
    }
    return -EBUSY;
}

int file_lock_seize(int fd, uint64_t bytes)
{
    struct stat about;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (fstat(fd, &about) < 0)
        return -errno;
    if (about.st_nlink != 1)
        return -EBUSY;
    return (uint64_t)about.st_size == bytes ? 0 : -EINVAL;
}
