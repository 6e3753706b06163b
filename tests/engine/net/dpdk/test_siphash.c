#include "engine/net/dpdk/siphash.h"

#include "tests/check_main.h"

/* The reference implementation's vectors: key 00 … 0f, of the bytes 00, 01, … */
START_TEST(siphash_is_the_published_one)
{
    static const struct {
        size_t size;
        uint64_t hash;
    } rows[] = {{0, 0x726fdb47dd0e0e31u},
                {1, 0x74f839c593dc67fdu},
                {8, 0x93f5f5799a932462u},
                {15, 0xa129ca6149be45e5u},
                {63, 0x958a324ceb064572u}};
    const uint64_t key[2] = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
    uint8_t bytes[63];
    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_uint_eq(siphash(span_of(bytes, rows[i].size), key), rows[i].hash);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("siphash");
    TCase *tcase = tcase_create("siphash");
    tcase_add_test(tcase, siphash_is_the_published_one);
    suite_add_tcase(suite, tcase);
    return suite;
}
