#include "tools/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES 240u /* of one file name, with room for a suffix */

enum status place_failed(const char *what, const char *path, int error, struct fault *fault)
{
    enum status status = status_from_errno(error);
    if (status == STATUS_ABSENT || error == ENOTDIR || error == ENAMETOOLONG)
        status = STATUS_EXISTS; /* can't be created: exit 73 */
    return fault_set(fault, status, "%s %s: %s", what, path, strerror(error));
}

/* 0, or why not: ENOTEMPTY when there is anything in it. */
static int check_empty(const char *path)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return errno;
    struct dirent *entry;
    int error = 0;
    while (error == 0 && (errno = 0, entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            error = ENOTEMPTY;
    if (error == 0)
        error = errno;
    closedir(folder);
    return error;
}

enum status place_make_folder(const char *path, struct fault *fault)
{
    if (mkdir(path, 0700) == 0)
        return place_sync_parent(path, fault);
    int error = errno == EEXIST ? check_empty(path) : errno;
    if (error == ENOTEMPTY)
        return fault_set(fault, STATUS_EXISTS, "%s: is not empty", path);
    return error == 0 ? STATUS_OK : place_failed("cannot create", path, error, fault);
}

enum status place_make_way(const char *root, const char *path, struct fault *fault)
{
    char way[PLACE_BYTES];
    for (const char *end = path + strlen(root) + 1; (end = strchr(end, '/')) != NULL; end++) {
        snprintf(way, sizeof way, "%.*s", (int)(end - path), path);
        if (mkdir(way, 0700) != 0 && errno != EEXIST)
            return place_failed("cannot create", way, errno, fault);
    }
    return STATUS_OK;
}

enum status place_sync_folder(const char *path, struct fault *fault)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        enum status status = place_failed("cannot sync", path, errno, fault);
        if (fd >= 0)
            close(fd);
        return status;
    }
    close(fd);
    return STATUS_OK;
}

enum status place_sync_parent(const char *path, struct fault *fault)
{
    char parent[PLACE_BYTES];
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    while (size > 0 && path[size - 1] != '/')
        size--;
    snprintf(parent, sizeof parent, "%.*s", size > 0 ? (int)size : 1, size > 0 ? path : ".");
    return place_sync_folder(parent, fault);
}

static bool is_plain(uint8_t byte, bool first)
{
    uint8_t letter = ascii_lower(byte);
    return (letter >= 'a' && letter <= 'z') || (byte >= '0' && byte <= '9') ||
           (byte == '.' && !first) || (byte != 0 && strchr("@_+-=", byte) != NULL);
}

bool place_of_mailbox(const char *folder, struct span name, const char *suffix,
                      char out[PLACE_BYTES])
{
    static const char hex[] = "0123456789ABCDEF";
    size_t room = PLACE_BYTES - strlen(suffix) - 3, part = 0;
    int printed = snprintf(out, room, "%s/", folder);
    if (printed < 0 || (size_t)printed >= room)
        return false;
    size_t size = (size_t)printed;
    if (name.size == 0)
        out[size++] = '%';
    for (size_t i = 0; i < name.size; i++, part++) {
        if (size + 5 > room)
            return false;
        if (part >= NAME_BYTES - 3) {
            out[size++] = '%';
            out[size++] = '/';
            part = 0;
        }
        uint8_t byte = name.data[i];
        if (is_plain(byte, part == 0)) {
            out[size++] = (char)byte;
            continue;
        }
        memcpy(out + size, (char[]){'%', hex[byte >> 4], hex[byte & 15]}, 3);
        size += 3;
        part += 2;
    }
    memcpy(out + size, suffix, strlen(suffix) + 1);
    return true;
}
