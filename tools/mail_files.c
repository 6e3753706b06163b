#include "tools/mail_files.h"

#include "base/clock.h"
#include "base/span.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static enum status failed(const char *path, struct fault *fault)
{
    return fault_set(fault, status_from_errno(errno), "cannot read %s: %s", path, strerror(errno));
}

/* Takes over `path`. */
static bool add(struct mail_files *files, char *path, const struct stat *about)
{
    if (files->count == files->capacity) {
        size_t capacity = files->capacity ? files->capacity * 2 : 256;
        struct mail_file *grown = realloc(files->files, capacity * sizeof *grown);
        if (grown == NULL) {
            free(path);
            return false;
        }
        files->files = grown;
        files->capacity = capacity;
    }
    uint64_t second = about->st_mtim.tv_sec > 0 ? (uint64_t)about->st_mtim.tv_sec : 0;
    files->files[files->count++] = (struct mail_file){
        .path = path, .written_ns = second * NS_PER_S + (uint64_t)about->st_mtim.tv_nsec};
    return true;
}

static bool is_eml(const char *name)
{
    struct span text = span_text(name);
    return text.size > 4 && span_equal_nocase(span_from(text, text.size - 4), SPAN(".eml"));
}

static enum status no_memory(struct fault *fault)
{
    return fault_set(fault, STATUS_SYSTEM, "no memory for the names of the files");
}

/* What disappears meanwhile was moved or removed by somebody else. */
static enum status add_entry(struct mail_files *files, const char *path, const char *name, bool any,
                             struct fault *fault)
{
    struct stat about;
    char *whole;
    if (name[0] == '.' || (!any && !is_eml(name)))
        return STATUS_OK;
    if (asprintf(&whole, "%s/%s", path, name) < 0)
        return no_memory(fault);
    if (stat(whole, &about) != 0 || !S_ISREG(about.st_mode)) {
        free(whole);
        return STATUS_OK;
    }
    return add(files, whole, &about) ? STATUS_OK : no_memory(fault);
}

/* `any`: whatever its name. */
static enum status list(struct mail_files *files, const char *path, bool any, struct fault *fault)
{
    DIR *folder = opendir(path);
    if (folder == NULL)
        return failed(path, fault);
    struct dirent *entry;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (errno = 0, entry = readdir(folder)) != NULL)
        status = add_entry(files, path, entry->d_name, any, fault);
    if (status == STATUS_OK && errno != 0)
        status = failed(path, fault);
    closedir(folder);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

static int compare(const void *left, const void *right)
{
    const struct mail_file *a = left, *b = right;
    int order = (a->written_ns > b->written_ns) - (a->written_ns < b->written_ns);
    return order != 0 ? order : strcmp(a->path, b->path);
}

enum status mail_files_list(struct mail_files *files, const char *path, struct fault *fault)
{
    static const char *const parts[] = {"cur", "new"};
    struct mail_files listed = {0};
    bool maildir = false;
    enum status status = STATUS_OK;
    for (int i = 0; i < 2 && status == STATUS_OK; i++) {
        char *part;
        if (asprintf(&part, "%s/%s", path, parts[i]) < 0) {
            status = no_memory(fault);
            break;
        }
        bool there = is_folder(part);
        maildir |= there;
        if (there)
            status = list(&listed, part, true, fault);
        free(part);
    }
    if (status == STATUS_OK && !maildir)
        status = list(&listed, path, false, fault);
    if (status == STATUS_OK && !maildir && listed.count == 0)
        status = fault_set(fault, STATUS_ABSENT,
                           "%s: neither a Maildir nor a folder with .eml files", path);
    if (status != STATUS_OK) {
        mail_files_deinit(&listed);
        return status;
    }
    if (listed.count > 0)
        qsort(listed.files, listed.count, sizeof *listed.files, compare);
    *files = listed;
    return STATUS_OK;
}

void mail_files_deinit(struct mail_files *files)
{
    for (size_t i = 0; i < files->count; i++)
        free(files->files[i].path);
    free(files->files);
    *files = (struct mail_files){0};
}
