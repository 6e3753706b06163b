#include "tools/mail_source.h"

#include "base/clock.h"
#include "tests/check_main.h"
#include "tests/tools/folder.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND 1795449600ull
#define FROM "From a@b Mon Nov 23 16:00:00 2026\n"
#define OTHER "From - Mon Nov 23 16:00:01 2026\n"

static struct mail_source *source;
static struct mail mail;
static struct fault fault;

static void open_source(const char *path, uint64_t bytes_max)
{
    ck_assert_msg(mail_source_open(&source, path, bytes_max, &fault) == STATUS_OK, "%s",
                  fault.text);
}

static void assert_next(const char *raw)
{
    ck_assert_int_eq(mail_source_next(source, &mail, &fault), STATUS_OK);
    ck_assert_ptr_null(mail.problem);
    ck_assert_msg(span_equal(mail.raw, span_text(raw)), "'%.*s'", (int)mail.raw.size,
                  (const char *)mail.raw.data);
}

static void assert_end(void)
{
    ck_assert_int_eq(mail_source_next(source, &mail, &fault), STATUS_ABSENT);
    mail_source_close(source);
}

static const struct {
    const char *mbox, *messages[4];
} mboxes[] = {
    {FROM "A: b\n\nc\n\n", {"A: b\n\nc\n"}},
    {FROM "A: b\n\nc\n", {"A: b\n\nc\n"}},
    {FROM "A: b\n\nc", {"A: b\n\nc"}},
    {FROM "A: b\n\n\n", {"A: b\n\n"}},
    {FROM "a\n\n" OTHER "b\n\n", {"a\n", "b\n"}},
    {FROM "a\n\n\n" OTHER "b\n\n\n", {"a\n\n", "b\n\n"}},
    {FROM "a\n" OTHER "b\n\n", {"a\n", "b\n"}}, /* no empty line before it, but a date in it */
    {FROM "a\nFrom whom\nb\n\n", {"a\nFrom whom\nb\n"}},
    {FROM "\n" OTHER "\n" FROM, {"", "", ""}},
    {FROM, {""}},
    {FROM ">From a\n>>From b\n> From c\n>From\n\n", {"From a\n>From b\n> From c\n>From\n"}},
    {FROM "a\r\n\r\n" OTHER "b\r\n\r\n", {"a\r\n", "b\r\n"}},
    {"From a@b Mon Nov 23 16:00:00 2026\r\na\r\n\r\n\r\n", {"a\r\n\r\n"}},
    {FROM "a\n\nFrom whom it may concern\nb\n", {"a\n", "b\n"}},
    {"From nobody\na\n", {"a\n"}},
    {"", {NULL}},
};

#define MBOXES ((int)(sizeof mboxes / sizeof mboxes[0]))

START_TEST(mboxes_are_cut)
{
    folder_put("mbox", span_text(mboxes[_i].mbox), 1);
    open_source("mbox", 1000);
    ck_assert_uint_eq(mail_source_count(source), 0);
    for (int i = 0; i < 4 && mboxes[_i].messages[i] != NULL; i++)
        assert_next(mboxes[_i].messages[i]);
    assert_end();
}
END_TEST

START_TEST(from_lines_say_who_and_when)
{
    folder_put("mbox", span_text(FROM "a\n\n" OTHER "b\n\nFrom nobody\nc\n"), 77);
    open_source("mbox", 1000);
    assert_next("a\n");
    ck_assert(span_equal(mail.sender, SPAN("a@b")));
    ck_assert_uint_eq(mail.received_ns, SECOND * NS_PER_S);
    ck_assert_str_eq(mail.name, "mbox, message 1");
    assert_next("b\n");
    ck_assert_uint_eq(mail.sender.size, 0);
    ck_assert_uint_eq(mail.received_ns, (SECOND + 1) * NS_PER_S);
    assert_next("c\n");
    ck_assert_uint_eq(mail.sender.size, 0);
    ck_assert_uint_eq(mail.received_ns, 77 * NS_PER_S);
    ck_assert_str_eq(mail.name, "mbox, message 3");
    assert_end();
}
END_TEST

/* Lines of every length around that of the buffer, and of many buffers. */
START_TEST(long_lines)
{
    static char text[400000], expected[400000];
    static const size_t sizes[] = {65400, 65536, 131072, 200000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t size = sizes[i] - 40; size < sizes[i] + 5; size++) {
            char *at = text + snprintf(text, sizeof text, FROM);
            memset(at, 'x', size);
            snprintf(at + size, 200, "\nFrom b\n>From c\n\n" OTHER "d\n\n");
            folder_put("mbox", span_text(text), 1);
            memset(expected, 'x', size);
            snprintf(expected + size, 200, "\nFrom b\nFrom c\n");
            open_source("mbox", sizeof text);
            assert_next(expected);
            assert_next("d\n");
            assert_end();
        }
    char *at = text + snprintf(text, sizeof text, "From ");
    memset(at, 'x', 200000);
    snprintf(at + 200000, 100, "\na\n\n" OTHER "b\n");
    folder_put("mbox", span_text(text), 1);
    open_source("mbox", sizeof text);
    assert_next("a\n");
    assert_next("b\n");
    assert_end();
}
END_TEST

START_TEST(too_large_ones_are_named)
{
    folder_put("mbox", span_text(FROM "12345678\n\n\n" OTHER "1234567\n\n" OTHER "b\n"), 1);
    folder_put("box/a.eml", SPAN("1234567890"), 1);
    folder_put("box/b.eml", SPAN("12345678901"), 2);
    folder_put("box/c.eml", SPAN("b"), 3);
    for (int i = 0; i < 2; i++) {
        open_source(i ? "box" : "mbox", 10);
        if (i)
            assert_next("1234567890");
        ck_assert_int_eq(mail_source_next(source, &mail, &fault), STATUS_OK);
        ck_assert_str_eq(mail.problem, "is larger than 10 bytes");
        ck_assert_str_eq(mail.name, i ? "box/b.eml" : "mbox, message 1");
        if (!i)
            assert_next("1234567\n");
        assert_next(i ? "b" : "b\n");
        assert_end();
    }
}
END_TEST

START_TEST(files)
{
    folder_put("box/new/b", SPAN("From b\n\nFrom me\n"), 2);
    folder_put("box/cur/a", SPAN(""), 1);
    folder_put("box/cur/c", SPAN("x"), 3);
    open_source("box", 100);
    ck_assert_uint_eq(mail_source_count(source), 3);
    assert_next("");
    ck_assert_int_eq(unlink("box/cur/c"), 0);
    assert_next("From b\n\nFrom me\n");
    ck_assert_uint_eq(mail.received_ns, 2 * NS_PER_S);
    ck_assert_str_eq(mail.name, "box/new/b");
    ck_assert_int_eq(mkfifo("box/cur/c", 0600), 0);
    ck_assert_int_eq(mail_source_next(source, &mail, &fault), STATUS_OK);
    ck_assert_str_eq(mail.problem, "is no regular file");
    assert_end();
    open_source("box", 100);
    ck_assert_int_eq(unlink("box/cur/a"), 0);
    ck_assert_int_eq(mail_source_next(source, &mail, &fault), STATUS_OK);
    ck_assert_str_eq(mail.problem, "cannot be read: No such file or directory");
    mail_source_close(source);
}
END_TEST

START_TEST(one_file)
{
    folder_put("one.eml", SPAN("A: b\n\nFrom c\n"), 5);
    open_source("one.eml", 100);
    ck_assert_uint_eq(mail_source_count(source), 1);
    assert_next("A: b\n\nFrom c\n");
    ck_assert_uint_eq(mail.received_ns, 5 * NS_PER_S);
    assert_end();
}
END_TEST

START_TEST(what_is_no_source)
{
    static const char *const cases[] = {"nowhere", "pipe", "folder"};
    ck_assert_int_eq(mkfifo("pipe", 0600), 0);
    ck_assert_int_eq(mkdir("folder", 0700), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(mail_source_open(&source, cases[i], 100, &fault), STATUS_ABSENT);
        ck_assert_msg(strstr(fault.text, cases[i]) != NULL, "%s", fault.text);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("mail_source");
    TCase *tests = tcase_create("mail_source");
    tcase_add_checked_fixture(tests, folder_open, folder_close);
    tcase_add_loop_test(tests, mboxes_are_cut, 0, MBOXES);
    tcase_add_test(tests, from_lines_say_who_and_when);
    tcase_add_test(tests, long_lines);
    tcase_add_test(tests, too_large_ones_are_named);
    tcase_add_test(tests, files);
    tcase_add_test(tests, one_file);
    tcase_add_test(tests, what_is_no_source);
    suite_add_tcase(suite, tests);
    return suite;
}
