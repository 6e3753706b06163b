/* recorder: a file system with two files. `disk` is a disk image, to be attached as a loop device;
 * what is written to it and every sync of it is appended to a log, in the order in which it came.
 * What is written to `mark` becomes a line of its own there: so the outside world is ordered
 * against the disk.
 *
 *   recorder IMAGE LOG FOLDER      in the foreground, until FOLDER is unmounted
 *
 * The log is records: struct record, then `size` bytes for a write or a mark. A write that was
 * answered before a sync began is before it in the log, one thread does it all; and there is no
 * cache above (direct I/O), so what the loop device was told is in the log. A write that can't be
 * logged fails. */
#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum record_kind { RECORD_WRITE, RECORD_SYNC, RECORD_MARK };

struct record {
    uint32_t kind, size;
    uint64_t offset;
};

/* As long as a disk's: meanwhile comes what this sync does not cover. */
static const struct timespec SYNC_TIME = {.tv_nsec = 2000000};

struct recorder {
    int image, log;
};

static const char DISK[] = "/disk", MARK[] = "/mark";

static struct recorder *recorder(void)
{
    return fuse_get_context()->private_data;
}

static bool is(const char *path, const char *name)
{
    return strcmp(path, name) == 0;
}

static int log_append(enum record_kind kind, const char *bytes, size_t size, off_t offset)
{
    struct record record = {kind, (uint32_t)size, (uint64_t)offset};
    struct iovec parts[] = {{&record, sizeof record}, {(void *)(uintptr_t)bytes, size}};
    ssize_t written = writev(recorder()->log, parts, 2);
    return written == (ssize_t)(sizeof record + size) ? 0 : -EIO;
}

static int get_attributes(const char *path, struct stat *about, struct fuse_file_info *file)
{
    (void)file;
    *about = (struct stat){.st_nlink = 1};
    if (is(path, DISK)) {
        if (fstat(recorder()->image, about) < 0)
            return -errno;
        about->st_mode = S_IFREG | 0600;
    } else if (is(path, MARK)) {
        about->st_mode = S_IFREG | 0200;
    } else if (is(path, "/")) {
        about->st_mode = S_IFDIR | 0700;
    } else {
        return -ENOENT;
    }
    return 0;
}

static int read_folder(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                       struct fuse_file_info *file, enum fuse_readdir_flags flags)
{
    (void)offset, (void)file, (void)flags;
    if (!is(path, "/"))
        return -ENOTDIR;
    fill(buffer, DISK + 1, NULL, 0, 0);
    fill(buffer, MARK + 1, NULL, 0, 0);
    return 0;
}

static int open_file(const char *path, struct fuse_file_info *file)
{
    file->direct_io = 1;
    return is(path, DISK) || is(path, MARK) ? 0 : -ENOENT;
}

static int read_file(const char *path, char *bytes, size_t size, off_t offset,
                     struct fuse_file_info *file)
{
    (void)file;
    if (!is(path, DISK))
        return -EACCES;
    ssize_t got = pread(recorder()->image, bytes, size, offset);
    return got < 0 ? -errno : (int)got;
}

static int write_file(const char *path, const char *bytes, size_t size, off_t offset,
                      struct fuse_file_info *file)
{
    (void)file;
    int result = log_append(is(path, DISK) ? RECORD_WRITE : RECORD_MARK, bytes, size, offset);
    if (result == 0 && is(path, DISK) &&
        pwrite(recorder()->image, bytes, size, offset) != (ssize_t)size)
        result = -EIO;
    return result < 0 ? result : (int)size;
}

static int sync_file(const char *path, int data_only, struct fuse_file_info *file)
{
    (void)data_only, (void)file;
    if (!is(path, DISK))
        return 0;
    int result = log_append(RECORD_SYNC, NULL, 0, 0);
    nanosleep(&SYNC_TIME, NULL);
    return result;
}

static const struct fuse_operations operations = {
    .getattr = get_attributes,
    .readdir = read_folder,
    .open = open_file,
    .read = read_file,
    .write = write_file,
    .fsync = sync_file,
};

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: recorder IMAGE LOG FOLDER\n");
        return 64;
    }
    struct recorder recorder = {
        .image = open(argv[1], O_RDWR | O_CLOEXEC),
        .log = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
    };
    if (recorder.image < 0 || recorder.log < 0) {
        fprintf(stderr, "recorder: cannot open %s: %s\n", argv[recorder.image < 0 ? 1 : 2],
                strerror(errno));
        return 74;
    }
    char *arguments[] = {argv[0], "-f", "-s", argv[3], NULL};
    return fuse_main(4, arguments, &operations, &recorder);
}
