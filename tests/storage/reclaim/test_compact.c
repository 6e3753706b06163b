#include "storage/reclaim/compact.h"

#include "storage/identity.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

static const uint8_t store[16] = "0123456789abcdef";
static _Alignas(MEDIUM_BLOCK_BYTES) uint8_t block[MEDIUM_BLOCK_BYTES];

static struct compact_header made(void)
{
    struct compact_header header = {.generation = 2};
    header.segment = segment_header_make(store, segment_name(1, 7), 99, STORE_FORMAT_COMPACT);
    compact_header_lay_out(&header, 1000, 3, 5000);
    return header;
}

START_TEST(parts_lie_behind_one_another)
{
    struct compact_header header = made();
    ck_assert_uint_eq(header.front, 4096);
    ck_assert_uint_eq(header.records, 8192);
    ck_assert_uint_eq(header.back, 8192 + 8192);
    ck_assert_uint_eq(header.bytes, header.back + 4096 + 4096);
    compact_header_lay_out(&header, 4096 - 16, 3, 0);
    ck_assert_uint_eq(header.records, 4096 + 8192);
    ck_assert_uint_eq(header.back, header.records);
}
END_TEST

START_TEST(headers_are_checked)
{
    struct compact_header header = made(), read;
    uint64_t epoch;
    compact_header_seal(block, &header);
    ck_assert(compact_header_check(block, store, segment_name(1, 7), header.bytes, &read));
    ck_assert_mem_eq(&read, &header, sizeof(read));
    ck_assert_int_eq(segment_header_check(block, store, segment_name(1, 7), &epoch),
                     SEGMENT_COMPACT);
    ck_assert_uint_eq(epoch, 99);
    ck_assert(!compact_header_check(block, store, segment_name(1, 8), header.bytes, &read));
    ck_assert(!compact_header_check(block, store, segment_name(1, 7), header.bytes + 4096, &read));
    for (size_t i = 0; i < sizeof(header); i++) {
        block[i] ^= 4;
        ck_assert(!compact_header_check(block, store, segment_name(1, 7), header.bytes, &read));
        block[i] ^= 4;
    }
}
END_TEST

START_TEST(slots_are_found)
{
    const struct compact_place map[] = {{10, 1024}, {20, 1030}, {90, 1050}};
    struct compact_header header = made();
    ck_assert_uint_eq(compact_find(map, 3, 10)->offset, 1024);
    ck_assert_uint_eq(compact_find(map, 3, 90)->offset, 1050);
    ck_assert_ptr_null(compact_find(map, 3, 9));
    ck_assert_ptr_null(compact_find(map, 3, 21));
    ck_assert_ptr_null(compact_find(map, 3, 91));
    ck_assert_ptr_null(compact_find(map, 0, 10));
    struct compact_place other[] = {{10, 1024}, {20, 1030}, {90, 1051}};
    ck_assert_uint_ne(compact_map_checksum(&header, map), compact_map_checksum(&header, other));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("compact");
    TCase *tcase = tcase_create("compact");
    tcase_add_test(tcase, parts_lie_behind_one_another);
    tcase_add_test(tcase, headers_are_checked);
    tcase_add_test(tcase, slots_are_found);
    suite_add_tcase(suite, tcase);
    return suite;
}
