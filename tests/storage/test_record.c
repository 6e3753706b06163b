#include "storage/record.h"

#include "tests/check_main.h"

#define SEED 0x1234u

static _Alignas(8) uint8_t bytes[512];

/* Envelope "env", one chunk, trace "t:", body "bodyb". */
static uint32_t seal(void)
{
    struct record_header header = {
        .type = RECORD_MESSAGE,
        .shard = 3,
        .lsn = 77,
        .envelope_bytes = 3,
        .chunk_count = 1,
        .trace_bytes = 2,
        .body_bytes = 5,
    };
    struct chunk_ref ref = {.segment = 9, .slot = 8, .bytes = 100, .crc = 7};
    uint8_t *out = bytes + RECORD_HEADER_BYTES;
    memset(bytes, 0xEE, sizeof(bytes));
    memcpy(out, "env", 3);
    memcpy(out + 3, &ref, sizeof(ref));
    memcpy(out + 3 + sizeof(ref), "t:bodyb", 7);
    record_seal(bytes, &header, SEED);
    return ((struct record_header *)bytes)->record_bytes;
}

START_TEST(what_was_sealed_is_read_back)
{
    struct record record, viewed;
    uint32_t size = seal();
    ck_assert_uint_eq(size, record_size(3 + 16 + 7));
    ck_assert_uint_eq(size % RECORD_ALIGN, 0);
    ck_assert_int_eq(record_check(span_of(bytes, sizeof(bytes)), SEED, &record), RECORD_GOOD);
    ck_assert_uint_eq(record.header.lsn, 77);
    ck_assert(span_equal(record.envelope, SPAN("env")));
    ck_assert(span_equal(record.wire, SPAN("t:bodyb")));
    struct chunk_ref ref = record_chunk(&record, 0);
    ck_assert_uint_eq(ref.segment, 9);
    ck_assert_uint_eq(ref.bytes, 100);
    ck_assert_uint_eq(record_chunks_size(&record), record_size(100));
    record_view(bytes, &viewed);
    ck_assert_mem_eq(&viewed, &record, sizeof(record));
    ck_assert_uint_eq(bytes[size], 0xEE); /* nothing is written behind the record */
}
END_TEST

/* Padding may flip: it says nothing. Every other bit is covered. */
START_TEST(every_flipped_bit_is_seen)
{
    struct record record;
    uint32_t size = seal(), payload_end = RECORD_HEADER_BYTES + 26;
    for (uint32_t bit = 0; bit < size * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum record_check check = record_check(span_of(bytes, sizeof(bytes)), SEED, &record);
        enum record_check expected = bit / 8 < RECORD_HEADER_BYTES ? RECORD_BAD_HEADER
                                     : bit / 8 < payload_end       ? RECORD_BAD_PAYLOAD
                                                                   : RECORD_GOOD;
        ck_assert_int_eq(check, expected);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}
END_TEST

START_TEST(another_seed_or_a_cut_end_is_no_record)
{
    struct record record;
    uint32_t size = seal();
    ck_assert_int_eq(record_check(span_of(bytes, size), SEED + 1, &record), RECORD_BAD_HEADER);
    for (uint32_t cut = 0; cut < size; cut++)
        ck_assert_int_eq(record_check(span_of(bytes, cut), SEED, &record), RECORD_BAD_HEADER);
    memset(bytes, 0, sizeof(bytes));
    ck_assert_int_eq(record_check(span_of(bytes, size), SEED, &record), RECORD_BAD_HEADER);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("record");
    TCase *tcase = tcase_create("record");
    tcase_add_test(tcase, what_was_sealed_is_read_back);
    tcase_add_test(tcase, every_flipped_bit_is_seen);
    tcase_add_test(tcase, another_seed_or_a_cut_end_is_no_record);
    suite_add_tcase(suite, tcase);
    return suite;
}
