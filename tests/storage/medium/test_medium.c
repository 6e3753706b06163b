/* What every medium must do, run on three grounds: a disk, tmpfs and the simulation. */
#include "storage/medium/medium.h"

#include "base/random.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#define SEGMENT_BYTES (256u << 10)
#define BLOCK MEDIUM_BLOCK_BYTES

static struct medium_bed bed;
static _Alignas(BLOCK) uint8_t noise[SEGMENT_BYTES]; /* no two sectors alike */
static _Alignas(BLOCK) uint8_t out[SEGMENT_BYTES];

static void fill_noise(void)
{
    struct random random = {.state = 1};
    for (size_t i = 0; i < sizeof noise; i += sizeof random.state) {
        uint64_t word = random_next(&random);
        memcpy(noise + i, &word, sizeof word);
    }
}

static void ground_on_disk(void)
{
    medium_ground_open(BED_DISK);
}

static void ground_on_shm(void)
{
    medium_ground_open(BED_SHM);
}

static void open_file(void)
{
    fill_noise();
    medium_bed_open_file(&bed);
}

static void open_sim(void)
{
    fill_noise();
    medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = 1, .latency_ns_max = 1000000});
}

static void close_bed(void)
{
    medium_bed_close(&bed);
}

static void close_object(struct medium_object *object)
{
    bed.medium->calls->close(bed.medium, object);
}

START_TEST(empty_medium_has_nothing)
{
    const struct medium_name names[] = {store_name(), segment_name(0, 1), hint_name(0, 1),
                                        spare_name(0)};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct medium_object *object = NULL;
        ck_assert_int_eq(bed.medium->calls->open(bed.medium, names[i], &object), STATUS_ABSENT);
        ck_assert_ptr_null(object);
        ck_assert_int_eq(medium_remove_wait(bed.medium, names[i]), -ENOENT);
    }
    ck_assert_int_eq(medium_adopt_wait(bed.medium, 0, 1), -ENOENT);
    ck_assert_uint_eq(medium_list(bed.medium).count, 0);
    ck_assert_uint_gt(bed.medium->calls->space_left(bed.medium), SEGMENT_BYTES);
    bed.medium->calls->poll(bed.medium, true); /* nothing under way: does not wait */
}
END_TEST

START_TEST(publish_keeps_any_size)
{
    const uint32_t sizes[] = {0, 1, BLOCK - 1, BLOCK, BLOCK + 1, SEGMENT_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct medium_name name = i % 2 ? hint_name(3, 9) : store_name();
        ck_assert_int_eq(medium_publish_wait(bed.medium, name, noise, sizes[i]), 0);
        ck_assert(medium_holds(bed.medium, name, span_of(noise, sizes[i])));
    }
    uint32_t large = 3 * (1u << 20) + 123; /* several writes */
    uint8_t *bytes = malloc(large);
    ck_assert_ptr_nonnull(bytes);
    for (uint32_t i = 0; i < large; i++)
        bytes[i] = noise[i % (sizeof noise - 1)];
    ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), bytes, large), 0);
    ck_assert(medium_holds(bed.medium, store_name(), span_of(bytes, large)));
    free(bytes);
}
END_TEST

/* At every moment the old object or the new one, whole; and a reader of the old one keeps it. */
START_TEST(publish_replaces_atomically)
{
    struct span versions[] = {span_of(noise, 5000), span_of(noise + 9, 200000)};
    ck_assert_int_eq(
        medium_publish_wait(bed.medium, store_name(), versions[0].data, (uint32_t)versions[0].size),
        0);
    struct medium_object *old = must_open(bed.medium, store_name());
    struct counted_op publish = COUNTED_OP;
    bed.medium->calls->publish(bed.medium, store_name(), versions[1].data,
                               (uint32_t)versions[1].size, &publish.op);
    ck_assert_uint_eq(publish.ended, 0);
    while (!publish.ended) {
        struct medium_object *now = must_open(bed.medium, store_name());
        uint64_t bytes = bed.medium->calls->size(now);
        ck_assert(bytes == versions[0].size || bytes == versions[1].size);
        close_object(now);
        medium_bed_step(&bed);
    }
    ck_assert_int_eq(publish.op.result, 0);
    ck_assert(medium_holds(bed.medium, store_name(), versions[1]));
    ck_assert_int_eq(medium_read_wait(bed.medium, old, out, SEGMENT_BYTES, 0), 5000);
    ck_assert_mem_eq(out, noise, 5000);
    close_object(old);
    ck_assert_uint_eq(medium_list(bed.medium).count, 1);
}
END_TEST

START_TEST(prepared_spare_reads_as_zeroes)
{
    static const uint8_t zeroes[2 * SEGMENT_BYTES];
    const uint32_t sizes[] = {SEGMENT_BYTES, BLOCK, 2 * SEGMENT_BYTES};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ck_assert_int_eq(medium_prepare_wait(bed.medium, 2, sizes[i]), 0);
        ck_assert(medium_holds(bed.medium, spare_name(2), span_of(zeroes, sizes[i])));
        struct medium_object *spare = must_open(bed.medium, spare_name(2));
        ck_assert_int_eq(medium_write_wait(bed.medium, spare, noise, BLOCK, 0), BLOCK);
        close_object(spare); /* dirty now, and to be emptied by the next */
    }
    ck_assert_uint_eq(medium_list(bed.medium).count, 1);
}
END_TEST

START_TEST(adopt_renames_the_spare)
{
    struct medium_object *one = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    ck_assert(!medium_has(bed.medium, spare_name(0)));
    ck_assert_uint_eq(bed.medium->calls->size(one), SEGMENT_BYTES);
    ck_assert_int_eq(medium_adopt_wait(bed.medium, 0, 2), -ENOENT);
    ck_assert_int_eq(medium_write_wait(bed.medium, one, noise, BLOCK, 0), BLOCK);

    ck_assert_int_eq(medium_prepare_wait(bed.medium, 0, BLOCK), 0);
    ck_assert_int_eq(medium_adopt_wait(bed.medium, 0, 1), -EEXIST);
    ck_assert(medium_has(bed.medium, spare_name(0)));
    ck_assert_int_eq(medium_read_wait(bed.medium, one, out, BLOCK, 0), BLOCK);
    ck_assert_mem_eq(out, noise, BLOCK);
    ck_assert_int_eq(medium_adopt_wait(bed.medium, 1, 1), -ENOENT); /* another shard's */
    close_object(one);
}
END_TEST

/* An object opened as the spare goes on under its new name. */
START_TEST(open_spare_survives_adoption)
{
    ck_assert_int_eq(medium_prepare_wait(bed.medium, 0, SEGMENT_BYTES), 0);
    struct medium_object *object = must_open(bed.medium, spare_name(0));
    ck_assert_int_eq(medium_write_wait(bed.medium, object, noise, BLOCK, 0), BLOCK);
    ck_assert_int_eq(medium_adopt_wait(bed.medium, 0, 1), 0);
    ck_assert_int_eq(medium_write_wait(bed.medium, object, noise + BLOCK, BLOCK, BLOCK), BLOCK);
    close_object(object);
    object = must_open(bed.medium, segment_name(0, 1));
    ck_assert_int_eq(medium_read_wait(bed.medium, object, out, 2 * BLOCK, 0), 2 * BLOCK);
    ck_assert_mem_eq(out, noise, 2 * BLOCK);
    close_object(object);
}
END_TEST

START_TEST(writes_land_where_they_were_put)
{
    static const struct {
        uint32_t offset, size;
    } writes[] = {{4, 1}, {0, 2}, {60, 4}, {8, 16}, {0, 1}}; /* blocks */
    static uint8_t model[SEGMENT_BYTES];
    memset(model, 0, sizeof model);
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        uint32_t offset = writes[i].offset * BLOCK, size = writes[i].size * BLOCK;
        const uint8_t *bytes = noise + i * BLOCK;
        memcpy(model + offset, bytes, size);
        ck_assert_int_eq(medium_write_wait(bed.medium, segment, bytes, size, offset), size);
    }
    close_object(segment);
    ck_assert(medium_holds(bed.medium, segment_name(0, 1), span_of(model, sizeof model)));
    struct medium *another = medium_bed_another(&bed);
    ck_assert(medium_holds(another, segment_name(0, 1), span_of(model, sizeof model)));
    another->calls->deinit(another);
}
END_TEST

START_TEST(reads_end_at_the_end)
{
    static const struct {
        uint64_t offset;
        uint32_t size;
        int64_t result;
    } reads[] = {
        {0, SEGMENT_BYTES, SEGMENT_BYTES},
        {1, 7, 7},
        {BLOCK - 3, 6, 6},
        {SEGMENT_BYTES - 10, 10, 10},
        {SEGMENT_BYTES - 10, 11, 10},
        {SEGMENT_BYTES - 1, BLOCK, 1},
        {SEGMENT_BYTES, 1, 0},
        {SEGMENT_BYTES + 12345, 100, 0},
        {1ull << 40, 100, 0},
        {5, 0, 0},
    };
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    ck_assert_int_eq(medium_write_wait(bed.medium, segment, noise, SEGMENT_BYTES, 0),
                     SEGMENT_BYTES);
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        memset(out, 0xee, sizeof out);
        int64_t result = medium_read_wait(bed.medium, segment, out, reads[i].size, reads[i].offset);
        ck_assert_int_eq(result, reads[i].result);
        ck_assert(span_equal(span_of(out, result),
                             span_of(noise + reads[i].offset % SEGMENT_BYTES, result)));
        ck_assert(result == SEGMENT_BYTES || out[result] == 0xee);
    }
    close_object(segment);
}
END_TEST

START_TEST(removed_object_is_readable_while_open)
{
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    ck_assert_int_eq(medium_write_wait(bed.medium, segment, noise, BLOCK, 0), BLOCK);
    ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(0, 1), noise, 100), 0);
    struct medium_object *hint = must_open(bed.medium, hint_name(0, 1));
    ck_assert_int_eq(medium_remove_wait(bed.medium, segment_name(0, 1)), 0);
    ck_assert_int_eq(medium_remove_wait(bed.medium, hint_name(0, 1)), 0);
    ck_assert_int_eq(medium_remove_wait(bed.medium, hint_name(0, 1)), -ENOENT);
    ck_assert(!medium_has(bed.medium, segment_name(0, 1)));
    ck_assert_uint_eq(medium_list(bed.medium).count, 0);
    ck_assert_int_eq(medium_read_wait(bed.medium, segment, out, BLOCK, 0), BLOCK);
    ck_assert_mem_eq(out, noise, BLOCK);
    ck_assert_int_eq(medium_read_wait(bed.medium, hint, out, BLOCK, 0), 100);
    close_object(segment);
    close_object(hint);
}
END_TEST

START_TEST(list_names_every_object)
{
    ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), noise, 64), 0);
    ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(7, 123456789), noise, 0), 0);
    ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(1023, 1), noise, 5), 0);
    close_object(must_make_segment(bed.medium, 0, 1, BLOCK));
    close_object(must_make_segment(bed.medium, 0, 2, 2 * BLOCK));
    ck_assert_int_eq(medium_prepare_wait(bed.medium, 7, 3 * BLOCK), 0);
    struct listing listing = medium_list(bed.medium);
    ck_assert_uint_eq(listing.count, 6);
    ck_assert(listing_has(&listing, store_name(), 64));
    ck_assert(listing_has(&listing, hint_name(7, 123456789), 0));
    ck_assert(listing_has(&listing, hint_name(1023, 1), 5));
    ck_assert(listing_has(&listing, segment_name(0, 1), BLOCK));
    ck_assert(listing_has(&listing, segment_name(0, 2), 2 * BLOCK));
    ck_assert(listing_has(&listing, spare_name(7), 3 * BLOCK));
}
END_TEST

START_TEST(fence_lets_one_write)
{
    struct medium *other = medium_bed_another(&bed);
    struct medium *reader = medium_bed_another(&bed);
    struct fault fault = {.text = ""};
    ck_assert_int_eq(bed.medium->calls->fence(bed.medium, false, &fault), STATUS_OK);
    ck_assert_int_eq(other->calls->fence(other, false, &fault), STATUS_BUSY);
    ck_assert_int_eq(fault.status, STATUS_BUSY);
    ck_assert_str_ne(fault.text, "");
    ck_assert_int_eq(reader->calls->fence(reader, true, &fault), STATUS_OK);
    reader->calls->deinit(reader);
    ck_assert_int_eq(other->calls->fence(other, false, &fault), STATUS_BUSY);
    bed.medium->calls->deinit(bed.medium);
    bed.medium = other;
    ck_assert_int_eq(other->calls->fence(other, false, &fault), STATUS_OK);
}
END_TEST

#define OPERATIONS 7

/* Starts one operation of each sort on things that are there. */
static void start_all(struct medium_object *segment, struct counted_op ops[OPERATIONS])
{
    const struct medium_calls *calls = bed.medium->calls;
    for (unsigned i = 0; i < OPERATIONS; i++)
        ops[i] = (struct counted_op)COUNTED_OP;
    calls->write(bed.medium, segment, noise, BLOCK, 0, &ops[0].op);
    calls->read(bed.medium, segment, out, BLOCK, BLOCK, &ops[1].op);
    calls->prepare(bed.medium, 1, BLOCK, &ops[2].op);
    calls->adopt(bed.medium, 0, 2, &ops[3].op);
    calls->publish(bed.medium, store_name(), noise, 10, &ops[4].op);
    calls->remove(bed.medium, hint_name(0, 1), &ops[5].op);
    calls->sync(bed.medium, segment, &ops[6].op);
}

START_TEST(done_comes_once_and_never_from_the_call)
{
    static const int64_t results[OPERATIONS] = {BLOCK, BLOCK};
    struct counted_op ops[OPERATIONS];
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    ck_assert_int_eq(medium_prepare_wait(bed.medium, 0, BLOCK), 0);
    ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(0, 1), noise, 1), 0);
    start_all(segment, ops);
    unsigned ended = 0;
    for (unsigned i = 0; i < OPERATIONS; i++)
        ck_assert_uint_eq(ops[i].ended, 0);
    for (unsigned polls = 0; polls < OPERATIONS && ended < OPERATIONS; polls++) {
        unsigned before = ended;
        bed.medium->calls->poll(bed.medium, true);
        ended = 0;
        for (unsigned i = 0; i < OPERATIONS; i++)
            ended += ops[i].ended;
        ck_assert_uint_gt(ended, before);
    }
    bed.medium->calls->poll(bed.medium, true);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        ck_assert_uint_eq(ops[i].ended, 1);
        ck_assert_int_eq(ops[i].op.result, results[i]);
    }
    close_object(segment);
}
END_TEST

START_TEST(deinit_waits_for_what_is_under_way)
{
    struct counted_op ops[OPERATIONS];
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    ck_assert_int_eq(medium_publish_wait(bed.medium, hint_name(0, 1), noise, 1), 0);
    start_all(segment, ops);
    bed.medium->calls->deinit(bed.medium); /* closes the segment as well */
    bed.medium = NULL;
    for (unsigned i = 0; i < OPERATIONS; i++)
        ck_assert_uint_eq(ops[i].ended, 1);
}
END_TEST

#define MANY 40

START_TEST(more_changes_than_run_at_once)
{
    struct counted_op publishes[MANY], writes[MANY];
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    for (uint32_t i = 0; i < MANY; i++) {
        publishes[i] = writes[i] = (struct counted_op)COUNTED_OP;
        bed.medium->calls->publish(bed.medium, hint_name(0, i + 1), noise + i, i, &publishes[i].op);
        bed.medium->calls->write(bed.medium, segment, noise + i * BLOCK, BLOCK, i * BLOCK,
                                 &writes[i].op);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        while (!publishes[i].ended || !writes[i].ended)
            bed.medium->calls->poll(bed.medium, true);
        ck_assert_int_eq(publishes[i].op.result, 0);
        ck_assert_int_eq(writes[i].op.result, BLOCK);
        ck_assert(medium_holds(bed.medium, hint_name(0, i + 1), span_of(noise + i, i)));
    }
    ck_assert_int_eq(medium_read_wait(bed.medium, segment, out, MANY * BLOCK, 0), MANY * BLOCK);
    ck_assert_mem_eq(out, noise, MANY * BLOCK);
    close_object(segment);
}
END_TEST

/* Changes of one name take effect in the order in which they were started. */
START_TEST(changes_of_one_name_keep_their_order)
{
    enum { CHANGES = 9 };
    static const int64_t results[CHANGES] = {0, 0, 0, -ENOENT, 0, 0, 0, -ENOENT, 0};
    const struct medium_calls *calls = bed.medium->calls;
    for (unsigned round = 0; round < 3; round++) {
        struct medium_name hint = hint_name(round, 1);
        unsigned turn = 0;
        struct counted_op ops[CHANGES];
        for (unsigned i = 0; i < CHANGES; i++)
            ops[i] = (struct counted_op){.op.done = counted_op_done, .turn = &turn};
        calls->publish(bed.medium, hint, noise, 1000, &ops[0].op);
        calls->publish(bed.medium, hint, noise, 20, &ops[1].op);
        calls->remove(bed.medium, hint, &ops[2].op);
        calls->remove(bed.medium, hint, &ops[3].op);
        calls->publish(bed.medium, hint, noise, 7, &ops[4].op);
        calls->prepare(bed.medium, round, BLOCK, &ops[5].op);
        calls->adopt(bed.medium, round, 1, &ops[6].op);
        calls->adopt(bed.medium, round, 2, &ops[7].op);
        calls->remove(bed.medium, segment_name(round, 1), &ops[8].op);
        while (turn < CHANGES)
            calls->poll(bed.medium, true);
        for (unsigned i = 0; i < CHANGES; i++)
            ck_assert_int_eq(ops[i].op.result, results[i]);
        ck_assert_uint_lt(ops[0].place, ops[1].place);
        ck_assert_uint_lt(ops[5].place, ops[6].place);
        ck_assert(medium_holds(bed.medium, hint, span_of(noise, 7)));
        ck_assert(!medium_has(bed.medium, segment_name(round, 1)));
    }
}
END_TEST

struct chain {
    struct medium_op op; /* first */
    struct medium_object *segment;
    uint32_t written;
};

static void chain_done(struct medium_op *op)
{
    struct chain *chain = (struct chain *)op;
    ck_assert_int_eq(op->result, BLOCK);
    if (++chain->written < 16)
        medium_write(bed.medium, chain->segment, noise + chain->written * BLOCK, BLOCK,
                     chain->written * BLOCK, op);
}

START_TEST(done_may_start_the_next)
{
    struct chain chain = {.op.done = chain_done};
    chain.segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    medium_write(bed.medium, chain.segment, noise, BLOCK, 0, &chain.op);
    while (chain.written < 16)
        bed.medium->calls->poll(bed.medium, true);
    ck_assert_int_eq(medium_read_wait(bed.medium, chain.segment, out, 16 * BLOCK, 0), 16 * BLOCK);
    ck_assert_mem_eq(out, noise, 16 * BLOCK);
    close_object(chain.segment);
}
END_TEST

static const struct {
    uint32_t shift, size; /* of the buffer */
    uint64_t offset;
} bad_writes[] = {
    {0, BLOCK, 512}, {0, BLOCK - 512, 0},       {512, BLOCK, 0},
    {0, 0, 0},       {0, BLOCK, SEGMENT_BYTES}, {0, 2 * BLOCK, SEGMENT_BYTES - BLOCK},
};

START_TEST(unaligned_write_is_a_bug)
{
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    medium_write_wait(bed.medium, segment, noise + bad_writes[_i].shift, bad_writes[_i].size,
                      bad_writes[_i].offset);
}
END_TEST

START_TEST(closing_under_an_operation_is_a_bug)
{
    struct counted_op read = COUNTED_OP;
    struct medium_object *segment = must_make_segment(bed.medium, 0, 1, SEGMENT_BYTES);
    medium_read(bed.medium, segment, out, BLOCK, 0, &read.op);
    close_object(segment);
}
END_TEST

static TCase *on(const char *kind, void (*ground)(void), void (*open)(void))
{
    static const TTest *const *const tests[] = {
        &empty_medium_has_nothing,
        &publish_keeps_any_size,
        &publish_replaces_atomically,
        &prepared_spare_reads_as_zeroes,
        &adopt_renames_the_spare,
        &open_spare_survives_adoption,
        &writes_land_where_they_were_put,
        &reads_end_at_the_end,
        &removed_object_is_readable_while_open,
        &list_names_every_object,
        &fence_lets_one_write,
        &done_comes_once_and_never_from_the_call,
        &deinit_waits_for_what_is_under_way,
        &more_changes_than_run_at_once,
        &changes_of_one_name_keep_their_order,
        &done_may_start_the_next,
    };
    TCase *tcase = tcase_create(kind);
    if (ground)
        tcase_add_unchecked_fixture(tcase, ground, medium_ground_close);
    tcase_add_checked_fixture(tcase, open, close_bed);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, *tests[i]);
    tcase_add_loop_test_raise_signal(tcase, unaligned_write_is_a_bug, SIGABRT, 0,
                                     sizeof bad_writes / sizeof *bad_writes);
    tcase_add_test_raise_signal(tcase, closing_under_an_operation_is_a_bug, SIGABRT);
    return tcase;
}

Suite *test_suite(void)
{
    Suite *suite = suite_create("medium");
    suite_add_tcase(suite, on("disk", ground_on_disk, open_file));
    suite_add_tcase(suite, on("shm", ground_on_shm, open_file));
    suite_add_tcase(suite, on("sim", NULL, open_sim));
    return suite;
}
