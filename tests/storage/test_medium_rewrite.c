/* A segment's new form takes its place, on three grounds: a disk, tmpfs and the simulation. */
#include "storage/medium.h"

#include "tests/check_main.h"
#include "tests/storage/medium_bed.h"

#include <errno.h>

#define BLOCK MEDIUM_BLOCK_BYTES

static struct medium_bed bed;
static _Alignas(BLOCK) uint8_t old_bytes[4 * BLOCK], new_bytes[2 * BLOCK], out[4 * BLOCK];

static const struct medium_name rewrite_name = {.kind = MEDIUM_REWRITE, .shard = 3};

static void ground_on_disk(void)
{
    medium_ground_open(BED_DISK);
}

static void ground_on_shm(void)
{
    medium_ground_open(BED_SHM);
}

static void open_file(void)
{
    medium_bed_open_file(&bed);
}

static void open_sim(void)
{
    medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = 1, .latency_ns_max = 1000000});
}

static void close_bed(void)
{
    medium_bed_close(&bed);
}

static void close_object(struct medium_object *object)
{
    bed.medium->calls->close(bed.medium, object);
}

static void make_old(void)
{
    memset(old_bytes, 'o', sizeof old_bytes);
    memset(new_bytes, 'n', sizeof new_bytes);
    struct medium_object *segment = must_make_segment(bed.medium, 3, 1, sizeof old_bytes);
    ck_assert_int_eq(medium_write_wait(bed.medium, segment, old_bytes, sizeof old_bytes, 0),
                     sizeof old_bytes);
    close_object(segment);
}

static void make_new(void)
{
    ck_assert_int_eq(medium_begin_rewrite_wait(bed.medium, 3, sizeof new_bytes), 0);
    struct medium_object *rewrite = must_open(bed.medium, rewrite_name);
    ck_assert_uint_eq(bed.medium->calls->size(rewrite), sizeof new_bytes);
    ck_assert_int_eq(medium_write_wait(bed.medium, rewrite, new_bytes, sizeof new_bytes, 0),
                     sizeof new_bytes);
    close_object(rewrite);
}

START_TEST(replacing_is_atomic)
{
    make_old();
    make_new();
    struct medium_object *old = must_open(bed.medium, segment_name(3, 1));
    struct counted_op replace = COUNTED_OP;
    bed.medium->calls->replace(bed.medium, 3, 1, &replace.op);
    ck_assert_uint_eq(replace.ended, 0);
    while (!replace.ended) {
        struct medium_object *now = must_open(bed.medium, segment_name(3, 1));
        uint64_t bytes = bed.medium->calls->size(now);
        ck_assert(bytes == sizeof old_bytes || bytes == sizeof new_bytes);
        close_object(now);
        medium_bed_step(&bed);
    }
    ck_assert_int_eq(replace.op.result, 0);
    ck_assert(medium_holds(bed.medium, segment_name(3, 1), span_of(new_bytes, sizeof new_bytes)));
    ck_assert_int_eq(medium_read_wait(bed.medium, old, out, sizeof out, 0), sizeof old_bytes);
    ck_assert_mem_eq(out, old_bytes, sizeof old_bytes);
    close_object(old);
    ck_assert(!medium_has(bed.medium, rewrite_name));
    ck_assert_uint_eq(medium_list(bed.medium).count, 1);
}
END_TEST

START_TEST(a_rewrite_can_be_begun_anew_or_removed)
{
    make_old();
    make_new();
    ck_assert_int_eq(medium_begin_rewrite_wait(bed.medium, 3, BLOCK), 0);
    struct listing listing = medium_list(bed.medium);
    ck_assert(listing_has(&listing, rewrite_name, BLOCK));
    ck_assert_int_eq(medium_remove_wait(bed.medium, rewrite_name), 0);
    ck_assert(!medium_has(bed.medium, rewrite_name));
    ck_assert(medium_holds(bed.medium, segment_name(3, 1), span_of(old_bytes, sizeof old_bytes)));
}
END_TEST

START_TEST(both_must_be_there)
{
    make_old();
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1), -ENOENT);
    make_new();
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 2), -ENOENT);
    ck_assert(!medium_has(bed.medium, segment_name(3, 2)));
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1), 0);
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1), -ENOENT);
}
END_TEST

/* Changes of the same object take effect in the order in which they were started. */
START_TEST(one_after_the_other)
{
    struct counted_op ops[3] = {COUNTED_OP, COUNTED_OP, COUNTED_OP};
    make_old();
    make_new();
    bed.medium->calls->replace(bed.medium, 3, 1, &ops[0].op);
    bed.medium->calls->begin_rewrite(bed.medium, 3, BLOCK, &ops[1].op);
    bed.medium->calls->remove(bed.medium, segment_name(3, 1), &ops[2].op);
    while (!ops[0].ended || !ops[1].ended || !ops[2].ended)
        medium_bed_step(&bed);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ops[i].op.result, 0);
    struct listing listing = medium_list(bed.medium);
    ck_assert_uint_eq(listing.count, 1);
    ck_assert(listing_has(&listing, rewrite_name, BLOCK));
}
END_TEST

/* The old form or the new one, never a mixture. */
START_TEST(a_crash_while_replacing)
{
    bool seen[2] = {false, false};
    for (uint64_t seed = 1; !seen[0] || !seen[1]; seed++) {
        struct counted_op replace = COUNTED_OP;
        ck_assert_uint_lt(seed, 100);
        medium_bed_close(&bed);
        medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = seed, .latency_ns_max = 1000});
        make_old();
        make_new();
        bed.medium->calls->replace(bed.medium, 3, 1, &replace.op);
        sim_disk_crash(bed.disk);
        struct medium *after = medium_bed_another(&bed);
        bool is_new = medium_holds(after, segment_name(3, 1), span_of(new_bytes, sizeof new_bytes));
        ck_assert(is_new ||
                  medium_holds(after, segment_name(3, 1), span_of(old_bytes, sizeof old_bytes)));
        ck_assert(is_new == !medium_has(after, rewrite_name));
        seen[is_new] = true;
        after->calls->deinit(after);
    }
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*ground)(void), void (*open)(void))
{
    static const TTest *const *const tests[] = {&replacing_is_atomic,
                                                &a_rewrite_can_be_begun_anew_or_removed,
                                                &both_must_be_there, &one_after_the_other};
    TCase *tcase = tcase_create(name);
    if (ground)
        tcase_add_unchecked_fixture(tcase, ground, medium_ground_close);
    tcase_add_checked_fixture(tcase, open, close_bed);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, *tests[i]);
    if (!ground)
        tcase_add_test(tcase, a_crash_while_replacing);
    suite_add_tcase(suite, tcase);
}

Suite *test_suite(void)
{
    Suite *suite = suite_create("medium_rewrite");
    add_case(suite, "disk", ground_on_disk, open_file);
    add_case(suite, "shm", ground_on_shm, open_file);
    add_case(suite, "sim", NULL, open_sim);
    return suite;
}
