/* Long messages, sent in pieces of all sizes, within the staging budget. */
#include "storage/draft.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

#include <stdlib.h>

#define BIG (5u << 20)
#define DRAFTS 60

static struct store_bed bed;

static void open_bed(void)
{
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 4, .latency_ns_max = 1000});
    bed.options.segment_bytes = 2 << 20;
    store_bed_open(&bed);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

/* Stages what comes before the last `tail` bytes. */
static void stage_all(struct store_draft *draft, struct span body, size_t piece, size_t tail)
{
    for (size_t at = 0; at < body.size - tail;) {
        size_t step = body.size - tail - at < piece ? body.size - tail - at : piece;
        enum status status = store_stage(bed.logs[0], draft, span_of(body.data + at, step));
        if (status == STATUS_OK)
            at += step;
        else if (status == STATUS_AGAIN)
            store_bed_turn(&bed);
        else
            ck_abort_msg("staging: %s", status_text(status));
    }
}

static enum status finish(struct store_draft *draft, struct span body, size_t tail, uint64_t cookie)
{
    uint8_t bytes[64];
    struct envelope envelope = {.bytes = bytes, .capacity = sizeof(bytes)};
    ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, bed_mailbox('a')));
    struct store_message message = {
        .envelope = &envelope,
        .trace = SPAN("Received: from here by there\r\n"),
        .tail = span_from(body, body.size - tail),
        .received_ns = cookie + 1,
        .header_bytes = 17,
    };
    bed.stored[cookie].ended = false;
    uint64_t id;
    enum status status;
    do {
        id = store_next_id(bed.logs[0]);
        status = store_append(bed.logs[0], draft, &message, cookie);
        if (status == STATUS_AGAIN)
            store_bed_turn(&bed);
    } while (status == STATUS_AGAIN);
    if (status != STATUS_OK)
        return status;
    store_bed_wait(&bed, cookie);
    ck_assert_uint_eq(bed.stored[cookie].id, id);
    return bed.stored[cookie].status;
}

static const struct {
    size_t bytes, piece, tail;
} sizes[] = {
    {BIG, 65536, 3},       {BIG, 200000, 100000}, {100000, 1400, 1400},  {16384, 16384, 3},
    {16369, 100, 5},       {40000, 40000, 40000}, {150000, 1, 150000},   {60000, 7, 30000},
    {65000, 65000, 65000}, {300000, 200000, 0},   {32736, 16368, 16368},
};

START_TEST(any_size_in_any_pieces)
{
    struct store_draft draft = {.next = NULL};
    struct span body = bed_body(1, sizes[_i].bytes);
    stage_all(&draft, body, sizes[_i].piece, sizes[_i].tail);
    ck_assert_int_eq(finish(&draft, body, sizes[_i].tail, 1), STATUS_OK);
    free((void *)(uintptr_t)body.data);
    ck_assert_uint_eq(bed.logs[0]->staging.pages.taken, 0);
    ck_assert_uint_eq(store_log_counters(bed.logs[0])->staged_bytes, 0);
    for (int round = 0; round < 2; round++) {
        struct maildrop *drop = store_bed_peek(&bed, 'a');
        ck_assert_uint_eq(drop->count, 1);
        ck_assert(store_bed_has_body(&bed, &drop->links[0], 1, sizes[_i].bytes));
        store_maildrop_free(drop);
        store_bed_close(&bed);
        store_bed_open(&bed);
    }
}
END_TEST

/* More messages at once than there are pages, in small pieces: all get to their end. */
START_TEST(a_budget_is_enough_for_all)
{
    static struct store_draft drafts[DRAFTS];
    struct span bodies[DRAFTS];
    memset(drafts, 0, sizeof(drafts));
    uint64_t budget = bed.logs[0]->staging.pages.count * (uint64_t)DRAFT_PAGE_BYTES;
    ck_assert_uint_lt(budget, DRAFTS * DRAFT_PAGE_BYTES);
    for (int i = 0; i < DRAFTS; i++)
        bodies[i] = bed_body((uint64_t)i, 50000);
    size_t staged[DRAFTS] = {0};
    for (int left = DRAFTS, turns = 0; left > 0; turns++) {
        ck_assert_int_lt(turns, 1000);
        for (int i = 0; i < DRAFTS; i++) {
            struct span rest = span_from(bodies[i], staged[i]);
            size_t step = rest.size < 3000 ? rest.size : 3000;
            if (!bodies[i].data)
                continue;
            if (step < rest.size) {
                if (store_stage(bed.logs[0], &drafts[i], span_of(rest.data, step)) == STATUS_OK)
                    staged[i] += step;
                continue;
            }
            ck_assert_int_eq(finish(&drafts[i], bodies[i], step, (uint64_t)i), STATUS_OK);
            free((void *)(uintptr_t)bodies[i].data);
            bodies[i].data = NULL;
            left--;
        }
        store_bed_turn(&bed);
    }
    ck_assert_uint_le(store_log_counters(bed.logs[0])->staged_bytes_peak, budget);
    ck_assert_uint_eq(bed.logs[0]->staging.pages.taken, 0);
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    ck_assert_uint_eq(drop->count, DRAFTS);
    store_maildrop_free(drop);
}
END_TEST

START_TEST(a_discarded_draft_leaves_nothing)
{
    struct store_draft draft = {.next = NULL}, other = {.next = NULL};
    struct span body = bed_body(1, 100000);
    stage_all(&draft, body, 5000, 10);
    stage_all(&other, body, 5000, 90000);
    store_discard(bed.logs[0], &draft);
    store_discard(bed.logs[0], &other);
    store_discard(bed.logs[0], &other);
    ck_assert_uint_eq(bed.logs[0]->staging.pages.taken, 0);
    ck_assert_ptr_null(bed.logs[0]->staging.oldest);
    ck_assert_uint_eq(draft.chunk_count, 0);
    free((void *)(uintptr_t)body.data);
}
END_TEST

/* Chunks that a failed write took away can't be completed to a message. */
START_TEST(a_failed_write_takes_the_draft)
{
    struct store_draft draft = {.next = NULL};
    struct span body = bed_body(1, 100000);
    stage_all(&draft, body, 20000, 10000);
    sim_disk_set_errors(bed.disk, 1000000, 0);
    for (int i = 0; i < 20; i++)
        store_bed_turn(&bed);
    sim_disk_set_errors(bed.disk, 0, 0);
    bed.now_ns += 10 * NS_PER_S;
    for (int i = 0; i < 50; i++)
        store_bed_turn(&bed);
    ck_assert_int_eq(store_stage(bed.logs[0], &draft, SPAN("more")), STATUS_IO);
    ck_assert_int_eq(finish(&draft, body, 10000, 1), STATUS_IO);
    ck_assert_ptr_null(draft.chunks);
    ck_assert_int_eq(store_bed_put(&bed, 0, 2, 5000, "a", 2), STATUS_OK);
    free((void *)(uintptr_t)body.data);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("draft");
    TCase *tcase = tcase_create("draft");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_loop_test(tcase, any_size_in_any_pieces, 0, sizeof(sizes) / sizeof(*sizes));
    tcase_add_test(tcase, a_budget_is_enough_for_all);
    tcase_add_test(tcase, a_discarded_draft_leaves_nothing);
    tcase_add_test(tcase, a_failed_write_takes_the_draft);
    suite_add_tcase(suite, tcase);
    return suite;
}
