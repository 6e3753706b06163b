#include "tests/check_main.h"

#include "base/random.h"
#include "base/spsc.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>

#define QUEUE_BYTES 4096
#define FRAME_BYTES_MAX (QUEUE_BYTES / 4)
#define THREAD_FRAMES 200000u

static struct spsc *queue;
static uintptr_t ring_start; /* the first frame stands 8 bytes after it */

static void open_queue(void)
{
    ck_assert(spsc_open(&queue, QUEUE_BYTES) == STATUS_OK);
    ring_start = (uintptr_t)spsc_reserve(queue, 0) - 8;
}

static void close_queue(void)
{
    spsc_close(queue);
}

/* Frame number n has a size and bytes that follow from n alone. */
static size_t size_of(uint64_t n, size_t size_max)
{
    struct random random = {n};
    return random_below(&random, size_max + 1);
}

static bool write_frame(uint64_t n, size_t size_max)
{
    size_t size = size_of(n, size_max);
    uint8_t *frame = spsc_reserve(queue, size);
    if (frame == NULL)
        return false;
    memset(frame, (int)(n & 0xFF), size);
    spsc_publish(queue);
    return true;
}

static bool frame_is(struct span frame, uint64_t n, size_t size_max)
{
    uintptr_t start = (uintptr_t)frame.data;
    if (frame.size != size_of(n, size_max) || start % 8 != 0)
        return false;
    if (start < ring_start || start + frame.size > ring_start + QUEUE_BYTES)
        return false;
    for (size_t i = 0; i < frame.size; i++)
        if (frame.data[i] != (n & 0xFF))
            return false;
    return true;
}

START_TEST(empty_has_no_frame)
{
    struct span none = spsc_peek(queue);
    ck_assert_ptr_null(none.data);
    ck_assert_uint_eq(none.size, 0);
}
END_TEST

START_TEST(empty_frame_is_a_frame)
{
    ck_assert_ptr_nonnull(spsc_reserve(queue, 0));
    spsc_publish(queue);
    struct span frame = spsc_peek(queue);
    ck_assert_ptr_nonnull(frame.data);
    ck_assert_uint_eq(frame.size, 0);
    spsc_consume(queue);
    ck_assert_ptr_null(spsc_peek(queue).data);
}
END_TEST

START_TEST(unpublished_is_unseen_and_can_start_over)
{
    memcpy(spsc_reserve(queue, 5), "first", 5);
    ck_assert_ptr_null(spsc_peek(queue).data);
    memcpy(spsc_reserve(queue, 6), "second", 6);
    spsc_publish(queue);
    ck_assert(span_equal(spsc_peek(queue), SPAN("second")));
    ck_assert(span_equal(spsc_peek(queue), SPAN("second"))); /* until consumed */
    spsc_consume(queue);
    ck_assert_ptr_null(spsc_peek(queue).data);
}
END_TEST

START_TEST(full_says_no_until_consumed)
{
    unsigned frames = 0;
    for (; spsc_reserve(queue, 56) != NULL; frames++)
        spsc_publish(queue);
    ck_assert_uint_eq(frames, QUEUE_BYTES / 64); /* not a byte is lost */
    ck_assert_ptr_nonnull(spsc_peek(queue).data);
    ck_assert_ptr_null(spsc_reserve(queue, 56));
    spsc_consume(queue);
    ck_assert_ptr_nonnull(spsc_reserve(queue, 56));
    spsc_publish(queue);
    ck_assert_ptr_null(spsc_reserve(queue, 0));
}
END_TEST

/* Whatever was promised is kept, wherever the end is, and all but one frame's worth is promised. */
START_TEST(promised_room_is_there)
{
    enum { SIZE = 200, FRAMES = QUEUE_BYTES / (SIZE + 8) - 1 };
    for (size_t offset = 0; offset < QUEUE_BYTES; offset += 8) {
        ck_assert(spsc_has_room(queue, FRAMES, SIZE));
        ck_assert(!spsc_has_room(queue, FRAMES + 1, SIZE));
        for (uint32_t i = 0; i < FRAMES; i++) {
            ck_assert(spsc_has_room(queue, FRAMES - i, SIZE));
            ck_assert_ptr_nonnull(spsc_reserve(queue, SIZE));
            spsc_publish(queue);
        }
        ck_assert(!spsc_has_room(queue, FRAMES, SIZE));
        for (uint32_t i = 0; i < FRAMES; i++) {
            ck_assert_ptr_nonnull(spsc_peek(queue).data);
            spsc_consume(queue);
        }
        ck_assert_ptr_nonnull(spsc_reserve(queue, 0));
        spsc_publish(queue);
        ck_assert_ptr_nonnull(spsc_peek(queue).data);
        spsc_consume(queue);
    }
}
END_TEST

START_TEST(largest_frame_fits_wherever_the_end_is)
{
    for (size_t offset = 0; offset < QUEUE_BYTES; offset += 8) {
        uint64_t *frame = spsc_reserve(queue, FRAME_BYTES_MAX);
        ck_assert_ptr_nonnull(frame);
        memset(frame, 0x77, FRAME_BYTES_MAX);
        *frame = offset;
        spsc_publish(queue);
        struct span seen = spsc_peek(queue);
        ck_assert_uint_le((uintptr_t)seen.data + seen.size, ring_start + QUEUE_BYTES);
        ck_assert_uint_eq(seen.size, FRAME_BYTES_MAX);
        ck_assert_mem_eq(seen.data, &offset, sizeof offset);
        spsc_consume(queue);
        ck_assert_ptr_nonnull(spsc_reserve(queue, 0));
        spsc_publish(queue);
        ck_assert_ptr_nonnull(spsc_peek(queue).data);
        spsc_consume(queue);
    }
}
END_TEST

START_TEST(frames_come_out_as_they_went_in)
{
    struct random random = {(uint64_t)_i};
    uint64_t written = 0, read = 0, wrong = 0;
    size_t size_max = _i % 2 ? FRAME_BYTES_MAX : 40;
    for (unsigned turn = 0; turn < 20000; turn++) {
        for (uint64_t burst = random_below(&random, 8); burst > 0; burst--)
            written += write_frame(written, size_max);
        for (uint64_t burst = random_below(&random, 8); burst > 0; burst--) {
            struct span frame = spsc_peek(queue);
            wrong += (frame.data == NULL) != (read == written);
            if (frame.data == NULL)
                break;
            wrong += !frame_is(frame, read, size_max);
            spsc_consume(queue);
            read++;
        }
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_gt(read, 20000);
}
END_TEST

static void *write_all(void *unused)
{
    (void)unused;
    for (uint64_t n = 0; n < THREAD_FRAMES;)
        if (write_frame(n, 100))
            n++;
        else
            sched_yield();
    return NULL;
}

START_TEST(two_threads)
{
    pthread_t writer;
    ck_assert_int_eq(pthread_create(&writer, NULL, write_all, NULL), 0);
    uint64_t wrong = 0;
    for (uint64_t n = 0; n < THREAD_FRAMES;) {
        struct span frame = spsc_peek(queue);
        if (frame.data == NULL) {
            sched_yield();
            continue;
        }
        wrong += !frame_is(frame, n, 100);
        spsc_consume(queue);
        n++;
    }
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_ptr_null(spsc_peek(queue).data);
}
END_TEST

START_TEST(too_large_a_frame_is_a_bug)
{
    spsc_reserve(queue, FRAME_BYTES_MAX + 1);
}
END_TEST

START_TEST(consuming_nothing_is_a_bug)
{
    spsc_consume(queue);
}
END_TEST

START_TEST(publishing_nothing_is_a_bug)
{
    ck_assert_ptr_nonnull(spsc_reserve(queue, 0));
    spsc_publish(queue);
    spsc_publish(queue);
}
END_TEST

START_TEST(no_memory_is_full)
{
    struct spsc *huge = NULL;
    ck_assert(spsc_open(&huge, SIZE_MAX) == STATUS_FULL);
    ck_assert_ptr_null(huge);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("spsc");
    TCase *tcase = tcase_create("spsc");
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, open_queue, close_queue);
    tcase_add_test(tcase, empty_has_no_frame);
    tcase_add_test(tcase, empty_frame_is_a_frame);
    tcase_add_test(tcase, unpublished_is_unseen_and_can_start_over);
    tcase_add_test(tcase, full_says_no_until_consumed);
    tcase_add_test(tcase, promised_room_is_there);
    tcase_add_test(tcase, largest_frame_fits_wherever_the_end_is);
    tcase_add_loop_test(tcase, frames_come_out_as_they_went_in, 0, 4);
    tcase_add_test(tcase, two_threads);
    tcase_add_test_raise_signal(tcase, too_large_a_frame_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, consuming_nothing_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, publishing_nothing_is_a_bug, SIGABRT);
    tcase_add_test(tcase, no_memory_is_full);
    suite_add_tcase(suite, tcase);
    return suite;
}
