#include "storage/reclaim/liveness.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

enum { MESSAGES = 60 };

static struct store_bed bed;
static uint32_t answers;

static void open_bed(void)
{
    answers = 0;
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 18});
    bed.options.shards = 3;
    bed.options.delta_bytes = 600;
    store_bed_open(&bed);
    for (uint32_t i = 0; i < MESSAGES; i++)
        ck_assert_int_eq(store_bed_put(&bed, i % 3, i, 100, "abc", i), STATUS_OK);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static void on_answer(struct liveness *liveness)
{
    ck_assert_ptr_eq(liveness->context, &answers);
    ck_assert_int_eq(liveness->status, STATUS_OK);
    answers++;
}

static void ask(struct liveness *liveness, struct liveness_question *questions, uint32_t count)
{
    *liveness = (struct liveness){
        .questions = questions, .count = count, .answered = on_answer, .context = &answers};
    uint32_t before = answers;
    liveness_ask(bed.logs[0], liveness);
    ck_assert_uint_eq(answers, before);
    for (int turns = 0; answers == before; turns++) {
        ck_assert_int_lt(turns, 100);
        store_bed_turn(&bed);
    }
}

/* Deleted from one mailbox, before and after a run, and in another not. */
START_TEST(deleted_or_not)
{
    static struct liveness_question questions[MESSAGES * 3];
    struct liveness liveness;
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 0xffff), STATUS_OK);
    for (uint32_t i = 0; i < 10; i++)
        store_bed_turn(&bed);
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < MESSAGES * 3; i++)
            questions[i] = (struct liveness_question){.id = bed.stored[i / 3].id,
                                                      .mailbox = bed_mailbox((char)('a' + i % 3))};
        ask(&liveness, questions, MESSAGES * 3);
        for (uint32_t i = 0; i < MESSAGES * 3; i++)
            ck_assert_int_eq(questions[i].live, i % 3 != 0 || i / 3 >= 16);
        store_bed_close(&bed);
        bed.options.shards = 1 + (uint32_t)round;
        store_bed_open(&bed);
    }
}
END_TEST

START_TEST(what_never_was)
{
    struct liveness liveness;
    struct liveness_question questions[] = {
        {.id = bed.stored[0].id, .mailbox = bed_mailbox('z')},
        {.id = bed.stored[0].id + 500000, .mailbox = bed_mailbox('a')}, /* or is still to come */
    };
    for (uint32_t i = 0; i < 10; i++)
        store_bed_turn(&bed);
    ask(&liveness, questions, 2);
    ck_assert(!questions[0].live && questions[1].live);
}
END_TEST

START_TEST(an_end_waits_for_the_answer)
{
    struct liveness_question question = {.id = bed.stored[0].id, .mailbox = bed_mailbox('a')};
    struct liveness liveness = {
        .questions = &question, .count = 1, .answered = on_answer, .context = &answers};
    liveness_ask(bed.logs[1], &liveness);
    store_bed_close(&bed);
    ck_assert(answers == 1 && question.live);
    store_bed_open(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("liveness");
    TCase *tcase = tcase_create("liveness");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, deleted_or_not);
    tcase_add_test(tcase, what_never_was);
    tcase_add_test(tcase, an_end_waits_for_the_answer);
    suite_add_tcase(suite, tcase);
    return suite;
}
