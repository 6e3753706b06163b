#include "engine/net/uring_buffers.h"

#include "tests/check_main.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static struct ring ring;
static int ends[2];

static void setup(void)
{
    struct fault fault;
    ck_assert_int_eq(ring_open(&ring, 8, &fault), STATUS_OK);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
}

static void teardown(void)
{
    close(ends[0]);
    close(ends[1]);
    ring_close(&ring);
}

struct outcome {
    int32_t result;
    uint32_t flags;
};

static void complete(void *context, uint64_t token, int32_t result, uint32_t flags)
{
    ck_assert_uint_eq(token, 7);
    *(struct outcome *)context = (struct outcome){result, flags};
}

static void receive(unsigned operation)
{
    struct io_uring_sqe *sqe = ring_sqe(&ring);
    io_uring_prep_recv(sqe, ends[0], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 3;
    ring_tag(sqe, operation, 7);
    ring_turn(&ring, UINT64_MAX);
}

START_TEST(the_kernel_fills_each_until_none_is_left)
{
    enum { COUNT = 4 };
    struct uring_buffers buffers;
    struct outcome outcome = {0};
    unsigned operation = ring_register(&ring, complete, &outcome);
    ck_assert_int_eq(uring_buffers_open(&buffers, &ring, 3, COUNT, 16, NULL), STATUS_OK);
    uint16_t ids[COUNT];
    unsigned seen = 0;
    for (int i = 0; i < COUNT; i++) {
        ck_assert_int_eq(write(ends[1], "0123456789abcdef", 16), 16);
        receive(operation);
        ck_assert_int_eq(outcome.result, 16);
        ids[i] = uring_buffers_take(&buffers, outcome.flags);
        seen |= 1u << ids[i];
        ck_assert_int_eq(memcmp(uring_buffers_at(&buffers, ids[i]), "0123456789abcdef", 16), 0);
        ck_assert_uint_eq(uring_buffers_left(&buffers), COUNT - 1 - i);
    }
    ck_assert_uint_eq(seen, (1u << COUNT) - 1);
    ck_assert_int_eq(write(ends[1], "more", 4), 4);
    receive(operation);
    ck_assert_int_eq(outcome.result, -ENOBUFS);
    uring_buffers_give(&buffers, ids[2]);
    uring_buffers_publish(&buffers);
    receive(operation);
    ck_assert_int_eq(outcome.result, 4);
    ck_assert_uint_eq(uring_buffers_take(&buffers, outcome.flags), ids[2]);
    uring_buffers_close(&buffers);
}
END_TEST

START_TEST(a_group_is_taken_once)
{
    struct uring_buffers buffers, second;
    struct fault fault = {0};
    ck_assert_int_eq(uring_buffers_open(&buffers, &ring, 3, 8, 64, &fault), STATUS_OK);
    ck_assert_int_eq(uring_buffers_open(&second, &ring, 3, 8, 64, &fault), STATUS_SYSTEM);
    ck_assert_ptr_nonnull(strstr(fault.text, "8 receive buffers"));
    uring_buffers_close(&buffers);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("uring_buffers");
    TCase *tcase = tcase_create("uring_buffers");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_kernel_fills_each_until_none_is_left);
    tcase_add_test(tcase, a_group_is_taken_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
