#include "engine/net/dpdk/stack_memory.h"

#include "tests/check_main.h"

#include <string.h>

START_TEST(memory_is_whole_and_comes_back)
{
    static const size_t sizes[] = {1, 64, 65, 192, 400, 1600, 9000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    ck_assert_int_eq(stack_memory_open(10, 1 << 20), STATUS_OK);
    uint8_t *blocks[COUNT];
    for (uint8_t i = 0; i < COUNT; i++) {
        blocks[i] = stack_memory_take(sizes[i]);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 8, 0);
        memset(blocks[i], i + 1, sizes[i]);
    }
    for (uint8_t i = 0; i < COUNT; i++) {
        for (size_t at = 0; at < sizes[i]; at++)
            ck_assert(blocks[i][at] == i + 1);
        stack_memory_give(blocks[i]);
    }
    uint8_t *zeroed = stack_memory_take_zeroed(3, 100);
    for (size_t at = 0; at < 300; at++)
        ck_assert(zeroed[at] == 0);
    stack_memory_give(zeroed);
    stack_memory_close();
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) /* where its blocks are malloc's */
START_TEST(memory_says_no_when_it_is_out)
{
    enum { MANY = 100000 };
    static void *blocks[MANY];
    unsigned count = 0;
    ck_assert_int_eq(stack_memory_open(10, 1 << 20), STATUS_OK);
    ck_assert_ptr_null(stack_memory_take(1 << 20));
    while (count < MANY && (blocks[count] = stack_memory_take(9000)) != NULL)
        count++;
    ck_assert(count > 100 && count < 1000);
    while (count > 0)
        stack_memory_give(blocks[--count]);
    stack_memory_close();
}
END_TEST
#endif

Suite *test_suite(void)
{
    Suite *suite = suite_create("stack_memory");
    TCase *tcase = tcase_create("stack_memory");
    tcase_add_test(tcase, memory_is_whole_and_comes_back);
#if !defined(__SANITIZE_ADDRESS__)
    tcase_add_test(tcase, memory_says_no_when_it_is_out);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}
