#include "tests/tools/folder.h"

#include "tests/check_main.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

void folder_open(void)
{
    snprintf(folder, sizeof folder, "/tmp/store-tools-XXXXXX");
    ck_assert(mkdtemp(folder) != NULL);
    ck_assert_int_eq(chdir(folder), 0);
}

static int remove_entry(const char *path, const struct stat *about, int type, struct FTW *walk)
{
    (void)about;
    (void)type;
    (void)walk;
    return remove(path);
}

void folder_close(void)
{
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void folder_put(const char *path, struct span text, uint64_t second)
{
    char parent[256];
    const struct timespec times[2] = {{.tv_sec = (time_t)second}, {.tv_sec = (time_t)second}};
    for (const char *slash = path; (slash = strchr(slash, '/')) != NULL; slash++) {
        snprintf(parent, sizeof parent, "%.*s", (int)(slash - path), path);
        mkdir(parent, 0700);
    }
    FILE *file = fopen(path, "w");
    ck_assert_msg(file != NULL, "%s", path);
    ck_assert_uint_eq(fwrite(text.data, 1, text.size, file), text.size);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, path, times, 0), 0);
}

void folder_assert_holds(const char *path, struct span text)
{
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    char *found = malloc(text.size + 1);
    size_t size = fread(found, 1, text.size + 1, file);
    fclose(file);
    ck_assert_msg(span_equal(span_of(found, size), text), "%s: '%.*s'", path, (int)size, found);
    free(found);
}

static unsigned walk(const char *path, char *last, size_t capacity)
{
    unsigned count = 0;
    DIR *directory = opendir(path);
    ck_assert_msg(directory != NULL, "%s", path);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            count++;
            snprintf(last, capacity, "%s/%s", path, entry->d_name);
        }
    closedir(directory);
    return count;
}

unsigned folder_count(const char *path)
{
    char last[512];
    return walk(path, last, sizeof last);
}

const char *folder_only(const char *path)
{
    static char only[512];
    ck_assert_uint_eq(walk(path, only, sizeof only), 1);
    return only;
}
