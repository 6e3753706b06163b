#include "tools/maildir.h"

#include "base/clock.h"
#include "tests/check_main.h"
#include "tests/tools/folder.h"

#include <sys/stat.h>
#include <unistd.h>

static struct maildir maildir;
static struct fault fault;

START_TEST(a_message_goes_from_tmp_to_new)
{
    struct stat about;
    ck_assert_int_eq(maildir_open(&maildir, "box", &fault), STATUS_OK);
    ck_assert_int_eq(maildir_begin(&maildir, 1795449600 * NS_PER_S + 42000, "ID_0", &fault),
                     STATUS_OK);
    fprintf(maildir.file, "a message\n");
    ck_assert_int_eq(maildir_commit(&maildir, &fault), STATUS_OK);
    ck_assert_uint_eq(folder_count("box/tmp"), 1);
    ck_assert_uint_eq(folder_count("box/new"), 0);
    ck_assert_int_eq(maildir_close(&maildir, &fault), STATUS_OK);
    ck_assert_uint_eq(folder_count("box/tmp"), 0);
    const char *path = folder_only("box/new");
    ck_assert_msg(strncmp(path, "box/new/1795449600.M000042RID_0.", 32) == 0, "%s", path);
    folder_assert_holds(path, SPAN("a message\n"));
    ck_assert_int_eq(stat(path, &about), 0);
    ck_assert_int_eq(about.st_mtim.tv_sec, 1795449600);
    ck_assert_int_eq(about.st_mtim.tv_nsec, 42000);
    ck_assert_uint_eq(folder_count("box/cur"), 0);
    ck_assert_int_eq(maildir_open(&maildir, "box", &fault), STATUS_EXISTS);
}
END_TEST

START_TEST(many_messages)
{
    char unique[16];
    ck_assert_int_eq(maildir_open(&maildir, "box", &fault), STATUS_OK);
    for (uint32_t i = 0; i < 2 * MAILDIR_PENDING_MAX + 5; i++) {
        snprintf(unique, sizeof unique, "%u", i);
        ck_assert_int_eq(maildir_begin(&maildir, 1, unique, &fault), STATUS_OK);
        ck_assert_int_eq(maildir_commit(&maildir, &fault), STATUS_OK);
    }
    ck_assert_uint_eq(folder_count("box/new"), 2 * MAILDIR_PENDING_MAX);
    ck_assert_uint_eq(folder_count("box/tmp"), 5);
    ck_assert_int_eq(maildir_close(&maildir, &fault), STATUS_OK);
    ck_assert_uint_eq(folder_count("box/new"), 2 * MAILDIR_PENDING_MAX + 5);
}
END_TEST

START_TEST(what_is_abandoned_is_gone)
{
    ck_assert_int_eq(maildir_open(&maildir, "box", &fault), STATUS_OK);
    ck_assert_int_eq(maildir_begin(&maildir, 1, "ID_0", &fault), STATUS_OK);
    fprintf(maildir.file, "a message\n");
    maildir_abandon(&maildir);
    ck_assert_uint_eq(folder_count("box/tmp"), 0);
    ck_assert_int_eq(maildir_close(&maildir, &fault), STATUS_OK);
    ck_assert_uint_eq(folder_count("box/new"), 0);
}
END_TEST

START_TEST(what_fails_says_so)
{
    ck_assert_int_eq(maildir_open(&maildir, "box", &fault), STATUS_OK);
    ck_assert_int_eq(maildir_begin(&maildir, 1, "ID_0", &fault), STATUS_OK);
    ck_assert_int_eq(maildir_commit(&maildir, &fault), STATUS_OK);
    ck_assert_int_eq(rmdir("box/new"), 0);
    ck_assert_int_ne(maildir_close(&maildir, &fault), STATUS_OK);
    ck_assert_msg(strncmp(fault.text, "cannot write 0.M000000RID_0.", 28) == 0, "%s", fault.text);
    ck_assert_uint_eq(folder_count("box/tmp"), 1);
}
END_TEST

START_TEST(names_are_used_once)
{
    ck_assert_int_eq(maildir_open(&maildir, "box", &fault), STATUS_OK);
    ck_assert_int_eq(maildir_begin(&maildir, 1, "ID_0", &fault), STATUS_OK);
    FILE *file = maildir.file;
    ck_assert_int_eq(maildir_begin(&maildir, 1, "ID_0", &fault), STATUS_EXISTS);
    maildir.file = file;
    maildir_abandon(&maildir);
    ck_assert_int_eq(maildir_close(&maildir, &fault), STATUS_OK);
}
END_TEST

START_TEST(a_name_of_any_machine)
{
    ck_assert_int_eq(maildir_open(&maildir, "box", &fault), STATUS_OK);
    ck_assert(maildir.host[0] != '\0');
    ck_assert_ptr_null(strpbrk(maildir.host, "/:"));
    ck_assert_int_eq(maildir_close(&maildir, &fault), STATUS_OK);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("maildir");
    TCase *tests = tcase_create("maildir");
    tcase_add_checked_fixture(tests, folder_open, folder_close);
    tcase_add_test(tests, a_message_goes_from_tmp_to_new);
    tcase_add_test(tests, many_messages);
    tcase_add_test(tests, what_is_abandoned_is_gone);
    tcase_add_test(tests, what_fails_says_so);
    tcase_add_test(tests, names_are_used_once);
    tcase_add_test(tests, a_name_of_any_machine);
    suite_add_tcase(suite, tests);
    return suite;
}
