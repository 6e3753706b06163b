#include "storage/compactor.h"

#include "base/log.h"
#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/medium_bed.h"
#include "tests/storage/store_bed.h"

#include <stdlib.h>

#define MESSAGE_BYTES 20000

static struct store_bed bed;
static uint32_t sent; /* numbers of bodies, and cookies */

static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    sent = 0;
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 5, .latency_ns_max = 1000});
    store_bed_open(&bed);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static void put(size_t bytes, const char *mailboxes)
{
    ck_assert_int_eq(store_bed_put(&bed, 0, sent, bytes, mailboxes, sent), STATUS_OK);
    sent++;
}

/* Messages to 'a' until the log's segment `number` is sealed. */
static void fill(uint32_t number)
{
    struct catalog_log log;
    bool sealed = false;
    while (!sealed) {
        put(MESSAGE_BYTES, "a");
        catalog_copy(bed.store->catalog, 0, &log);
        for (uint32_t i = 0; i < log.count; i++)
            sealed = sealed ||
                     (log.segments[i].segment.number == number && log.segments[i].segment.hinted);
        free(log.segments);
    }
}

static struct recovered_segment segment_now(uint32_t number)
{
    struct recovered_segment found = {.number = 0};
    struct catalog_log log;
    catalog_copy(bed.store->catalog, 0, &log);
    for (uint32_t i = 0; i < log.count; i++)
        if (log.segments[i].segment.number == number)
            found = log.segments[i].segment;
    free(log.segments);
    return found;
}

static enum status compact(uint32_t number)
{
    struct compactor *compactor = calloc(1, sizeof(*compactor));
    compactor_begin(compactor, bed.logs[0], 0, number, 90);
    while (!compactor_turn(compactor))
        store_bed_turn(&bed);
    enum status status = compactor->status;
    compactor_end(compactor);
    free(compactor);
    return status;
}

/* Deletes every message of 'a' but each `keep`-th; 0: all. */
static void thin_out(uint32_t keep)
{
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    uint64_t marks = 0;
    ck_assert_uint_le(drop->count, 64);
    for (uint32_t i = 0; i < drop->count; i++)
        if (keep == 0 || i % keep != 0)
            marks |= 1ull << i;
    store_maildrop_free(drop);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', marks), STATUS_OK);
}

/* Each message left has its bytes; returns how many. */
static uint32_t check_messages(uint32_t keep)
{
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    for (uint32_t i = 0; i < drop->count; i++)
        ck_assert(store_bed_has_body(&bed, &drop->links[i], (uint64_t)i * keep, MESSAGE_BYTES));
    uint32_t count = drop->count;
    store_maildrop_free(drop);
    return count;
}

static void check_store(void)
{
    char line[256];
    ck_assert_msg(store_bed_verify(&bed, line) == STATUS_OK, "%s", line);
}

static void reopen(void)
{
    store_bed_close(&bed);
    store_bed_open(&bed);
}

START_TEST(what_lives_stays_where_links_say)
{
    fill(1);
    thin_out(4);
    uint32_t count = check_messages(4);
    ck_assert_int_eq(compact(1), STATUS_OK);
    ck_assert(segment_now(1).compact);
    ck_assert_uint_lt(segment_now(1).bytes, bed.options.segment_bytes / 2);
    ck_assert(!medium_has(bed.mediums[0], hint_name(0, 1)));
    ck_assert_uint_eq(check_messages(4), count);
    check_store();
    reopen();
    ck_assert_uint_eq(check_messages(4), count);
    check_store();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("compactor");
    TCase *tcase = tcase_create("compactor");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, what_lives_stays_where_links_say);
    suite_add_tcase(suite, tcase);
    return suite;
}
