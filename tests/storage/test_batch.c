#include "storage/batch.h"

#include "tests/check_main.h"

#define SEED 5u
#define RECORDS 4u

static _Alignas(8) uint8_t bytes[8192];
static const struct batch_place place = {.epoch = 11, .offset = 8192, .shard = 1, .segment = 2};
static uint32_t offsets[RECORDS + 1];

/* A batch of four records with bodies of 1,000 bytes. */
static struct batch_header seal(void)
{
    struct batch_header header = {
        .epoch = place.epoch,
        .sequence = 9,
        .first_lsn = 100,
        .shard = place.shard,
        .segment = place.segment,
        .block = 2,
        .used = BATCH_HEADER_BYTES,
        .records = RECORDS,
    };
    memset(bytes, 0xEE, sizeof(bytes));
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct record_header record = {
            .type = RECORD_CHUNK, .shard = 1, .lsn = 100 + i, .body_bytes = 1000};
        memset(bytes + header.used + RECORD_HEADER_BYTES, 'a' + (int)i, 1000);
        record_seal(bytes + header.used, &record, SEED);
        offsets[i] = header.used;
        header.used += (uint32_t)record_size(1000);
    }
    offsets[RECORDS] = header.used;
    ck_assert_uint_eq(batch_seal(bytes, &header), header.crc);
    return header;
}

static uint32_t count_good(const struct batch_header *header, uint32_t *bad)
{
    struct batch_cursor cursor;
    struct record record;
    uint32_t good = 0;
    batch_walk(&cursor, bytes, header, SEED);
    while (batch_next(&cursor, &record)) {
        uint32_t number = (uint32_t)(record.header.lsn - 100);
        ck_assert_uint_eq(cursor.offset, offsets[number]);
        ck_assert_uint_eq(record.wire.data[500], 'a' + number);
        good++;
    }
    *bad = cursor.bad;
    return good;
}

START_TEST(what_was_sealed_is_read_back)
{
    struct batch_header header = seal(), read;
    uint32_t bad;
    ck_assert_uint_eq(header.bytes, 8192);
    ck_assert(batch_header_check(bytes, &place, &read));
    ck_assert_mem_eq(&read, &header, sizeof(read));
    ck_assert_uint_eq(count_good(&read, &bad), RECORDS);
    ck_assert_uint_eq(bad, 0);
    ck_assert_uint_eq(bytes[header.used], 0);
    ck_assert_uint_eq(bytes[8191], 0);
}
END_TEST

START_TEST(another_place_is_no_batch)
{
    struct batch_header read;
    seal();
    for (int i = 0; i < 4; i++) {
        struct batch_place wrong = place;
        wrong.epoch += i == 0;
        wrong.offset += 4096 * (i == 1);
        wrong.shard += i == 2;
        wrong.segment += i == 3;
        ck_assert(!batch_header_check(bytes, &wrong, &read));
    }
}
END_TEST

/* A flipped bit of the header is fatal; of a record, that record is counted and the others are
 * given; of the padding, nothing is lost. */
START_TEST(every_flipped_bit_is_seen)
{
    struct batch_header header = seal(), read;
    for (uint32_t bit = 0; bit < header.bytes * 8; bit += bit / 8 < 200 ? 1 : 37) {
        uint32_t at = bit / 8, bad;
        bytes[at] ^= (uint8_t)(1 << bit % 8);
        bool good_header = batch_header_check(bytes, &place, &read);
        ck_assert_int_eq(good_header, at >= BATCH_HEADER_BYTES);
        if (good_header) {
            bool harmless = at >= header.used;
            ck_assert_uint_eq(count_good(&read, &bad), harmless ? RECORDS : RECORDS - 1);
            ck_assert_uint_eq(bad, !harmless);
        }
        bytes[at] ^= (uint8_t)(1 << bit % 8);
    }
}
END_TEST

START_TEST(several_damaged_records)
{
    struct batch_header header = seal();
    uint32_t bad;
    memset(bytes + offsets[1], 0, offsets[3] - offsets[1]);
    ck_assert_uint_eq(count_good(&header, &bad), 2);
    ck_assert_uint_eq(bad, 2);
    memset(bytes + BATCH_HEADER_BYTES, 0, sizeof(bytes) - BATCH_HEADER_BYTES);
    ck_assert_uint_eq(count_good(&header, &bad), 0);
    ck_assert_uint_eq(bad, RECORDS);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("batch");
    TCase *tcase = tcase_create("batch");
    tcase_add_test(tcase, what_was_sealed_is_read_back);
    tcase_add_test(tcase, another_place_is_no_batch);
    tcase_add_test(tcase, every_flipped_bit_is_seen);
    tcase_add_test(tcase, several_damaged_records);
    suite_add_tcase(suite, tcase);
    return suite;
}
