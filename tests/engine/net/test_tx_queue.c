#include "engine/net/tx_queue.h"
#include "tests/check_main.h"

#define COUNT 3

static const uint8_t text[] = "abcdefghij";

struct fixture {
    struct tx_queue queue;
    struct net_tx buffers[COUNT]; /* "abc", "def", "ghij" */
    char order[COUNT + 1];        /* of release */
};

static void release(struct net_tx *tx, void *context)
{
    struct fixture *fixture = context;
    size_t released = strlen(fixture->order);
    ck_assert_uint_lt(released, COUNT);
    fixture->order[released] = (char)('0' + (tx - fixture->buffers));
}

static void fill(struct fixture *fixture)
{
    static const uint32_t sizes[COUNT] = {3, 3, 4};
    *fixture = (struct fixture){0};
    const uint8_t *data = text;
    for (int i = 0; i < COUNT; i++) {
        fixture->buffers[i] =
            (struct net_tx){.data = data, .size = sizes[i], .release = release, .context = fixture};
        data += sizes[i];
        tx_queue_push(&fixture->queue, &fixture->buffers[i]);
    }
}

static const struct {
    size_t bytes;
    const char *released, *front;
} steps[] = {
    {0, "", "abc"}, {1, "", "bc"},     {2, "", "c"},   {3, "0", "def"},
    {4, "0", "ef"}, {6, "01", "ghij"}, {9, "01", "j"}, {10, "012", NULL},
};

START_TEST(advances_and_releases_in_order)
{
    struct fixture fixture;
    fill(&fixture);
    tx_queue_advance(&fixture.queue, steps[_i].bytes);
    ck_assert_str_eq(fixture.order, steps[_i].released);
    ck_assert(tx_queue_empty(&fixture.queue) == !steps[_i].front);
    if (steps[_i].front)
        ck_assert(span_equal(tx_queue_front(&fixture.queue), span_text(steps[_i].front)));
    tx_queue_release(&fixture.queue);
    ck_assert_str_eq(fixture.order, "012");
    ck_assert(tx_queue_empty(&fixture.queue));
}
END_TEST

START_TEST(gathers_what_is_left)
{
    struct fixture fixture;
    fill(&fixture);
    tx_queue_advance(&fixture.queue, 2);
    struct iovec parts[COUNT];
    ck_assert_uint_eq(tx_queue_gather(&fixture.queue, parts, 2), 2);
    ck_assert_uint_eq(tx_queue_gather(&fixture.queue, parts, COUNT), 3);
    ck_assert_ptr_eq(parts[0].iov_base, text + 2);
    ck_assert_uint_eq(parts[0].iov_len, 1);
    ck_assert_ptr_eq(parts[1].iov_base, text + 3);
    ck_assert_uint_eq(parts[1].iov_len, 3);
    ck_assert_ptr_eq(parts[2].iov_base, text + 6);
    ck_assert_uint_eq(parts[2].iov_len, 4);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tx_queue");
    TCase *tcase = tcase_create("tx_queue");
    tcase_add_loop_test(tcase, advances_and_releases_in_order, 0, sizeof steps / sizeof *steps);
    tcase_add_test(tcase, gathers_what_is_left);
    suite_add_tcase(suite, tcase);
    return suite;
}
