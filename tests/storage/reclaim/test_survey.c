#include "storage/reclaim/survey.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/reclaim/compact_bed.h"

#include <stdlib.h>

static struct compact_bed bed;

static void open_bed(void)
{
    compact_bed_open(&bed);
}

static void close_bed(void)
{
    compact_bed_close(&bed);
}

struct result {
    enum status status;
    uint32_t live, dead, chunks;
};

static struct result survey(uint32_t number)
{
    struct survey *survey = calloc(1, sizeof(*survey));
    struct catalog_log around;
    catalog_copy(bed.bed.store->catalog, 0, &around);
    survey_begin(survey, bed.bed.logs[0], 0, number, &around);
    while (!survey_turn(survey))
        store_bed_turn(&bed.bed);
    struct result result = {.status = survey->status, .chunks = survey->chunk_count};
    for (uint32_t i = 0; i < survey->own; i++)
        if (survey->items[i].kind == HINT_MESSAGE)
            *(survey->items[i].live ? &result.live : &result.dead) += 1;
    survey_end(survey);
    free(survey);
    free(around.segments);
    return result;
}

START_TEST(a_message_lives_while_anybody_has_it)
{
    compact_bed_put(&bed, 500, "abc");
    compact_bed_fill(&bed, 1, "d");
    uint32_t others = survey(1).live - 1;
    ck_assert_int_eq(store_bed_expunge(&bed.bed, 'a', 1), STATUS_OK);
    ck_assert_int_eq(store_bed_expunge(&bed.bed, 'c', 1), STATUS_OK);
    ck_assert_uint_eq(survey(1).live, others + 1);
    ck_assert_int_eq(store_bed_expunge(&bed.bed, 'b', 1), STATUS_OK);
    ck_assert_uint_eq(survey(1).live, others);
    ck_assert_uint_eq(survey(1).dead, 1);
}
END_TEST

/* More links than are asked about at once. */
START_TEST(many_questions)
{
    for (int i = 0; i < 80; i++)
        compact_bed_put(&bed, 60, "abcdefghijklmnopqrst");
    compact_bed_fill(&bed, 1, "z");
    ck_assert_uint_gt(survey(1).live, 80);
    for (char mailbox = 'a'; mailbox <= 't'; mailbox++) {
        ck_assert_uint_eq(survey(1).dead, 0);
        compact_bed_thin_out(&bed, mailbox, 0);
    }
    ck_assert_uint_eq(survey(1).dead, 80);
}
END_TEST

/* A message whose chunks begin in one segment and end in the next, sealed or not. */
static void put_across(void)
{
    struct commit *commit = &bed.bed.logs[0]->commit;
    while (commit->segment->bytes - commit->offset > 96 * 1024)
        compact_bed_put(&bed, COMPACT_BED_BYTES, "b");
    compact_bed_put(&bed, 120000, "a");
    ck_assert_uint_eq(compact_bed_segment(&bed, 1).number, 1);
    while (!compact_bed_segment(&bed, 1).hinted)
        store_bed_turn(&bed.bed);
}

START_TEST(chunks_live_with_their_message)
{
    put_across();
    for (int i = 0; i < 2; i++) {
        ck_assert_uint_gt(survey(1).chunks, 0); /* the message is in a later segment */
        compact_bed_fill(&bed, 2, "b");
    }
    ck_assert_uint_eq(compact_bed_segment(&bed, 2).reach, 1);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 100), STATUS_OK);
    struct maildrop *drop = store_bed_peek(&bed.bed, 'a');
    struct span wire;
    uint64_t header_bytes;
    ck_assert_int_eq(store_bed_fetch(&bed.bed, 0, &drop->links[0], &wire, &header_bytes),
                     STATUS_OK);
    free((void *)(uintptr_t)wire.data);
    store_maildrop_free(drop);
    ck_assert_uint_gt(survey(1).chunks, 0);
    compact_bed_verify(&bed);
    ck_assert_int_eq(store_bed_expunge(&bed.bed, 'a', 1), STATUS_OK);
    ck_assert_uint_eq(survey(1).chunks, 0);
    compact_bed_verify(&bed);
}
END_TEST

START_TEST(what_cannot_be_told)
{
    put_across();
    compact_bed_fill(&bed, 2, "b");
    sim_disk_damage(bed.bed.disk, hint_name(0, 2), 200, 1);
    ck_assert_int_eq(survey(1).status, STATUS_AGAIN); /* what needs chunks here is not known */
    sim_disk_damage(bed.bed.disk, hint_name(0, 1), 200, 1);
    ck_assert_int_eq(survey(1).status, STATUS_ABSENT);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("survey");
    TCase *tcase = tcase_create("survey");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_message_lives_while_anybody_has_it);
    tcase_add_test(tcase, many_questions);
    tcase_add_test(tcase, chunks_live_with_their_message);
    tcase_add_test(tcase, what_cannot_be_told);
    suite_add_tcase(suite, tcase);
    return suite;
}
