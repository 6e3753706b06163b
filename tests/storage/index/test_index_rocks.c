#include "storage/index/index_rocks.h"

#include "base/log.h"
#include "tests/check_main.h"
#include "tests/storage/index/index_bed.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];

static struct index *open_rocks(void)
{
    if (directory[0] == 0) {
        snprintf(directory, sizeof(directory), "/tmp/mailrace-test-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(directory));
        log_set_level(LOG_LEVEL_ERROR - 1);
    }
    return index_rocks_open(directory, false);
}

/* Calls `visit` for every table file of the index. */
static void each_file(const char *suffix, void (*visit)(int folder, const char *name))
{
    char path[128];
    snprintf(path, sizeof(path), "%s/index", directory);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        size_t size = strlen(entry->d_name), end = strlen(suffix);
        if (entry->d_name[0] != '.' && size >= end &&
            memcmp(entry->d_name + size - end, suffix, end) == 0)
            visit(dirfd(folder), entry->d_name);
    }
    closedir(folder);
}

static void remove_one(int folder, const char *name)
{
    ck_assert_int_eq(unlinkat(folder, name, 0), 0);
}

static void remove_rocks(void)
{
    char path[128];
    each_file("", remove_one);
    snprintf(path, sizeof(path), "%s/index", directory);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(rmdir(directory), 0);
    directory[0] = 0;
}

static void flip_data(int folder, const char *name)
{
    struct stat found;
    uint8_t bytes[8]; /* of the first block */
    int file = openat(folder, name, O_RDWR);
    ck_assert(file >= 0 && fstat(file, &found) == 0 && found.st_size > 1000);
    ck_assert_int_eq(pread(file, bytes, sizeof(bytes), 5), sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] ^= 0x5a;
    ck_assert_int_eq(pwrite(file, bytes, sizeof(bytes), 5), sizeof(bytes));
    close(file);
}

static void cut_short(int folder, const char *name)
{
    int file = openat(folder, name, O_RDWR);
    ck_assert(file >= 0 && ftruncate(file, 100) == 0);
    close(file);
}

START_TEST(readers_see_what_was_there)
{
    struct index *writer = open_rocks();
    ck_assert_int_eq(index_bed_run(writer, "a=1"), STATUS_OK);
    struct index *reader = index_rocks_open(directory, true);
    ck_assert_ptr_nonnull(reader);
    ck_assert(reader->read_only);
    ck_assert_int_eq(index_bed_run(writer, "a- b=2"), STATUS_OK);
    ck_assert_str_eq(index_bed_text(reader, ""), "a=1");
    ck_assert_str_eq(index_bed_text(writer, ""), "b=2");
    reader->calls->close(reader);
    ck_assert_ptr_null(index_rocks_open(directory, false)); /* a second writer */
    writer->calls->close(writer);
    remove_rocks();
}
END_TEST

START_TEST(there_is_none_to_read)
{
    struct index *writer = open_rocks();
    writer->calls->close(writer);
    remove_rocks();
    ck_assert_ptr_null(index_rocks_open("/tmp", true));
    ck_assert_ptr_null(index_rocks_open("/nowhere", false));
}
END_TEST

/* It is told, and the next time it is opened it is empty. */
START_TEST(damage_in_a_file)
{
    struct index *index = open_rocks();
    ck_assert_int_eq(index_bed_run(index, "Lmailbox1=1 Lmailbox2=2"), STATUS_OK);
    index->calls->close(index);
    each_file(".sst", flip_data);
    index = open_rocks();
    struct span prefix = SPAN("Lmailbox1");
    bool seen = false;
    ck_assert_int_eq(index->calls->scan(index, prefix, NULL, &seen), STATUS_CORRUPT);
    index->calls->close(index);
    index = open_rocks();
    ck_assert_str_eq(index_bed_text(index, ""), "");
    ck_assert_int_eq(index_bed_run(index, "a=1"), STATUS_OK);
    index->calls->close(index);
    index = open_rocks();
    ck_assert_str_eq(index_bed_text(index, ""), "a=1");
    index->calls->close(index);
    remove_rocks();
}
END_TEST

START_TEST(damage_that_is_found_at_once)
{
    static const char *const suffixes[] = {".sst", "CURRENT"};
    void (*const harms[])(int, const char *) = {cut_short, remove_one};
    for (int i = 0; i < 4; i++) {
        struct index *index = open_rocks();
        ck_assert_int_eq(index_bed_run(index, "Lmailbox1=1 Lmailbox2=2"), STATUS_OK);
        index->calls->close(index);
        each_file(suffixes[i % 2], harms[i / 2]);
        index = open_rocks();
        ck_assert_ptr_nonnull(index);
        ck_assert_str_eq(index_bed_text(index, ""), "");
        index->calls->close(index);
    }
    remove_rocks();
}
END_TEST

Suite *test_suite(void)
{
    static const struct index_bed bed = {.open = open_rocks, .remove = remove_rocks, .lasts = true};
    Suite *suite = suite_create("index_rocks");
    TCase *contract = tcase_create("contract"), *more = tcase_create("more");
    index_bed_add_tests(contract, &bed);
    tcase_set_timeout(contract, 60);
    tcase_add_test(more, readers_see_what_was_there);
    tcase_add_test(more, there_is_none_to_read);
    tcase_add_test(more, damage_in_a_file);
    tcase_add_test(more, damage_that_is_found_at_once);
    suite_add_tcase(suite, contract);
    suite_add_tcase(suite, more);
    return suite;
}
