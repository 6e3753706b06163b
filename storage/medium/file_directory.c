#include "storage/medium/file_directory.h"

#include "storage/medium/file_name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* One walk through the store's directory and those of its shards. */
struct walk {
    int root;
    const char *directory;
    struct fault *fault;
    /* Called for each entry of each home: 0 or an errno. */
    int (*entry)(struct walk *walk, int home_fd, struct medium_name home, const char *text);
    void (*visit)(void *context, struct medium_name name, uint64_t bytes);
    void *context;
};

static enum status walk_failed(const struct walk *walk, const char *home, int error)
{
    return fault_set(walk->fault, status_from_errno(error), "cannot read %s/%s: %s",
                     walk->directory, home, strerror(error));
}

/* Every entry of one home. A shard's name that is no directory is a foreign file. */
static enum status walk_home(struct walk *walk, struct medium_name home)
{
    char path[FILE_PATH_BYTES];
    file_name_home(home, path);
    int fd = openat(walk->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR || errno == ENOENT ? STATUS_OK : walk_failed(walk, path, errno);
    DIR *stream = fdopendir(fd);
    if (!stream) {
        int error = errno;
        close(fd);
        return walk_failed(walk, path, error);
    }
    int error = 0;
    struct dirent *entry;
    while (!error && (errno = 0, entry = readdir(stream)))
        error = walk->entry(walk, fd, home, entry->d_name);
    if (!error)
        error = errno;
    closedir(stream);
    return error ? walk_failed(walk, path, error) : STATUS_OK;
}

/* The shards' homes, found in the store's own directory. */
static enum status walk_shards(struct walk *walk)
{
    int fd = openat(walk->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd < 0 ? NULL : fdopendir(fd);
    if (!stream) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return walk_failed(walk, ".", error);
    }
    enum status status = STATUS_OK;
    struct medium_name home = {.kind = MEDIUM_SEGMENT};
    struct dirent *entry;
    while (status == STATUS_OK && (errno = 0, entry = readdir(stream)))
        if (file_name_is_home(entry->d_name, &home.shard))
            status = walk_home(walk, home);
    if (status == STATUS_OK && errno)
        status = walk_failed(walk, ".", errno);
    closedir(stream);
    return status;
}

static enum status walk_store(struct walk *walk)
{
    enum status status = walk_home(walk, (struct medium_name){.kind = MEDIUM_STORE});
    return status == STATUS_OK ? walk_shards(walk) : status;
}

static int list_entry(struct walk *walk, int home_fd, struct medium_name home, const char *text)
{
    struct medium_name name;
    struct stat about;
    if (!file_name_parse(text, home, &name))
        return 0;
    if (fstatat(home_fd, text, &about, 0) < 0)
        return errno == ENOENT ? 0 : errno;
    if (S_ISREG(about.st_mode))
        walk->visit(walk->context, name, (uint64_t)about.st_size);
    return 0;
}

static int sweep_entry(struct walk *walk, int home_fd, struct medium_name home, const char *text)
{
    (void)walk;
    if (!file_name_is_temporary(text, home))
        return 0;
    return unlinkat(home_fd, text, 0) == 0 || errno == ENOENT ? 0 : errno;
}

enum status file_directory_list(int root, const char *directory,
                                void (*visit)(void *context, struct medium_name name,
                                              uint64_t bytes),
                                void *context, struct fault *fault)
{
    struct walk walk = {.root = root,
                        .directory = directory,
                        .fault = fault,
                        .entry = list_entry,
                        .visit = visit,
                        .context = context};
    return walk_store(&walk);
}

enum status file_directory_sweep(int root, const char *directory, struct fault *fault)
{
    struct walk walk = {.root = root, .directory = directory, .fault = fault, .entry = sweep_entry};
    return walk_store(&walk);
}

/* tmpfs takes the flag on newer kernels, but has no device to write to directly. */
bool file_directory_has_direct(int root)
{
    struct statfs about;
    if (fstatfs(root, &about) == 0 && about.f_type == TMPFS_MAGIC)
        return false;
    int probe = openat(root, ".", O_TMPFILE | O_DIRECT | O_RDWR | O_CLOEXEC, 0600);
    if (probe < 0)
        return false;
    close(probe);
    return true;
}
