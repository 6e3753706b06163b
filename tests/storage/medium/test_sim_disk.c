/* What a crash and a failing disk may leave, and that all of it does come up. */
#include "storage/medium/sim_disk.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <errno.h>

#define BLOCK MEDIUM_BLOCK_BYTES
#define SECTORS (4 * BLOCK / SIM_SECTOR_BYTES) /* of the write that is torn */
#define SEEDS 200

static struct medium_bed bed;
static _Alignas(BLOCK) uint8_t fresh[4 * BLOCK], old[4 * BLOCK];

static void open_bed(uint64_t seed)
{
    memset(fresh, 'n', sizeof fresh);
    memset(old, 'o', sizeof old);
    medium_bed_open_sim(&bed, &(struct sim_disk_options){
                                  .seed = seed, .latency_ns_min = 1000, .latency_ns_max = 2000000});
}

static void crash_and_reopen(void)
{
    sim_disk_crash(bed.disk);
    bed.medium->calls->deinit(bed.medium);
    bed.medium = medium_bed_another(&bed);
}

/* What a write of `fresh` over `old` left: how many sectors are new. All others must be old. */
static unsigned new_sectors(struct medium_name name)
{
    uint8_t bytes[sizeof fresh];
    unsigned count = 0;
    struct medium_object *object = must_open(bed.medium, name);
    ck_assert_int_eq(medium_read_wait(bed.medium, object, bytes, sizeof bytes, BLOCK),
                     sizeof bytes);
    for (size_t at = 0; at < sizeof bytes; at += SIM_SECTOR_BYTES) {
        bool is_new = memcmp(bytes + at, fresh, SIM_SECTOR_BYTES) == 0;
        ck_assert(is_new || memcmp(bytes + at, old, SIM_SECTOR_BYTES) == 0);
        count += is_new;
    }
    bed.medium->calls->close(bed.medium, object);
    return count;
}

/* Adds what was seen to the sorts of outcome: none, some, all. */
static void sort_outcome(unsigned outcomes[3], unsigned sectors)
{
    outcomes[sectors == 0 ? 0 : sectors < SECTORS ? 1 : 2]++;
}

START_TEST(crash_tears_writes_by_sectors)
{
    unsigned outcomes[3] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        open_bed(seed);
        struct counted_op op = COUNTED_OP;
        struct medium_object *segment = must_make_segment(bed.medium, 0, 1, 8 * BLOCK);
        medium_write_wait(bed.medium, segment, old, sizeof old, BLOCK);
        medium_write(bed.medium, segment, fresh, sizeof fresh, BLOCK, &op.op);
        crash_and_reopen();
        ck_assert_uint_eq(op.ended, 0);
        sort_outcome(outcomes, new_sectors(segment_name(0, 1)));
        medium_bed_close(&bed);
    }
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_gt(outcomes[i], SEEDS / 20);
}
END_TEST

START_TEST(failed_writes_land_in_part)
{
    unsigned outcomes[3] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        open_bed(seed);
        struct medium_object *segment = must_make_segment(bed.medium, 0, 1, 8 * BLOCK);
        medium_write_wait(bed.medium, segment, old, sizeof old, BLOCK);
        sim_disk_set_errors(bed.disk, 1000000, 0);
        ck_assert_int_eq(medium_write_wait(bed.medium, segment, fresh, sizeof fresh, BLOCK), -EIO);
        sort_outcome(outcomes, new_sectors(segment_name(0, 1)));
        medium_bed_close(&bed);
    }
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_gt(outcomes[i], SEEDS / 20);
}
END_TEST

/* Nothing of a write under way, or any part of it, as with a page cache. */
START_TEST(reads_may_see_writes_under_way)
{
    unsigned outcomes[3] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        open_bed(seed);
        struct counted_op op = COUNTED_OP;
        struct medium_object *segment = must_make_segment(bed.medium, 0, 1, 8 * BLOCK);
        medium_write_wait(bed.medium, segment, old, sizeof old, BLOCK);
        bed.now_ns += 1000000; /* so that the read, though later, may be the first to end */
        medium_write(bed.medium, segment, fresh, sizeof fresh, BLOCK, &op.op);
        uint8_t bytes[BLOCK + 100];
        struct counted_op read = COUNTED_OP;
        medium_read(bed.medium, segment, bytes, sizeof bytes, 2 * BLOCK - 50, &read.op);
        while (!read.ended)
            bed.medium->calls->poll(bed.medium, true);
        size_t known = 0;
        for (size_t i = 0; i < sizeof bytes; i++)
            known += bytes[i] == 'n' || bytes[i] == 'o';
        ck_assert_uint_eq(known, sizeof bytes);
        bool has_new = memchr(bytes, 'n', sizeof bytes), has_old = memchr(bytes, 'o', sizeof bytes);
        if (!op.ended)
            outcomes[has_new && has_old ? 1 : has_new ? 2 : 0]++;
        medium_bed_close(&bed);
    }
    ck_assert_uint_gt(outcomes[0], SEEDS / 20);
    ck_assert_uint_gt(outcomes[1], SEEDS / 40);
}
END_TEST

/* What the changes below leave: their effect entire, or nothing of it. */
static bool published(void)
{
    bool old_one = medium_holds(bed.medium, store_name(), SPAN("old"));
    ck_assert(old_one || medium_holds(bed.medium, store_name(), SPAN("newer")));
    return !old_one;
}

static bool adopted(void)
{
    bool has = medium_has(bed.medium, segment_name(1, 1));
    ck_assert(has != medium_has(bed.medium, spare_name(1)));
    return has;
}

static bool removed(void)
{
    return !medium_has(bed.medium, hint_name(1, 1));
}

static void start_publish(struct medium_op *op)
{
    bed.medium->calls->publish(bed.medium, store_name(), "newer", 5, op);
}

static void start_adopt(struct medium_op *op)
{
    bed.medium->calls->adopt(bed.medium, 1, 1, op);
}

static void start_remove(struct medium_op *op)
{
    bed.medium->calls->remove(bed.medium, hint_name(1, 1), op);
}

static const struct {
    void (*start)(struct medium_op *op);
    bool (*happened)(void);
} changes[] = {{start_publish, published}, {start_adopt, adopted}, {start_remove, removed}};

START_TEST(changes_happen_or_not)
{
    unsigned crashed[2] = {0}, failed[2] = {0};
    for (uint64_t seed = 0; seed < 2 * SEEDS; seed++) {
        struct counted_op op = COUNTED_OP;
        open_bed(seed / 2);
        ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), "old", 3), 0);
        ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(1, 1), "x", 1), 0);
        ck_assert_int_eq(medium_prepare_wait(bed.medium, 1, BLOCK), 0);
        sim_disk_set_errors(bed.disk, seed % 2 ? 1000000 : 0, 0);
        changes[_i].start(&op.op);
        if (seed % 2) {
            bed.medium->calls->poll(bed.medium, true);
            ck_assert_int_eq(op.op.result, -EIO);
            failed[changes[_i].happened()]++;
        } else {
            crash_and_reopen();
            ck_assert_uint_eq(op.ended, 0);
            crashed[changes[_i].happened()]++;
        }
        medium_bed_close(&bed);
    }
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_uint_gt(crashed[i], SEEDS / 4);
        ck_assert_uint_gt(failed[i], SEEDS / 4);
    }
}
END_TEST

/* The spare that a crash leaves when it is being made anew, of a segment's old extents. */
START_TEST(crash_leaves_any_spare)
{
    enum { NONE, UNTOUCHED, ZEROES, OLD_CONTENTS, TOO_SHORT, OUTCOMES };
    unsigned outcomes[OUTCOMES] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct counted_op op = COUNTED_OP;
        uint8_t bytes[sizeof old];
        struct medium_object *object;
        open_bed(seed);
        object = must_make_segment(bed.medium, 0, 1, sizeof old);
        medium_write_wait(bed.medium, object, old, sizeof old, 0);
        bed.medium->calls->close(bed.medium, object);
        ck_assert_int_eq(medium_remove_wait(bed.medium, segment_name(0, 1)), 0);
        ck_assert_int_eq(medium_prepare_wait(bed.medium, 0, 2 * sizeof old), 0);
        bed.medium->calls->prepare(bed.medium, 0, sizeof old, &op.op);
        crash_and_reopen();
        if (bed.medium->calls->open(bed.medium, spare_name(0), &object) != STATUS_OK) {
            outcomes[NONE]++;
        } else {
            int64_t size = medium_read_wait(bed.medium, object, bytes, sizeof bytes, 0);
            uint64_t whole = bed.medium->calls->size(object);
            outcomes[UNTOUCHED] += whole == 2 * sizeof old;
            outcomes[TOO_SHORT] += whole < sizeof old;
            outcomes[ZEROES] += whole == sizeof old && bytes[0] == 0 && bytes[size - 1] == 0;
            bool has_old = false;
            for (int64_t at = 0; at < size; at += SIM_SECTOR_BYTES)
                has_old |= memcmp(bytes + at, old, SIM_SECTOR_BYTES) == 0;
            outcomes[OLD_CONTENTS] += has_old;
        }
        medium_bed_close(&bed);
    }
    for (unsigned i = 0; i < OUTCOMES; i++)
        ck_assert_msg(outcomes[i] > 5, "outcome %u: %u times", i, outcomes[i]);
}
END_TEST

/* Several operations under way at once: each has its own fate. */
START_TEST(crash_draws_each_fate_alone)
{
    unsigned states[8] = {0};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct counted_op ops[3] = {COUNTED_OP, COUNTED_OP, COUNTED_OP};
        open_bed(seed);
        ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), "old", 3), 0);
        ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(1, 1), "x", 1), 0);
        ck_assert_int_eq(medium_prepare_wait(bed.medium, 1, BLOCK), 0);
        for (unsigned i = 0; i < 3; i++)
            changes[i].start(&ops[i].op);
        crash_and_reopen();
        states[published() << 2 | adopted() << 1 | removed()]++;
        medium_bed_close(&bed);
    }
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_gt(states[i], 5);
}
END_TEST

START_TEST(space_is_counted)
{
    open_bed(1);
    const struct medium_calls *calls = bed.medium->calls;
    ck_assert_uint_eq(calls->space_left(bed.medium), UINT64_MAX);
    sim_disk_set_capacity(bed.disk, 10 * BLOCK);
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, 4 * BLOCK);
    ck_assert_uint_eq(calls->space_left(bed.medium), 6 * BLOCK);
    ck_assert_int_eq(medium_prepare_wait(bed.medium, 0, 6 * BLOCK), 0);
    ck_assert_uint_eq(calls->space_left(bed.medium), 0);
    ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), old, 1), -ENOSPC);
    ck_assert(!medium_has(bed.medium, store_name()));
    ck_assert_int_eq(medium_prepare_wait(bed.medium, 0, 7 * BLOCK), -ENOSPC);
    ck_assert(!medium_has(bed.medium, spare_name(0)));
    ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), old, 3 * BLOCK), 0);
    /* Replacing needs room for both. */
    ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), old, 3 * BLOCK + 1), -ENOSPC);
    ck_assert(medium_holds(bed.medium, store_name(), span_of(old, 3 * BLOCK)));
    /* A full disk still takes what needs no space. */
    ck_assert_int_eq(medium_write_wait(bed.medium, segment, old, BLOCK, 0), BLOCK);
    ck_assert_int_eq(medium_remove_wait(bed.medium, segment_name(0, 1)), 0);
    ck_assert_uint_eq(calls->space_left(bed.medium), 3 * BLOCK);
    calls->close(bed.medium, segment);
    ck_assert_uint_eq(calls->space_left(bed.medium), 7 * BLOCK);
    sim_disk_set_capacity(bed.disk, BLOCK);
    ck_assert_uint_eq(calls->space_left(bed.medium), 0);
    medium_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sim_disk");
    TCase *tcase = tcase_create("outcomes");
    tcase_add_test(tcase, crash_tears_writes_by_sectors);
    tcase_add_test(tcase, failed_writes_land_in_part);
    tcase_add_test(tcase, reads_may_see_writes_under_way);
    tcase_add_loop_test(tcase, changes_happen_or_not, 0, sizeof changes / sizeof *changes);
    tcase_add_test(tcase, crash_leaves_any_spare);
    tcase_add_test(tcase, crash_draws_each_fate_alone);
    tcase_add_test(tcase, space_is_counted);
    suite_add_tcase(suite, tcase);
    return suite;
}
