#include "storage/segment.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

static const uint8_t store[16] = "0123456789abcdef";
static uint8_t block[MEDIUM_BLOCK_BYTES];

static struct medium_name seven(void)
{
    return segment_name(2, 7);
}

START_TEST(a_header_says_whose_it_is)
{
    uint64_t epoch = 0;
    segment_header_seal(block, store, seven(), 99);
    ck_assert_int_eq(segment_header_check(block, store, seven(), &epoch), SEGMENT_GOOD);
    ck_assert_uint_eq(epoch, 99);
    ck_assert_int_eq(segment_header_check(block, store, segment_name(2, 8), &epoch), SEGMENT_BAD);
    ck_assert_int_eq(segment_header_check(block, store, segment_name(1, 7), &epoch), SEGMENT_BAD);
    const uint8_t other[16] = "0123456789abcdeF";
    ck_assert_int_eq(segment_header_check(block, other, seven(), &epoch), SEGMENT_BAD);
}
END_TEST

/* It is of one number only: what another place held there is no beginning. */
START_TEST(a_blank_one_is_to_be_begun)
{
    uint64_t epoch = 5;
    segment_blank_seal(block, store, seven());
    ck_assert_int_eq(segment_header_check(block, store, seven(), &epoch), SEGMENT_BLANK);
    ck_assert_uint_eq(epoch, 5);
    ck_assert_int_eq(segment_header_check(block, store, segment_name(2, 8), &epoch), SEGMENT_BAD);
    block[13] ^= 1;
    ck_assert_int_eq(segment_header_check(block, store, seven(), &epoch), SEGMENT_BAD);
}
END_TEST

START_TEST(every_flipped_bit_is_seen)
{
    uint64_t epoch;
    segment_header_seal(block, store, seven(), 99);
    for (size_t bit = 0; bit < sizeof(struct segment_header) * 8; bit++) {
        block[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_eq(segment_header_check(block, store, seven(), &epoch), SEGMENT_BAD);
        block[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    memset(block, 0, sizeof(block));
    ck_assert_int_eq(segment_header_check(block, store, seven(), &epoch), SEGMENT_UNBORN);
    block[4095] = 1;
    ck_assert_int_eq(segment_header_check(block, store, seven(), &epoch), SEGMENT_BAD);
}
END_TEST

START_TEST(the_last_user_closes)
{
    static struct medium_bed bed;
    struct segment *segment;
    medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = 1});
    ck_assert_int_eq(segment_open(&segment, bed.medium, seven(), 5), STATUS_ABSENT);
    ck_assert_int_eq(medium_prepare_wait(bed.medium, 2, 8 * MEDIUM_BLOCK_BYTES), 0);
    ck_assert_int_eq(medium_adopt_wait(bed.medium, 2, 7), 0);
    ck_assert_int_eq(segment_open(&segment, bed.medium, seven(), 5), STATUS_OK);
    ck_assert_uint_eq(segment->bytes, 8 * MEDIUM_BLOCK_BYTES);
    ck_assert_ptr_eq(segment_use(segment), segment);
    segment_drop(segment);
    ck_assert_uint_eq(segment->users, 1);
    segment_drop(segment);
    segment_drop(NULL);
    medium_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("segment");
    TCase *tcase = tcase_create("segment");
    tcase_add_test(tcase, a_header_says_whose_it_is);
    tcase_add_test(tcase, a_blank_one_is_to_be_begun);
    tcase_add_test(tcase, every_flipped_bit_is_seen);
    tcase_add_test(tcase, the_last_user_closes);
    suite_add_tcase(suite, tcase);
    return suite;
}
