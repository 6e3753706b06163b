#include "engine/net/uring_kept.h"

#include "base/random.h"
#include "tests/check_main.h"

#define BUFFERS 16u
#define BUFFER_BYTES 64u
#define LISTS 12

static struct {
    struct ring ring;
    struct uring_buffers buffers;
    struct kept kept;
    struct kept_list lists[LISTS];
} made;

static void setup(void)
{
    struct fault fault;
    ck_assert_int_eq(ring_open(&made.ring, 8, &fault), STATUS_OK);
    ck_assert_int_eq(
        uring_buffers_open(&made.buffers, &made.ring, 1, BUFFERS, BUFFER_BYTES, &fault), STATUS_OK);
    ck_assert_int_eq(kept_init(&made.kept, &made.buffers, LISTS), STATUS_OK);
}

static void teardown(void)
{
    for (uint32_t i = 0; i < LISTS; i++)
        kept_drop(&made.kept, &made.lists[i], i);
    ck_assert_uint_eq(made.kept.held, 0);
    ck_assert_uint_eq(uring_buffers_left(&made.buffers), BUFFERS);
    kept_deinit(&made.kept);
    uring_buffers_close(&made.buffers);
    ring_close(&made.ring);
}

/* A buffer as the kernel would have filled it; `id` must not be held. */
static void receive(uint32_t list, uint16_t id, uint8_t first, uint32_t start)
{
    ck_assert_uint_eq(uring_buffers_take(&made.buffers, (uint32_t)id << IORING_CQE_BUFFER_SHIFT),
                      id);
    uint8_t *bytes = pool_at(&made.buffers.memory, id);
    for (uint32_t i = 0; i < BUFFER_BYTES; i++)
        bytes[i] = (uint8_t)(first + i);
    ck_assert(kept_add(&made.kept, &made.lists[list], list, id, start, BUFFER_BYTES));
    uring_buffers_publish(&made.buffers);
}

START_TEST(keeps_the_order_while_copies_follow_buffers)
{
    enum { COUNT = 10 }; /* more than one connection may hold */
    for (uint16_t i = 0; i < COUNT; i++)
        receive(0, i, (uint8_t)(i * BUFFER_BYTES), i == 0 ? 10 : 0);
    ck_assert_uint_eq(made.lists[0].count, KEPT_BUFFERS_MAX);
    ck_assert(made.lists[0].copied);
    ck_assert_uint_eq(uring_buffers_left(&made.buffers), BUFFERS - KEPT_BUFFERS_MAX);

    struct random random = {.state = 3};
    uint8_t expected = 10;
    uint32_t total = 0;
    while (!kept_is_empty(&made.lists[0])) {
        struct span front = kept_front(&made.kept, &made.lists[0], 0);
        size_t taken = (size_t)random_below(&random, front.size + 1);
        for (size_t i = 0; i < taken; i++)
            ck_assert_uint_eq(front.data[i], expected++);
        kept_consume(&made.kept, &made.lists[0], 0, taken);
        total += (uint32_t)taken;
    }
    ck_assert_uint_eq(total, COUNT * BUFFER_BYTES - 10);
    ck_assert_uint_eq(uring_buffers_left(&made.buffers), BUFFERS);
}
END_TEST

START_TEST(all_together_hold_half_at_most)
{
    for (uint16_t i = 0; i < LISTS; i++) {
        receive(i, i, 100, 0);
        ck_assert_uint_le(made.kept.held, BUFFERS / 2);
        ck_assert_uint_ge(uring_buffers_left(&made.buffers), BUFFERS / 2);
    }
    ck_assert_uint_eq(made.kept.held, BUFFERS / 2);
    for (uint32_t i = 0; i < LISTS; i++) {
        struct span front = kept_front(&made.kept, &made.lists[i], i);
        ck_assert_uint_eq(front.size, BUFFER_BYTES);
        ck_assert_uint_eq(front.data[0], 100);
    }
}
END_TEST

START_TEST(what_comes_after_a_copy_is_copied)
{
    for (uint16_t i = 0; i <= KEPT_BUFFERS_MAX; i++)
        receive(0, i, (uint8_t)(i * BUFFER_BYTES), 0);
    kept_consume(&made.kept, &made.lists[0], 0, BUFFER_BYTES);
    receive(0, 0, (uint8_t)((KEPT_BUFFERS_MAX + 1) * BUFFER_BYTES), 0);
    ck_assert_uint_eq(made.lists[0].count, KEPT_BUFFERS_MAX - 1);
    uint8_t expected = BUFFER_BYTES;
    while (!kept_is_empty(&made.lists[0])) {
        struct span front = kept_front(&made.kept, &made.lists[0], 0);
        ck_assert_uint_eq(front.data[0], expected);
        expected = (uint8_t)(expected + front.size);
        kept_consume(&made.kept, &made.lists[0], 0, front.size);
    }
    ck_assert_uint_eq(expected, (uint8_t)((KEPT_BUFFERS_MAX + 2) * BUFFER_BYTES));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("uring_kept");
    TCase *tcase = tcase_create("uring_kept");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, keeps_the_order_while_copies_follow_buffers);
    tcase_add_test(tcase, all_together_hold_half_at_most);
    tcase_add_test(tcase, what_comes_after_a_copy_is_copied);
    suite_add_tcase(suite, tcase);
    return suite;
}
