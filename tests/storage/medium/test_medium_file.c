#include "storage/medium/medium_file.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define BLOCK MEDIUM_BLOCK_BYTES
#define NOBODY 65534

static struct medium_bed bed;
static _Alignas(BLOCK) uint8_t block[BLOCK];

static void ground_on_disk(void)
{
    medium_ground_open(BED_DISK);
}

static void ground_on_shm(void)
{
    medium_ground_open(BED_SHM);
}

static void open_bed(void)
{
    memset(block, 'b', sizeof block);
    medium_bed_open_file(&bed);
}

static void close_bed(void)
{
    medium_bed_close(&bed);
}

static enum status try_open(const char *directory, bool create, struct fault *fault)
{
    struct medium *medium = NULL;
    struct medium_file_options options = {.create = create, .durable = true};
    *fault = (struct fault){.text = ""};
    enum status status = medium_file_open(&medium, &bed.ring, directory, &options, fault);
    if (status == STATUS_OK)
        medium->calls->deinit(medium);
    else
        ck_assert_ptr_null(medium);
    return status;
}

static void write_file(const char *name, const char *text)
{
    int fd = open(medium_bed_path(&bed, name), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* The rest of the test goes without root's privilege, if it had it. */
static void become_nobody(void)
{
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(NOBODY), 0);
}

static void become_ourselves(void)
{
    ck_assert_int_eq(seteuid(getuid()), 0);
}

static void make_directory(const char *name, mode_t mode)
{
    const char *path = medium_bed_path(&bed, name);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(opening_names_what_is_wrong)
{
    static const struct {
        const char *name;
        bool create;
        enum status status;
        const char *reason;
    } cases[] = {
        {"absent", false, STATUS_ABSENT, "cannot open %s: No such file or directory"},
        {"absent/deep", true, STATUS_ABSENT, "cannot create %s: No such file or directory"},
        {"file", false, STATUS_SYSTEM, "cannot open %s: Not a directory"},
        {"file", true, STATUS_SYSTEM, "cannot open %s: Not a directory"},
        {"secret", false, STATUS_DENIED, "cannot open %s: Permission denied"},
        {"secret/deep", true, STATUS_DENIED, "cannot create %s: Permission denied"},
    };
    write_file("file", "");
    make_directory("secret", 0);
    ck_assert_int_eq(chmod(bed.directory, 0755), 0);
    become_nobody();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = medium_bed_path(&bed, cases[i].name);
        struct fault fault;
        char expected[512];
        snprintf(expected, sizeof expected, "%.*s%s%s",
                 (int)(strchr(cases[i].reason, '%') - cases[i].reason), cases[i].reason, path,
                 strchr(cases[i].reason, '%') + 2);
        ck_assert_int_eq(try_open(path, cases[i].create, &fault), cases[i].status);
        ck_assert_str_eq(fault.text, expected);
        ck_assert_int_eq(fault.status, cases[i].status);
    }
    become_ourselves();
}
END_TEST

START_TEST(create_makes_the_directory)
{
    struct fault fault;
    struct stat about;
    ck_assert_int_eq(try_open(medium_bed_path(&bed, "new"), true, &fault), STATUS_OK);
    ck_assert_int_eq(stat(medium_bed_path(&bed, "new"), &about), 0);
    ck_assert(S_ISDIR(about.st_mode) && (about.st_mode & 0777) == 0700);
    ck_assert_int_eq(try_open(medium_bed_path(&bed, "new"), true, &fault), STATUS_OK);
    ck_assert_int_eq(try_open(medium_bed_path(&bed, "new"), false, &fault), STATUS_OK);
}
END_TEST

START_TEST(write_protected_store_can_be_read_only)
{
    struct fault fault = {.text = ""};
    ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), "id", 2), 0);
    ck_assert_int_eq(chmod(bed.directory, 0555), 0);
    ck_assert_int_eq(chmod(medium_bed_path(&bed, "STORE"), 0444), 0);
    become_nobody();
    struct medium *medium = medium_bed_another(&bed);
    ck_assert_int_eq(medium->calls->fence(medium, false, &fault), STATUS_DENIED);
    ck_assert_ptr_nonnull(strstr(fault.text, bed.directory));
    ck_assert_ptr_nonnull(strstr(fault.text, "Permission denied"));
    ck_assert_int_eq(medium->calls->fence(medium, true, &fault), STATUS_OK);
    ck_assert(medium_holds(medium, store_name(), SPAN("id")));
    become_ourselves();
    medium->calls->deinit(medium);
    ck_assert_int_eq(chmod(bed.directory, 0700), 0);
}
END_TEST

START_TEST(busy_names_the_process)
{
    struct fault fault = {.text = ""};
    char expected[128];
    struct medium *other = medium_bed_another(&bed);
    write_file("lock", "4194304999 somebody before us\n");
    ck_assert_int_eq(bed.medium->calls->fence(bed.medium, false, &fault), STATUS_OK);
    ck_assert_int_eq(other->calls->fence(other, false, &fault), STATUS_BUSY);
    snprintf(expected, sizeof expected, "%s is in use by process %d", bed.directory, getpid());
    ck_assert_str_eq(fault.text, expected);
    ck_assert_int_eq(truncate(medium_bed_path(&bed, "lock"), 0), 0);
    ck_assert_int_eq(other->calls->fence(other, false, &fault), STATUS_BUSY);
    snprintf(expected, sizeof expected, "%s is in use by another process", bed.directory);
    ck_assert_str_eq(fault.text, expected);
    other->calls->deinit(other);
}
END_TEST

START_TEST(only_the_writer_sweeps)
{
    struct fault fault = {.text = ""};
    struct medium *reader = medium_bed_another(&bed);
    write_file("STORE.tmp", "half");
    ck_assert_int_eq(reader->calls->fence(reader, true, &fault), STATUS_OK);
    ck_assert_int_eq(access(medium_bed_path(&bed, "STORE.tmp"), F_OK), 0);
    ck_assert_int_eq(bed.medium->calls->fence(bed.medium, false, &fault), STATUS_OK);
    ck_assert_int_eq(access(medium_bed_path(&bed, "STORE.tmp"), F_OK), -1);
    reader->calls->deinit(reader);
}
END_TEST

static bool takes_direct(void)
{
    int fd = open(medium_bed_path(&bed, "probe"), O_CREAT | O_RDWR | O_DIRECT, 0600);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static struct io_uring_sqe *last_queued(void)
{
    const struct io_uring_sq *queue = &bed.ring.uring.sq;
    ck_assert_uint_ne(queue->sqe_head, queue->sqe_tail);
    return &queue->sqes[(queue->sqe_tail - 1) & queue->ring_mask];
}

/* One durable write: with O_DIRECT a single operation, without a write and then a sync. */
START_TEST(write_is_synced)
{
    bool on_disk = strncmp(bed.directory, BED_DISK, strlen(BED_DISK)) == 0;
    bool direct = medium_file_is_direct(bed.medium);
    ck_assert(direct == (on_disk && takes_direct()));
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, BLOCK);
    struct counted_op op = COUNTED_OP;
    medium_write(bed.medium, segment, block, BLOCK, 0, &op.op);
    ck_assert_int_eq(last_queued()->opcode, IORING_OP_WRITE);
    ck_assert_int_eq(last_queued()->rw_flags, direct ? RWF_DSYNC : 0);
    int fd = last_queued()->fd;
    ck_assert(!!(fcntl(fd, F_GETFL) & O_DIRECT) == direct);
    if (!direct) {
        ring_turn(&bed.ring, UINT64_MAX);
        ck_assert_uint_eq(op.ended, 0);
        ck_assert_int_eq(last_queued()->opcode, IORING_OP_FSYNC);
        ck_assert_int_eq(last_queued()->fsync_flags, IORING_FSYNC_DATASYNC);
        ck_assert_int_eq(last_queued()->fd, fd);
    }
    bed.medium->calls->poll(bed.medium, true);
    ck_assert_uint_eq(op.ended, 1);
    ck_assert_int_eq(op.op.result, BLOCK);
    bed.medium->calls->close(bed.medium, segment);
}
END_TEST

/* The kernel may move less than was asked for: here since the queued operation is cut down. */
START_TEST(short_write_goes_on)
{
    static _Alignas(BLOCK) uint8_t bytes[4 * BLOCK];
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, 6 * BLOCK);
    struct counted_op op = COUNTED_OP;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i / 512);
    medium_write(bed.medium, segment, bytes, sizeof bytes, BLOCK, &op.op);
    for (unsigned cut = 1; cut <= 2; cut++) {
        last_queued()->len = cut * BLOCK;
        ring_turn(&bed.ring, UINT64_MAX);
        ck_assert_uint_eq(op.ended, 0);
    }
    bed.medium->calls->poll(bed.medium, true);
    ck_assert_uint_eq(op.ended, 1);
    ck_assert_int_eq(op.op.result, sizeof bytes);
    uint8_t out[6 * BLOCK], expected[6 * BLOCK] = {0};
    memcpy(expected + BLOCK, bytes, sizeof bytes);
    ck_assert_int_eq(medium_read_wait(bed.medium, segment, out, sizeof out, 0), sizeof out);
    ck_assert_mem_eq(out, expected, sizeof out);
    bed.medium->calls->close(bed.medium, segment);
}
END_TEST

START_TEST(write_of_nothing_is_an_error)
{
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, BLOCK);
    struct counted_op op = COUNTED_OP;
    medium_write(bed.medium, segment, block, BLOCK, 0, &op.op);
    last_queued()->len = 0;
    bed.medium->calls->poll(bed.medium, true);
    ck_assert_int_eq(op.op.result, -EIO);
    bed.medium->calls->close(bed.medium, segment);
}
END_TEST

START_TEST(short_read_goes_on_to_the_end)
{
    uint8_t out[BLOCK + 1];
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, BLOCK);
    struct counted_op op = COUNTED_OP;
    ck_assert_int_eq(medium_write_wait(bed.medium, segment, block, BLOCK, 0), BLOCK);
    medium_read(bed.medium, segment, out, sizeof out, 0, &op.op);
    last_queued()->len = 1000;
    ring_turn(&bed.ring, UINT64_MAX);
    ck_assert_uint_eq(op.ended, 0);
    bed.medium->calls->poll(bed.medium, true);
    ck_assert_uint_eq(op.ended, 1);
    ck_assert_int_eq(op.op.result, BLOCK);
    ck_assert_mem_eq(out, block, BLOCK);
    bed.medium->calls->close(bed.medium, segment);
}
END_TEST

START_TEST(undurable_write_is_not_synced)
{
    struct medium_file_options options = {.durable = false};
    struct fault fault = {.text = ""};
    struct medium *medium;
    ck_assert_int_eq(medium_file_open(&medium, &bed.ring, bed.directory, &options, &fault),
                     STATUS_OK);
    struct medium_object *segment = must_make_segment(medium, 0, 1, BLOCK);
    struct counted_op op = COUNTED_OP;
    uint64_t before = bed.ring.submitted;
    medium_write(medium, segment, block, BLOCK, 0, &op.op);
    ck_assert_int_eq(last_queued()->rw_flags, 0);
    while (!op.ended)
        medium->calls->poll(medium, true);
    ck_assert_uint_eq(bed.ring.submitted - before, 1);
    medium->calls->deinit(medium);
    ck_assert(medium_holds(bed.medium, segment_name(0, 1), span_of(block, BLOCK)));
}
END_TEST

/* What is prepared stays out of the page cache, and a read brings in no more than it asks for: no
 * readahead into blocks that are still to be written. */
START_TEST(reads_cache_only_what_they_need)
{
    enum { BLOCKS = 64 };
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, BLOCKS * BLOCK);
    struct counted_op op = COUNTED_OP;
    medium_read(bed.medium, segment, block, BLOCK, 0, &op.op);
    ck_assert_int_eq(last_queued()->opcode, IORING_OP_READ);
    int fd = last_queued()->fd;
    ck_assert_int_eq(fcntl(fd, F_GETFL) & (O_DIRECT | O_ACCMODE), O_RDONLY);
    bed.medium->calls->poll(bed.medium, true);
    ck_assert_int_eq(op.op.result, BLOCK);
    if (medium_file_is_direct(bed.medium)) {
        unsigned char resident[BLOCKS * BLOCK / 4096];
        unsigned count = 0;
        void *map = mmap(NULL, BLOCKS * BLOCK, PROT_READ, MAP_SHARED, fd, 0);
        ck_assert_ptr_ne(map, MAP_FAILED);
        ck_assert_int_eq(mincore(map, BLOCKS * BLOCK, resident), 0);
        for (size_t i = 0; i < sizeof resident; i++)
            count += resident[i] & 1;
        ck_assert_uint_eq(count, 1);
        munmap(map, BLOCKS * BLOCK);
    }
    bed.medium->calls->close(bed.medium, segment);
}
END_TEST

START_TEST(writing_needs_the_name)
{
    struct medium_object *one = must_make_segment(bed.medium, 0, 1, BLOCK);
    struct counted_op op = COUNTED_OP;
    ck_assert_int_eq(medium_remove_wait(bed.medium, segment_name(0, 1)), 0);
    medium_write(bed.medium, one, block, BLOCK, 0, &op.op);
    ck_assert_uint_eq(op.ended, 0);
    bed.medium->calls->poll(bed.medium, true);
    ck_assert_uint_eq(op.ended, 1);
    ck_assert_int_eq(op.op.result, -ENOENT);
    struct medium_object *two = must_make_segment(bed.medium, 0, 1, BLOCK);
    ck_assert_int_eq(medium_write_wait(bed.medium, one, block, BLOCK, 0), -ESTALE);
    ck_assert_int_eq(medium_write_wait(bed.medium, two, block, BLOCK, 0), BLOCK);
    ck_assert_int_eq(medium_remove_wait(bed.medium, segment_name(0, 1)), 0);
    ck_assert_int_eq(medium_write_wait(bed.medium, two, block, BLOCK, 0), -ESTALE);
    bed.medium->calls->close(bed.medium, one);
    bed.medium->calls->close(bed.medium, two);
}
END_TEST

START_TEST(a_folder_or_pipe_is_no_object)
{
    struct medium_object *object;
    ck_assert_int_eq(mkfifo(medium_bed_path(&bed, "STORE"), 0600), 0);
    ck_assert_int_eq(bed.medium->calls->open(bed.medium, store_name(), &object), STATUS_CORRUPT);
    bed.medium->calls->close(bed.medium, must_make_segment(bed.medium, 0, 1, BLOCK));
    ck_assert_int_eq(mkdir(medium_bed_path(&bed, "shard-00/00000001.idx"), 0700), 0);
    ck_assert_int_eq(bed.medium->calls->open(bed.medium, hint_name(0, 1), &object), STATUS_CORRUPT);
}
END_TEST

/* A disk of 4 MiB, when we may mount one. */
START_TEST(full_disk)
{
    static uint8_t large[5u << 20];
    const char *point = medium_bed_path(&bed, "full");
    struct medium *medium;
    struct medium_file_options options = {.durable = true};
    struct fault fault = {.text = ""};
    make_directory("full", 0700);
    if (mount("tmpfs", point, "tmpfs", 0, "size=4m") < 0)
        return;
    ck_assert_int_eq(medium_file_open(&medium, &bed.ring, point, &options, &fault), STATUS_OK);
    ck_assert_int_eq(umount2(point, MNT_DETACH), 0); /* stays as long as it is open */
    ck_assert_int_eq(medium_publish_wait(medium, store_name(), "old", 3), 0);
    uint64_t space = medium->calls->space_left(medium);
    ck_assert_uint_gt(space, 3u << 20);
    ck_assert_int_eq(medium_prepare_wait(medium, 0, sizeof large), -ENOSPC);
    ck_assert(!medium_has(medium, spare_name(0)));
    ck_assert_int_eq(medium_publish_wait(medium, store_name(), large, sizeof large), -ENOSPC);
    ck_assert(medium_holds(medium, store_name(), SPAN("old")));
    ck_assert_uint_eq(medium->calls->space_left(medium), space);
    ck_assert_int_eq(medium_prepare_wait(medium, 0, 3u << 20), 0);
    ck_assert_int_eq(medium_adopt_wait(medium, 0, 1), 0);
    ck_assert_uint_lt(medium->calls->space_left(medium), 1u << 20);
    medium->calls->deinit(medium);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("medium_file");
    static const struct {
        const char *kind;
        void (*ground)(void);
    } grounds[] = {{"disk", ground_on_disk}, {"shm", ground_on_shm}};
    for (size_t i = 0; i < sizeof grounds / sizeof *grounds; i++) {
        TCase *tcase = tcase_create(grounds[i].kind);
        tcase_add_unchecked_fixture(tcase, grounds[i].ground, medium_ground_close);
        tcase_add_checked_fixture(tcase, open_bed, close_bed);
        tcase_add_test(tcase, opening_names_what_is_wrong);
        tcase_add_test(tcase, create_makes_the_directory);
        tcase_add_test(tcase, write_protected_store_can_be_read_only);
        tcase_add_test(tcase, busy_names_the_process);
        tcase_add_test(tcase, only_the_writer_sweeps);
        tcase_add_test(tcase, write_is_synced);
        tcase_add_test(tcase, short_write_goes_on);
        tcase_add_test(tcase, write_of_nothing_is_an_error);
        tcase_add_test(tcase, short_read_goes_on_to_the_end);
        tcase_add_test(tcase, undurable_write_is_not_synced);
        tcase_add_test(tcase, reads_cache_only_what_they_need);
        tcase_add_test(tcase, writing_needs_the_name);
        tcase_add_test(tcase, a_folder_or_pipe_is_no_object);
        tcase_add_test(tcase, full_disk);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}
