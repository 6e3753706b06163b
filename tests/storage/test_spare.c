#include "storage/spare.h"

#include "storage/medium/sim_disk.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

static struct medium_bed bed;
static struct spare spare;
static _Alignas(4096) uint8_t block[4096];

static void open_bed(void)
{
    medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = 1});
    spare = (struct spare){.medium = bed.medium,
                           .block = block,
                           .bytes = 16 * 4096,
                           .seed = 5,
                           .shard = 3,
                           .number = 8};
}

static void close_bed(void)
{
    segment_drop(spare.segment);
    medium_bed_close(&bed);
}

static void turns(int count)
{
    while (count-- > 0) {
        spare_turn(&spare, bed.now_ns);
        medium_bed_step(&bed);
    }
}

static bool exists(uint32_t number)
{
    struct medium_object *object;
    if (bed.medium->calls->open(bed.medium, segment_name(3, number), &object) != STATUS_OK)
        return false;
    bed.medium->calls->close(bed.medium, object);
    return true;
}

START_TEST(it_gets_ready_and_is_taken)
{
    ck_assert_ptr_null(spare_take(&spare));
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    struct segment *segment = spare_take(&spare);
    ck_assert_uint_eq(segment->number, 9);
    uint64_t epoch = segment->epoch;
    uint8_t header[4096];
    ck_assert_int_eq(medium_read_wait(bed.medium, segment->object, header, 4096, 0), 4096);
    ck_assert_int_eq(segment_header_check(header, spare.store, segment_name(3, 9), &epoch),
                     SEGMENT_GOOD);
    ck_assert_uint_eq(epoch, segment->epoch);
    segment_drop(segment);
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    ck_assert_uint_eq(spare.segment->number, 10);
    ck_assert_uint_ne(spare.segment->epoch, epoch);
}
END_TEST

START_TEST(a_full_disk_is_tried_again)
{
    sim_disk_set_capacity(bed.disk, 4096);
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_FAILED);
    ck_assert_int_eq(spare.failure, STATUS_FULL);
    uint64_t started = bed.disk->started;
    bed.now_ns += SPARE_RETRY_NS;
    turns(20);
    ck_assert_int_eq(spare.failure, STATUS_FULL);
    ck_assert_uint_eq(bed.disk->started, started); /* it was asked, not tried */
    sim_disk_set_capacity(bed.disk, 0);
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_FAILED); /* not before its time */
    bed.now_ns += SPARE_RETRY_NS;
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    ck_assert_int_eq(spare.failure, STATUS_OK);
}
END_TEST

/* A sick disk is not filled with beginnings. */
START_TEST(what_can_not_be_begun_goes)
{
    while (spare.state != SPARE_ADOPTING || spare.under_way)
        turns(1);
    ck_assert(exists(9));
    sim_disk_set_errors(bed.disk, 1000000, 0);
    turns(3);
    sim_disk_set_errors(bed.disk, 0, 0);
    ck_assert_int_eq(spare.state, SPARE_FAILED);
    ck_assert_int_eq(spare.failure, STATUS_IO);
    bed.now_ns += SPARE_RETRY_NS;
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    ck_assert(!exists(9));
    ck_assert(exists(10));
}
END_TEST

/* A dead segment, full of what it was. */
static void retire(void)
{
    static _Alignas(4096) uint8_t old[16 * 4096];
    memset(old, 'o', sizeof(old));
    struct medium_object *object = must_make_segment(bed.medium, 3, 1, sizeof(old));
    ck_assert_int_eq(medium_write_wait(bed.medium, object, old, sizeof(old), 0), sizeof(old));
    bed.medium->calls->close(bed.medium, object);
    ck_assert_int_eq(medium_begin_rewrite_wait(bed.medium, 3, 4096), 0);
    spare_retiring(&spare);
    ck_assert_int_eq(medium_replace_wait(bed.medium, 3, 1, true), 0);
}

static uint8_t byte_of(uint32_t number, uint64_t offset)
{
    uint8_t byte;
    struct medium_object *object = must_open(bed.medium, segment_name(3, number));
    ck_assert_int_eq(medium_read_wait(bed.medium, object, &byte, 1, offset), 1);
    bed.medium->calls->close(bed.medium, object);
    return byte;
}

START_TEST(a_dead_one_is_used_again)
{
    retire();
    spare_has_retired(&spare);
    while (spare.state != SPARE_ADOPTING || spare.under_way)
        turns(1);
    uint8_t header[4096];
    uint64_t epoch;
    struct medium_object *object = must_open(bed.medium, segment_name(3, 9));
    ck_assert_int_eq(medium_read_wait(bed.medium, object, header, 4096, 0), 4096);
    ck_assert_int_eq(segment_header_check(header, spare.store, segment_name(3, 9), &epoch),
                     SEGMENT_BLANK);
    bed.medium->calls->close(bed.medium, object);
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    ck_assert_uint_eq(spare.recycled, 1);
    ck_assert_uint_eq(byte_of(9, 4096), 'o');
    ck_assert_uint_ne(spare.segment->epoch & SEGMENT_EPOCH_RECYCLED, 0);
    segment_drop(spare_take(&spare));
    turns(20);
    ck_assert_uint_eq(spare.recycled, 1);
    ck_assert_uint_eq(byte_of(10, 4096), 0);
    ck_assert_uint_eq(spare.segment->epoch & SEGMENT_EPOCH_RECYCLED, 0);
}
END_TEST

/* It may be alive: whether the replacement is durable is not known. */
START_TEST(one_that_may_be_alive_is_not)
{
    retire();
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    ck_assert_uint_eq(spare.recycled, 0);
    spare_close(&spare);
    ck_assert(!medium_has(bed.medium, (struct medium_name){.kind = MEDIUM_RETIRED, .shard = 3}));
}
END_TEST

START_TEST(one_that_is_read_waits_for_the_next_time)
{
    struct medium_name retired = {.kind = MEDIUM_RETIRED, .shard = 3};
    retire();
    spare_has_retired(&spare);
    struct medium_object *reader = must_open(bed.medium, retired);
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    ck_assert_uint_eq(spare.recycled, 0);
    ck_assert_uint_eq(byte_of(9, 4096), 0);
    uint8_t byte;
    ck_assert_int_eq(medium_read_wait(bed.medium, reader, &byte, 1, 0), 1);
    ck_assert_uint_eq(byte, 'o');
    bed.medium->calls->close(bed.medium, reader);
    segment_drop(spare_take(&spare));
    turns(20);
    ck_assert_uint_eq(spare.recycled, 1);
    ck_assert(!medium_has(bed.medium, retired));
}
END_TEST

/* A full disk has room for what is there already. */
START_TEST(a_full_disk_has_the_dead_one)
{
    sim_disk_set_capacity(bed.disk, 4096);
    turns(20);
    ck_assert_int_eq(spare.failure, STATUS_FULL);
    sim_disk_set_capacity(bed.disk, 0);
    retire();
    spare_has_retired(&spare);
    sim_disk_set_capacity(bed.disk, 4096);
    bed.now_ns += SPARE_RETRY_NS;
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    ck_assert_uint_eq(spare.recycled, 1);
}
END_TEST

START_TEST(one_that_was_taken_and_is_no_good)
{
    turns(20);
    segment_drop(spare_take(&spare));
    spare_discard(&spare, 9, STATUS_IO, bed.now_ns);
    ck_assert_int_eq(spare.failure, STATUS_IO);
    bed.now_ns += SPARE_RETRY_NS;
    turns(20);
    ck_assert_int_eq(spare.state, SPARE_READY);
    ck_assert(!exists(9));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("spare");
    TCase *tcase = tcase_create("spare");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, it_gets_ready_and_is_taken);
    tcase_add_test(tcase, a_full_disk_is_tried_again);
    tcase_add_test(tcase, what_can_not_be_begun_goes);
    tcase_add_test(tcase, a_dead_one_is_used_again);
    tcase_add_test(tcase, one_that_may_be_alive_is_not);
    tcase_add_test(tcase, one_that_is_read_waits_for_the_next_time);
    tcase_add_test(tcase, a_full_disk_has_the_dead_one);
    tcase_add_test(tcase, one_that_was_taken_and_is_no_good);
    suite_add_tcase(suite, tcase);
    return suite;
}
