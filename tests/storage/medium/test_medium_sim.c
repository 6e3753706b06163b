#include "storage/medium/medium_sim.h"

#include "base/crc32c.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <errno.h>
#include <signal.h>

#define BLOCK MEDIUM_BLOCK_BYTES
#define SEGMENT_BYTES (64 * BLOCK)

static struct medium_bed bed;
static _Alignas(BLOCK) uint8_t block[2 * BLOCK];

static void open_bed(void)
{
    memset(block, 'b', sizeof block);
    medium_bed_open_sim(&bed, &(struct sim_disk_options){
                                  .seed = 7, .latency_ns_min = 1000000, .latency_ns_max = 1000000});
}

static void close_bed(void)
{
    medium_bed_close(&bed);
}

/* ---- determinism ---- */

struct script_op {
    struct medium_op op; /* first */
    bool busy;
    uint32_t *trace;
    uint32_t number;
};

static void script_done(struct medium_op *op)
{
    struct script_op *script_op = (struct script_op *)op;
    script_op->busy = false;
    *script_op->trace = crc32c(*script_op->trace, &script_op->number, sizeof script_op->number);
    *script_op->trace = crc32c(*script_op->trace, &op->result, sizeof op->result);
    *script_op->trace = crc32c(*script_op->trace, &bed.now_ns, sizeof bed.now_ns);
}

static void script_start(struct random *random, struct medium_object *segment, uint8_t *bytes,
                         struct medium_op *op)
{
    const struct medium_calls *calls = bed.medium->calls;
    uint32_t number = (uint32_t)random_below(random, 4) + 1;
    switch (random_below(random, 6)) {
    case 0:
        calls->prepare(bed.medium, 0, number * BLOCK, op);
        break;
    case 1:
        calls->adopt(bed.medium, 0, number + 1, op);
        break;
    case 2:
        calls->publish(bed.medium, hint_name(0, number), bytes, number * 100, op);
        break;
    case 3:
        calls->remove(bed.medium, hint_name(0, number), op);
        break;
    case 4:
        calls->read(bed.medium, segment, bytes, BLOCK, number * 1000, op);
        break;
    default:
        calls->write(bed.medium, segment, bytes, BLOCK, number * BLOCK, op);
        break;
    }
}

static void add_object(void *context, struct medium_name name, uint64_t bytes)
{
    uint8_t all[SEGMENT_BYTES];
    uint32_t *trace = context;
    struct medium_object *object = must_open(bed.medium, name);
    ck_assert_int_eq(medium_read_wait(bed.medium, object, all, sizeof all, 0), bytes);
    *trace = crc32c(*trace, &name, sizeof name);
    *trace = crc32c(*trace, all, bytes);
    bed.medium->calls->close(bed.medium, object);
}

/* A life with faults and an end by crash, as one number. */
static uint32_t life(uint64_t seed)
{
    enum { OPS = 8 };
    static _Alignas(BLOCK) uint8_t buffers[OPS][BLOCK];
    struct script_op ops[OPS] = {0};
    struct random random = {.state = 3};
    struct fault fault;
    uint32_t trace = 0;
    medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = seed, .latency_ns_max = 500000});
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    sim_disk_set_errors(bed.disk, 100000, 100000);
    for (uint32_t number = 0; number < 300; number++) {
        struct script_op *op = &ops[number % OPS];
        while (op->busy)
            medium_bed_step(&bed);
        *op = (struct script_op){
            .op.done = script_done, .busy = true, .trace = &trace, .number = number};
        memset(buffers[number % OPS], (int)number, BLOCK);
        script_start(&random, segment, buffers[number % OPS], &op->op);
    }
    sim_disk_crash(bed.disk);
    bed.medium->calls->deinit(bed.medium);
    sim_disk_set_errors(bed.disk, 0, 0);
    bed.medium = medium_bed_another(&bed);
    ck_assert_int_eq(bed.medium->calls->list(bed.medium, add_object, &trace, &fault), STATUS_OK);
    medium_bed_close(&bed);
    return trace;
}

START_TEST(one_seed_is_one_life)
{
    unsigned different = 0;
    for (uint64_t seed = 0; seed < 5; seed++) {
        uint32_t first = life(seed);
        ck_assert_uint_eq(life(seed), first);
        different += life(seed + 1) != first;
    }
    ck_assert_uint_eq(different, 5);
}
END_TEST

/* ---- time ---- */

START_TEST(operations_end_by_the_clock)
{
    struct counted_op op = COUNTED_OP;
    ck_assert_uint_eq(sim_disk_next_ns(bed.disk), UINT64_MAX);
    bed.now_ns = 5000;
    bed.medium->calls->publish(bed.medium, store_name(), block, 1, &op.op);
    ck_assert_uint_eq(sim_disk_next_ns(bed.disk), 1005000);
    bed.now_ns = 1004999;
    bed.medium->calls->poll(bed.medium, false);
    ck_assert_uint_eq(op.ended, 0);
    ck_assert(!medium_has(bed.medium, store_name()));
    bed.now_ns = 1005000;
    bed.medium->calls->poll(bed.medium, false);
    ck_assert_uint_eq(op.ended, 1);
    ck_assert(medium_has(bed.medium, store_name()));
    ck_assert_uint_eq(sim_disk_next_ns(bed.disk), UINT64_MAX);
}
END_TEST

START_TEST(waiting_ends_the_earliest_at_once)
{
    struct counted_op ops[2] = {COUNTED_OP, COUNTED_OP};
    bed.medium->calls->publish(bed.medium, store_name(), block, 1, &ops[0].op);
    bed.now_ns = 10;
    bed.medium->calls->publish(bed.medium, hint_name(0, 1), block, 1, &ops[1].op);
    bed.medium->calls->poll(bed.medium, true);
    ck_assert_uint_eq(ops[0].ended, 1);
    ck_assert_uint_eq(ops[1].ended, 0);
    bed.medium->calls->poll(bed.medium, true);
    ck_assert_uint_eq(ops[1].ended, 1);
    ck_assert_uint_eq(bed.now_ns, 10);
}
END_TEST

START_TEST(media_poll_their_own)
{
    struct counted_op op = COUNTED_OP;
    struct medium *other = medium_bed_another(&bed);
    bed.medium->calls->publish(bed.medium, store_name(), block, 1, &op.op);
    other->calls->poll(other, true);
    bed.now_ns = 10000000;
    other->calls->poll(other, false);
    ck_assert_uint_eq(op.ended, 0);
    other->calls->deinit(other);
    bed.medium->calls->poll(bed.medium, false);
    ck_assert_uint_eq(op.ended, 1);
}
END_TEST

static void again(struct medium_op *op)
{
    struct counted_op *counted = (struct counted_op *)op;
    ck_assert_uint_lt(++counted->ended, 100);
    bed.medium->calls->publish(bed.medium, store_name(), block, 1, op);
}

START_TEST(poll_comes_to_an_end_without_latency)
{
    struct medium_bed quick;
    medium_bed_open_sim(&quick, &(struct sim_disk_options){.seed = 1});
    struct counted_op op = {.op.done = again};
    struct medium_bed slow = bed;
    bed = quick; /* `again` uses it */
    bed.medium->calls->publish(bed.medium, store_name(), block, 1, &op.op);
    bed.medium->calls->poll(bed.medium, false);
    ck_assert_uint_eq(op.ended, 1);
    op.op.done = counted_op_done;
    medium_bed_close(&bed);
    bed = slow;
}
END_TEST

/* ---- crashes ---- */

START_TEST(what_was_done_survives_a_crash)
{
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    ck_assert_int_eq(medium_write_wait(bed.medium, segment, block, 2 * BLOCK, BLOCK), 2 * BLOCK);
    ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(0, 1), "hint", 4), 0);
    ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(0, 2), "gone", 4), 0);
    ck_assert_int_eq(medium_remove_wait(bed.medium, hint_name(0, 2)), 0);
    sim_disk_crash(bed.disk);
    bed.medium->calls->deinit(bed.medium);
    bed.medium = medium_bed_another(&bed);
    segment = must_open(bed.medium, segment_name(0, 1));
    uint8_t out[2 * BLOCK];
    ck_assert_int_eq(medium_read_wait(bed.medium, segment, out, sizeof out, BLOCK), sizeof out);
    ck_assert_mem_eq(out, block, sizeof out);
    ck_assert(medium_holds(bed.medium, hint_name(0, 1), SPAN("hint")));
    ck_assert(!medium_has(bed.medium, hint_name(0, 2)));
}
END_TEST

/* Whatever of a write under way a reader may have seen. */
START_TEST(what_was_synced_survives_a_crash)
{
    struct counted_op write = COUNTED_OP;
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    medium_write(bed.medium, segment, block, BLOCK, 0, &write.op);
    struct medium *reader = medium_bed_another(&bed), *dead = bed.medium;
    ck_assert_int_eq(medium_sync_wait(reader, must_open(reader, segment_name(0, 1))), 0);
    ck_assert_uint_eq(write.ended, 0);
    sim_disk_crash(bed.disk);
    bed.medium = medium_bed_another(&bed);
    static uint8_t whole[SEGMENT_BYTES];
    memset(whole, 'b', BLOCK);
    ck_assert(medium_holds(bed.medium, segment_name(0, 1), span_of(whole, sizeof whole)));
    dead->calls->deinit(dead);
    reader->calls->deinit(reader);
}
END_TEST

START_TEST(crash_kills_the_medium_and_frees_the_fence)
{
    struct fault fault;
    struct counted_op op = COUNTED_OP;
    ck_assert_int_eq(bed.medium->calls->fence(bed.medium, false, &fault), STATUS_OK);
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    medium_read(bed.medium, segment, block, BLOCK, 0, &op.op);
    struct medium *dead = bed.medium;
    sim_disk_crash(bed.disk);
    ck_assert_uint_eq(sim_disk_next_ns(bed.disk), UINT64_MAX);
    bed.medium = medium_bed_another(&bed);
    ck_assert_int_eq(bed.medium->calls->fence(bed.medium, false, &fault), STATUS_OK);
    dead->calls->deinit(dead);
    ck_assert_uint_eq(op.ended, 0);
    struct medium *other = medium_bed_another(&bed); /* the dead one did not take our fence along */
    ck_assert_int_eq(other->calls->fence(other, false, &fault), STATUS_BUSY);
    other->calls->deinit(other);
}
END_TEST

START_TEST(using_a_dead_medium_is_a_bug)
{
    sim_disk_crash(bed.disk);
    bed.medium->calls->poll(bed.medium, false);
}
END_TEST

START_TEST(changing_a_buffer_under_way_is_a_bug)
{
    struct counted_op op = COUNTED_OP;
    bed.medium->calls->publish(bed.medium, store_name(), block, BLOCK, &op.op);
    block[17] ^= 1;
    bed.medium->calls->poll(bed.medium, true);
}
END_TEST

/* ---- faults ---- */

static const struct {
    uint32_t write_rate, read_rate; /* per million */
    unsigned writes_min, writes_max, reads_min, reads_max;
} rates[] = {
    {0, 0, 0, 0, 0, 0},
    {1000000, 0, 1000, 1000, 0, 0},
    {0, 1000000, 0, 0, 1000, 1000},
    {250000, 20000, 200, 300, 5, 40},
};

START_TEST(errors_come_at_the_rates_given)
{
    unsigned write_errors = 0, read_errors = 0;
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    sim_disk_set_errors(bed.disk, rates[_i].write_rate, rates[_i].read_rate);
    for (unsigned i = 0; i < 1000; i++) {
        uint8_t out[16];
        int64_t written = medium_write_wait(bed.medium, segment, block, BLOCK, 0);
        int64_t read = medium_read_wait(bed.medium, segment, out, sizeof out, 0);
        ck_assert(written == BLOCK || written == -EIO);
        ck_assert(read == sizeof out || read == -EIO);
        write_errors += written < 0;
        read_errors += read < 0;
    }
    ck_assert_uint_ge(write_errors, rates[_i].writes_min);
    ck_assert_uint_le(write_errors, rates[_i].writes_max);
    ck_assert_uint_ge(read_errors, rates[_i].reads_min);
    ck_assert_uint_le(read_errors, rates[_i].reads_max);
    sim_disk_set_errors(bed.disk, 0, 0);
    ck_assert_int_eq(medium_write_wait(bed.medium, segment, block, BLOCK, 0), BLOCK);
    ck_assert_int_eq(medium_read_wait(bed.medium, segment, block, BLOCK, 0), BLOCK);
}
END_TEST

START_TEST(damage_flips_what_it_says)
{
    static const uint64_t offsets[] = {0, BLOCK + 3, SEGMENT_BYTES - 1};
    static uint8_t out[SEGMENT_BYTES], expected[SEGMENT_BYTES];
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    ck_assert_int_eq(medium_write_wait(bed.medium, segment, block, BLOCK, BLOCK), BLOCK);
    memset(expected + BLOCK, 'b', BLOCK);
    for (uint8_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        uint8_t flips = (uint8_t)(0x81u << i);
        sim_disk_damage(bed.disk, segment_name(0, 1), offsets[i], flips);
        expected[offsets[i]] ^= flips;
        ck_assert_int_eq(medium_read_wait(bed.medium, segment, out, sizeof out, 0), sizeof out);
        ck_assert_mem_eq(out, expected, sizeof out);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("medium_sim");
    TCase *lives = tcase_create("determinism");
    tcase_add_test(lives, one_seed_is_one_life);
    suite_add_tcase(suite, lives);

    TCase *tcase = tcase_create("behaviour");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, operations_end_by_the_clock);
    tcase_add_test(tcase, waiting_ends_the_earliest_at_once);
    tcase_add_test(tcase, media_poll_their_own);
    tcase_add_test(tcase, poll_comes_to_an_end_without_latency);
    tcase_add_test(tcase, what_was_done_survives_a_crash);
    tcase_add_test(tcase, what_was_synced_survives_a_crash);
    tcase_add_test(tcase, crash_kills_the_medium_and_frees_the_fence);
    tcase_add_test_raise_signal(tcase, using_a_dead_medium_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, changing_a_buffer_under_way_is_a_bug, SIGABRT);
    tcase_add_loop_test(tcase, errors_come_at_the_rates_given, 0, sizeof rates / sizeof *rates);
    tcase_add_test(tcase, damage_flips_what_it_says);
    suite_add_tcase(suite, tcase);
    return suite;
}
