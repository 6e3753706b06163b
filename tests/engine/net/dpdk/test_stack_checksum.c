#include "base/random.h"
#include "tests/check_main.h"

#include <stdlib.h>

uint16_t stack_checksum(const void *data, int size);

/* RFC 1071 section 4.1, as it is written there. */
static uint16_t plainly(const uint8_t *data, size_t size)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2)
        sum += (uint32_t)(data[i] | data[i + 1] << 8);
    if (size % 2)
        sum += data[size - 1];
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)sum;
}

START_TEST(checksum_is_that_of_the_standard)
{
    enum { SIZE = 300 };
    struct random random = {.state = 5};
    uint8_t *bytes = malloc(SIZE);
    ck_assert_ptr_nonnull(bytes);
    unsigned wrong = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < SIZE; i++)
            bytes[i] = round == 0 ? 0xFF : round == 1 ? 0 : (uint8_t)random_next(&random);
        for (size_t from = 0; from < 9; from++)
            for (size_t size = 0; size <= SIZE - from; size++)
                wrong += stack_checksum(bytes + from, (int)size) != plainly(bytes + from, size);
    }
    ck_assert_uint_eq(wrong, 0);
    free(bytes);
}
END_TEST

START_TEST(checksum_of_a_jumbo_frame_full_of_ones)
{
    enum { SIZE = 9000 };
    uint8_t *bytes = malloc(SIZE);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = 0xFF;
    ck_assert_uint_eq(stack_checksum(bytes, SIZE), plainly(bytes, SIZE));
    free(bytes);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("stack_checksum");
    TCase *tcase = tcase_create("stack_checksum");
    tcase_add_test(tcase, checksum_is_that_of_the_standard);
    tcase_add_test(tcase, checksum_of_a_jumbo_frame_full_of_ones);
    suite_add_tcase(suite, tcase);
    return suite;
}
