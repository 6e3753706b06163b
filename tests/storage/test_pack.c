#include "storage/pack.h"

#include "tests/check_main.h"

#define SEED 77u

static _Alignas(8) uint8_t bytes[65536];

/* A chunk of so many bytes at `offset`; returns the offset behind it. */
static uint32_t make(uint32_t offset, uint64_t lsn, uint32_t body)
{
    struct record_header header = {.type = RECORD_CHUNK, .lsn = lsn, .body_bytes = body};
    memset(bytes + offset + RECORD_HEADER_BYTES, (int)lsn, body);
    record_seal(bytes + offset, &header, SEED);
    return offset + (uint32_t)record_size(body);
}

START_TEST(records_of_a_batch)
{
    struct batch_header header = {.first_lsn = 5, .segment = 3, .block = 2, .records = 2};
    struct pack pack;
    struct record record;
    uint32_t slot, second = make(BATCH_HEADER_BYTES, 5, 100);
    header.used = make(second, 6, 30);
    batch_seal(bytes, &header);
    pack_batch(&pack, bytes, &header, SEED);
    ck_assert_uint_eq(pack.segment, 3);
    ck_assert_uint_eq(pack.end_lsn, 7);
    ck_assert(pack_next(&pack, &record, &slot));
    ck_assert_uint_eq(slot, (2 * 4096 + BATCH_HEADER_BYTES) / 8);
    ck_assert(pack_next(&pack, &record, &slot));
    ck_assert_uint_eq(record.header.lsn, 6);
    ck_assert_uint_eq(slot, (2 * 4096 + second) / 8);
    ck_assert(!pack_next(&pack, &record, &slot));
}
END_TEST

/* Under the slots of the original; a damaged one is passed over. */
START_TEST(records_of_a_stretch)
{
    struct compact_place map[3] = {{1000, 512}, {2000, 0}, {3000, 0}};
    uint32_t second = make(0, 1, 50), third = make(second, 2, 60);
    uint32_t end = make(third, 3, 70), slot;
    struct pack pack;
    struct record record;
    map[1].offset = 512 + second / 8;
    map[2].offset = 512 + third / 8;
    bytes[second + RECORD_HEADER_BYTES] ^= 1;
    pack_stretch(&pack, 9, map, 3, span_of(bytes, end), SEED);
    ck_assert(pack_next(&pack, &record, &slot));
    ck_assert_uint_eq(slot, 1000);
    ck_assert(pack_next(&pack, &record, &slot));
    ck_assert_uint_eq(slot, 3000);
    ck_assert_uint_eq(record.header.lsn, 3);
    ck_assert(!pack_next(&pack, &record, &slot));
    pack_stretch(&pack, 9, map, 3, span_of(bytes, third), SEED); /* the last one is cut off */
    ck_assert(pack_next(&pack, &record, &slot));
    ck_assert(!pack_next(&pack, &record, &slot));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pack");
    TCase *tcase = tcase_create("pack");
    tcase_add_test(tcase, records_of_a_batch);
    tcase_add_test(tcase, records_of_a_stretch);
    suite_add_tcase(suite, tcase);
    return suite;
}
