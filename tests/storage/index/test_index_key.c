#include "storage/index/index_key.h"

#include "tests/check_main.h"

static struct index_key a, b;

static int compare(const struct index_key *left, const struct index_key *right)
{
    size_t shorter = left->size < right->size ? left->size : right->size;
    int order = memcmp(left->bytes, right->bytes, shorter);
    return order ? order : (int)left->size - (int)right->size;
}

START_TEST(links)
{
    uint64_t hash, id;
    struct span name;
    index_key_mailbox(&a, 0x0123456789abcdefull, SPAN("joe@x"));
    struct index_key prefix = a;
    ck_assert_uint_ge(prefix.size, INDEX_PREFIX_BYTES);
    ck_assert(!index_key_parse_link(index_key_span(&a), &hash, &name, &id));
    for (uint64_t i = 0; i < 3; i++) {
        index_key_link(&a, i << 40 | 7);
        ck_assert_mem_eq(a.bytes, prefix.bytes, prefix.size);
        ck_assert(index_key_parse_link(index_key_span(&a), &hash, &name, &id));
        ck_assert_uint_eq(hash, 0x0123456789abcdefull);
        ck_assert(span_equal(name, SPAN("joe@x")));
        ck_assert_uint_eq(id, i << 40 | 7);
        if (i > 0)
            ck_assert_int_lt(compare(&b, &a), 0); /* numbers in order */
        b = a;
    }
    a.size--;
    ck_assert(!index_key_parse_link(index_key_span(&a), &hash, &name, &id));
}
END_TEST

START_TEST(no_prefix_is_another_names_prefix)
{
    index_key_mailbox(&a, 5, SPAN("a"));
    index_key_mailbox(&b, 5, SPAN("ab"));
    ck_assert_int_ne(memcmp(a.bytes, b.bytes, a.size), 0);
    index_key_mailbox(&a, 5, SPAN(""));
    index_key_link(&a, 77);
    ck_assert_uint_eq(a.size, 19);
}
END_TEST

/* As a run writes them. */
START_TEST(kinds_are_in_order)
{
    uint32_t log, segment, count, first, last;
    index_key_count(&a, 3, 0x01020304, INDEX_BYTES);
    ck_assert(index_key_parse_count(index_key_span(&a), &log, &segment, &count));
    ck_assert(log == 3 && segment == 0x01020304 && count == INDEX_BYTES);
    index_key_count(&b, 3, 0x01020305, INDEX_LINKS);
    ck_assert_int_lt(compare(&a, &b), 0);
    index_key_identity(&a);
    ck_assert_int_lt(compare(&b, &a), 0);
    index_key_mailbox(&b, 0, SPAN(""));
    ck_assert_int_lt(compare(&a, &b), 0);
    index_key_coverage(&a, 0x80000000, UINT32_MAX);
    ck_assert_int_lt(compare(&b, &a), 0);
    ck_assert(index_key_parse_coverage(index_key_span(&a), &first, &last));
    ck_assert(first == 0x80000000 && last == UINT32_MAX);
    ck_assert(!index_key_parse_count(index_key_span(&a), &log, &segment, &count));
    ck_assert(!index_key_parse_coverage(index_key_span(&b), &first, &last));
}
END_TEST

START_TEST(values)
{
    const struct store_link link = {.id = 9,
                                    .segment = 1,
                                    .slot = 2,
                                    .record_bytes = 3,
                                    .octets_low = 4,
                                    .octets_high = 5,
                                    .place = 6,
                                    .copies = 7,
                                    .received_ns = 8};
    struct store_link read;
    struct index_link value = index_link_of(&link);
    ck_assert(index_link_parse(9, span_of(&value, sizeof(value)), &read));
    struct index_link again = index_link_of(&read);
    ck_assert_mem_eq(&again, &value, sizeof(value));
    ck_assert(read.id == 9 && read.segment == 1 && read.slot == 2 && read.record_bytes == 3);
    ck_assert(store_link_octets(&read) == (5ull << 32 | 4) && read.place == 6);
    ck_assert(read.copies == 7 && read.received_ns == 8);
    ck_assert(!index_link_parse(9, span_of(&value, sizeof(value) - 1), &read));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("index_key");
    TCase *tcase = tcase_create("index_key");
    tcase_add_test(tcase, links);
    tcase_add_test(tcase, no_prefix_is_another_names_prefix);
    tcase_add_test(tcase, kinds_are_in_order);
    tcase_add_test(tcase, values);
    suite_add_tcase(suite, tcase);
    return suite;
}
