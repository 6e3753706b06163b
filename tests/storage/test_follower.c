/* Logs made by hand, batch by batch: what a follower takes for the log's next word, and when. */
#include "storage/follower.h"

#include "base/clock.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <stdlib.h>

#define SEGMENT_BYTES (64u * 1024)
#define SEED 99
#define LATER (2 * NS_PER_S) /* enough for what must stand still, or be lost */

static const uint8_t store[16] = "the store's name";
static struct medium_bed bed;
static struct follower_window window;
static struct recovered judged;
static struct follower follower;
static uint64_t now_ns;
static const struct medium_calls *plain_calls;
static struct medium_calls calls; /* of the bed's medium, counting syncs */
static uint32_t syncs;
static _Alignas(MEDIUM_BLOCK_BYTES) uint8_t block[MEDIUM_BLOCK_BYTES];

static uint64_t epoch_of(uint32_t number)
{
    return 0x1234567800000000ull + number;
}

static void counted_sync(struct medium *medium, struct medium_object *object, struct medium_op *op)
{
    syncs++;
    plain_calls->sync(medium, object, op);
}

static void open_bed(void)
{
    now_ns = NS_PER_S;
    syncs = 0;
    medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = 3});
    plain_calls = bed.medium->calls;
    calls = *plain_calls;
    calls.sync = counted_sync;
    bed.medium->calls = &calls;
    window = (struct follower_window){.bytes = malloc(SCAN_WINDOW_BYTES)};
    judged = (struct recovered){.end = UINT32_MAX};
    follower = (struct follower){.medium = bed.medium,
                                 .store = store,
                                 .record_seed = SEED,
                                 .window = &window,
                                 .judged = &judged,
                                 .from = 1};
    ck_assert_int_eq(follower_open(&follower), STATUS_OK);
}

static void close_bed(void)
{
    follower_close(&follower);
    free(window.bytes);
    medium_bed_close(&bed);
}

static void write_block(uint32_t number, uint64_t offset)
{
    struct medium_object *object = must_open(bed.medium, segment_name(0, number));
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, sizeof(block), offset),
                     sizeof(block));
    bed.medium->calls->close(bed.medium, object);
}

static void make_segment(uint32_t number)
{
    bed.medium->calls->close(bed.medium, must_make_segment(bed.medium, 0, number, SEGMENT_BYTES));
    segment_header_seal(block, store, segment_name(0, number), epoch_of(number));
    write_block(number, 0);
}

struct made {                /* a batch of one block with one message record, or none */
    uint32_t segment, place; /* its block: 1, 2, … */
    uint64_t sequence, durable_upto, lsn;
    uint32_t previous_crc;
    bool empty;
};

static uint32_t make(const struct made *made)
{
    struct batch_header header = {
        .epoch = epoch_of(made->segment),
        .sequence = made->sequence,
        .durable_upto = made->durable_upto,
        .first_lsn = made->lsn,
        .segment = made->segment,
        .block = made->place,
        .used = BATCH_HEADER_BYTES,
        .previous_crc = made->previous_crc,
    };
    memset(block, 0, sizeof(block));
    if (!made->empty) {
        struct record_header record = {.type = RECORD_MESSAGE, .lsn = made->lsn};
        record_seal(block + BATCH_HEADER_BYTES, &record, SEED);
        header.used += RECORD_HEADER_BYTES;
        header.records = 1;
    }
    uint32_t crc = batch_seal(block, &header);
    write_block(made->segment, made->place * (uint64_t)MEDIUM_BLOCK_BYTES);
    return crc;
}

static enum status next(uint64_t *sequence)
{
    struct pack pack;
    enum status status = follower_next(&follower, now_ns, &pack);
    *sequence = status == STATUS_OK ? pack.batch.header.sequence : 0;
    return status;
}

static void assert_next(uint64_t expected)
{
    uint64_t sequence;
    ck_assert_int_eq(next(&sequence), STATUS_OK);
    ck_assert_uint_eq(sequence, expected);
}

static void assert_none(bool waits)
{
    uint64_t sequence;
    ck_assert_int_eq(next(&sequence), STATUS_AGAIN);
    ck_assert_int_eq(follower.waits, waits);
}

static void assert_lost(void)
{
    uint64_t sequence;
    assert_none(true);
    now_ns += LATER;
    ck_assert_int_eq(next(&sequence), STATUS_CORRUPT);
}

START_TEST(an_empty_log)
{
    assert_none(false);
    make_segment(1);
    assert_none(false);
    now_ns += LATER;
    assert_none(false);
}
END_TEST

START_TEST(a_batch_is_given_when_another_vouches)
{
    make_segment(1);
    uint32_t crc = make(&(struct made){.segment = 1, .place = 1, .sequence = 1, .lsn = 1});
    assert_none(true);
    crc = make(&(struct made){.segment = 1,
                              .place = 2,
                              .sequence = 2,
                              .lsn = 2,
                              .previous_crc = crc}); /* says nothing of the first */
    assert_none(true);
    make(&(struct made){
        .segment = 1, .place = 3, .sequence = 3, .durable_upto = 2, .lsn = 3, .previous_crc = crc});
    assert_next(1);
    assert_next(2);
    assert_none(true);
    ck_assert_uint_eq(syncs, 0);
}
END_TEST

START_TEST(a_batch_is_given_when_it_stands_still)
{
    make_segment(1);
    uint32_t crc = make(&(struct made){.segment = 1, .place = 1, .sequence = 1, .lsn = 1});
    assert_none(true);
    now_ns += FOLLOWER_STILL_NS - 1;
    assert_none(true);
    make(&(struct made){.segment = 1, .place = 2, .sequence = 2, .lsn = 2, .previous_crc = crc});
    now_ns += 1;
    assert_none(true); /* something moved */
    now_ns += FOLLOWER_STILL_NS;
    assert_next(1);
    assert_next(2);
    assert_none(false);
    ck_assert_uint_eq(syncs, 2);
}
END_TEST

START_TEST(a_batch_in_pieces_is_not_given)
{
    make_segment(1);
    make(&(struct made){.segment = 1, .place = 1, .sequence = 1, .lsn = 1});
    uint64_t offset = MEDIUM_BLOCK_BYTES + BATCH_HEADER_BYTES + 20;
    sim_disk_damage(bed.disk, segment_name(0, 1), offset, 1);
    assert_none(true);
    now_ns += FOLLOWER_STILL_NS;
    assert_none(true);
    sim_disk_damage(bed.disk, segment_name(0, 1), offset, 1);
    assert_none(true);
    now_ns += FOLLOWER_STILL_NS;
    assert_next(1);
}
END_TEST

START_TEST(damage_is_for_recovery)
{
    make_segment(1);
    uint32_t crc = make(&(struct made){.segment = 1, .place = 1, .sequence = 1, .lsn = 1});
    make(&(struct made){
        .segment = 1, .place = 2, .sequence = 2, .durable_upto = 1, .lsn = 2, .previous_crc = crc});
    sim_disk_damage(bed.disk, segment_name(0, 1),
                    MEDIUM_BLOCK_BYTES + (_i ? BATCH_HEADER_BYTES + 20 : 30), 1);
    assert_lost();
}
END_TEST

START_TEST(a_stranger_behind_the_end)
{
    make_segment(1);
    make(&(struct made){
        .segment = 1, .place = 1, .sequence = 1, .durable_upto = 1, .lsn = 1, .previous_crc = 7});
    assert_lost();
}
END_TEST

/* The log went on elsewhere; a segment of a former life says nothing. */
START_TEST(a_stranger_in_the_next_segment)
{
    make_segment(1);
    uint32_t crc = make(&(struct made){.segment = 1, .place = 1, .sequence = 1, .lsn = 100});
    make(&(struct made){.segment = 1,
                        .place = 2,
                        .sequence = 2,
                        .durable_upto = 1,
                        .lsn = 101,
                        .previous_crc = crc,
                        .empty = true});
    assert_next(1);
    now_ns += FOLLOWER_STILL_NS;
    assert_none(true);
    now_ns += FOLLOWER_STILL_NS;
    assert_next(2);
    make_segment(2);
    make(&(struct made){.segment = 2, .place = 1, .sequence = 3, .lsn = 50, .previous_crc = 7});
    assert_none(false);
    now_ns += LATER;
    assert_none(false);
    make(&(struct made){.segment = 2, .place = 1, .sequence = 4, .lsn = 200, .previous_crc = 7});
    assert_lost();
}
END_TEST

/* A write failed and was refused: the next segment takes its number over. */
START_TEST(a_batch_that_is_void)
{
    make_segment(1);
    make_segment(2);
    uint32_t crc = make(&(struct made){.segment = 1, .place = 1, .sequence = 1, .lsn = 1});
    make(&(struct made){.segment = 1, .place = 2, .sequence = 2, .lsn = 2, .previous_crc = crc});
    assert_none(true);
    crc = make(&(struct made){.segment = 2,
                              .place = 1,
                              .sequence = 2,
                              .durable_upto = 1,
                              .lsn = 3,
                              .previous_crc = crc,
                              .empty = true});
    make(&(struct made){
        .segment = 2, .place = 2, .sequence = 3, .durable_upto = 2, .lsn = 3, .previous_crc = crc});
    assert_none(true); /* nobody whose chain it is in vouches for the first */
    now_ns += FOLLOWER_STILL_NS;
    assert_next(1);
    struct pack pack;
    uint32_t slot;
    struct record record;
    ck_assert_int_eq(follower_next(&follower, now_ns, &pack), STATUS_OK);
    ck_assert_uint_eq(pack.segment, 2);
    ck_assert(!pack_next(&pack, &record, &slot));
    now_ns += LATER;
    assert_none(true);
    now_ns += LATER;
    assert_next(3);
}
END_TEST

START_TEST(segments_whose_numbers_are_apart)
{
    make_segment(1);
    uint32_t crc = make(&(struct made){.segment = 1, .place = 1, .sequence = 1, .lsn = 1});
    make_segment(4);
    make_segment(7);
    make(&(struct made){
        .segment = 4, .place = 1, .sequence = 2, .durable_upto = 1, .lsn = 2, .previous_crc = crc});
    assert_none(true);
    follower_listed(&follower, 7);
    follower_listed(&follower, 1);
    assert_none(true);
    follower_listed(&follower, 4);
    assert_next(1);
    assert_none(true);
    ck_assert_uint_eq(follower.here.number, 4);
    now_ns += LATER;
    assert_next(2);
}
END_TEST

/* What recovery has read, but nobody vouches for; what is left of former lives in a damaged place.
 */
START_TEST(the_judged_part)
{
    struct recovered_segment segment = {
        .number = 1, .good = true, .epoch = epoch_of(1), .first_lsn = 10, .end_lsn = 31};
    make_segment(1);
    make(&(struct made){.segment = 1, .place = 1, .sequence = 1, .lsn = 10});
    make(&(struct made){.segment = 1, .place = 3, .sequence = 9, .lsn = 5});
    make(&(struct made){.segment = 1, .place = 4, .sequence = 1, .lsn = 12});
    uint32_t crc = make(&(struct made){
        .segment = 1, .place = 5, .sequence = 3, .durable_upto = 2, .lsn = 30, .previous_crc = 7});
    make(&(struct made){.segment = 1, .place = 6, .sequence = 4, .lsn = 40, .previous_crc = 8});
    judged = (struct recovered){.segments = &segment,
                                .count = 1,
                                .sequence = 3,
                                .crc = crc,
                                .end = 0,
                                .end_offset = 6 * MEDIUM_BLOCK_BYTES,
                                .durable_upto = 2 + (uint64_t)_i};
    ck_assert_int_eq(follower_open(&follower), STATUS_OK);
    ck_assert_uint_eq(syncs, 1 - _i);
    assert_next(1);
    assert_next(3);
    assert_lost();
}
END_TEST

Suite *test_suite(void)
{
    static const TTest *const *const tests[] = {
        &an_empty_log,
        &a_batch_is_given_when_another_vouches,
        &a_batch_is_given_when_it_stands_still,
        &a_batch_in_pieces_is_not_given,
        &a_stranger_behind_the_end,
        &a_stranger_in_the_next_segment,
        &a_batch_that_is_void,
        &segments_whose_numbers_are_apart,
    };
    Suite *suite = suite_create("follower");
    TCase *tcase = tcase_create("follower");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, *tests[i]);
    tcase_add_loop_test(tcase, damage_is_for_recovery, 0, 2);
    tcase_add_loop_test(tcase, the_judged_part, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
