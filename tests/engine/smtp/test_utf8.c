#include "engine/smtp/utf8.h"

#include "tests/check_main.h"

static const struct {
    const char *text;
    size_t size;
} rows[] = {
    {"", 0},
    {"a", 1},
    {"\x7F", 1},
    {"\xC3\xA9", 2},
    {"\xE2\x82\xAC!", 3},
    {"\xF0\x9F\x93\xAC", 4},
    {"\xF4\x8F\xBF\xBF", 4},
    {"\x80", 0},
    {"\xBF", 0},
    {"\xC0\x80", 0},
    {"\xC1\xBF", 0},
    {"\xE0\x9F\xBF", 0},
    {"\xE0\xA0\x80", 3},
    {"\xED\xA0\x80", 0},
    {"\xED\x9F\xBF", 3},
    {"\xF0\x8F\xBF\xBF", 0},
    {"\xF4\x90\x80\x80", 0},
    {"\xF5\x80\x80\x80", 0},
    {"\xFE", 0},
    {"\xFF", 0},
    {"\xC3", 0},
    {"\xE2\x82", 0},
    {"\xF0\x9F\x93", 0},
    {"\xC3z", 0},
    {"\xE2\x82z", 0},
    {"\xF0\x9F\x93z", 0},
};

START_TEST(test_rows)
{
    ck_assert_uint_eq(smtp_utf8_size(span_text(rows[_i].text)), rows[_i].size);
}
END_TEST

START_TEST(test_nul)
{
    ck_assert_uint_eq(smtp_utf8_size(span_of("\0", 1)), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_utf8");
    TCase *tcase = tcase_create("utf8");
    tcase_add_loop_test(tcase, test_rows, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, test_nul);
    suite_add_tcase(suite, tcase);
    return suite;
}
