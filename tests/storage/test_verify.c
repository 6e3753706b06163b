#include "base/log.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"
#include "tests/storage/store_bed.h"

#include <stdio.h>

static struct store_bed bed;
static char line[256];

static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 13});
    store_bed_open(&bed);
    for (uint32_t i = 0; i < 40; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, i % 5 ? 20000 : 90000, "ab", i), STATUS_OK);
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 5), STATUS_OK);
    store_bed_close(&bed);
    store_bed_open(&bed);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

START_TEST(a_sound_store)
{
    ck_assert_msg(store_bed_verify(&bed, line) == STATUS_OK, "%s", line);
    ck_assert_str_eq(line, "");
}
END_TEST

/* A chunk, a record, a segment's header, a hint: each is found and named. */
START_TEST(each_damage_is_named)
{
    struct maildrop *drop = store_bed_peek(&bed, 'b');
    const struct store_link *link = &drop->links[5];
    const struct {
        struct medium_name name;
        uint64_t offset;
        const char *line;
    } cases[] = {
        {segment_name(0, link->segment), link->slot * 8ull + 80, "log 0, segment"},
        {segment_name(0, link->segment), link->slot * 8ull - 5000, "a message needs a chunk"},
        {segment_name(0, 2), 20, "its header is damaged"},
        {hint_name(0, 1), 130, "its hint fails the checks"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        sim_disk_damage(bed.disk, cases[i].name, cases[i].offset, 2);
        ck_assert_int_eq(store_bed_verify(&bed, line), STATUS_CORRUPT);
        ck_assert_msg(strstr(line, cases[i].line) != NULL, "%s", line);
        sim_disk_damage(bed.disk, cases[i].name, cases[i].offset, 2);
        ck_assert_int_eq(store_bed_verify(&bed, line), STATUS_OK);
    }
    store_maildrop_free(drop);
}
END_TEST

START_TEST(a_link_that_leads_nowhere)
{
    struct store_link link = {.id = 12345, .segment = 1, .slot = 520, .record_bytes = 100};
    store_link_add(bed.logs[0], SPAN("x"), &link);
    ck_assert_int_eq(store_bed_verify(&bed, line), STATUS_CORRUPT);
    ck_assert_str_eq(line,
                     "log 0, segment 00000001, offset 4160: a mailbox has a message that is not "
                     "here (message 0000000000C1S)");
}
END_TEST

static void keep_line(void *context, const char *finding)
{
    snprintf(context, sizeof(line), "%s", finding);
}

/* Beside a writer: what the reader's index has was deleted and compacted away since. */
START_TEST(what_went_meanwhile_is_no_damage)
{
    struct store *reader;
    struct medium *medium;
    struct fault fault;
    ck_assert_int_eq(medium_sim_open(&medium, bed.disk), STATUS_OK);
    ck_assert_int_eq(store_open(&reader, medium, STORE_READ, &bed.options, &fault), STATUS_OK);
    for (char mailbox = 'a'; mailbox <= 'b'; mailbox++)
        ck_assert_int_eq(store_bed_expunge(&bed, mailbox, UINT64_MAX), STATUS_OK);
    store_reclaim_all(bed.logs[0]);
    while (store_reclaim_outcome(bed.logs[0]) == STATUS_AGAIN)
        store_bed_turn(&bed);
    line[0] = 0;
    ck_assert_msg(store_verify(reader, keep_line, line) == STATUS_OK, "%s", line);
    store_close(reader);
    medium->calls->deinit(medium);
    ck_assert_uint_gt(store_log_counters(bed.logs[0])->segments_reclaimed, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("verify");
    TCase *tcase = tcase_create("verify");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_sound_store);
    tcase_add_test(tcase, each_damage_is_named);
    tcase_add_test(tcase, a_link_that_leads_nowhere);
    tcase_add_test(tcase, what_went_meanwhile_is_no_damage);
    suite_add_tcase(suite, tcase);
    return suite;
}
