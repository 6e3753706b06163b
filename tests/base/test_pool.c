#include "tests/check_main.h"

#include "base/pool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define COUNT 5

static struct pool pool;

static void open_pool(void)
{
    ck_assert(pool_init(&pool, 100, COUNT) == STATUS_OK);
}

static void close_pool(void)
{
    pool_deinit(&pool);
}

START_TEST(rounds_and_aligns)
{
    static const struct {
        size_t asked, got;
    } table[] = {{1, 64},      {64, 64},     {65, 128},    {4095, 4096},
                 {4096, 4096}, {4097, 8192}, {8192, 8192}, {100000, 102400}};
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        struct pool sized;
        ck_assert(pool_init(&sized, table[i].asked, 3) == STATUS_OK);
        ck_assert_uint_eq(sized.block_bytes, table[i].got);
        size_t alignment = table[i].got < 4096 ? 64 : 4096;
        for (unsigned taken = 0; taken < 3; taken++) {
            void *block = pool_take(&sized);
            ck_assert_uint_eq((uintptr_t)block % alignment, 0);
            memset(block, 0xA5, table[i].got);
        }
        pool_deinit(&sized);
    }
}
END_TEST

START_TEST(says_no_when_all_are_out)
{
    void *blocks[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(pool_left(&pool), COUNT - i);
        blocks[i] = pool_take(&pool);
        ck_assert_ptr_nonnull(blocks[i]);
        for (uint32_t j = 0; j < i; j++)
            ck_assert_ptr_ne(blocks[i], blocks[j]);
    }
    ck_assert_ptr_null(pool_take(&pool));
    pool_give(&pool, blocks[2]);
    ck_assert_uint_eq(pool_left(&pool), 1);
    ck_assert_ptr_eq(pool_take(&pool), blocks[2]);
    ck_assert_ptr_null(pool_take(&pool));
}
END_TEST

START_TEST(last_in_is_first_out)
{
    void *a = pool_take(&pool), *b = pool_take(&pool), *c = pool_take(&pool);
    pool_give(&pool, a);
    pool_give(&pool, c);
    pool_give(&pool, b);
    ck_assert_ptr_eq(pool_take(&pool), b);
    ck_assert_ptr_eq(pool_take(&pool), c);
    ck_assert_ptr_eq(pool_take(&pool), a);
    ck_assert_uint_eq(pool.fresh, 3);
}
END_TEST

START_TEST(slots_name_blocks)
{
    for (uint32_t i = 0; i < COUNT; i++) {
        void *block = pool_take(&pool);
        ck_assert_uint_lt(pool_slot(&pool, block), COUNT);
        ck_assert_ptr_eq(pool_at(&pool, pool_slot(&pool, block)), block);
    }
}
END_TEST

/* Of blocks of any size: no other address has a slot. */
START_TEST(only_beginnings_of_blocks_have_slots)
{
    static const size_t sizes[] = {64, 192, 448, 1984, 4096, 12288, 102400};
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pool sized;
        ck_assert(pool_init(&sized, sizes[i], COUNT) == STATUS_OK);
        ck_assert_uint_eq(sized.block_bytes, sizes[i]);
        for (size_t offset = 0; offset < COUNT * sizes[i]; offset += offset % 64 ? 63 : 1) {
            uint64_t place = pool_place(&sized, sized.blocks + offset);
            if (offset % sizes[i] == 0)
                ck_assert_uint_eq(place, offset / sizes[i]);
            else
                ck_assert_uint_ge(place, COUNT);
        }
        ck_assert_uint_ge(pool_place(&sized, sized.blocks - sizes[i]), COUNT);
        pool_deinit(&sized);
    }
}
END_TEST

START_TEST(refuses_what_no_memory_can_hold)
{
    struct pool huge = {.count = 77};
    ck_assert(pool_init(&huge, SIZE_MAX, 1) == STATUS_FULL);
    ck_assert(pool_init(&huge, SIZE_MAX / 2, 1000) == STATUS_FULL);
    ck_assert(pool_init(&huge, (size_t)1 << 60, 1) == STATUS_FULL);
    ck_assert_uint_eq(huge.count, 77);
}
END_TEST

START_TEST(empty_pool_says_no)
{
    struct pool empty;
    ck_assert(pool_init(&empty, 64, 0) == STATUS_OK);
    ck_assert_ptr_null(pool_take(&empty));
    pool_deinit(&empty);
}
END_TEST

static long resident_pages(void)
{
    long total, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%ld %ld", &total, &resident), 2);
    fclose(file);
    return resident;
}

START_TEST(untouched_blocks_cost_nothing)
{
    struct pool generous;
    long before = resident_pages();
    ck_assert(pool_init(&generous, 1 << 16, 1 << 17) == STATUS_OK); /* 8 GiB */
    void *block = pool_take(&generous);
    ck_assert_ptr_nonnull(block);
    memset(block, 1, 1 << 16);
    ck_assert_int_lt(resident_pages() - before, 1000);
    pool_deinit(&generous);
}
END_TEST

START_TEST(foreign_block_is_a_bug)
{
    (void)!pool_take(&pool);
    static uint64_t stranger[16];
    pool_give(&pool, stranger);
}
END_TEST

START_TEST(middle_of_a_block_is_a_bug)
{
    pool_give(&pool, (uint8_t *)pool_take(&pool) + 64);
}
END_TEST

START_TEST(fresh_block_is_a_bug)
{
    (void)!pool_take(&pool);
    pool_give(&pool, pool_at(&pool, 1));
}
END_TEST

START_TEST(giving_twice_is_a_bug)
{
    void *block = pool_take(&pool);
    (void)!pool_take(&pool);
    pool_give(&pool, block);
    pool_give(&pool, block);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("pool");
    tcase_add_checked_fixture(tcase, open_pool, close_pool);
    tcase_add_test(tcase, rounds_and_aligns);
    tcase_add_test(tcase, says_no_when_all_are_out);
    tcase_add_test(tcase, last_in_is_first_out);
    tcase_add_test(tcase, slots_name_blocks);
    tcase_add_test(tcase, only_beginnings_of_blocks_have_slots);
    tcase_add_test(tcase, refuses_what_no_memory_can_hold);
    tcase_add_test(tcase, empty_pool_says_no);
    tcase_add_test(tcase, untouched_blocks_cost_nothing);
    tcase_add_test_raise_signal(tcase, foreign_block_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, middle_of_a_block_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, fresh_block_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, giving_twice_is_a_bug, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite;
}
