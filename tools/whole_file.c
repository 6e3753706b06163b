#include "tools/whole_file.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".XXXXXX"

struct place {                /* what a path turned out to be */
    bool in_place;            /* written to as it is */
    mode_t mode;              /* of the new file */
    char path[PATH_MAX];      /* links followed */
    char temporary[PATH_MAX]; /* beside it */
};

static enum status refused(const char *path, int error, struct fault *fault)
{
    char name[256];
    return fault_set(fault, status_from_errno(error), "cannot write '%s': %s",
                     log_escape(span_text(path), name, sizeof name), strerror(error));
}

static bool is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

static mode_t usual_mode(void)
{
    mode_t mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

static enum status find_place(const char *path, struct place *place, struct fault *fault)
{
    struct stat found;
    char name[256];
    *place = (struct place){.mode = usual_mode()};
    bool exists = stat(path, &found) == 0;
    if (!exists && (errno != ENOENT || path[0] == '\0'))
        return refused(path, errno, fault);
    if (exists && S_ISDIR(found.st_mode))
        return fault_set(fault, STATUS_USAGE, "cannot write '%s': it is a folder",
                         log_escape(span_text(path), name, sizeof name));
    if (exists && !S_ISREG(found.st_mode)) {
        place->in_place = true;
        return STATUS_OK;
    }
    if (exists) {
        place->mode = found.st_mode & 07777;
        if (access(path, W_OK) != 0 || realpath(path, place->path) == NULL)
            return refused(path, errno, fault);
    } else if (snprintf(place->path, sizeof place->path, "%s", path) >= PATH_MAX) {
        return refused(path, ENAMETOOLONG, fault);
    }
    if (snprintf(place->temporary, sizeof place->temporary, "%s" SUFFIX, place->path) >= PATH_MAX)
        return refused(path, ENAMETOOLONG, fault);
    return STATUS_OK;
}

static bool write_parts(int fd, const struct span *parts, size_t parts_count)
{
    for (size_t i = 0; i < parts_count; i++) {
        for (size_t done = 0; done < parts[i].size;) {
            ssize_t written = write(fd, parts[i].data + done, parts[i].size - done);
            if (written < 0 && errno != EINTR)
                return false;
            done += written > 0 ? (size_t)written : 0;
        }
    }
    return true;
}

static enum status write_in_place(const char *path, const struct span *parts, size_t parts_count,
                                  struct fault *fault)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return refused(path, errno, fault);
    bool written = write_parts(fd, parts, parts_count);
    int error = errno;
    if (close(fd) != 0 && written) {
        written = false;
        error = errno;
    }
    return written ? STATUS_OK : refused(path, error, fault);
}

static enum status write_beside(const char *path, struct place *place, const struct span *parts,
                                size_t parts_count, struct fault *fault)
{
    int fd = mkostemp(place->temporary, O_CLOEXEC);
    if (fd < 0)
        return refused(path, errno, fault);
    bool written =
        write_parts(fd, parts, parts_count) && fchmod(fd, place->mode) == 0 && fsync(fd) == 0;
    int error = errno;
    if (close(fd) != 0 && written) {
        written = false;
        error = errno;
    }
    if (written && rename(place->temporary, place->path) == 0)
        return STATUS_OK;
    error = written ? errno : error;
    unlink(place->temporary);
    return refused(path, error, fault);
}

enum status whole_file_probe(const char *path, struct fault *fault)
{
    struct place place;
    if (is_stdout(path))
        return STATUS_OK;
    enum status status = find_place(path, &place, fault);
    if (status != STATUS_OK)
        return status;
    if (place.in_place)
        return access(path, W_OK) == 0 ? STATUS_OK : refused(path, errno, fault);
    int fd = mkostemp(place.temporary, O_CLOEXEC);
    if (fd < 0)
        return refused(path, errno, fault);
    close(fd);
    unlink(place.temporary);
    return STATUS_OK;
}

enum status whole_file_write(const char *path, const struct span *parts, size_t parts_count,
                             struct fault *fault)
{
    struct place place;
    if (is_stdout(path)) {
        fflush(stdout);
        return write_parts(STDOUT_FILENO, parts, parts_count) ? STATUS_OK
                                                              : refused("stdout", errno, fault);
    }
    enum status status = find_place(path, &place, fault);
    if (status != STATUS_OK)
        return status;
    return place.in_place ? write_in_place(path, parts, parts_count, fault)
                          : write_beside(path, &place, parts, parts_count, fault);
}
