#include "storage/index/clerk.h"

#include "tests/check_main.h"

#include <stdatomic.h>
#include <time.h>

enum { JOBS = 200 };

struct errand {
    struct job job; /* first */
    uint32_t number;
};

static struct clerk clerk;
static struct desk desk;
static struct errand errands[JOBS];
static uint32_t worked, done, dropped;
static _Atomic uint32_t wakes;

static void work(struct job *job)
{
    ck_assert_uint_eq(((struct errand *)(void *)job)->number, worked);
    worked++;
}

static void end(struct job *job)
{
    ck_assert_uint_eq(((struct errand *)(void *)job)->number, done);
    done++;
}

static void drop(struct job *job)
{
    (void)job;
    dropped++;
}

static void wake(void *context)
{
    ck_assert_ptr_eq(context, &wakes);
    wakes++;
}

static void open_all(bool threaded)
{
    worked = done = dropped = 0;
    wakes = 0;
    ck_assert_int_eq(clerk_init(&clerk, threaded), STATUS_OK);
    desk_init(&desk, wake, &wakes);
}

static void give(uint32_t number)
{
    errands[number] =
        (struct errand){.job = {.work = work, .done = end, .drop = drop}, .number = number};
    clerk_give(&clerk, &desk, &errands[number].job);
}

static void close_all(void)
{
    desk_deinit(&desk);
    clerk_deinit(&clerk);
}

START_TEST(jobs_are_done_in_order)
{
    bool threaded = _i;
    open_all(threaded);
    for (uint32_t i = 0; i < JOBS; i++)
        give(i);
    ck_assert_uint_eq(done, 0);
    for (int turns = 0; desk.under_way > 0; turns++) {
        ck_assert_int_lt(turns, 10000);
        desk_turn(&desk);
        nanosleep(&(const struct timespec){.tv_nsec = threaded ? 1000000 : 0}, NULL);
    }
    ck_assert(worked == JOBS && done == JOBS);
    ck_assert_uint_eq(wakes, JOBS);
    close_all();
}
END_TEST

START_TEST(without_a_thread_the_desk_works)
{
    open_all(false);
    ck_assert(!desk_is_busy(&desk));
    give(0);
    ck_assert(desk_is_busy(&desk) && worked == 0);
    desk_turn(&desk);
    ck_assert(!desk_is_busy(&desk) && worked == 1 && done == 1);
    close_all();
}
END_TEST

START_TEST(quiet_desks_wake_nobody)
{
    open_all(false);
    desk_wake(&desk);
    ck_assert_uint_eq(wakes, 1);
    desk_quiet(&desk);
    give(0);
    desk_wake(&desk);
    ck_assert_uint_eq(wakes, 1);
    desk_turn(&desk);
    ck_assert_uint_eq(done, 1);
    close_all();
}
END_TEST

START_TEST(abandoned_jobs_are_dropped)
{
    open_all(false);
    give(0);
    give(1);
    desk_abandon(&desk);
    ck_assert(worked == 0 && done == 0 && dropped == 2);
    close_all();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("clerk");
    TCase *tcase = tcase_create("clerk");
    tcase_add_loop_test(tcase, jobs_are_done_in_order, 0, 2);
    tcase_add_test(tcase, without_a_thread_the_desk_works);
    tcase_add_test(tcase, quiet_desks_wake_nobody);
    tcase_add_test(tcase, abandoned_jobs_are_dropped);
    suite_add_tcase(suite, tcase);
    return suite;
}
