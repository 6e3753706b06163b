#include "tests/check_main.h"

#include "base/blocks.h"

#include <string.h>

START_TEST(each_class_has_its_size_and_count)
{
    static const uint32_t counts[BLOCK_CLASSES] = {5, 4, 3, 2, 1};
    static const uint32_t bytes[BLOCK_CLASSES] = {1024, 4096, 16384, 65536, 524288};
    struct blocks blocks;
    ck_assert(blocks_init(&blocks, counts) == STATUS_OK);
    for (unsigned class = 0; class < BLOCK_CLASSES; class ++) {
        ck_assert_uint_eq(block_bytes[class], bytes[class]);
        void *last = NULL;
        for (uint32_t i = 0; i < counts[class]; i++) {
            last = blocks_take(&blocks, class);
            ck_assert_ptr_nonnull(last);
            memset(last, 0x5A, bytes[class]);
        }
        ck_assert_ptr_null(blocks_take(&blocks, class)); /* never a larger one instead */
        blocks_give(&blocks, class, last);
        ck_assert_ptr_eq(blocks_take(&blocks, class), last);
    }
    blocks_deinit(&blocks);
}
END_TEST

START_TEST(a_class_too_large_undoes_the_others)
{
    /* 2^32 - 1 blocks of 512 KiB are 2^51 bytes: beyond what an address space holds. */
    static const uint32_t counts[BLOCK_CLASSES] = {1, 1, 1, 1, UINT32_MAX};
    struct blocks blocks;
    ck_assert(blocks_init(&blocks, counts) == STATUS_FULL);
    for (unsigned class = 0; class < BLOCK_CLASSES; class ++)
        ck_assert_ptr_null(blocks.pools[class].blocks);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("blocks");
    TCase *tcase = tcase_create("blocks");
    tcase_add_test(tcase, each_class_has_its_size_and_count);
    tcase_add_test(tcase, a_class_too_large_undoes_the_others);
    suite_add_tcase(suite, tcase);
    return suite;
}
