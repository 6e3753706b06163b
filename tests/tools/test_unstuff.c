#include "tools/unstuff.h"

#include "tests/check_main.h"

#include <stdlib.h>

static const struct {
    const char *wire, *message;
} rows[] = {
    {".\r\n", ""},
    {"\r\n.\r\n", "\r\n"},
    {"a\r\n.\r\n", "a\r\n"},
    {"..\r\n.\r\n", ".\r\n"},
    {"..a\r\n...\r\n.\r\n", ".a\r\n..\r\n"},
    {"a.b\r\nc..\r\n.\r\n", "a.b\r\nc..\r\n"},
    {"a\rb\r\n\r\n..\r\n.\r\n", "a\rb\r\n\r\n.\r\n"},
};

START_TEST(gives_the_message_at_every_cut)
{
    struct span wire = span_text(rows[_i].wire);
    for (size_t first = 0; first <= wire.size; first++)
        for (size_t second = first; second <= wire.size; second++) {
            struct unstuff unstuff = {0};
            char *text = NULL;
            size_t size = 0;
            FILE *file = open_memstream(&text, &size);
            ck_assert(unstuff_write(&unstuff, span_of(wire.data, first), file));
            ck_assert(unstuff_write(&unstuff, span_of(wire.data + first, second - first), file));
            ck_assert(unstuff_write(&unstuff, span_from(wire, second), file));
            fclose(file);
            ck_assert_str_eq(text, rows[_i].message);
            free(text);
        }
}
END_TEST

START_TEST(says_when_the_file_is_full)
{
    struct unstuff unstuff = {0};
    FILE *file = fopen("/dev/full", "w");
    ck_assert_ptr_nonnull(file);
    setvbuf(file, NULL, _IONBF, 0);
    ck_assert(!unstuff_write(&unstuff, SPAN("a\r\n.\r\n"), file));
    fclose(file);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("unstuff");
    TCase *tests = tcase_create("unstuff");
    tcase_add_loop_test(tests, gives_the_message_at_every_cut, 0, 7);
    tcase_add_test(tests, says_when_the_file_is_full);
    suite_add_tcase(suite, tests);
    return suite;
}
