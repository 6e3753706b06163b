#include "tests/check_main.h"

#include "base/crc32c.h"
#include "base/random.h"

#include <string.h>

#define BUFFER_BYTES (1 << 17)

typedef uint32_t crc_function(uint32_t crc, const void *data, size_t size);

static crc_function *const functions[] = {crc32c, crc32c_streams, crc32c_portable};
static uint8_t buffer[BUFFER_BYTES];

static void fill_buffer(void)
{
    struct random random = {99};
    for (size_t i = 0; i < BUFFER_BYTES; i++)
        buffer[i] = (uint8_t)random_next(&random);
}

/* The definition: one bit at a time. */
static uint32_t bitwise(uint32_t crc, const uint8_t *data, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

/* RFC 3720 appendix B.4 gives the last four as bytes in network order; and the usual check value.
 */
START_TEST(known_vectors)
{
    uint8_t zeros[32] = {0}, ones[32], up[32], down[32];
    memset(ones, 0xFF, sizeof ones);
    for (unsigned i = 0; i < 32; i++) {
        up[i] = (uint8_t)i;
        down[i] = (uint8_t)(31 - i);
    }
    ck_assert_uint_eq(functions[_i](0, "", 0), 0);
    ck_assert_uint_eq(functions[_i](0, NULL, 0), 0);
    ck_assert_uint_eq(functions[_i](0, "a", 1), 0xC1D04330);
    ck_assert_uint_eq(functions[_i](0, "123456789", 9), 0xE3069283);
    ck_assert_uint_eq(functions[_i](0, zeros, 32), 0x8A9136AA);
    ck_assert_uint_eq(functions[_i](0, ones, 32), 0x62A8AB43);
    ck_assert_uint_eq(functions[_i](0, up, 32), 0x46DD794E);
    ck_assert_uint_eq(functions[_i](0, down, 32), 0x113FDB5C);
}
END_TEST

START_TEST(every_length_and_alignment)
{
    for (size_t alignment = 0; alignment < 8; alignment++)
        for (size_t size = 0; size < 1100; size++)
            ck_assert_uint_eq(functions[_i](1, buffer + alignment, size),
                              bitwise(1, buffer + alignment, size));
}
END_TEST

/* Around the sizes where the number of strides changes, or of registers. */
START_TEST(stride_edges)
{
    static const size_t strides[] = {3 * 64, 3 * 512, 3 * 4096, 256, 320};
    for (unsigned i = 0; i < 5; i++)
        for (size_t times = 1; times <= 4; times++)
            for (size_t around = 0; around <= 18; around++) {
                size_t size = strides[i] * times + around - 9;
                ck_assert_uint_eq(functions[_i](7, buffer + around, size),
                                  bitwise(7, buffer + around, size));
            }
}
END_TEST

START_TEST(twins_agree)
{
    struct random random = {5};
    for (unsigned i = 0; i < 2000; i++) {
        size_t start = random_below(&random, BUFFER_BYTES);
        size_t size = random_below(&random, BUFFER_BYTES - start + 1);
        uint32_t crc = (uint32_t)random_next(&random);
        uint32_t sum = crc32c_portable(crc, buffer + start, size);
        ck_assert_uint_eq(crc32c(crc, buffer + start, size), sum);
        ck_assert_uint_eq(crc32c_streams(crc, buffer + start, size), sum);
    }
}
END_TEST

START_TEST(goes_on_where_it_ended)
{
    uint32_t whole = functions[_i](0, buffer, 50000);
    struct random random = {6};
    for (unsigned i = 0; i < 200; i++) {
        size_t cut = random_below(&random, 50001);
        uint32_t first = functions[_i](0, buffer, cut);
        ck_assert_uint_eq(functions[_i](first, buffer + cut, 50000 - cut), whole);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("crc32c");
    TCase *tcase = tcase_create("crc32c");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, fill_buffer, NULL);
    tcase_add_loop_test(tcase, known_vectors, 0, 3);
    tcase_add_loop_test(tcase, every_length_and_alignment, 0, 3);
    tcase_add_loop_test(tcase, stride_edges, 0, 3);
    tcase_add_test(tcase, twins_agree);
    tcase_add_loop_test(tcase, goes_on_where_it_ended, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
