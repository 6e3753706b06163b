#include "tools/local_text.h"

#include "tests/check_main.h"

#include <stdlib.h>

static const struct {
    const char *wire, *plain, *quoted;
} rows[] = {
    {".\r\n", "", ""},
    {"\r\n.\r\n", "\n", "\n"},
    {"a\r\n\r\nb\r\n.\r\n", "a\n\nb\n", "a\n\nb\n"},
    {"..\r\n...a\r\n.\r\n", ".\n..a\n", ".\n..a\n"},
    {"From a\r\n.\r\n", "From a\n", ">From a\n"},
    {">From a\r\n>>From \r\n.\r\n", ">From a\n>>From \n", ">>From a\n>>>From \n"},
    {"From\r\nFrom: a\r\n>\r\n>>F\r\nFr\r\n.\r\n", "From\nFrom: a\n>\n>>F\nFr\n",
     "From\nFrom: a\n>\n>>F\nFr\n"},
    {"a From b\r\n > From c\r\n> From\r\n.\r\n", "a From b\n > From c\n> From\n",
     "a From b\n > From c\n> From\n"},
    {"F>rom a\r\n>F>From b\r\nFFrom c\r\n.\r\n", "F>rom a\n>F>From b\nFFrom c\n",
     "F>rom a\n>F>From b\nFFrom c\n"},
    {"..From a\r\n.\r\n", ".From a\n", ".From a\n"},
    {"a\rb\r\n\rFrom c\r\r\n.\r\n", "a\rb\n\rFrom c\r\n", "a\rb\n\rFrom c\r\n"},
};

#define ROWS ((int)(sizeof rows / sizeof rows[0]))

static char *written(struct span wire, size_t first, size_t second, bool quotes, bool newline)
{
    char *text = NULL;
    size_t size = 0;
    struct local_text local = {.file = open_memstream(&text, &size), .quotes = quotes};
    ck_assert(local_text_write(&local, span_of(wire.data, first)));
    ck_assert(local_text_write(&local, span_of(wire.data + first, second - first)));
    ck_assert(local_text_write(&local, span_from(wire, second)));
    ck_assert(local_text_end(&local, newline));
    fclose(local.file);
    return text;
}

START_TEST(as_the_file_has_it_at_every_cut)
{
    struct span wire = span_text(rows[_i].wire);
    for (size_t first = 0; first <= wire.size; first++)
        for (size_t second = first; second <= wire.size; second++)
            for (int quotes = 0; quotes < 2; quotes++) {
                char *text = written(wire, first, second, quotes, true);
                ck_assert_str_eq(text, quotes ? rows[_i].quoted : rows[_i].plain);
                free(text);
            }
}
END_TEST

START_TEST(without_the_last_newline)
{
    static const char *const cases[][2] = {
        {".\r\n", ""}, {"a\r\n.\r\n", "a"}, {"a\r\n\r\n.\r\n", "a\n"}, {"\r\n.\r\n", ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = written(span_text(cases[i][0]), 0, 1, false, false);
        ck_assert_str_eq(text, cases[i][1]);
        free(text);
    }
}
END_TEST

START_TEST(says_when_the_file_is_full)
{
    struct local_text local = {.file = fopen("/dev/full", "w"), .quotes = true};
    ck_assert_ptr_nonnull(local.file);
    setvbuf(local.file, NULL, _IONBF, 0);
    ck_assert(!local_text_write(&local, SPAN("From a\r\n.\r\n")));
    fclose(local.file);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("local_text");
    TCase *tests = tcase_create("local_text");
    tcase_add_loop_test(tests, as_the_file_has_it_at_every_cut, 0, ROWS);
    tcase_add_test(tests, without_the_last_newline);
    tcase_add_test(tests, says_when_the_file_is_full);
    suite_add_tcase(suite, tests);
    return suite;
}
