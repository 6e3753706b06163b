#include "engine/smtp/queue.h"

#include "engine/smtp/reply.h"
#include "tests/check_main.h"

#include <stdio.h>

static struct blocks blocks;
static struct smtp_queue queue;
static uint8_t said_bytes[16384];
static struct output said;

static void setup(void)
{
    const uint32_t counts[BLOCK_CLASSES] = {[BLOCK_4K] = 1};
    ck_assert_int_eq(blocks_init(&blocks, counts), STATUS_OK);
    queue = (struct smtp_queue){0};
    said = (struct output){said_bytes, 0, sizeof said_bytes};
}

static void teardown(void)
{
    smtp_queue_release(&queue, &blocks);
    ck_assert_uint_eq(blocks.pools[BLOCK_4K].taken, 0);
    blocks_deinit(&blocks);
}

static bool say(struct span text)
{
    struct output held;
    if (!smtp_queue_hold(&queue, &blocks, (uint32_t)text.size, &held))
        return false;
    output_add(&held, text);
    smtp_queue_keep(&queue, &held);
    return true;
}

static bool add(uint32_t count, enum smtp_reply reply)
{
    const struct smtp_answer answer = {.count = count, .reply = (uint8_t)reply};
    struct output held;
    if (smtp_queue_empty(&queue)) {
        smtp_queue_add(&queue, &answer, NULL);
        return true;
    }
    if (!smtp_queue_hold(&queue, &blocks, 1 + sizeof answer, &held))
        return false;
    smtp_queue_add(&queue, &answer, &held);
    smtp_queue_keep(&queue, &held);
    return true;
}

/* Drains through outputs of `room` bytes. */
static bool drain(uint32_t room)
{
    for (;;) {
        uint8_t bytes[512];
        struct output out = {bytes, 0, room};
        bool empty = smtp_queue_drain(&queue, &blocks, &out);
        output_add(&said, span_of(bytes, out.size));
        if (empty || out.size == 0)
            return empty;
    }
}

static void expect(const char *text)
{
    ck_assert_msg(span_equal(span_of(said.data, said.size), span_text(text)), "%.*s",
                  (int)said.size, (const char *)said.data);
    said.size = 0;
}

START_TEST(test_order)
{
    uint32_t room = (uint32_t)_i;
    ck_assert(smtp_queue_empty(&queue));
    ck_assert(add(1, REPLY_NONE));
    ck_assert_uint_eq(blocks.pools[BLOCK_4K].taken, 0);
    ck_assert(say(SPAN("a\r\n")));
    ck_assert(say(SPAN("b\r\n")));
    ck_assert(add(2, REPLY_NONE));
    ck_assert(add(3, REPLY_LOOP));
    ck_assert(say(SPAN("c\r\n")));
    ck_assert(add(1, REPLY_NONE));
    ck_assert(!drain(room));
    expect("");

    ck_assert(smtp_queue_resolve(&queue, REPLY_OK, SPAN("ONE")));
    ck_assert(smtp_queue_resolve(&queue, REPLY_OK, SPAN("TWO")));
    ck_assert(!drain(room));
    expect(
        "250 2.0.0 queued as ONE\r\na\r\nb\r\n"
        "250 2.0.0 queued as TWO\r\n250 2.0.0 queued as TWO\r\n"
        "554 5.4.6 Too many hops\r\n554 5.4.6 Too many hops\r\n554 5.4.6 Too many hops\r\nc\r\n");
    ck_assert(smtp_queue_resolve(&queue, REPLY_TRY_LATER, SPAN("")));
    ck_assert(drain(room));
    expect("451 4.3.0 Try later\r\n");
    ck_assert(smtp_queue_empty(&queue));
    ck_assert(!smtp_queue_resolve(&queue, REPLY_OK, SPAN("NONE")));
}
END_TEST

/* All answers may be known before any is said, and some from the start. */
START_TEST(test_resolved_in_block)
{
    ck_assert(add(1, REPLY_NONE));
    ck_assert(add(1, REPLY_LOOP));
    ck_assert(add(1, REPLY_NONE));
    ck_assert(smtp_queue_resolve(&queue, REPLY_OK, SPAN("ONE")));
    ck_assert(smtp_queue_resolve(&queue, REPLY_OK, SPAN("THREE")));
    ck_assert(!smtp_queue_resolve(&queue, REPLY_OK, SPAN("NONE")));
    ck_assert(drain(512));
    expect("250 2.0.0 queued as ONE\r\n554 5.4.6 Too many hops\r\n"
           "250 2.0.0 queued as THREE\r\n");
}
END_TEST

/* What was said makes room, also while the block is never empty. */
START_TEST(test_room_again)
{
    enum { LONG = 700 };
    ck_assert(add(1, REPLY_NONE));
    for (unsigned i = 0; i < 3; i++) {
        ck_assert(say(SPAN("x\r\n")));
        ck_assert(add(1, REPLY_NONE));
        ck_assert(say(span_of("yyyy", 4)));
    }
    for (unsigned i = 0; i < 50; i++) {
        struct output held;
        ck_assert(smtp_queue_hold(&queue, &blocks, LONG, &held));
        memset(held.data + held.size, 'z', LONG);
        held.size += LONG;
        smtp_queue_keep(&queue, &held);
        ck_assert(add(1, REPLY_NONE));
        ck_assert(smtp_queue_resolve(&queue, REPLY_TRY_LATER, SPAN("")));
        ck_assert(!drain(512));
        said.size = 0;
    }
    while (smtp_queue_resolve(&queue, REPLY_TRY_LATER, SPAN("")))
        drain(512);
    ck_assert(smtp_queue_empty(&queue));
}
END_TEST

/* It fills up, says no, and goes on when the oldest is answered; nothing is lost or reordered. */
START_TEST(test_full)
{
    char text[16];
    unsigned in = 0, out = 0;
    for (unsigned round = 0; round < 50; round++) {
        ck_assert(add(1, REPLY_NONE));
        for (;;) {
            int size = snprintf(text, sizeof text, "%010u\r\n", in);
            if (!say(span_of(text, (size_t)size)))
                break;
            in++;
            if (!add(1, REPLY_NONE))
                break;
        }
        ck_assert_uint_gt(in, out);
        while (smtp_queue_resolve(&queue, REPLY_OK, SPAN("0123456789ABC")))
            drain(100 + round);
        drain(512);
        for (size_t at = 0; at < said.size; at++) {
            if (said.data[at] != '0' || memcmp(said.data + at + 10, "\r\n", 2) != 0 ||
                (at > 0 && said.data[at - 1] != '\n'))
                continue;
            snprintf(text, sizeof text, "%010u", out++);
            ck_assert_mem_eq(said.data + at, text, 10);
        }
        said.size = 0;
        ck_assert_uint_eq(out, in);
    }
    ck_assert(smtp_queue_empty(&queue));
}
END_TEST

START_TEST(test_no_block)
{
    void *only = blocks_take(&blocks, BLOCK_4K);
    ck_assert(add(1, REPLY_NONE));
    ck_assert(!say(SPAN("a\r\n")));
    ck_assert(smtp_queue_resolve(&queue, REPLY_OK, SPAN("X")));
    ck_assert(drain(512));
    expect("250 2.0.0 queued as X\r\n");
    blocks_give(&blocks, BLOCK_4K, only);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_queue");
    TCase *tcase = tcase_create("queue");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_order, 26, 60);
    tcase_add_test(tcase, test_resolved_in_block);
    tcase_add_test(tcase, test_room_again);
    tcase_add_test(tcase, test_full);
    tcase_add_test(tcase, test_no_block);
    suite_add_tcase(suite, tcase);
    return suite;
}
