#include "storage/scan.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <stdlib.h>

#define BLOCKS 64
#define EPOCH 76u /* of a segment that was not recycled */

static const uint8_t store[16] = "0123456789abcdef";
static struct medium_bed bed;
static struct link_names names;
static struct medium_object *object;
static _Alignas(4096) uint8_t block[8192];
static uint32_t seen;

static void open_bed(void)
{
    medium_bed_open_sim(&bed, &(struct sim_disk_options){.seed = 1});
    ck_assert_int_eq(link_names_init(&names), STATUS_OK);
    ck_assert_int_eq(medium_prepare_wait(bed.medium, 0, BLOCKS * 4096), 0);
    ck_assert_int_eq(medium_adopt_wait(bed.medium, 0, 1), 0);
    object = must_open(bed.medium, segment_name(0, 1));
    segment_header_seal(block, store, segment_name(0, 1), EPOCH);
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, 4096, 0), 4096);
    seen = 0;
}

static void close_bed(void)
{
    bed.medium->calls->close(bed.medium, object);
    link_names_deinit(&names);
    medium_bed_close(&bed);
}

/* A batch of one record for a block, in `block`; big ones take two. Returns its bytes. */
static uint32_t make(uint32_t at, uint64_t sequence, bool big, uint16_t flags)
{
    struct record_header record = {.type = RECORD_CHUNK, .lsn = sequence, .body_bytes = 100};
    if (big)
        record.body_bytes = 5000;
    memset(block, 'x', sizeof(block));
    record_seal(block + BATCH_HEADER_BYTES, &record, 0);
    struct batch_header header = {
        .epoch = EPOCH,
        .sequence = sequence,
        .first_lsn = sequence,
        .segment = 1,
        .block = at,
        .used = BATCH_HEADER_BYTES + (uint32_t)record_size(record.body_bytes),
        .records = 1,
        .flags = flags,
    };
    batch_seal(block, &header);
    return header.bytes;
}

static void put(uint32_t at, uint64_t sequence, bool big, uint16_t flags)
{
    uint32_t bytes = make(at, sequence, big, flags);
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, bytes, at * 4096ull), bytes);
}

static void count(void *context, const struct record *record, uint32_t segment, uint32_t slot)
{
    ck_assert_ptr_null(context);
    ck_assert_uint_eq(segment, 1);
    ck_assert_uint_eq(slot % 512, BATCH_HEADER_BYTES / 8);
    seen += record->header.type == RECORD_CHUNK;
}

static struct scan scan_all(bool thorough)
{
    struct scan scan = {
        .medium = bed.medium,
        .object = object,
        .name = segment_name(0, 1),
        .store = store,
        .names = &names,
        .window = malloc(SCAN_WINDOW_BYTES),
        .thorough = thorough,
        .record = count,
    };
    ck_assert_int_eq(scan_segment(&scan), STATUS_OK);
    free(scan.window);
    return scan;
}

static void expect(struct scan *scan, const uint64_t *sequences, uint32_t sequence_count)
{
    ck_assert_uint_eq(scan->count, sequence_count);
    for (uint32_t i = 0; i < sequence_count; i++)
        ck_assert_uint_eq(scan->batches[i].header.sequence, sequences[i]);
    scan_deinit(scan);
}

START_TEST(batches_and_gaps)
{
    put(1, 1, false, 0);
    put(2, 2, true, 0);
    put(6, 5, false, 0);
    put(63, 9, false, 0);
    struct scan scan = scan_all(false);
    ck_assert_int_eq(scan.check, SEGMENT_GOOD);
    ck_assert(!scan.leftovers);
    ck_assert_uint_eq(seen, 4);
    expect(&scan, (const uint64_t[]){1, 2, 5, 9}, 4);
}
END_TEST

START_TEST(leftovers_and_bad_records)
{
    put(1, 1, false, 0);
    put(2, 2, true, 0);
    sim_disk_damage(bed.disk, segment_name(0, 1), 3 * 4096 + 10, 1);
    sim_disk_damage(bed.disk, segment_name(0, 1), 10 * 4096 + 10, 1);
    struct scan scan = scan_all(false);
    ck_assert(scan.leftovers);
    ck_assert_uint_eq(scan.batches[0].bad, 0);
    ck_assert_uint_eq(scan.batches[1].bad, 1);
    ck_assert_uint_eq(seen, 1);
    expect(&scan, (const uint64_t[]){1, 2}, 2);
}
END_TEST

/* The epoch comes from the first batch when the header is gone, and from nowhere else. */
START_TEST(a_damaged_header)
{
    put(1, 1, false, 0);
    put(2, 2, false, 0);
    sim_disk_damage(bed.disk, segment_name(0, 1), 40, 1);
    struct scan scan = scan_all(false);
    ck_assert_int_eq(scan.check, SEGMENT_BAD);
    ck_assert_uint_eq(scan.epoch, EPOCH);
    expect(&scan, (const uint64_t[]){1, 2}, 2);
    sim_disk_damage(bed.disk, segment_name(0, 1), 4096, 1);
    scan = scan_all(false);
    expect(&scan, NULL, 0);
}
END_TEST

/* No batch is begun where it has no room: the file was longer. */
START_TEST(a_segment_that_ends_within_a_batch)
{
    uint64_t last = (BLOCKS - 1) * 4096ull;
    put(1, 1, false, 0);
    struct scan scan = scan_all(false);
    ck_assert(!scan.cut);
    scan_deinit(&scan);
    make(BLOCKS - 1, 2, true, 0);
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, 4096, last), 4096);
    scan = scan_all(false);
    ck_assert(scan.cut);
    expect(&scan, (const uint64_t[]){1}, 1);
}
END_TEST

static enum segment_check check_of(struct medium_name name)
{
    struct scan scan = {
        .medium = bed.medium,
        .object = must_open(bed.medium, name),
        .name = name,
        .store = store,
        .names = &names,
        .window = malloc(SCAN_WINDOW_BYTES),
    };
    ck_assert_int_eq(scan_segment(&scan), STATUS_OK);
    expect(&scan, NULL, 0);
    bed.medium->calls->close(bed.medium, scan.object);
    free(scan.window);
    return scan.check;
}

/* Prepared and never begun is blank: a beginning that is lost, or a file cut short, is damage. */
START_TEST(an_unborn_segment_is_blank)
{
    struct medium_name unborn = segment_name(0, 2);
    bed.medium->calls->close(bed.medium, must_make_segment(bed.medium, 0, 2, BLOCKS * 4096));
    ck_assert_int_eq(check_of(unborn), SEGMENT_UNBORN);
    sim_disk_damage(bed.disk, unborn, 9 * 4096 + 7, 1);
    ck_assert_int_eq(check_of(unborn), SEGMENT_BAD);
    ck_assert_int_eq(medium_publish_wait(bed.medium, store_name(), "short", 5), 0);
    ck_assert_int_eq(check_of(store_name()), SEGMENT_BAD);
}
END_TEST

/* What was here before is no damage behind a blank header; behind none it is, and so is a batch of
 * this very segment. */
START_TEST(a_blank_segment_has_another_life_behind_it)
{
    struct medium_name recycled = segment_name(0, 2);
    struct medium_object *second = must_make_segment(bed.medium, 0, 2, BLOCKS * 4096);
    make(1, 1, false, 0);
    ck_assert_int_eq(medium_write_wait(bed.medium, second, block, 4096, 4096), 4096);
    ck_assert_int_eq(check_of(recycled), SEGMENT_BAD);
    segment_blank_seal(block, store, recycled);
    ck_assert_int_eq(medium_write_wait(bed.medium, second, block, 4096, 0), 4096);
    ck_assert_int_eq(check_of(recycled), SEGMENT_BLANK);
    bed.medium->calls->close(bed.medium, second);

    put(1, 1, false, 0);
    segment_blank_seal(block, store, segment_name(0, 1));
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, 4096, 0), 4096);
    struct scan scan = scan_all(false);
    ck_assert_int_eq(scan.check, SEGMENT_BAD);
    expect(&scan, (const uint64_t[]){1}, 1);
}
END_TEST

/* They are not taken for a torn tail, but one among them is. */
START_TEST(what_a_former_life_left_is_no_leftover)
{
    put(1, 1, false, 0);
    put(2, 2, true, 0);
    put(5, 5, true, 0);
    segment_header_seal(block, store, segment_name(0, 1), 78);
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, 4096, 0), 4096);
    struct scan scan = scan_all(false);
    ck_assert(scan.leftovers); /* of the same number, as nothing recycled has */
    expect(&scan, NULL, 0);

    make(20, 3, false, 0);
    struct batch_header header;
    memcpy(&header, block, sizeof(header));
    header.segment = 9;
    header.epoch = 5;
    batch_seal(block, &header);
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, 4096, 20 * 4096), 4096);
    scan = scan_all(false);
    ck_assert(!scan.leftovers);
    expect(&scan, NULL, 0);
    make(1, 1, false, 0);
    memcpy(&header, block, sizeof(header));
    header.epoch = 78;
    batch_seal(block, &header);
    block[20] ^= 1;
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, 4096, 4096), 4096);
    scan = scan_all(false);
    ck_assert(scan.leftovers);
    expect(&scan, NULL, 0);
}
END_TEST

/* A former batch whose beginning is overwritten says nothing: the segment does. */
START_TEST(bytes_behind_the_end)
{
    memset(block, 'o', 4096);
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, 4096, 3 * 4096), 4096);
    struct scan scan = scan_all(false);
    ck_assert(scan.leftovers);
    scan_deinit(&scan);
    segment_header_seal(block, store, segment_name(0, 1), EPOCH | SEGMENT_EPOCH_RECYCLED);
    ck_assert_int_eq(medium_write_wait(bed.medium, object, block, 4096, 0), 4096);
    scan = scan_all(false);
    ck_assert_int_eq(scan.check, SEGMENT_GOOD);
    ck_assert(!scan.leftovers);
    scan_deinit(&scan);
}
END_TEST

START_TEST(blocks_that_can_not_be_read)
{
    put(1, 1, false, 0);
    sim_disk_set_errors(bed.disk, 0, 1000000);
    struct scan scan = scan_all(false);
    ck_assert_uint_eq(scan.unreadable, BLOCKS);
    expect(&scan, NULL, 0);
    sim_disk_set_errors(bed.disk, 0, 0);
    scan = scan_all(false);
    ck_assert_uint_eq(scan.unreadable, 0);
    expect(&scan, (const uint64_t[]){1}, 1);
}
END_TEST

/* A disk that gives the bytes of another place, once. */
struct misreading {
    struct medium medium;
    struct medium_calls calls;
    struct medium_object *other;
    uint32_t reads, wrong; /* so far; which one is wrong */
};

static void wrong_read(struct medium *medium, struct medium_object *from, void *bytes,
                       uint32_t size, uint64_t offset, struct medium_op *op)
{
    struct misreading *misreading = (struct misreading *)medium;
    if (misreading->reads++ == misreading->wrong)
        from = misreading->other;
    medium_read(bed.medium, from, bytes, size, offset, op);
}

static void wrong_poll(struct medium *medium, bool wait)
{
    (void)medium;
    bed.medium->calls->poll(bed.medium, wait);
}

/* Nothing is lost by it, neither the log's end nor what is in the middle. */
START_TEST(reads_of_another_place)
{
    struct misreading misreading = {.calls = {.read = wrong_read, .poll = wrong_poll}};
    struct medium *right = bed.medium;
    put(1, 1, false, 0);
    put(2, 2, true, 0);
    put(6, 5, false, 0);
    misreading.calls.size = right->calls->size;
    misreading.other = must_make_segment(right, 0, 2, BLOCKS * 4096);
    misreading.medium.calls = &misreading.calls;
    for (uint32_t wrong = 0; wrong <= misreading.reads; wrong++) {
        misreading.reads = 0;
        misreading.wrong = wrong;
        struct scan scan = {
            .medium = &misreading.medium,
            .object = object,
            .name = segment_name(0, 1),
            .store = store,
            .names = &names,
            .window = malloc(SCAN_WINDOW_BYTES),
        };
        ck_assert_int_eq(scan_segment(&scan), STATUS_OK);
        free(scan.window);
        ck_assert_int_eq(scan.check, SEGMENT_GOOD);
        expect(&scan, (const uint64_t[]){1, 2, 5}, 3);
    }
    ck_assert_uint_gt(misreading.reads, 2);
    right->calls->close(right, misreading.other);
}
END_TEST

/* A disk that gives one wrong byte, once. */
struct spoiling {
    struct medium medium;
    struct medium_calls calls;
    uint8_t *spoiled;
    uint64_t place;
};

static void spoiled_read(struct medium *medium, struct medium_object *from, void *bytes,
                         uint32_t size, uint64_t offset, struct medium_op *op)
{
    struct spoiling *spoiling = (struct spoiling *)medium;
    if (spoiling->place >= offset && spoiling->place - offset < size) {
        spoiling->spoiled = (uint8_t *)bytes + (spoiling->place - offset);
        spoiling->place = 0;
    }
    medium_read(bed.medium, from, bytes, size, offset, op);
}

static void spoiling_poll(struct medium *medium, bool wait)
{
    struct spoiling *spoiling = (struct spoiling *)medium;
    bed.medium->calls->poll(bed.medium, wait);
    if (spoiling->spoiled)
        *spoiling->spoiled ^= 1;
    spoiling->spoiled = NULL;
}

START_TEST(what_looks_damaged_is_read_again)
{
    struct spoiling spoiling = {.calls = {.read = spoiled_read, .poll = spoiling_poll}};
    spoiling.calls.size = bed.medium->calls->size;
    spoiling.medium.calls = &spoiling.calls;
    spoiling.place = 3 * 4096 + 10;
    put(1, 1, false, 0);
    put(2, 2, true, 0);
    struct scan scan = {
        .medium = &spoiling.medium,
        .object = object,
        .name = segment_name(0, 1),
        .store = store,
        .names = &names,
        .window = malloc(SCAN_WINDOW_BYTES),
    };
    ck_assert_int_eq(scan_segment(&scan), STATUS_OK);
    free(scan.window);
    ck_assert_uint_eq(spoiling.place, 0);
    ck_assert_uint_eq(scan.batches[1].bad, 0);
    expect(&scan, (const uint64_t[]){1, 2}, 2);
}
END_TEST

START_TEST(dropping_from_the_hint)
{
    struct scan scan = {.hint = {.size = 0}};
    struct scan_batch batches[] = {{.hint_start = 128, .hint_end = 132},
                                   {.hint_start = 132, .hint_end = 138},
                                   {.hint_start = 138, .hint_end = 140}};
    uint8_t bytes[140];
    memset(bytes, 'a', 132);
    memset(bytes + 132, 'b', 6);
    memset(bytes + 138, 'c', 2);
    scan.batches = batches;
    scan.hint.bytes = bytes;
    scan.hint.size = sizeof(bytes);
    scan_drop_hint(&scan, 1);
    ck_assert_uint_eq(scan.hint.size, 134);
    ck_assert_mem_eq(bytes + 128, "aaaacc", 6);
    scan_drop_hint(&scan, 1);
    scan_drop_hint(&scan, 0);
    ck_assert_uint_eq(scan.hint.size, 130);
    ck_assert_mem_eq(bytes + 128, "cc", 2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("scan");
    TCase *tcase = tcase_create("scan");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, batches_and_gaps);
    tcase_add_test(tcase, leftovers_and_bad_records);
    tcase_add_test(tcase, a_damaged_header);
    tcase_add_test(tcase, a_segment_that_ends_within_a_batch);
    tcase_add_test(tcase, an_unborn_segment_is_blank);
    tcase_add_test(tcase, a_blank_segment_has_another_life_behind_it);
    tcase_add_test(tcase, what_a_former_life_left_is_no_leftover);
    tcase_add_test(tcase, bytes_behind_the_end);
    tcase_add_test(tcase, blocks_that_can_not_be_read);
    tcase_add_test(tcase, reads_of_another_place);
    tcase_add_test(tcase, what_looks_damaged_is_read_again);
    tcase_add_test(tcase, dropping_from_the_hint);
    suite_add_tcase(suite, tcase);
    return suite;
}
