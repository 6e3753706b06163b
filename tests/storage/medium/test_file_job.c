#include "storage/medium/file_job.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static struct medium_bed bed;
static struct file_jobs jobs;
static int root;
static _Alignas(4096) const uint8_t block[4096] = {1};
static char trace[256]; /* one letter for each operation, in the order of submitting */

static void ground_on_disk(void)
{
    medium_ground_open(BED_DISK);
}

static void ground_on_shm(void)
{
    medium_ground_open(BED_SHM);
}

static void open_jobs(void)
{
    medium_bed_open_file(&bed);
    root = open(bed.directory, O_RDONLY | O_DIRECTORY);
    ck_assert_int_ge(root, 0);
    ck_assert_int_eq(file_jobs_init(&jobs, &bed.ring, root, medium_file_is_direct(bed.medium)),
                     STATUS_OK);
    ring_turn(&bed.ring, 0); /* its own first operation is none of ours */
}

static void close_jobs(void)
{
    file_jobs_deinit(&jobs);
    close(root);
    medium_bed_close(&bed);
}

static char letter(uint8_t opcode)
{
    static const struct {
        uint8_t opcode;
        char letter;
    } letters[] = {
        {IORING_OP_MKDIRAT, 'm'},  {IORING_OP_FSYNC, 's'},     {IORING_OP_OPENAT, 'o'},
        {IORING_OP_UNLINKAT, 'u'}, {IORING_OP_FALLOCATE, 'f'}, {IORING_OP_WRITE, 'w'},
        {IORING_OP_RENAMEAT, 'r'}, {IORING_OP_CLOSE, 'c'},     {IORING_OP_LINKAT, 'l'},
    };
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        if (letters[i].opcode == opcode)
            return letters[i].letter;
    return '?';
}

/* Runs until nothing is under way; writes down what was submitted. */
static void run(void)
{
    size_t size = 0;
    while (jobs.started != jobs.ended) {
        const struct io_uring_sq *queue = &bed.ring.uring.sq;
        for (unsigned i = queue->sqe_head; i != queue->sqe_tail; i++) {
            ck_assert_uint_lt(size, sizeof trace - 1);
            trace[size++] = letter(queue->sqes[i & queue->ring_mask].opcode);
        }
        ring_turn(&bed.ring, UINT64_MAX);
    }
    trace[size] = '\0';
}

static int64_t change(enum file_change change, struct medium_name name, const void *bytes,
                      uint64_t size)
{
    struct counted_op op = COUNTED_OP;
    file_jobs_start(&jobs, change, name, bytes, size, &op.op);
    ck_assert_uint_eq(op.ended, 0);
    run();
    ck_assert_uint_eq(op.ended, 1);
    return op.op.result;
}

/* The order of operations is the durability of a change: no sync may be missing, none be early. */
START_TEST(every_step_is_taken_in_order)
{
    const struct {
        enum file_change change;
        struct medium_name name;
        uint64_t size;
        const char *direct, *buffered;
    } cases[] = {
        {FILE_PUBLISH, store_name(), 5, "ouowsrscc", "ouowsrscc"},
        {FILE_PUBLISH, store_name(), 0, "ouosrscc", "ouosrscc"},
        {FILE_PREPARE, spare_name(0), 2u << 20, "msouoffwwsscc", "msouoffsscc"},
        {FILE_PREPARE, spare_name(0), 4096, "ouofwsscc", "ouofsscc"},
        {FILE_ADOPT, segment_name(0, 1), 0, "orsc", "orsc"},
        {FILE_BEGIN_REWRITE, {.kind = MEDIUM_REWRITE}, 4096, "ouofscc", "ouofscc"},
        {FILE_RETIRE, segment_name(0, 1), 0, "ooulrscc", "ooulrscc"},
        {FILE_RECYCLE, spare_name(0), 4096, "oowsrscc", "oowsrscc"},
        {FILE_REMOVE, segment_name(0, 1), 0, "ousc", "ousc"},
        {FILE_PUBLISH, hint_name(0, 1), 5, "ouowsrscc", "ouowsrscc"},
        {FILE_PUBLISH, hint_name(5, 1), 5, "msouowsrscc", "msouowsrscc"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const void *bytes = cases[i].change == FILE_PUBLISH ? "12345" : NULL;
        if (cases[i].change == FILE_RECYCLE)
            bytes = block;
        ck_assert_int_eq(change(cases[i].change, cases[i].name, bytes, cases[i].size), 0);
        bool zeroed_by_device = jobs.direct && jobs.write_zeroes;
        if (!zeroed_by_device)
            ck_assert_str_eq(trace, jobs.direct ? cases[i].direct : cases[i].buffered);
    }
}
END_TEST

START_TEST(failed_change_stops_and_tidies)
{
    ck_assert_int_eq(change(FILE_ADOPT, segment_name(0, 1), NULL, 0), -ENOENT);
    ck_assert_str_eq(trace, "o");
    ck_assert_int_eq(change(FILE_PREPARE, spare_name(0), NULL, 4096), 0);
    ck_assert_int_eq(change(FILE_ADOPT, segment_name(0, 1), NULL, 0), 0);
    ck_assert_int_eq(change(FILE_ADOPT, segment_name(0, 2), NULL, 0), -ENOENT);
    ck_assert_str_eq(trace, "orc");
    ck_assert_int_eq(change(FILE_REMOVE, segment_name(0, 2), NULL, 0), -ENOENT);
    ck_assert_str_eq(trace, "ouc");
    ck_assert_int_eq(close(open(medium_bed_path(&bed, "shard-09"), O_CREAT | O_WRONLY, 0600)), 0);
    ck_assert_int_eq(change(FILE_PUBLISH, hint_name(9, 1), "1", 1), -ENOTDIR);
    ck_assert_str_eq(trace, "mso");
}
END_TEST

static bool exists(const char *name)
{
    return access(medium_bed_path(&bed, name), F_OK) == 0;
}

/* A limit on file sizes stands in for a full disk: it needs no privilege. */
START_TEST(failed_change_leaves_no_file)
{
    const uint8_t bytes[16384] = {1};
    ck_assert_int_eq(change(FILE_PUBLISH, store_name(), "old", 3), 0);
    ck_assert_int_eq(change(FILE_PREPARE, spare_name(0), NULL, 4096), 0);
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8192, RLIM_INFINITY}), 0);
    ck_assert_int_eq(change(FILE_PREPARE, spare_name(0), NULL, sizeof bytes), -EFBIG);
    ck_assert(!exists("shard-00/spare.tmp"));
    ck_assert_int_eq(change(FILE_PUBLISH, store_name(), bytes, sizeof bytes), -EFBIG);
    ck_assert(!exists("STORE.tmp"));
    ck_assert(medium_holds(bed.medium, store_name(), SPAN("old")));
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}), 0);
    ck_assert_int_eq(change(FILE_PREPARE, spare_name(0), NULL, sizeof bytes), 0);
}
END_TEST

/* What an interrupted change left is no obstacle. */
START_TEST(leftovers_are_replaced)
{
    ck_assert_int_eq(change(FILE_PREPARE, spare_name(0), NULL, 4096), 0);
    const char *path = medium_bed_path(&bed, "STORE.tmp");
    ck_assert_int_eq(close(open(path, O_CREAT | O_WRONLY, 0400)), 0);
    ck_assert_int_eq(change(FILE_PUBLISH, store_name(), "new", 3), 0);
    ck_assert(medium_holds(bed.medium, store_name(), SPAN("new")));
    ck_assert_int_eq(change(FILE_PREPARE, spare_name(0), NULL, 8192), 0);
    struct stat about;
    ck_assert_int_eq(stat(medium_bed_path(&bed, "shard-00/spare.tmp"), &about), 0);
    ck_assert_int_eq(about.st_size, 8192);
    ck_assert_int_ge(about.st_blocks * 512, 8192);
    ck_assert_int_eq(about.st_mode & 0777, 0600);
}
END_TEST

static unsigned running(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FILE_JOBS_MAX; i++)
        count += jobs.running[i].op != NULL;
    return count;
}

START_TEST(few_run_and_the_others_wait)
{
    enum { CHANGES = 3 * FILE_JOBS_MAX };
    struct counted_op ops[CHANGES];
    unsigned turn = 0;
    for (unsigned i = 0; i < CHANGES; i++) {
        ops[i] = (struct counted_op){.op.done = counted_op_done, .turn = &turn};
        file_jobs_start(&jobs, FILE_PUBLISH, hint_name(0, i + 1), "1", 1, &ops[i].op);
        ck_assert_uint_eq(running(), i < FILE_JOBS_MAX ? i + 1 : FILE_JOBS_MAX);
    }
    run();
    ck_assert_uint_eq(turn, CHANGES);
    ck_assert_uint_eq(running(), 0);
    for (unsigned i = 0; i < CHANGES; i++)
        ck_assert_int_eq(ops[i].op.result, 0);
}
END_TEST

START_TEST(same_name_waits_for_the_one_before)
{
    struct counted_op one = COUNTED_OP, two = COUNTED_OP, other = COUNTED_OP;
    file_jobs_start(&jobs, FILE_PREPARE, spare_name(0), NULL, 4096, &one.op);
    file_jobs_start(&jobs, FILE_PUBLISH, hint_name(0, 1), "1", 1, &other.op);
    ck_assert_uint_eq(running(), 2);
    file_jobs_start(&jobs, FILE_ADOPT, segment_name(0, 1), NULL, 0, &two.op);
    ck_assert_uint_eq(running(), 2);
    run();
    ck_assert_int_eq(one.op.result, 0);
    ck_assert_int_eq(two.op.result, 0);
    ck_assert_int_eq(other.op.result, 0);
}
END_TEST

static TCase *on(const char *kind, void (*ground)(void))
{
    TCase *tcase = tcase_create(kind);
    tcase_add_unchecked_fixture(tcase, ground, medium_ground_close);
    tcase_add_checked_fixture(tcase, open_jobs, close_jobs);
    tcase_add_test(tcase, every_step_is_taken_in_order);
    tcase_add_test(tcase, failed_change_stops_and_tidies);
    tcase_add_test(tcase, failed_change_leaves_no_file);
    tcase_add_test(tcase, leftovers_are_replaced);
    tcase_add_test(tcase, few_run_and_the_others_wait);
    tcase_add_test(tcase, same_name_waits_for_the_one_before);
    return tcase;
}

Suite *test_suite(void)
{
    Suite *suite = suite_create("file_job");
    suite_add_tcase(suite, on("disk", ground_on_disk));
    suite_add_tcase(suite, on("shm", ground_on_shm));
    return suite;
}
