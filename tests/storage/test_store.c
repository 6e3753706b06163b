#include "tests/storage/store_bed.h"

#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"

#include <stdlib.h>

static struct store_bed bed;
static char line[256];

static void open_bed(void)
{
    store_bed_init(&bed, &(struct sim_disk_options){
                             .seed = 1, .latency_ns_min = 1000, .latency_ns_max = 100000});
}

static void close_bed(void)
{
    store_bed_deinit(&bed);
}

START_TEST(a_message_survives_closing_and_crashing)
{
    store_bed_open(&bed);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 4096, "ab", 1), STATUS_OK);
    ck_assert_uint_eq(bed.links, 2);
    store_bed_close(&bed);
    for (int i = 0; i < 4; i++) {
        store_bed_open(&bed);
        ck_assert_uint_eq(store_bed_count(&bed, 'a'), 1);
        struct maildrop *drop = store_bed_peek(&bed, 'b');
        ck_assert_uint_eq(drop->count, 1);
        ck_assert_uint_eq(drop->links[0].id, bed.stored[1].id);
        ck_assert_uint_eq(drop->links[0].place, 1);
        ck_assert(store_bed_has_body(&bed, &drop->links[0], 1, 4096));
        store_maildrop_free(drop);
        ck_assert_msg(store_bed_verify(&bed, line) == STATUS_OK, "%s", line);
        if (i % 2)
            store_bed_crash(&bed);
        else
            store_bed_close(&bed);
    }
}
END_TEST

START_TEST(segments_follow_each_other)
{
    enum { MESSAGES = 400 };
    store_bed_open(&bed);
    for (uint32_t i = 0; i < MESSAGES; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, 8000, "a", i), STATUS_OK);
    ck_assert_uint_gt(store_log_counters(bed.logs[0])->segments, 3);
    store_bed_close(&bed);
    store_bed_open(&bed);
    struct store_stats stats;
    store_stats(bed.store, 0, &stats);
    ck_assert_uint_eq(stats.messages, MESSAGES);
    ck_assert_uint_gt(stats.hints, 3);
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    ck_assert_uint_eq(drop->count, MESSAGES);
    for (uint32_t i = 0; i < MESSAGES; i++) {
        ck_assert_uint_eq(drop->links[i].id, bed.stored[i].id);
        ck_assert(store_bed_has_body(&bed, &drop->links[i], i, 8000));
    }
    store_maildrop_free(drop);
    ck_assert_msg(store_bed_verify(&bed, line) == STATUS_OK, "%s", line);
    store_bed_close(&bed);
}
END_TEST

START_TEST(what_can_not_be_opened)
{
    struct fault fault;
    struct store_options wrong = bed.options;
    struct {
        uint32_t shards, batch_bytes, depth;
        uint64_t segment_bytes;
    } cases[] = {{0, 65536, 1, 1 << 20}, {STORE_SHARDS_MAX + 1, 65536, 1, 1 << 20},
                 {1, 65535, 1, 1 << 20}, {1, 65536, 5, 1 << 20},
                 {1, 65536, 0, 1 << 20}, {1, 65536, 1, 200000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bed.options.shards = cases[i].shards;
        bed.options.batch_bytes = cases[i].batch_bytes;
        bed.options.commit_depth = cases[i].depth;
        bed.options.segment_bytes = cases[i].segment_bytes;
        ck_assert_int_eq(store_bed_try(&bed, STORE_WRITE, &fault), STATUS_USAGE);
    }
    bed.options = wrong;
    ck_assert_int_eq(store_bed_try(&bed, STORE_READ, &fault), STATUS_ABSENT);
    store_bed_open(&bed);
    struct medium *second;
    struct store *store;
    ck_assert_int_eq(medium_sim_open(&second, bed.disk), STATUS_OK);
    ck_assert_int_eq(store_open(&store, second, STORE_WRITE, &bed.options, &fault), STATUS_BUSY);
    second->calls->deinit(second);
    store_bed_close(&bed);
    sim_disk_damage(bed.disk, (struct medium_name){.kind = MEDIUM_STORE}, 20, 1);
    ck_assert_int_eq(store_bed_try(&bed, STORE_WRITE, &fault), STATUS_CORRUPT);
    ck_assert_str_eq(fault.text, "the STORE object fails its checksum");
    sim_disk_damage(bed.disk, (struct medium_name){.kind = MEDIUM_STORE}, 20, 1);
    ck_assert_int_eq(medium_sim_open(&second, bed.disk), STATUS_OK);
    ck_assert_int_ge(medium_remove_wait(second, (struct medium_name){.kind = MEDIUM_STORE}), 0);
    second->calls->deinit(second);
    ck_assert_int_eq(store_bed_try(&bed, STORE_WRITE, &fault), STATUS_CORRUPT);
    ck_assert_str_eq(fault.text, "there are segments, but no STORE object");
}
END_TEST

/* Looking in while another writes: what is acknowledged is there, and nothing seems damaged. */
START_TEST(looking_in)
{
    bed.options.segment_bytes = 1024 * 1024;
    store_bed_open(&bed);
    struct fault fault;
    struct medium *medium;
    ck_assert_int_eq(medium_sim_open(&medium, bed.disk), STATUS_OK);
    uint32_t stored = 0;
    for (uint32_t i = 0; i < 60; i++) {
        struct store *store;
        struct maildrop *drop;
        struct store_stats stats;
        (void)store_bed_append(&bed, 0, i, 20000, "a", i);
        store_bed_turn(&bed);
        while (stored < i && bed.stored[stored].ended)
            stored++;
        ck_assert_int_eq(store_open(&store, medium, STORE_READ, &bed.options, &fault), STATUS_OK);
        ck_assert_int_eq(store_peek(store, bed_mailbox('a'), &drop), STATUS_OK);
        ck_assert_uint_ge(drop->count, stored);
        store_stats(store, 0, &stats);
        ck_assert_uint_eq(stats.corrupt_batches + stats.corrupt_records, 0);
        store_maildrop_free(drop);
        store_close(store);
    }
    ck_assert_uint_gt(stored, 40);
    medium->calls->deinit(medium);
    store_bed_close(&bed);
}
END_TEST

/* ---- on files ---- */

static void open_ground(void)
{
    medium_ground_open(BED_DISK);
}

struct on_files {
    struct medium_bed files;
    struct medium *medium;
    struct store *store;
    struct store_log *log;
    uint32_t stored;
};

static bool files_link(void *context, uint32_t owner, struct span mailbox,
                       const struct store_link *link)
{
    ck_assert_uint_eq(owner, 0);
    store_link_add(((struct on_files *)context)->log, mailbox, link);
    return true;
}

static void files_stored(void *context, uint64_t cookie, uint64_t id, enum status status)
{
    struct on_files *on = context;
    ck_assert_uint_eq(cookie, on->stored++);
    ck_assert_uint_gt(id, 0);
    ck_assert_int_eq(status, STATUS_OK);
}

static void files_expunged(void *context, uint64_t cookie, enum status status)
{
    ck_assert_ptr_nonnull(context);
    ck_abort_msg("nothing is deleted: %lu, %d", (unsigned long)cookie, status);
}

static void files_append(struct on_files *on, uint32_t number)
{
    uint8_t bytes[64];
    struct envelope envelope = {.bytes = bytes, .capacity = sizeof(bytes)};
    struct store_draft draft = {.next = NULL};
    ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, SPAN("a@x")));
    struct span body = bed_body(number, 20000);
    struct store_message message = {.envelope = &envelope, .tail = body, .received_ns = number};
    while (store_append(on->log, &draft, &message, number) == STATUS_AGAIN) {
        on->medium->calls->poll(on->medium, true);
        store_turn(on->log);
    }
    free((void *)(uintptr_t)body.data);
}

static void no_finding(void *context, const char *finding)
{
    ck_assert_ptr_null(context);
    ck_abort_msg("%s", finding);
}

START_TEST(a_store_on_files)
{
    static struct on_files on;
    struct store_events events = {
        .link = files_link, .stored = files_stored, .expunged = files_expunged, .context = &on};
    struct fault fault = {.text = ""};
    struct maildrop *drop;
    medium_bed_open_file(&on.files);
    for (uint32_t run = 0; run < 3; run++) {
        struct medium *medium = medium_bed_another(&on.files);
        on.medium = medium_bed_another(&on.files);
        ck_assert_msg(store_open(&on.store, medium, STORE_WRITE, &bed.options, &fault) == STATUS_OK,
                      "%s", fault.text);
        ck_assert_int_eq(store_peek(on.store, SPAN("a@x"), &drop), STATUS_OK);
        ck_assert_uint_eq(drop->count, run * 60);
        store_maildrop_free(drop);
        ck_assert_int_eq(store_verify(on.store, no_finding, NULL), STATUS_OK);
        ck_assert_int_eq(store_log_open(&on.log, on.store, 0, on.medium, &events, &fault),
                         STATUS_OK);
        on.stored = 0;
        for (uint32_t i = 0; i < 60; i++)
            files_append(&on, i);
        store_log_close(on.log);
        ck_assert_uint_eq(on.stored, 60);
        store_close(on.store);
        on.medium->calls->deinit(on.medium);
        medium->calls->deinit(medium);
    }
    medium_bed_close(&on.files);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("store");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_message_survives_closing_and_crashing);
    tcase_add_test(tcase, segments_follow_each_other);
    tcase_add_test(tcase, what_can_not_be_opened);
    tcase_add_test(tcase, looking_in);
    suite_add_tcase(suite, tcase);
    TCase *files = tcase_create("files");
    tcase_add_unchecked_fixture(files, open_ground, medium_ground_close);
    tcase_add_checked_fixture(files, open_bed, close_bed);
    tcase_add_test(files, a_store_on_files);
    suite_add_tcase(suite, files);
    return suite;
}
