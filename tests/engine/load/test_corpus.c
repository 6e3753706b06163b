#include "engine/load/corpus.h"

#include "tests/check_main.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64], place[256];

static void setup(void)
{
    snprintf(root, sizeof root, "/tmp/mailrace-corpus-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *walk)
{
    (void)about, (void)type, (void)walk;
    return remove(path);
}

static void teardown(void)
{
    ck_assert_int_eq(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static const char *in_root(const char *name)
{
    snprintf(place, sizeof place, "%s/%s", root, name);
    return place;
}

static void make_folder(const char *name)
{
    ck_assert_int_eq(mkdir(in_root(name), 0700), 0);
}

static void write_file(const char *name, struct span text)
{
    FILE *file = fopen(in_root(name), "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text.data, 1, text.size, file), text.size);
    ck_assert_int_eq(fclose(file), 0);
}

static struct corpus *open_corpus(const char *name)
{
    struct corpus *corpus = NULL;
    struct fault fault;
    ck_assert_msg(corpus_open(&corpus, in_root(name), &fault) == STATUS_OK, "%s", fault.text);
    return corpus;
}

static void expect_text(struct span text, struct span expected)
{
    ck_assert_msg(span_equal(text, expected), "'%.*s', not '%.*s'", (int)text.size,
                  (const char *)text.data, (int)expected.size, (const char *)expected.data);
}

/* The subjects of all messages, as "a b c", from headers "S: a". */
static void expect_subjects(const struct corpus *corpus, const char *expected)
{
    char all[256] = "";
    for (uint32_t i = 0; i < corpus_count(corpus); i++) {
        struct span header = corpus_at(corpus, i)->header.plain;
        size_t size = strlen(all);
        ck_assert(header.size > 5 && memcmp(header.data, "S: ", 3) == 0);
        snprintf(all + size, sizeof all - size, "%s%.*s", size > 0 ? " " : "", (int)header.size - 5,
                 (const char *)header.data + 3);
    }
    ck_assert_str_eq(all, expected);
}

/* ------------------------------------------------------------------------------ one file ---- */

/* All forms of a line's end. */
START_TEST(one_file)
{
    static const struct {
        struct span file, header, body;
    } rows[] = {
        {SPAN_INIT("S: a\r\n\r\nb\r\n"), SPAN_INIT("S: a\r\n"), SPAN_INIT("b\r\n")},
        {SPAN_INIT("S: a\n\nb\n"), SPAN_INIT("S: a\r\n"), SPAN_INIT("b\r\n")},
        {SPAN_INIT("S: a\r\rb\r"), SPAN_INIT("S: a\r\n"), SPAN_INIT("b\r\n")},
        {SPAN_INIT("S: a\n\nb"), SPAN_INIT("S: a\r\n"), SPAN_INIT("b\r\n")},
        {SPAN_INIT("S: a\n\nb\rc\n"), SPAN_INIT("S: a\r\n"), SPAN_INIT("b\r\nc\r\n")},
        {SPAN_INIT("S: a\n\nb\r\r\nc\n"), SPAN_INIT("S: a\r\n"), SPAN_INIT("b\r\n\r\nc\r\n")},
        {SPAN_INIT("S: a\n\nb\n\r"), SPAN_INIT("S: a\r\n"), SPAN_INIT("b\r\n\r\n")},
        {SPAN_INIT("S: a\n\nb\n\n\n"), SPAN_INIT("S: a\r\n"), SPAN_INIT("b\r\n\r\n\r\n")},
        {SPAN_INIT("S: a"), SPAN_INIT("S: a\r\n"), SPAN_INIT("")},
        {SPAN_INIT("S: \0a\n\n\0\n"), SPAN_INIT("S: \0a\r\n"), SPAN_INIT("\0\r\n")},
        {SPAN_INIT("\n.b\n"), SPAN_INIT(""), SPAN_INIT(".b\r\n")},
        /* A line that a delivery into an mbox left; nothing is unquoted or cut. */
        {SPAN_INIT("From a Mon\nS: a\n\nb\n\nFrom c\n>From d\n"), SPAN_INIT("S: a\r\n"),
         SPAN_INIT("b\r\n\r\nFrom c\r\n>From d\r\n")},
        {SPAN_INIT("From: a\n\nb\n"), SPAN_INIT("From: a\r\n"), SPAN_INIT("b\r\n")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file("one.eml", rows[i].file);
        struct corpus *corpus = open_corpus("one.eml");
        ck_assert_uint_eq(corpus_count(corpus), 1);
        expect_text(corpus_at(corpus, 0)->header.plain, rows[i].header);
        expect_text(corpus_at(corpus, 0)->body.plain, rows[i].body);
        corpus_close(corpus);
    }
}
END_TEST

START_TEST(one_file_of_any_name)
{
    write_file("one", SPAN("S: a\n\nFrom b\n\nFrom c\n>From d\n"));
    struct corpus *corpus = open_corpus("one");
    ck_assert_uint_eq(corpus_count(corpus), 1);
    expect_text(corpus_at(corpus, 0)->body.plain, SPAN("From b\r\n\r\nFrom c\r\n>From d\r\n"));
    corpus_close(corpus);
}
END_TEST

/* ---------------------------------------------------------------------------------- mbox ---- */

#define MBOX_MESSAGES_MAX 4

START_TEST(mbox)
{
    static const struct {
        const char *file;
        const char *bodies[MBOX_MESSAGES_MAX]; /* of messages whose subjects are a, b, c, d */
    } rows[] = {
        {"From x\nS: a\n\n1\n", {"1\r\n"}},
        {"From x\nS: a\n\n1\n\nFrom y\nS: b\n\n2\n\n", {"1\r\n", "2\r\n"}},
        {"From x\r\nS: a\r\n\r\n1\r\n\r\nFrom y\r\nS: b\r\n\r\n2\r\n\r\n", {"1\r\n", "2\r\n"}},
        {"From x\nS: a\n\n1\n\n\nFrom y\nS: b\n\n2", {"1\r\n\r\n", "2\r\n"}},
        {"From x\nS: a\n\n1\n\n\n\n", {"1\r\n\r\n\r\n"}},
        /* Only after an empty line. */
        {"From x\nS: a\n\n1\nFrom y\nS: b\n", {"1\r\nFrom y\r\nS: b\r\n"}},
        {"From x\nS: a\n\n1\n\nFrom: y\nS: b\n", {"1\r\n\r\nFrom: y\r\nS: b\r\n"}},
        {"From x\nS: a\n\n1\n\nfrom y\n", {"1\r\n\r\nfrom y\r\n"}},
        {"From x\nS: a\n\nFrom y\nS: b\n\n2\n", {"", "2\r\n"}},
        {"From x\nS: a\n\n\nFrom y\nS: b\n\n2\n", {"", "2\r\n"}},
        /* Quoting, as mboxrd has it. */
        {"From x\nS: a\n\n>From z\n>>From z\n> From z\n>From\n>Fromz\n>>\n>",
         {"From z\r\n>From z\r\n> From z\r\n>From\r\n>Fromz\r\n>>\r\n>\r\n"}},
        {"From x\nS: a\n\n1\n\n>From y\nS: b\n", {"1\r\n\r\nFrom y\r\nS: b\r\n"}},
        /* Without any text there is no message. */
        {"From x\n\nFrom y\n\nFrom z\nS: a\n\n1\n\nFrom x\n", {"1\r\n"}},
        {"From x\nS: a\n\n1\n\nFrom y\nS: b\n\n2\n\nFrom z\nS: c\n\n3\n\nFrom z\nS: d\n\n4\n",
         {"1\r\n", "2\r\n", "3\r\n", "4\r\n"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file("mbox", span_text(rows[i].file));
        struct corpus *corpus = open_corpus("mbox");
        uint32_t count = 0;
        while (count < MBOX_MESSAGES_MAX && rows[i].bodies[count] != NULL)
            count++;
        ck_assert_msg(corpus_count(corpus) == count, "%u in '%s'", corpus_count(corpus),
                      rows[i].file);
        expect_subjects(corpus, (const char *[]){"", "a", "a b", "a b c", "a b c d"}[count]);
        for (uint32_t k = 0; k < count; k++)
            expect_text(corpus_at(corpus, k)->body.plain, span_text(rows[i].bodies[k]));
        corpus_close(corpus);
    }
}
END_TEST

/* ------------------------------------------------------------------------------- folders ---- */

/* In the order of names, whatever the file system's is. */
START_TEST(folder_of_eml_files)
{
    static const char *const names[] = {"9", "b", "a", "10", "C"};
    make_folder("folder");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64], text[64];
        snprintf(name, sizeof name, "folder/%s.%s", names[i], i % 2 ? "eml" : "EML");
        snprintf(text, sizeof text, "S: %s\n\nbody\n", names[i]);
        write_file(name, span_text(text));
    }
    write_file("folder/other.txt", SPAN("S: txt\n"));
    write_file("folder/eml", SPAN("S: eml\n"));
    write_file("folder/.eml", SPAN("S: dot\n"));
    write_file("folder/.hidden.eml", SPAN("S: hidden\n"));
    write_file("folder/empty.eml", SPAN(""));
    make_folder("folder/folder.eml");
    ck_assert_int_eq(mkfifo(in_root("folder/fifo.eml"), 0600), 0);
    struct corpus *corpus = open_corpus("folder");
    expect_subjects(corpus, "10 9 C a b");
    corpus_close(corpus);
}
END_TEST

/* A message has its place whether it is in cur or in new. */
START_TEST(maildir)
{
    make_folder("maildir");
    make_folder("maildir/cur");
    make_folder("maildir/new");
    make_folder("maildir/tmp");
    write_file("maildir/new/1", SPAN("S: 1\n\n>From x\n\nFrom y\n"));
    write_file("maildir/cur/2:2,S", SPAN("From x\nS: 2\n"));
    write_file("maildir/new/3", SPAN("S: 3\n"));
    write_file("maildir/cur/4.eml", SPAN("S: 4\n"));
    write_file("maildir/new/5", SPAN(""));
    write_file("maildir/tmp/6", SPAN("S: 6\n"));
    write_file("maildir/cur/.7", SPAN("S: 7\n"));
    write_file("maildir/8.eml", SPAN("S: 8\n"));
    struct corpus *corpus = open_corpus("maildir");
    expect_subjects(corpus, "1 2 3 4");
    expect_text(corpus_at(corpus, 0)->body.plain, SPAN(">From x\r\n\r\nFrom y\r\n"));
    corpus_close(corpus);
}
END_TEST

START_TEST(half_a_maildir)
{
    make_folder("new-only");
    make_folder("new-only/new");
    write_file("new-only/new/1", SPAN("S: 1\n"));
    struct corpus *corpus = open_corpus("new-only");
    expect_subjects(corpus, "1");
    corpus_close(corpus);
    make_folder("cur-only");
    make_folder("cur-only/cur");
    write_file("cur-only/cur/2", SPAN("S: 2\n"));
    corpus = open_corpus("cur-only");
    expect_subjects(corpus, "2");
    corpus_close(corpus);
}
END_TEST

/* -------------------------------------------------------------------------------- faults ---- */

static void expect_fault(const char *name, enum status status, const char *named, const char *why)
{
    struct corpus *corpus = (struct corpus *)(void *)&place; /* must stay as it is */
    struct fault fault = {.text = ""};
    enum status got = corpus_open(&corpus, in_root(name), &fault);
    ck_assert_msg(got == status, "%s: %d, %s", name, got, fault.text);
    ck_assert_msg(strstr(fault.text, named) != NULL, "%s", fault.text);
    ck_assert_msg(strstr(fault.text, why) != NULL, "%s", fault.text);
    ck_assert_ptr_eq(corpus, (struct corpus *)(void *)&place);
}

START_TEST(faults_name_the_file)
{
    make_folder("folder");
    make_folder("maildir");
    make_folder("maildir/cur");
    write_file("folder/a.txt", SPAN("S: a\n"));
    write_file("empty", SPAN(""));
    write_file("blank.eml", SPAN("\n"));
    write_file("mbox", SPAN("From x\n\nFrom y\n"));
    make_folder("dangling");
    ck_assert_int_eq(symlink("/nowhere", in_root("dangling/a.eml")), 0);
    ck_assert_int_eq(mkfifo(in_root("fifo"), 0600), 0);
    expect_fault("absent", STATUS_ABSENT, "/absent", "No such file");
    expect_fault("empty/x", STATUS_IO, "/empty/x", "Not a directory");
    expect_fault("folder", STATUS_CONFIG, "/folder", "no message");
    expect_fault("maildir", STATUS_CONFIG, "/maildir", "no message");
    expect_fault("empty", STATUS_CONFIG, "/empty", "no message");
    expect_fault("blank.eml", STATUS_CONFIG, "/blank.eml", "no message");
    expect_fault("mbox", STATUS_CONFIG, "/mbox", "no message");
    expect_fault("fifo", STATUS_CONFIG, "/fifo", "neither");
    expect_fault("dangling", STATUS_ABSENT, "/dangling/a.eml", "No such file");
}
END_TEST

/* The superuser becomes nobody for it. */
START_TEST(may_be_denied)
{
    bool superuser = geteuid() == 0;
    write_file("secret", SPAN("S: a\n"));
    ck_assert_int_eq(chmod(in_root("secret"), 0), 0);
    ck_assert_int_eq(chmod(root, 0711), 0);
    ck_assert(!superuser || seteuid(65534) == 0);
    expect_fault("secret", STATUS_DENIED, "/secret", "denied");
    ck_assert(!superuser || seteuid(0) == 0);
}
END_TEST

/* -------------------------------------------------------------------------------- at all ---- */

/* More than any buffer, and the texts are all there. */
START_TEST(many_messages)
{
    enum { COUNT = 5000 };
    FILE *file = fopen(in_root("mbox"), "w");
    ck_assert_ptr_nonnull(file);
    for (uint32_t i = 0; i < COUNT; i++)
        fprintf(file, "From x\nS: %u\n\n%.*s\n.%u\n\n", i, (int)(i % 700),
                "................................................................................",
                i);
    ck_assert_int_eq(fclose(file), 0);
    struct corpus *corpus = open_corpus("mbox");
    ck_assert_uint_eq(corpus_count(corpus), COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        const struct corpus_message *message = corpus_at(corpus, i);
        char header[32], end[32];
        snprintf(header, sizeof header, "S: %u\r\n", i);
        snprintf(end, sizeof end, "\r\n..%u\r\n", i);
        expect_text(message->header.plain, span_text(header));
        ck_assert_uint_eq(message->body.stuffed.size, message->body.plain.size + 1 + (i % 700 > 0));
        expect_text(span_from(message->body.stuffed, message->body.stuffed.size - strlen(end)),
                    span_text(end));
    }
    corpus_close(corpus);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("corpus");
    TCase *tcase = tcase_create("corpus");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, one_file);
    tcase_add_test(tcase, one_file_of_any_name);
    tcase_add_test(tcase, mbox);
    tcase_add_test(tcase, folder_of_eml_files);
    tcase_add_test(tcase, maildir);
    tcase_add_test(tcase, half_a_maildir);
    tcase_add_test(tcase, faults_name_the_file);
    tcase_add_test(tcase, may_be_denied);
    tcase_add_test(tcase, many_messages);
    suite_add_tcase(suite, tcase);
    return suite;
}
