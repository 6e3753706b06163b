#include "tools/mail_files.h"

#include "base/clock.h"
#include "tests/check_main.h"
#include "tests/tools/folder.h"

#include <sys/stat.h>
#include <unistd.h>

static struct mail_files files;
static struct fault fault;

static void assert_files(const char *const *paths, size_t count)
{
    ck_assert_uint_eq(files.count, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_str_eq(files.files[i].path, paths[i]);
    mail_files_deinit(&files);
}

START_TEST(a_maildir)
{
    folder_put("box/new/b", SPAN("x"), 2);
    folder_put("box/new/a", SPAN("x"), 3);
    folder_put("box/cur/z:2,S", SPAN("x"), 1);
    folder_put("box/cur/c", SPAN("x"), 3);
    folder_put("box/cur/.hidden", SPAN("x"), 1);
    folder_put("box/tmp/unfinished", SPAN("x"), 1);
    folder_put("box/.Sent/new/other", SPAN("x"), 1);
    folder_put("box/cur/folder/other", SPAN("x"), 1);
    ck_assert_int_eq(mkfifo("box/cur/pipe", 0600), 0);
    ck_assert_int_eq(symlink("nowhere", "box/cur/broken"), 0);
    ck_assert_int_eq(mail_files_list(&files, "box", &fault), STATUS_OK);
    ck_assert_uint_eq(files.files[0].written_ns, NS_PER_S);
    assert_files((const char *const[]){"box/cur/z:2,S", "box/new/b", "box/cur/c", "box/new/a"}, 4);
}
END_TEST

START_TEST(an_empty_maildir)
{
    mkdir("box", 0700);
    mkdir("box/new", 0700);
    ck_assert_int_eq(mail_files_list(&files, "box", &fault), STATUS_OK);
    assert_files(NULL, 0);
}
END_TEST

START_TEST(a_folder_of_eml_files)
{
    folder_put("box/b.eml", SPAN("x"), 2);
    folder_put("box/a.EML", SPAN("x"), 2);
    folder_put("box/c.eml", SPAN("x"), 1);
    folder_put("box/.eml", SPAN("x"), 1);
    folder_put("box/readme.txt", SPAN("x"), 1);
    folder_put("box/d.eml/inside", SPAN("x"), 1);
    ck_assert_int_eq(mail_files_list(&files, "box", &fault), STATUS_OK);
    assert_files((const char *const[]){"box/c.eml", "box/a.EML", "box/b.eml"}, 3);
}
END_TEST

START_TEST(no_mail)
{
    folder_put("box/readme.txt", SPAN("x"), 1);
    ck_assert_int_eq(mail_files_list(&files, "box", &fault), STATUS_ABSENT);
    ck_assert_str_eq(fault.text, "box: neither a Maildir nor a folder with .eml files");
    ck_assert_int_eq(mail_files_list(&files, "nowhere", &fault), STATUS_ABSENT);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("mail_files");
    TCase *tests = tcase_create("mail_files");
    tcase_add_checked_fixture(tests, folder_open, folder_close);
    tcase_add_test(tests, a_maildir);
    tcase_add_test(tests, an_empty_maildir);
    tcase_add_test(tests, a_folder_of_eml_files);
    tcase_add_test(tests, no_mail);
    suite_add_tcase(suite, tests);
    return suite;
}
