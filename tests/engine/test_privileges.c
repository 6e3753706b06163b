/* Becoming somebody else: as root only, and in a process of its own, as there is no way back. */
#include "engine/privileges.h"

#include "tests/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOMEBODY "nobody"

static char directory[64], store[80];

static void set_up(void)
{
    snprintf(directory, sizeof directory, "/tmp/test_privileges_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chmod(directory, 0755), 0);
    snprintf(store, sizeof store, "%s/store", directory);
}

static void tear_down(void)
{
    rmdir(store);
    rmdir(directory);
}

/* What `action` gives, run in a process of its own. */
static int apart(int (*action)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        _exit(action());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static enum status drop(const char *user)
{
    struct fault fault;
    enum status status = privileges_drop(user, store, &fault);
    if (status != STATUS_OK)
        fprintf(stderr, "# %s\n", fault.text);
    return status;
}

static int become_somebody(void)
{
    return (int)drop(SOMEBODY);
}

START_TEST(an_unknown_user_is_absent)
{
    ck_assert_int_eq(drop("no-such-user-here"), STATUS_ABSENT);
    ck_assert_int_ne(access(store, F_OK), 0);
}
END_TEST

static int become_somebody_for_good(void)
{
    if (drop(SOMEBODY) != STATUS_OK || geteuid() == 0 || getuid() == 0 || getegid() == 0)
        return 1;
    return setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0 ? 2 : 0;
}

START_TEST(root_becomes_the_user_for_good)
{
    ck_assert_int_eq(apart(become_somebody_for_good), 0);
}
END_TEST

START_TEST(a_new_store_is_the_users_own)
{
    struct stat found;
    ck_assert_int_eq(apart(become_somebody), STATUS_OK);
    ck_assert_int_eq(stat(store, &found), 0);
    ck_assert_uint_ne(found.st_uid, 0);
    ck_assert_uint_eq(found.st_mode & 0777, 0700);
}
END_TEST

START_TEST(a_store_that_is_there_stays_whose_it_is)
{
    struct stat found;
    ck_assert_int_eq(mkdir(store, 0700), 0);
    ck_assert_int_eq(apart(become_somebody), STATUS_OK);
    ck_assert_int_eq(stat(store, &found), 0);
    ck_assert_uint_eq(found.st_uid, 0);
}
END_TEST

static int become_root_again(void)
{
    return drop(SOMEBODY) == STATUS_OK ? (int)drop("root") : 0;
}

static int become_the_same(void)
{
    return drop(SOMEBODY) == STATUS_OK ? (int)drop(SOMEBODY) : -1;
}

START_TEST(only_root_becomes_another)
{
    ck_assert_int_eq(apart(become_root_again), STATUS_DENIED);
    ck_assert_int_eq(apart(become_the_same), STATUS_OK);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("privileges");
    TCase *tests = tcase_create("privileges");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, an_unknown_user_is_absent);
    if (geteuid() == 0) { /* there is nothing to give up otherwise */
        tcase_add_test(tests, root_becomes_the_user_for_good);
        tcase_add_test(tests, a_new_store_is_the_users_own);
        tcase_add_test(tests, a_store_that_is_there_stays_whose_it_is);
        tcase_add_test(tests, only_root_becomes_another);
    }
    suite_add_tcase(suite, tests);
    return suite;
}
