#include "tests/check_main.h"

#include "base/invariant.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(holds)
{
    int evaluations = 0;
    INVARIANT(++evaluations);
    ck_assert_int_eq(evaluations, 1);
}
END_TEST

START_TEST(names_the_place_and_aborts)
{
    int pipe_fds[2];
    ck_assert_int_eq(pipe(pipe_fds), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        dup2(pipe_fds[1], STDERR_FILENO);
        INVARIANT(1 + 1 == 3);
        _exit(0);
    }
    close(pipe_fds[1]);
    char text[512] = {0};
    ck_assert_int_gt(read(pipe_fds[0], text, sizeof text - 1), 0);
    int state;
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT);
    ck_assert_ptr_nonnull(strstr(text, "1 + 1 == 3"));
    ck_assert_ptr_nonnull(strstr(text, "test_invariant.c:"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("invariant");
    TCase *tcase = tcase_create("invariant");
    tcase_add_test(tcase, holds);
    tcase_add_test(tcase, names_the_place_and_aborts);
    suite_add_tcase(suite, tcase);
    return suite;
}
