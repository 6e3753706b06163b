#include "storage/reclaim/reclaim.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/reclaim/compact_bed.h"

#include <stdlib.h>

static struct compact_bed bed;

static void open_with(uint64_t rate)
{
    compact_bed_open(&bed);
    bed.bed.options.reclaim_rate = rate;
    compact_bed_reopen(&bed);
}

static const struct store_counters *counters(void)
{
    return store_log_counters(bed.bed.logs[0]);
}

/* Lets so many seconds pass. */
static void pass(uint32_t seconds)
{
    for (uint32_t i = 0; i < 10 * seconds; i++) {
        bed.bed.now_ns += NS_PER_S / 10;
        for (int turns = 0; turns < 60; turns++)
            store_bed_turn(&bed.bed);
    }
}

static void add_bytes(void *context, struct medium_name name, uint64_t bytes)
{
    (void)name;
    *(uint64_t *)context += bytes;
}

static uint64_t disk_bytes(void)
{
    uint64_t bytes = 0;
    struct medium *medium = bed.bed.mediums[0];
    ck_assert_int_eq(medium->calls->list(medium, add_bytes, &bytes, NULL), STATUS_OK);
    return bytes;
}

START_TEST(all_comes_back_when_all_is_deleted)
{
    open_with(1 << 30);
    compact_bed_fill(&bed, 4, "a");
    ck_assert_uint_gt(disk_bytes(), 4 * bed.bed.options.segment_bytes);
    compact_bed_thin_out(&bed, 'a', 0);
    pass(60);
    ck_assert_uint_lt(disk_bytes(), 2 * bed.bed.options.segment_bytes);
    ck_assert_uint_ge(counters()->segments_reclaimed + counters()->compactions, 4);
    ck_assert_uint_gt(counters()->reclaimed_bytes, 3 * bed.bed.options.segment_bytes);
    compact_bed_put(&bed, 500, "b");
    compact_bed_verify(&bed);
    compact_bed_close(&bed);
}
END_TEST

/* What is dead is the log's next segment, and is given back when the log rests. */
START_TEST(a_steady_log_fills_no_segment)
{
    open_with(1 << 30);
    compact_bed_fill(&bed, 1, "a");
    for (int round = 0; round < 6; round++) {
        compact_bed_thin_out(&bed, 'a', 0);
        pass(3);
        compact_bed_fill(&bed, bed.bed.logs[0]->commit.segment->number, "a");
        compact_bed_verify(&bed);
    }
    ck_assert_uint_ge(counters()->segments_recycled, 4);
    compact_bed_thin_out(&bed, 'a', 0);
    pass(3);
    ck_assert(medium_has(bed.bed.mediums[0], (struct medium_name){.kind = MEDIUM_RETIRED}));
    pass(10); /* nobody seems to need another segment */
    ck_assert(!medium_has(bed.bed.mediums[0], (struct medium_name){.kind = MEDIUM_RETIRED}));
    compact_bed_reopen(&bed);
    ck_assert(!medium_has(bed.bed.mediums[0], (struct medium_name){.kind = MEDIUM_RETIRED}));
    compact_bed_close(&bed);
}
END_TEST

START_TEST(half_dead_is_compacted_and_less_is_not)
{
    open_with(1 << 30);
    for (int i = 0; i < 20; i++)
        compact_bed_put(&bed, COMPACT_BED_BYTES, "a");
    compact_bed_fill(&bed, 1, "z");
    ck_assert_int_eq(store_bed_expunge(&bed.bed, 'a', 0xff), STATUS_OK);
    pass(20);
    ck_assert_uint_eq(counters()->compactions, 0);
    ck_assert_int_eq(store_bed_expunge(&bed.bed, 'a', 0x3f), STATUS_OK);
    pass(20);
    ck_assert_uint_eq(counters()->compactions, 1);
    ck_assert_uint_eq(store_bed_count(&bed.bed, 'a'), 6);
    compact_bed_verify(&bed);
    compact_bed_close(&bed);
}
END_TEST

/* Else it would no longer be named. */
START_TEST(what_is_damaged_is_left_alone)
{
    open_with(1 << 30);
    compact_bed_fill(&bed, 2, "a");
    struct recovered_segment damaged = compact_bed_segment(&bed, 1);
    damaged.damaged = true;
    catalog_replace(bed.bed.store->catalog, 0, &damaged);
    compact_bed_thin_out(&bed, 'a', 0);
    store_reclaim_all(bed.bed.logs[0]);
    pass(20);
    ck_assert(compact_bed_segment(&bed, 1).number == 1 && !compact_bed_segment(&bed, 1).compact);
    ck_assert(compact_bed_segment(&bed, 2).compact);
    compact_bed_close(&bed);
}
END_TEST

START_TEST(nothing_without_a_rate_but_when_asked)
{
    open_with(0);
    compact_bed_fill(&bed, 2, "a");
    compact_bed_thin_out(&bed, 'a', 0);
    ck_assert_uint_eq(store_next_ns(bed.bed.logs[0]), UINT64_MAX);
    pass(60);
    ck_assert_uint_eq(counters()->segments_reclaimed, 0);
    store_reclaim_all(bed.bed.logs[0]);
    while (store_reclaim_outcome(bed.bed.logs[0]) == STATUS_AGAIN)
        store_bed_turn(&bed.bed);
    ck_assert_int_eq(store_reclaim_outcome(bed.bed.logs[0]), STATUS_OK);
    ck_assert_uint_gt(counters()->segments_reclaimed, 0);
    compact_bed_close(&bed);
}
END_TEST

/* At a tenth of a segment per second it takes seconds. */
START_TEST(the_rate_is_kept)
{
    open_with(50000);
    compact_bed_fill(&bed, 1, "a");
    compact_bed_thin_out(&bed, 'a', 4);
    pass(3);
    ck_assert(bed.bed.logs[0]->reclaim.busy);
    ck_assert_uint_eq(counters()->compactions, 0);
    pass(30);
    ck_assert_uint_eq(counters()->compactions, 1);
    compact_bed_close(&bed);
}
END_TEST

/* Chunks of a message that is still on its way are not touched, however long that takes. */
START_TEST(drafts_keep_their_chunks)
{
    struct store_draft draft = {.next = NULL};
    open_with(1 << 30);
    struct span body = bed_body(77, 60000);
    ck_assert_int_eq(store_stage(bed.bed.logs[0], &draft, span_of(body.data, 50000)), STATUS_OK);
    compact_bed_fill(&bed, 1, "a");
    compact_bed_thin_out(&bed, 'a', 0);
    pass(60);
    ck_assert_uint_eq(counters()->segments_reclaimed + counters()->compactions, 0);
    uint8_t bytes[64];
    struct envelope envelope = {.bytes = bytes, .capacity = sizeof(bytes)};
    ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, bed_mailbox('b')));
    struct store_message message = {.envelope = &envelope,
                                    .tail = span_from(body, 50000),
                                    .received_ns = 1,
                                    .header_bytes = 17};
    bed.bed.stored[9999].ended = false;
    ck_assert_int_eq(store_append(bed.bed.logs[0], &draft, &message, 9999), STATUS_OK);
    store_bed_wait(&bed.bed, 9999);
    pass(60);
    ck_assert_uint_eq(counters()->compactions, 1);
    struct maildrop *drop = store_bed_peek(&bed.bed, 'b');
    struct span wire;
    uint64_t header_bytes;
    ck_assert_int_eq(store_bed_fetch(&bed.bed, 0, &drop->links[0], &wire, &header_bytes),
                     STATUS_OK);
    ck_assert(span_equal(wire, body));
    free((void *)(uintptr_t)wire.data);
    free((void *)(uintptr_t)body.data);
    store_maildrop_free(drop);
    compact_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("reclaim");
    TCase *tcase = tcase_create("reclaim");
    tcase_add_test(tcase, all_comes_back_when_all_is_deleted);
    tcase_add_test(tcase, a_steady_log_fills_no_segment);
    tcase_add_test(tcase, half_dead_is_compacted_and_less_is_not);
    tcase_add_test(tcase, what_is_damaged_is_left_alone);
    tcase_add_test(tcase, nothing_without_a_rate_but_when_asked);
    tcase_add_test(tcase, the_rate_is_kept);
    tcase_add_test(tcase, drafts_keep_their_chunks);
    suite_add_tcase(suite, tcase);
    return suite;
}
