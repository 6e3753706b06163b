#include "tools/whole_file.h"

#include "tests/check_main.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/whole-file-XXXXXX");
    ck_assert(mkdtemp(folder) != NULL);
    ck_assert_int_eq(chdir(folder), 0);
}

static unsigned names(void)
{
    unsigned count = 0;
    DIR *directory = opendir(".");
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2;
}

static void teardown(void)
{
    static const char *const mine[] = {"file", "link", "folder/file", "fifo"};
    for (size_t i = 0; i < sizeof mine / sizeof mine[0]; i++)
        unlink(mine[i]);
    rmdir("folder");
    ck_assert_int_eq(names(), 0); /* no temporary file was forgotten */
    ck_assert_int_eq(chdir("/"), 0);
    rmdir(folder);
}

static enum status put(const char *path, const char *text, struct fault *fault)
{
    const struct span parts[] = {span_text(text), SPAN(""), SPAN("\n")};
    return whole_file_write(path, parts, 3, fault);
}

static void check_holds(const char *path, const char *text)
{
    char found[64] = "";
    FILE *file = fopen(path, "r");
    ck_assert(file != NULL);
    ck_assert(fgets(found, sizeof found, file) != NULL);
    fclose(file);
    ck_assert_str_eq(found, text);
}

START_TEST(is_made_and_replaced)
{
    struct fault fault;
    struct stat found;
    umask(027);
    ck_assert_int_eq(whole_file_probe("file", &fault), STATUS_OK);
    ck_assert_uint_eq(names(), 0);
    ck_assert_int_eq(put("file", "one", &fault), STATUS_OK);
    check_holds("file", "one\n");
    ck_assert(stat("file", &found) == 0 && (found.st_mode & 07777) == 0640);
    ck_assert_int_eq(chmod("file", 0604), 0);
    ck_assert_int_eq(whole_file_probe("file", &fault), STATUS_OK);
    check_holds("file", "one\n");
    ck_assert_int_eq(put("file", "two", &fault), STATUS_OK);
    check_holds("file", "two\n");
    ck_assert(stat("file", &found) == 0 && (found.st_mode & 07777) == 0604);
    ck_assert_uint_eq(names(), 1);
}
END_TEST

START_TEST(a_link_stays_one)
{
    struct fault fault;
    struct stat found;
    ck_assert_int_eq(mkdir("folder", 0700), 0);
    ck_assert_int_eq(put("folder/file", "one", &fault), STATUS_OK);
    ck_assert_int_eq(symlink("folder/file", "link"), 0);
    ck_assert_int_eq(put("link", "two", &fault), STATUS_OK);
    check_holds("folder/file", "two\n");
    ck_assert(lstat("link", &found) == 0 && S_ISLNK(found.st_mode));
}
END_TEST

START_TEST(what_is_no_file_is_written_to)
{
    struct fault fault;
    struct stat found;
    char text[8] = "";
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    int fd = open("fifo", O_RDWR | O_NONBLOCK);
    ck_assert_int_eq(whole_file_probe("fifo", &fault), STATUS_OK);
    ck_assert_int_eq(put("fifo", "one", &fault), STATUS_OK);
    ck_assert_int_eq(read(fd, text, sizeof text - 1), 4);
    ck_assert_str_eq(text, "one\n");
    ck_assert(stat("fifo", &found) == 0 && S_ISFIFO(found.st_mode));
    close(fd);
}
END_TEST

static const struct {
    const char *path;
    enum status probed, written;
} refused[] = {
    {"absent/file", STATUS_ABSENT, STATUS_ABSENT},
    {"", STATUS_ABSENT, STATUS_ABSENT},
    {"/", STATUS_USAGE, STATUS_USAGE},
    {"/proc/no\nsuch", STATUS_ABSENT, STATUS_ABSENT},
    {"/dev/full", STATUS_OK, STATUS_FULL},
};

enum { REFUSED = sizeof refused / sizeof refused[0] };

START_TEST(refusals_are_one_line)
{
    struct fault fault = {0};
    ck_assert_int_eq(whole_file_probe(refused[_i].path, &fault), refused[_i].probed);
    ck_assert_int_eq(put(refused[_i].path, "one", &fault), refused[_i].written);
    ck_assert_msg(strncmp(fault.text, "cannot write '", 14) == 0, "%s", fault.text);
    ck_assert(strchr(fault.text, '\n') == NULL);
    ck_assert_uint_eq(names(), 0);
}
END_TEST

START_TEST(standard_output)
{
    struct fault fault;
    int saved = dup(STDOUT_FILENO);
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    ck_assert_int_eq(whole_file_probe("-", &fault), STATUS_OK);
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
    printf("before, ");
    enum status status = put("-", "behind", &fault);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    close(fd);
    ck_assert_int_eq(status, STATUS_OK);
    check_holds("file", "before, behind\n");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("whole_file");
    TCase *tests = tcase_create("whole_file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, is_made_and_replaced);
    tcase_add_test(tests, a_link_stays_one);
    tcase_add_test(tests, what_is_no_file_is_written_to);
    tcase_add_loop_test(tests, refusals_are_one_line, 0, REFUSED);
    tcase_add_test(tests, standard_output);
    suite_add_tcase(suite, tests);
    return suite;
}
