#include "storage/medium/file_directory.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static struct medium_bed bed;
static int root;

static void ground(void)
{
    medium_ground_open(BED_SHM);
}

static void open_bed(void)
{
    medium_bed_open_file(&bed);
    root = open(bed.directory, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(root, 0);
}

static void close_bed(void)
{
    close(root);
    medium_bed_close(&bed);
}

/* A path that ends in a slash is a directory. */
static void make(const char *name)
{
    const char *path = medium_bed_path(&bed, name);
    int fd = -1;
    if (name[strlen(name) - 1] == '/')
        ck_assert_int_eq(mkdir(path, 0700), 0);
    else
        ck_assert_int_ge(fd = open(path, O_CREAT | O_WRONLY | O_EXCL, 0600), 0);
    if (fd >= 0)
        close(fd);
}

static bool exists(const char *name)
{
    return access(medium_bed_path(&bed, name), F_OK) == 0;
}

static void count(void *context, struct medium_name name, uint64_t bytes)
{
    (void)name;
    (void)bytes;
    ++*(unsigned *)context;
}

static unsigned list(void)
{
    unsigned seen = 0;
    struct fault fault = {.text = ""};
    enum status status = file_directory_list(root, bed.directory, count, &seen, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
    return seen;
}

START_TEST(foreign_entries_are_left_alone)
{
    static const char *const foreign[] = {
        "lock",
        "notes",
        "lost+found/",
        "index/",
        "shard-1/",
        "shard-1/a.seg",
        "shard-007",
        "00000001.seg",
        "spare.tmp",
        "STORE.tmp",
        "shard-03/",
        "shard-04",
        "shard-03/x",
        "shard-03/STORE",
        "shard-03/00000009.seg/",
        "shard-03/00000001.idx.tmp",
    };
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        make(foreign[i]);
    ck_assert_uint_eq(list(), 0);
    make("STORE");
    make("shard-03/00000001.seg");
    make("shard-03/spare.tmp");
    ck_assert_uint_eq(list(), 3);
}
END_TEST

START_TEST(sweep_takes_leftovers_only)
{
    static const struct {
        const char *name;
        bool stays;
    } files[] = {
        {"STORE", true},
        {"STORE.tmp", false},
        {"notes.tmp", true},
        {"00000001.idx.tmp", true},
        {"shard-00/", true},
        {"shard-00/00000001.seg", true},
        {"shard-00/00000001.idx", true},
        {"shard-00/00000002.idx.tmp", false},
        {"shard-00/spare.tmp", true},
        {"shard-00/STORE.tmp", true},
    };
    struct fault fault = {.text = ""};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        make(files[i].name);
    ck_assert_int_eq(file_directory_sweep(root, bed.directory, &fault), STATUS_OK);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        ck_assert_msg(exists(files[i].name) == files[i].stays, "%s", files[i].name);
}
END_TEST

START_TEST(unreadable_shard_is_named)
{
    struct fault fault = {.text = ""};
    unsigned seen = 0;
    make("shard-07/");
    ck_assert_int_eq(chmod(medium_bed_path(&bed, "shard-07"), 0), 0);
    ck_assert_int_eq(chmod(bed.directory, 0755), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(file_directory_list(root, "/the/store", count, &seen, &fault), STATUS_DENIED);
    ck_assert_str_eq(fault.text, "cannot read /the/store/shard-07: Permission denied");
    if (getuid() == 0)
        ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(medium_bed_path(&bed, "shard-07"), 0700), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("file_directory");
    TCase *tcase = tcase_create("walks");
    tcase_add_unchecked_fixture(tcase, ground, medium_ground_close);
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, foreign_entries_are_left_alone);
    tcase_add_test(tcase, sweep_takes_leftovers_only);
    tcase_add_test(tcase, unreadable_shard_is_named);
    suite_add_tcase(suite, tcase);
    return suite;
}
