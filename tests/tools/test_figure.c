#include "tools/figure.h"

#include "tests/check_main.h"

#include <stdint.h>

START_TEST(counts)
{
    static const struct {
        uint64_t count;
        const char *text;
    } rows[] = {{0, "0"},
                {999, "999"},
                {1000, "1,000"},
                {123456, "123,456"},
                {UINT64_MAX, "18,446,744,073,709,551,615"}};
    char text[FIGURE_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ck_assert_str_eq(figure_count(rows[i].count, text), rows[i].text);
}
END_TEST

struct row {
    double value;
    const char *text;
};

static void check(const char *(*figure)(double value, char *out), const struct row *rows,
                  size_t rows_count)
{
    char text[FIGURE_BYTES];
    for (size_t i = 0; i < rows_count; i++)
        ck_assert_str_eq(figure(rows[i].value, text), rows[i].text);
}

#define CHECK(figure, rows) check(figure, rows, sizeof(rows) / sizeof(rows)[0])

/* Rounding must not make a fourth digit, nor 1000 of a unit that has a greater one. */
START_TEST(times)
{
    static const struct row rows[] = {
        {0, "0 µs"},           {1, "0.00 µs"},        {850, "0.85 µs"},   {9994, "9.99 µs"},
        {9996, "10.0 µs"},     {99960, "100 µs"},     {999400, "999 µs"}, {999600, "1.00 ms"},
        {12340000, "12.3 ms"}, {999600000, "1.00 s"}, {61e9, "61.0 s"},   {1099.5e9, "1100 s"}};
    CHECK(figure_time, rows);
}
END_TEST

START_TEST(rates)
{
    static const struct row rows[] = {{0, "0"},           {0.5, "0.50"},      {3.214, "3.21"},
                                      {0.001, "0.0010"},  {0.0999, "0.10"},   {0.05, "0.050"},
                                      {1e-9, "0.000000"}, {9.996, "10.0"},    {99.96, "100"},
                                      {999.5, "1,000"},   {32100.4, "32,100"}};
    CHECK(figure_rate, rows);
}
END_TEST

START_TEST(parts)
{
    static const struct row rows[] = {
        {0, "0 %"},        {1e-9, "< 0.01 %"},  {0.0003, "0.03 %"},
        {0.002, "0.20 %"}, {0.0123, "1.2 %"},   {0.37, "37 %"},
        {0.912, "91.2 %"}, {0.9997, "99.97 %"}, {1 - 1e-9, "> 99.99 %"},
        {1, "100 %"}};
    CHECK(figure_part, rows);
}
END_TEST

START_TEST(durations)
{
    static const struct row rows[] = {
        {0, "0 s"},           {0.085, "85.0 ms"},  {0.0998, "0.1 s"},
        {4.23, "4.2 s"},      {9.96, "10 s"},      {59.4, "59 s"},
        {59.6, "1 min 00 s"}, {125, "2 min 05 s"}, {3599.6, "1 h 00 min"},
        {11550, "3 h 12 min"}};
    CHECK(figure_duration, rows);
}
END_TEST

START_TEST(columns_are_not_bytes)
{
    ck_assert_uint_eq(figure_columns(""), 0);
    ck_assert_uint_eq(figure_columns("12 µs"), 5);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("figure");
    TCase *tests = tcase_create("figure");
    tcase_add_test(tests, counts);
    tcase_add_test(tests, times);
    tcase_add_test(tests, rates);
    tcase_add_test(tests, parts);
    tcase_add_test(tests, durations);
    tcase_add_test(tests, columns_are_not_bytes);
    suite_add_tcase(suite, tests);
    return suite;
}
