/* The C library's calls of the file medium, diverted here by the linker: -Wl,--wrap=NAME, for the
 * names in meson.build, some also with the suffix 64 of large files. And the log's lines: an error
 * is an alarm, which the proof wants to know of. */
#include "base/invariant.h"
#include "base/log.h"
#include "tests/crash/kernel.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#define ALSO(name) __attribute__((alias(#name)))

/* The directory as it was when it was opened: names may go while it is being read. */
struct kernel_stream {
    int descriptor;
    struct dirent entry;
    uint32_t count, next;
    struct image_entry entries[];
};

/* As the C library reports failures. */
static int told(int result)
{
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

static uint32_t node_of(int descriptor)
{
    return kernel_file(kernel_current(), descriptor)->node;
}

/* ---- names ---- */

int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    return told(kernel_open_file(kernel_current(), IMAGE_ROOT, path, flags));
}

int __wrap_openat(int from, const char *path, int flags, ...);
int __wrap_openat(int from, const char *path, int flags, ...)
{
    struct kernel *kernel = kernel_current();
    if ((flags & O_TMPFILE) == O_TMPFILE) /* a probe for direct I/O */
        return told(kernel->options.direct ? kernel_descriptor(kernel, node_of(from))
                                           : -EOPNOTSUPP);
    return told(kernel_open_file(kernel, node_of(from), path, flags));
}

int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
    (void)mode;
    return told(kernel_make_directory(kernel_current(), IMAGE_ROOT, path));
}

int __wrap_unlinkat(int from, const char *path, int flags);
int __wrap_unlinkat(int from, const char *path, int flags)
{
    (void)flags;
    return told(kernel_unlink(kernel_current(), node_of(from), path));
}

int __wrap_faccessat(int from, const char *path, int mode, int flags);
int __wrap_faccessat(int from, const char *path, int mode, int flags)
{
    (void)from, (void)path, (void)mode, (void)flags;
    return 0;
}

/* ---- descriptors ---- */

int __wrap_close(int descriptor);
int __wrap_close(int descriptor)
{
    kernel_file(kernel_current(), descriptor)->is_open = false;
    return 0;
}

int __wrap_fsync(int descriptor);
int __wrap_fsync(int descriptor)
{
    return told(kernel_sync(kernel_current(), descriptor));
}

int __wrap_syncfs(int descriptor);
int __wrap_syncfs(int descriptor)
{
    (void)descriptor;
    return told(kernel_sync_all(kernel_current()));
}

int __wrap_flock(int descriptor, int operation);
int __wrap_flock(int descriptor, int operation)
{
    struct kernel *kernel = kernel_current();
    struct kernel_file *ours = kernel_file(kernel, descriptor);
    bool alone = operation & LOCK_EX;
    INVARIANT(operation & LOCK_NB);
    for (const struct kernel_file *other = kernel->files; other < kernel->files + KERNEL_FILES_MAX;
         other++)
        if (other->is_open && other != ours && other->node == ours->node &&
            (other->lock == LOCK_EX || (other->lock == LOCK_SH && alone)))
            return told(-EWOULDBLOCK);
    ours->lock = alone ? LOCK_EX : LOCK_SH;
    return 0;
}

int __wrap_ftruncate(int descriptor, off_t bytes);
int __wrap_ftruncate(int descriptor, off_t bytes)
{
    (void)descriptor;
    INVARIANT(bytes == 0); /* of the lock, whose content means nothing */
    return 0;
}

int __wrap_dprintf(int descriptor, const char *format, ...);
int __wrap_dprintf(int descriptor, const char *format, ...)
{
    (void)descriptor, (void)format;
    return 1;
}

int __wrap_posix_fadvise(int descriptor, off_t offset, off_t bytes, int advice);
int __wrap_posix_fadvise(int descriptor, off_t offset, off_t bytes, int advice)
{
    (void)descriptor, (void)offset, (void)bytes, (void)advice;
    return 0;
}

/* ---- what is known of files ---- */

static void describe(uint32_t node, struct stat *about)
{
    const struct image *image = kernel_current()->now;
    *about = (struct stat){
        .st_ino = node,
        .st_nlink = image_names(image, node),
        .st_mode = image->nodes[node]->is_directory ? S_IFDIR : S_IFREG,
        .st_size = (off_t)image_size(image, node),
    };
}

int __wrap_fstat(int descriptor, struct stat *about);
int __wrap_fstat(int descriptor, struct stat *about)
{
    describe(node_of(descriptor), about);
    return 0;
}

int __wrap_fstatat(int from, const char *path, struct stat *about, int flags);
int __wrap_fstatat(int from, const char *path, struct stat *about, int flags)
{
    uint32_t directory;
    const char *leaf;
    uint32_t node = kernel_walk(kernel_current(), node_of(from), path, &directory, &leaf);
    (void)flags;
    if (node == IMAGE_NONE)
        return told(-ENOENT);
    describe(node, about);
    return 0;
}

int __wrap_fstatfs(int descriptor, struct statfs *about);
int __wrap_fstatfs(int descriptor, struct statfs *about)
{
    (void)descriptor;
    *about = (struct statfs){.f_type = 0xEF53};
    return 0;
}

int __wrap_fstatvfs(int descriptor, struct statvfs *about);
int __wrap_fstatvfs(int descriptor, struct statvfs *about)
{
    (void)descriptor;
    *about =
        (struct statvfs){.f_blocks = 1u << 20, .f_bavail = 1u << 20, .f_frsize = IMAGE_PAGE_BYTES};
    return 0;
}

/* ---- directories ---- */

DIR *__wrap_fdopendir(int descriptor);
DIR *__wrap_fdopendir(int descriptor)
{
    const struct image_node *node = kernel_current()->now->nodes[node_of(descriptor)];
    size_t bytes = node->entries_count * sizeof(struct image_entry);
    struct kernel_stream *stream = calloc(1, sizeof(*stream) + bytes);
    INVARIANT(stream);
    stream->descriptor = descriptor;
    stream->count = node->entries_count;
    if (bytes > 0)
        memcpy(stream->entries, node->entries, bytes);
    return (DIR *)stream;
}

struct dirent *__wrap_readdir(DIR *directory);
struct dirent *__wrap_readdir(DIR *directory)
{
    struct kernel_stream *stream = (struct kernel_stream *)directory;
    struct kernel *kernel = kernel_current();
    if (kernel_operate(kernel) == FAULT_EIO) {
        kernel->hit = true;
        errno = EIO;
        return NULL;
    }
    if (stream->next == stream->count)
        return NULL;
    snprintf(stream->entry.d_name, sizeof(stream->entry.d_name), "%s",
             stream->entries[stream->next++].name);
    return &stream->entry;
}

int __wrap_closedir(DIR *directory);
int __wrap_closedir(DIR *directory)
{
    struct kernel_stream *stream = (struct kernel_stream *)directory;
    kernel_file(kernel_current(), stream->descriptor)->is_open = false;
    free(stream);
    return 0;
}

/* ---- the log ---- */

void __wrap_log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void __wrap_log_line(enum log_level level, const char *format, ...)
{
    struct kernel *kernel = kernel_current();
    char line[sizeof(kernel->alarm)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (kernel->options.verbose)
        fprintf(stderr, "  %s\n", line);
    if (level > LOG_LEVEL_ERROR || kernel->dead)
        return;
    kernel->alarms++;
    memcpy(kernel->alarm, line, sizeof(line));
}

/* ---- the same with large files ---- */

int __wrap_open64(const char *path, int flags, ...) ALSO(__wrap_open);
int __wrap_openat64(int from, const char *path, int flags, ...) ALSO(__wrap_openat);
int __wrap_ftruncate64(int descriptor, off_t bytes) ALSO(__wrap_ftruncate);
int __wrap_posix_fadvise64(int descriptor, off_t offset, off_t bytes, int advice)
    ALSO(__wrap_posix_fadvise);
int __wrap_fstat64(int descriptor, struct stat *about) ALSO(__wrap_fstat);
int __wrap_fstatat64(int from, const char *path, struct stat *about, int flags)
    ALSO(__wrap_fstatat);
int __wrap_fstatfs64(int descriptor, struct statfs *about) ALSO(__wrap_fstatfs);
int __wrap_fstatvfs64(int descriptor, struct statvfs *about) ALSO(__wrap_fstatvfs);
struct dirent *__wrap_readdir64(DIR *directory) ALSO(__wrap_readdir);
