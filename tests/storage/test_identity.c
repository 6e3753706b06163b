#include "storage/identity.h"

#include "base/crc32c.h"
#include "tests/check_main.h"

#include <stddef.h>

static struct identity made;

static void make(void)
{
    identity_make(&made, 42, 3, 1000);
}

START_TEST(what_was_made_is_read_back)
{
    struct identity read;
    ck_assert_int_eq(identity_parse(span_of(&made, sizeof(made)), &read, NULL), STATUS_OK);
    ck_assert_mem_eq(&read, &made, sizeof(made));
    ck_assert_uint_eq(read.shards, 3);
    ck_assert_uint_eq(read.created_ns, 1000);
}
END_TEST

START_TEST(seeds_make_different_stores)
{
    struct identity other;
    identity_make(&other, 43, 3, 1000);
    ck_assert_mem_ne(other.id, made.id, sizeof(made.id));
    ck_assert_uint_ne(identity_record_seed(&other), identity_record_seed(&made));
}
END_TEST

START_TEST(every_flipped_bit_is_seen)
{
    struct identity read;
    uint8_t *bytes = (uint8_t *)&made;
    for (size_t bit = 0; bit < sizeof(made) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert_int_eq(identity_parse(span_of(bytes, sizeof(made)), &read, NULL), STATUS_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    ck_assert_int_eq(identity_parse(span_of(bytes, sizeof(made) - 1), &read, NULL), STATUS_CORRUPT);
}
END_TEST

START_TEST(a_newer_format_is_refused)
{
    struct identity read;
    struct fault fault;
    made.format = STORE_FORMAT + 1;
    made.crc = crc32c(0, &made, offsetof(struct identity, crc));
    ck_assert_int_eq(identity_parse(span_of(&made, sizeof(made)), &read, &fault), STATUS_NEWER);
    ck_assert_str_eq(fault.text, "the store has format 2, this program knows up to 1");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("identity");
    TCase *tcase = tcase_create("identity");
    tcase_add_checked_fixture(tcase, make, NULL);
    tcase_add_test(tcase, what_was_made_is_read_back);
    tcase_add_test(tcase, seeds_make_different_stores);
    tcase_add_test(tcase, every_flipped_bit_is_seen);
    tcase_add_test(tcase, a_newer_format_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
