#include "tools/mbox.h"

#include "tests/check_main.h"
#include "tests/tools/folder.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *line, *sender; /* NULL: no date */
    uint64_t second;
} rows[] = {
    {"From a@b Mon Nov 23 16:00:00 2026\n", "a@b", 1795449600},
    {"From a@b Mon Nov 23 16:00:00 2026", "a@b", 1795449600},
    {"From a@b Mon Nov 23 16:00:00 2026\r\n", "a@b", 1795449600},
    {"From a@b  Mon Nov 23 16:00 2026\n", "a@b", 1795449600},
    {"From MAILER-DAEMON Thu Jan  1 00:00:01 1970\n", "", 1},
    {"From - Thu Jan 01 00:00:01 1970\n", "", 1},
    {"From  Thu Jan  1 00:00:01 1970\n", "", 1},
    {"From Thu Jan  1 00:00:01 1970\n", "", 1},
    {"From a b@c Thu Jan  1 00:00:01 1970\n", "a b@c", 1},
    {"From Mon Tue@c Thu Jan  1 00:00:01 1970\n", "Mon Tue@c", 1},
    {"From 17@xxx Mon Nov 23 17:30:00 +0130 2026\n", "17@xxx", 1795449600},
    {"From 17@xxx Mon Nov 23 08:00:00 2026 -0800\n", "17@xxx", 1795449600},
    {"From a@b Mon Nov 23 16:00:00 GMT 2026 remote from there\n", "a@b", 1795449600},
    {"From a@b\n", NULL, 0},
    {"From \n", NULL, 0},
    {"From here on nothing is as it was\n", NULL, 0},
    {"From a@b Mon Nov 32 16:00:00 2026\n", NULL, 0},
    {"From a@b Mon Nov 23 24:00:00 2026\n", NULL, 0},
    {"From a@b Mon Nov 23 16-00-00 2026\n", NULL, 0},
    {"From a@b Mon Nov 23 16:00:00 26\n", NULL, 0},
    {"From a@b Mon Nov 23 16:00:00\n", NULL, 0},
    {"From a@b Mon Noo 23 16:00:00 2026\n", NULL, 0},
    {"From a@b Thu Jan  1 00:00:01 +0200 1970\n", NULL, 0},
};

#define ROWS ((int)(sizeof rows / sizeof rows[0]))

START_TEST(from_lines)
{
    struct mbox_from from = {.second = 77};
    struct span line = span_text(rows[_i].line);
    ck_assert(mbox_is_from(line));
    ck_assert_int_eq(mbox_from_parse(line, &from), rows[_i].sender != NULL);
    ck_assert_uint_eq(from.second, rows[_i].sender ? rows[_i].second : 77);
    if (rows[_i].sender)
        ck_assert(span_equal(from.sender, span_text(rows[_i].sender)));
}
END_TEST

START_TEST(quoted_lines)
{
    static const char *const quoted[] = {">From a", ">>From ", ">>>>From x\n"};
    static const char *const others[] = {"From a", "> From a", ">From", ">", "", ">>F", "a>From b"};
    for (size_t i = 0; i < sizeof quoted / sizeof quoted[0]; i++)
        ck_assert(mbox_is_quoted(span_text(quoted[i])));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert(!mbox_is_quoted(span_text(others[i])));
}
END_TEST

START_TEST(what_is_written_is_read)
{
    static const char *const senders[] = {"a@b", "a b@c", "", "x\ny@z"};
    static const char *const lines[] = {"From a@b Mon Nov 23 16:00:00 2026\n",
                                        "From a b@c Mon Nov 23 16:00:00 2026\n",
                                        "From MAILER-DAEMON Mon Nov 23 16:00:00 2026\n",
                                        "From MAILER-DAEMON Mon Nov 23 16:00:00 2026\n"};
    for (size_t i = 0; i < 4; i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *file = open_memstream(&text, &size);
        const struct mbox_from from = {.sender = span_text(senders[i]), .second = 1795449600};
        struct mbox_from back;
        ck_assert(mbox_from_write(file, &from));
        fclose(file);
        ck_assert_str_eq(text, lines[i]);
        ck_assert(mbox_from_parse(span_of(text, size), &back));
        ck_assert_uint_eq(back.second, from.second);
        ck_assert(i == 3 || span_equal(back.sender, from.sender));
        free(text);
    }
}
END_TEST

START_TEST(files_take_their_place_when_whole)
{
    struct mbox_file mbox;
    struct fault fault;
    for (int round = 0; round < 2; round++) {
        ck_assert_int_eq(mbox_file_open(&mbox, "mbox", &fault), STATUS_OK);
        fprintf(mbox.file, "some text");
        fflush(mbox.file);
        ck_assert_int_eq(access("mbox", F_OK), round - 1);
        ck_assert_int_eq(mbox_file_finish(&mbox, &fault), STATUS_OK);
        folder_assert_holds("mbox", SPAN("some text"));
        ck_assert_uint_eq(folder_count("."), 1);
        folder_put("mbox", SPAN(""), 1); /* an empty one may be replaced */
    }
    ck_assert_int_eq(mbox_file_open(&mbox, "mbox", &fault), STATUS_OK);
    mbox_file_abandon(&mbox);
    folder_assert_holds("mbox", SPAN(""));
    ck_assert_uint_eq(folder_count("."), 1);
}
END_TEST

START_TEST(places_that_are_taken)
{
    struct mbox_file mbox;
    struct fault fault;
    static const char *const cases[] = {"file", "folder", "link", "none/file", "file/inside"};
    folder_put("file", SPAN("x"), 1);
    folder_put("folder/empty", SPAN(""), 1);
    ck_assert_int_eq(symlink("folder/empty", "link"), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_int_eq(mbox_file_open(&mbox, cases[i], &fault), STATUS_EXISTS);
        ck_assert_msg(strstr(fault.text, cases[i]) != NULL, "%s", fault.text);
    }
    folder_assert_holds("file", SPAN("x"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("mbox");
    TCase *lines = tcase_create("lines");
    tcase_add_loop_test(lines, from_lines, 0, ROWS);
    tcase_add_test(lines, quoted_lines);
    tcase_add_test(lines, what_is_written_is_read);
    suite_add_tcase(suite, lines);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, folder_open, folder_close);
    tcase_add_test(files, files_take_their_place_when_whole);
    tcase_add_test(files, places_that_are_taken);
    suite_add_tcase(suite, files);
    return suite;
}
