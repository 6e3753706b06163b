#include "tools/stop.h"

#include "tests/check_main.h"

#include <unistd.h>

START_TEST(the_first_is_taken)
{
    struct stop stop;
    stop_open(&stop);
    ck_assert(!stop_wait(&stop, 0));
    kill(getpid(), _i ? SIGINT : SIGTERM);
    ck_assert(stop_wait(&stop, 10000));
    ck_assert(!stop_wait(&stop, 1));
    stop_close(&stop);
}
END_TEST

START_TEST(a_second_one_ends_the_process)
{
    struct stop stop;
    stop_open(&stop);
    kill(getpid(), SIGTERM);
    ck_assert(stop_wait(&stop, 10000));
    kill(getpid(), SIGTERM);
    pause();
}
END_TEST

START_TEST(closed_it_takes_none)
{
    struct stop stop;
    stop_open(&stop);
    stop_close(&stop);
    kill(getpid(), SIGTERM);
    pause();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("stop");
    TCase *tests = tcase_create("stop");
    tcase_add_loop_test(tests, the_first_is_taken, 0, 2);
    tcase_add_test_raise_signal(tests, a_second_one_ends_the_process, SIGTERM);
    tcase_add_test_raise_signal(tests, closed_it_takes_none, SIGTERM);
    suite_add_tcase(suite, tests);
    return suite;
}
