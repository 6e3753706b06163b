#include "engine/net/sim_pipe.h"

#include "base/random.h"
#include "tests/check_main.h"

static const uint32_t windows[] = {1, 2, 7, 64, 1000};

START_TEST(is_a_queue_of_bytes_with_a_window)
{
    uint32_t window = windows[_i];
    struct sim_pipe pipe = {0};
    struct random random = {.state = window};
    uint8_t bytes[100], in = 0, out = 0;
    uint32_t under_way = 0, wrong = 0;
    for (int round = 0; round < 3000; round++) {
        uint32_t size = 1 + (uint32_t)random_below(&random, sizeof bytes);
        for (uint32_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(in + i);
        uint32_t taken = sim_pipe_put(&pipe, span_of(bytes, size), window);
        ck_assert_uint_eq(taken, size < window - under_way ? size : window - under_way);
        in = (uint8_t)(in + taken);
        under_way += taken;

        struct span front = sim_pipe_front(&pipe, size);
        ck_assert_uint_gt(front.size, 0);
        ck_assert_uint_le(front.size, size);
        size_t consumed = (size_t)random_below(&random, front.size + 1);
        for (size_t i = 0; i < consumed; i++)
            wrong += front.data[i] != out++;
        sim_pipe_consume(&pipe, consumed);
        under_way -= (uint32_t)consumed;
        ck_assert_uint_eq(pipe.size, under_way);
    }
    ck_assert_uint_eq(wrong, 0);
    sim_pipe_free(&pipe);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sim_pipe");
    TCase *tcase = tcase_create("sim_pipe");
    tcase_add_loop_test(tcase, is_a_queue_of_bytes_with_a_window, 0,
                        sizeof windows / sizeof *windows);
    suite_add_tcase(suite, tcase);
    return suite;
}
