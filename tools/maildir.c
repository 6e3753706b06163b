#include "tools/maildir.h"

#include "base/clock.h"
#include "tools/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* '/' and ':' mean something in these names (maildir(5)). */
static void take_host(char *out, size_t capacity)
{
    char name[65] = "";
    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
        memcpy(name, "localhost", sizeof "localhost");
    size_t size = 0;
    for (const char *at = name; *at != '\0' && size + 5 < capacity; at++) {
        bool special = *at == '/' || *at == ':';
        size += (size_t)snprintf(out + size, capacity - size, special ? "\\%03o" : "%c",
                                 (unsigned char)*at);
    }
}

static enum status failed(const char *name, struct fault *fault)
{
    return place_failed("cannot write", name, errno, fault);
}

enum status maildir_open(struct maildir *maildir, const char *path, struct fault *fault)
{
    static const char *const names[] = {"cur", "tmp", "new"};
    int folders[3] = {-1, -1, -1};
    char(*pending)[MAILDIR_NAME_BYTES] = malloc(MAILDIR_PENDING_MAX * sizeof *pending);
    enum status status =
        pending ? place_make_folder(path, fault) : fault_set(fault, STATUS_SYSTEM, "no memory");
    if (status != STATUS_OK) {
        free(pending);
        return status;
    }
    int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int i = 0; i < 3 && root >= 0; i++)
        if (mkdirat(root, names[i], 0700) == 0)
            folders[i] = openat(root, names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || folders[0] < 0 || folders[1] < 0 || folders[2] < 0 || fsync(root) != 0)
        status = failed(path, fault);
    if (root >= 0)
        close(root);
    for (int i = 0; i < 3; i++)
        if (folders[i] >= 0 && (i == 0 || status != STATUS_OK))
            close(folders[i]);
    if (status != STATUS_OK) {
        free(pending);
        return status;
    }
    *maildir = (struct maildir){.tmp = folders[1], .new = folders[2], .pending = pending};
    take_host(maildir->host, sizeof maildir->host);
    return STATUS_OK;
}

/* The messages that are written become durable, and then visible. */
static enum status move_pending(struct maildir *maildir, struct fault *fault)
{
    uint32_t count = maildir->pending_count;
    maildir->pending_count = 0;
    if (count > 0 && syncfs(maildir->tmp) != 0)
        return failed("tmp", fault);
    for (uint32_t i = 0; i < count; i++)
        if (renameat(maildir->tmp, maildir->pending[i], maildir->new, maildir->pending[i]) != 0)
            return failed(maildir->pending[i], fault);
    return STATUS_OK;
}

enum status maildir_close(struct maildir *maildir, struct fault *fault)
{
    enum status status = move_pending(maildir, fault);
    if (status == STATUS_OK && (fsync(maildir->new) != 0 || fsync(maildir->tmp) != 0))
        status = failed("new", fault);
    close(maildir->new);
    close(maildir->tmp);
    free(maildir->pending);
    return status;
}

enum status maildir_begin(struct maildir *maildir, uint64_t received_ns, const char *unique,
                          struct fault *fault)
{
    snprintf(maildir->name, sizeof maildir->name, "%llu.M%06lluR%s.%s", received_ns / NS_PER_S,
             received_ns % NS_PER_S / 1000, unique, maildir->host);
    maildir->received_ns = received_ns;
    int fd = openat(maildir->tmp, maildir->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return failed(maildir->name, fault);
    maildir->file = fdopen(fd, "w");
    if (maildir->file != NULL)
        return STATUS_OK;
    enum status status = failed(maildir->name, fault);
    close(fd);
    unlinkat(maildir->tmp, maildir->name, 0);
    return status;
}

enum status maildir_commit(struct maildir *maildir, struct fault *fault)
{
    int fd = fileno(maildir->file);
    struct timespec received = {.tv_sec = (time_t)(maildir->received_ns / NS_PER_S),
                                .tv_nsec = (long)(maildir->received_ns % NS_PER_S)};
    const struct timespec times[2] = {received, received};
    if (fflush(maildir->file) != 0 || futimens(fd, times) != 0) {
        enum status status = failed(maildir->name, fault);
        maildir_abandon(maildir);
        return status;
    }
    fclose(maildir->file); /* nothing was left to be written */
    maildir->file = NULL;
    memcpy(maildir->pending[maildir->pending_count++], maildir->name, MAILDIR_NAME_BYTES);
    return maildir->pending_count < MAILDIR_PENDING_MAX ? STATUS_OK : move_pending(maildir, fault);
}

void maildir_abandon(struct maildir *maildir)
{
    fclose(maildir->file);
    maildir->file = NULL;
    unlinkat(maildir->tmp, maildir->name, 0);
}
