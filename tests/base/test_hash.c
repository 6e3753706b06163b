#include "tests/check_main.h"

#include "base/hash.h"

/* Which shard owns a mailbox follows from this: it must not change with the library's version. */
START_TEST(is_xxh3)
{
    ck_assert_uint_eq(hash64(SPAN(""), 0), 0x2D06800538D394C2u);
    ck_assert_uint_eq(hash64((struct span){0}, 0), 0x2D06800538D394C2u);
}
END_TEST

START_TEST(bytes_and_seed_matter)
{
    uint64_t hash = hash64(SPAN("alice@example.org"), 1);
    ck_assert_uint_eq(hash64(SPAN("alice@example.org"), 1), hash);
    ck_assert_uint_ne(hash64(SPAN("alice@example.com"), 1), hash);
    ck_assert_uint_ne(hash64(SPAN("alice@example.org"), 2), hash);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("hash");
    TCase *tcase = tcase_create("hash");
    tcase_add_test(tcase, is_xxh3);
    tcase_add_test(tcase, bytes_and_seed_matter);
    suite_add_tcase(suite, tcase);
    return suite;
}
