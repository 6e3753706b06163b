/* A segment's new form takes its place, on three grounds: a disk, tmpfs and the simulation. */
#include "storage/medium/medium.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

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
    bed.medium->calls->replace(bed.medium, 3, 1, false, &replace.op);
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
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, false), -ENOENT);
    make_new();
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 2, false), -ENOENT);
    ck_assert(!medium_has(bed.medium, segment_name(3, 2)));
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, false), 0);
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, false), -ENOENT);
}
END_TEST

static const struct medium_name retired_name = {.kind = MEDIUM_RETIRED, .shard = 3};

/* Whether it is the old one but for its first block. */
static bool is_recycled(struct medium_name name)
{
    uint8_t expected[sizeof old_bytes];
    memcpy(expected, old_bytes, sizeof expected);
    memcpy(expected, new_bytes, BLOCK);
    return medium_holds(bed.medium, name, span_of(expected, sizeof expected));
}

START_TEST(what_is_replaced_is_used_again)
{
    make_old();
    make_new();
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, true), 0);
    ck_assert(medium_holds(bed.medium, segment_name(3, 1), span_of(new_bytes, sizeof new_bytes)));
    ck_assert(medium_holds(bed.medium, retired_name, span_of(old_bytes, sizeof old_bytes)));
    ck_assert_int_eq(medium_recycle_wait(bed.medium, 3, new_bytes, BLOCK), -EINVAL);
    ck_assert_int_eq(medium_recycle_wait(bed.medium, 2, new_bytes, sizeof old_bytes), -ENOENT);
    ck_assert_int_eq(medium_prepare_wait(bed.medium, 3, BLOCK), 0); /* in its place */
    ck_assert_int_eq(medium_recycle_wait(bed.medium, 3, new_bytes, sizeof old_bytes), 0);
    ck_assert(!medium_has(bed.medium, retired_name));
    ck_assert(is_recycled((struct medium_name){.kind = MEDIUM_SPARE, .shard = 3}));
    ck_assert_int_eq(medium_adopt_wait(bed.medium, 3, 2), 0);
    ck_assert(is_recycled(segment_name(3, 2)));
    ck_assert_uint_eq(medium_list(bed.medium).count, 2);
}
END_TEST

/* Whoever has it open reads what it was, from whatever medium. */
START_TEST(nothing_is_used_again_under_a_reader)
{
    make_old();
    make_new();
    struct medium *other = medium_bed_another(&bed);
    struct medium_object *reader = must_open(other, segment_name(3, 1));
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, true), 0);
    ck_assert_int_eq(medium_recycle_wait(bed.medium, 3, new_bytes, sizeof old_bytes), -EBUSY);
    ck_assert_int_eq(medium_read_wait(other, reader, out, sizeof out, 0), sizeof old_bytes);
    ck_assert_mem_eq(out, old_bytes, sizeof old_bytes);
    other->calls->close(other, reader);
    ck_assert_int_eq(medium_recycle_wait(bed.medium, 3, new_bytes, sizeof old_bytes), 0);
    other->calls->deinit(other);
}
END_TEST

START_TEST(one_is_retired_at_a_time)
{
    struct counted_op ops[3] = {COUNTED_OP, COUNTED_OP, COUNTED_OP};
    make_old();
    make_new();
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, true), 0);
    make_new();
    bed.medium->calls->recycle(bed.medium, 3, new_bytes, sizeof old_bytes, &ops[0].op);
    bed.medium->calls->replace(bed.medium, 3, 1, true, &ops[1].op);
    bed.medium->calls->recycle(bed.medium, 3, new_bytes, sizeof new_bytes, &ops[2].op);
    while (!ops[0].ended || !ops[1].ended || !ops[2].ended)
        medium_bed_step(&bed);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(ops[i].op.result, 0);
    make_new();
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, true), 0);
    make_new();
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, true), 0);
    struct listing listing = medium_list(bed.medium);
    ck_assert_uint_eq(listing.count, 3); /* the segment, the spare, the last one retired */
    ck_assert(listing_has(&listing, retired_name, sizeof new_bytes));
}
END_TEST

/* Changes of the same object take effect in the order in which they were started. */
START_TEST(one_after_the_other)
{
    struct counted_op ops[3] = {COUNTED_OP, COUNTED_OP, COUNTED_OP};
    make_old();
    make_new();
    bed.medium->calls->replace(bed.medium, 3, 1, false, &ops[0].op);
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
        bed.medium->calls->replace(bed.medium, 3, 1, false, &replace.op);
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

/* What was recycled has its new first block, or is not the spare yet. */
START_TEST(a_crash_while_recycling)
{
    const struct medium_name spare = {.kind = MEDIUM_SPARE, .shard = 3};
    unsigned named = 0, torn = 0, untouched = 0;
    for (uint64_t seed = 1; seed < 200; seed++) {
        struct counted_op op = COUNTED_OP;
        medium_bed_close(&bed);
        medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = seed, .latency_ns_max = 1000});
        make_old();
        make_new();
        ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, true), 0);
        bed.medium->calls->recycle(bed.medium, 3, new_bytes, sizeof old_bytes, &op.op);
        sim_disk_crash(bed.disk);
        bed.medium->calls->deinit(bed.medium);
        bed.medium = medium_bed_another(&bed);
        bool has = medium_has(bed.medium, spare);
        ck_assert(has != medium_has(bed.medium, retired_name));
        ck_assert(!has || is_recycled(spare));
        bool old =
            !has && medium_holds(bed.medium, retired_name, span_of(old_bytes, sizeof old_bytes));
        named += has;
        untouched += old;
        torn += !has && !old;
    }
    ck_assert_uint_gt(named, 20);
    ck_assert_uint_gt(untouched, 20);
    ck_assert_uint_gt(torn, 20);
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*ground)(void), void (*open)(void))
{
    static const TTest *const *const tests[] = {&replacing_is_atomic,
                                                &a_rewrite_can_be_begun_anew_or_removed,
                                                &both_must_be_there,
                                                &what_is_replaced_is_used_again,
                                                &nothing_is_used_again_under_a_reader,
                                                &one_is_retired_at_a_time,
                                                &one_after_the_other};
    TCase *tcase = tcase_create(name);
    if (ground)
        tcase_add_unchecked_fixture(tcase, ground, medium_ground_close);
    tcase_add_checked_fixture(tcase, open, close_bed);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, *tests[i]);
    if (!ground)
        tcase_add_test(tcase, a_crash_while_replacing);
    if (!ground)
        tcase_add_test(tcase, a_crash_while_recycling);
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
