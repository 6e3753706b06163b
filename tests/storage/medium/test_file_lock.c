#include "storage/medium/file_lock.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 8192
#define FILE_NAME "00000001.seg"

static struct medium_bed bed;
static int root;

static void ground_on_disk(void)
{
    medium_ground_open(BED_DISK);
}

static void open_bed(void)
{
    medium_bed_open_file(&bed);
    root = open(bed.directory, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(root, 0);
    int fd = openat(root, FILE_NAME, O_CREAT | O_EXCL | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, BYTES), 0);
    close(fd);
}

static void close_bed(void)
{
    close(root);
    medium_bed_close(&bed);
}

/* Called once, before the next lock is taken. */
static void (*before_lock)(void);
static int seized; /* what takes the old file then; -1: nobody does */

/* In the C library's place. */
int flock(int fd, int operation)
{
    void (*call)(void) = before_lock;
    before_lock = NULL;
    if (call)
        call();
    return (int)syscall(SYS_flock, fd, operation);
}

static void replace(void)
{
    int fd = openat(root, "new", O_CREAT | O_EXCL | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(renameat(root, FILE_NAME, root, "retired"), 0);
    ck_assert_int_eq(renameat(root, "new", root, FILE_NAME), 0);
    if (seized >= 0)
        ck_assert_int_eq(file_lock_seize(seized, BYTES), 0);
}

static int seize(uint64_t bytes)
{
    int fd = openat(root, FILE_NAME, O_WRONLY);
    int error = file_lock_seize(fd, bytes);
    close(fd);
    return error;
}

START_TEST(a_file_with_readers_is_not_seized)
{
    int one = file_lock_open(root, FILE_NAME), two = file_lock_open(root, FILE_NAME);
    ck_assert_int_ge(one, 0);
    ck_assert_int_ge(two, 0);
    ck_assert_int_eq(seize(BYTES), -EBUSY);
    close(one);
    ck_assert_int_eq(seize(BYTES), -EBUSY);
    close(two);
    ck_assert_int_eq(seize(BYTES), 0);
}
END_TEST

/* As `store verify` beside a server does. */
START_TEST(nor_is_one_that_another_process_reads)
{
    int ready[2], over[2];
    char byte = 1;
    ck_assert_int_eq(pipe(ready) + pipe(over), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = file_lock_open(root, FILE_NAME);
        bool told = fd >= 0 && write(ready[1], &byte, 1) == 1 && read(over[0], &byte, 1) == 1;
        _exit(!told);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(seize(BYTES), -EBUSY);
    ck_assert_int_eq(write(over[1], &byte, 1), 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(seize(BYTES), 0);
}
END_TEST

START_TEST(another_name_or_size_is_not_seized)
{
    ck_assert_int_eq(seize(BYTES - 1), -EINVAL);
    ck_assert_int_eq(linkat(root, FILE_NAME, root, "twin", 0), 0);
    ck_assert_int_eq(seize(BYTES), -EBUSY);
    ck_assert_int_eq(unlinkat(root, "twin", 0), 0);
    ck_assert_int_eq(seize(BYTES), 0);
}
END_TEST

/* A reader that has opened it, and has yet to lock it, meets the end of its first life, and with it
 * (or not) the beginning of its second one: the name leads to the new file. */
START_TEST(who_comes_too_late_looks_again)
{
    seized = _i == 0 ? -1 : openat(root, FILE_NAME, O_WRONLY);
    before_lock = replace;
    int old = openat(root, FILE_NAME, O_RDONLY), fd = file_lock_open(root, FILE_NAME);
    ck_assert_int_ge(fd, 0);
    ck_assert(file_lock_is_named(root, FILE_NAME, fd));
    ck_assert(!file_lock_is_named(root, FILE_NAME, old));
    close(fd);
    close(old);
    close(seized);
}
END_TEST

START_TEST(a_name_is_of_one_file)
{
    int stale = openat(root, FILE_NAME, O_RDONLY), taken = openat(root, FILE_NAME, O_WRONLY);
    ck_assert(file_lock_is_named(root, FILE_NAME, stale));
    ck_assert_int_eq(renameat(root, FILE_NAME, root, "retired"), 0);
    ck_assert(!file_lock_is_named(root, FILE_NAME, stale));
    ck_assert_int_eq(file_lock_open(root, FILE_NAME), -ENOENT);
    ck_assert_int_eq(file_lock_seize(taken, BYTES), 0);
    ck_assert_int_eq(file_lock_open(root, "retired"), -EBUSY);
    close(taken);
    int fd = file_lock_open(root, "retired");
    ck_assert_int_ge(fd, 0);
    close(fd);
    close(stale);
}
END_TEST

START_TEST(one_writer)
{
    struct fault fault = {.text = ""};
    char expected[160];
    int lock, other = -7;
    ck_assert_int_eq(file_lock_store(root, "/the/store", &lock, &fault), STATUS_OK);
    ck_assert_int_eq(file_lock_store(root, "/the/store", &other, &fault), STATUS_BUSY);
    ck_assert_int_eq(other, -7);
    snprintf(expected, sizeof expected, "/the/store is in use by process %d", getpid());
    ck_assert_str_eq(fault.text, expected);
    close(lock);
    ck_assert_int_eq(file_lock_store(root, "/the/store", &other, &fault), STATUS_OK);
    close(other);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("file_lock");
    TCase *tcase = tcase_create("locks");
    tcase_add_unchecked_fixture(tcase, ground_on_disk, medium_ground_close);
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_file_with_readers_is_not_seized);
    tcase_add_test(tcase, nor_is_one_that_another_process_reads);
    tcase_add_test(tcase, another_name_or_size_is_not_seized);
    tcase_add_loop_test(tcase, who_comes_too_late_looks_again, 0, 2);
    tcase_add_test(tcase, a_name_is_of_one_file);
    tcase_add_test(tcase, one_writer);
    suite_add_tcase(suite, tcase);
    return suite;
}
