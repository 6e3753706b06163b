#include "engine/load/corpus_builder.h"

#include "base/digest.h"
#include "tests/check_main.h"

#include <stdlib.h>
#include <string.h>

static struct corpus_builder builder;

static void setup(void)
{
    builder = (struct corpus_builder){0};
}

static void teardown(void)
{
    corpus_builder_deinit(&builder);
}

/* The lines of the text, each ended with LF. */
static void add(const char *text)
{
    for (const char *lf; (lf = strchr(text, '\n')) != NULL; text = lf + 1)
        corpus_builder_add(&builder, span_of(text, (size_t)(lf - text)));
}

static void expect(struct span text, const char *expected)
{
    ck_assert_msg(span_equal(text, span_text(expected)), "'%.*s', not '%s'", (int)text.size,
                  (const char *)text.data, expected);
}

static const struct row {
    const char *lines, *header, *body;
    const char *stuffed_header, *stuffed_body; /* NULL: the same memory */
} rows[] = {
    {"Subject: a\nTo: b\n\nBody\n", "Subject: a\r\nTo: b\r\n", "Body\r\n", NULL, NULL},
    {"Subject: a\n", "Subject: a\r\n", "", NULL, NULL},
    {"Subject: a\n\n", "Subject: a\r\n", "", NULL, NULL},
    {"Subject: a\n\n\n", "Subject: a\r\n", "\r\n", NULL, NULL},
    {"Subject: a\n b\n\tc\n\n \n", "Subject: a\r\n b\r\n\tc\r\n", " \r\n", NULL, NULL},
    {"\nBody\n", "", "Body\r\n", NULL, NULL},
    {"\nSubject: b\n", "", "Subject: b\r\n", NULL, NULL},
    /* What does not begin with a field is no header. */
    {"Dear all\nSubject: a\n\nb\n", "", "Dear all\r\nSubject: a\r\n\r\nb\r\n", NULL, NULL},
    {" Subject: a\n\nb\n", "", " Subject: a\r\n\r\nb\r\n", NULL, NULL},
    {": a\n", "", ": a\r\n", NULL, NULL},
    {"Dear all: a\n", "", "Dear all: a\r\n", NULL, NULL},
    {"S\xC3\xBC: a\n", "", "S\xC3\xBC: a\r\n", NULL, NULL},
    {"Subject : a\n\nb\n", "Subject : a\r\n", "b\r\n", NULL, NULL},
    {"Subject:\nno field\n\nb\n", "Subject:\r\nno field\r\n", "b\r\n", NULL, NULL},
    /* Ids are left out, of the header alone. */
    {"X-Mailrace-Id: 1\nSubject: a\n\nb\n", "Subject: a\r\n", "b\r\n", NULL, NULL},
    {"Subject: a\nx-mailrace-ID :1\n\nb\n", "Subject: a\r\n", "b\r\n", NULL, NULL},
    {"A: 1\nX-Mailrace-Id:\n 1\n\t2\nB: 2\n 3\n\nb\n", "A: 1\r\nB: 2\r\n 3\r\n", "b\r\n", NULL,
     NULL},
    {"X-Mailrace-Id: 1\nX-Mailrace-Id: 2\nA: 1\nX-Mailrace-Id: 3\n\nb\n", "A: 1\r\n", "b\r\n", NULL,
     NULL},
    {"X-Mailrace-Id: 1\n 1\n\nb\n", "", "b\r\n", NULL, NULL},
    {"X-Mailrace-Idea: 1\nX-Mailrace: 2\n", "X-Mailrace-Idea: 1\r\nX-Mailrace: 2\r\n", "", NULL,
     NULL},
    {"A: 1\n\nX-Mailrace-Id: 1\n", "A: 1\r\n", "X-Mailrace-Id: 1\r\n", NULL, NULL},
    /* Dots. */
    {"A: 1\n\n.\n", "A: 1\r\n", ".\r\n", NULL, "..\r\n"},
    {"A: 1\n\n..\n.a\nb.\n\n.\n", "A: 1\r\n", "..\r\n.a\r\nb.\r\n\r\n.\r\n", NULL,
     "...\r\n..a\r\nb.\r\n\r\n..\r\n"},
    {"A: 1\n.B: 2\n\nb\n", "A: 1\r\n.B: 2\r\n", "b\r\n", "A: 1\r\n..B: 2\r\n", NULL},
    {".B: 2\n\n.b\n", ".B: 2\r\n", ".b\r\n", "..B: 2\r\n", "..b\r\n"},
};

enum { ROWS = sizeof rows / sizeof *rows };

static void check_text(const struct corpus_text *text, const char *plain, const char *stuffed)
{
    expect(text->plain, plain);
    if (stuffed == NULL) {
        ck_assert_ptr_eq(text->stuffed.data, text->plain.data);
        ck_assert_uint_eq(text->stuffed.size, text->plain.size);
    } else {
        ck_assert_ptr_ne(text->stuffed.data, text->plain.data);
        expect(text->stuffed, stuffed);
    }
}

static void check_row(const struct row *row, const struct corpus_message *message)
{
    check_text(&message->header, row->header, row->stuffed_header);
    check_text(&message->body, row->body, row->stuffed_body);
    ck_assert_uint_eq(message->digest, digest_of(span_text(row->body)));
}

START_TEST(one_by_one)
{
    add(rows[_i].lines);
    corpus_builder_end_message(&builder);
    ck_assert(corpus_builder_finish(&builder));
    ck_assert_uint_eq(builder.count, 1);
    check_row(&rows[_i], builder.messages);
}
END_TEST

/* With so much between them that all memory moves several times. */
START_TEST(all_together)
{
    enum { TIMES = 40, FILLER = 500000 };
    char *filler = malloc(FILLER);
    ck_assert_ptr_nonnull(filler);
    memset(filler, 'x', FILLER);
    for (uint32_t i = 0; i < TIMES * ROWS; i++) {
        if (i % ROWS == 0)
            corpus_builder_add(&builder, span_of(filler, FILLER));
        else
            add(rows[i % ROWS].lines);
        corpus_builder_end_message(&builder);
    }
    ck_assert(corpus_builder_finish(&builder));
    ck_assert_uint_eq(builder.count, TIMES * ROWS);
    for (uint32_t i = 0; i < TIMES * ROWS; i++)
        if (i % ROWS == 0)
            ck_assert_uint_eq(builder.messages[i].body.plain.size, FILLER + 2);
        else
            check_row(&rows[i % ROWS], &builder.messages[i]);
    free(filler);
}
END_TEST

START_TEST(without_text_there_is_no_message)
{
    static const char *const nothing[] = {"", "\n", "X-Mailrace-Id: 1\n", "X-Mailrace-Id: 1\n\n"};
    for (size_t i = 0; i < sizeof nothing / sizeof *nothing; i++) {
        add(nothing[i]);
        corpus_builder_end_message(&builder);
        ck_assert_uint_eq(builder.count, 0);
    }
    ck_assert(corpus_builder_finish(&builder));
    setup();
    add("\n");
    corpus_builder_end_message(&builder);
    add("A: 1\n\nb\n"); /* does not begin in the body, as the one before ended */
    corpus_builder_end_message(&builder);
    ck_assert(corpus_builder_finish(&builder));
    ck_assert_uint_eq(builder.count, 1);
    expect(builder.messages[0].header.plain, "A: 1\r\n");
}
END_TEST

/* A byte above 127 at every place. */
START_TEST(eight_bits_are_seen)
{
    static const char text[] = "A: 12345678\n B\n\nbody, a few words long\n";
    size_t header_bytes = (size_t)(strstr(text, "\n\n") - text);
    for (size_t i = 0; i < sizeof text - 1; i++) {
        char changed[sizeof text];
        if (i < 2 || text[i] == '\n')
            continue;
        memcpy(changed, text, sizeof text);
        changed[i] = '\x80';
        add(changed);
        corpus_builder_end_message(&builder);
        const struct corpus_message *message = &builder.messages[builder.count - 1];
        ck_assert_msg(message->eight_bit, "at %zu", i);
        ck_assert_msg(message->smtputf8 == (i < header_bytes), "at %zu", i);
    }
    add(text);
    corpus_builder_end_message(&builder);
    ck_assert(!builder.messages[builder.count - 1].eight_bit);
    ck_assert(!builder.messages[builder.count - 1].smtputf8);
}
END_TEST

/* A NUL, and a line that is longer than any buffer. */
START_TEST(lines_are_any_bytes)
{
    enum { LONG = 3 << 20 };
    uint8_t *line = malloc(LONG);
    ck_assert_ptr_nonnull(line);
    memset(line, 'x', LONG);
    line[LONG / 2] = '\0';
    corpus_builder_add(&builder, SPAN("A: \0"));
    corpus_builder_add(&builder, SPAN(""));
    corpus_builder_add(&builder, span_of(line, LONG));
    corpus_builder_end_message(&builder);
    ck_assert(corpus_builder_finish(&builder));
    ck_assert(span_equal(builder.messages[0].header.plain, SPAN("A: \0\r\n")));
    struct span body = builder.messages[0].body.plain;
    ck_assert(span_equal(span_of(body.data, LONG), span_of(line, LONG)));
    ck_assert(span_equal(span_from(body, LONG), SPAN("\r\n")));
    free(line);
}
END_TEST

/* Nothing that came before is lost without a word. */
START_TEST(want_of_memory_is_told_at_the_end)
{
    add("A: 1\n");
    corpus_builder_end_message(&builder);
    builder.full = true;
    add("A: 2\n");
    corpus_builder_end_message(&builder);
    ck_assert_uint_eq(builder.count, 1);
    ck_assert(!corpus_builder_finish(&builder));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("corpus_builder");
    TCase *tcase = tcase_create("corpus_builder");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, one_by_one, 0, ROWS);
    tcase_add_test(tcase, all_together);
    tcase_add_test(tcase, without_text_there_is_no_message);
    tcase_add_test(tcase, eight_bits_are_seen);
    tcase_add_test(tcase, lines_are_any_bytes);
    tcase_add_test(tcase, want_of_memory_is_told_at_the_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
