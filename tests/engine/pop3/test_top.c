#include "engine/pop3/top.h"

#include "tests/check_main.h"

#define HEADER "A: b\r\nC: d\r\n\r\n"
#define BODY "one\r\n..two\r\n\r\nfour\r\n"

static const struct {
    const char *wire;
    size_t header_bytes;
    uint64_t lines;
    const char *passed;
    bool ended;
} cases[] = {
    {HEADER BODY ".\r\n", 14, 0, HEADER, false},
    {HEADER BODY ".\r\n", 14, 1, HEADER "one\r\n", false},
    {HEADER BODY ".\r\n", 14, 2, HEADER "one\r\n..two\r\n", false},
    {HEADER BODY ".\r\n", 14, 3, HEADER "one\r\n..two\r\n\r\n", false},
    {HEADER BODY ".\r\n", 14, 4, HEADER BODY, false},
    {HEADER BODY ".\r\n", 14, 5, HEADER BODY ".\r\n", true},
    {HEADER BODY ".\r\n", 14, 6, HEADER BODY ".\r\n", true},
    {HEADER BODY ".\r\n", 14, UINT64_MAX, HEADER BODY ".\r\n", true},
    {HEADER ".\r\n", 14, 0, HEADER, false},
    {HEADER ".\r\n", 14, 1, HEADER ".\r\n", true},
    {"\r\nx\r\n.\r\n", 2, 0, "\r\n", false},
    {"\r\nx\r\n.\r\n", 2, 1, "\r\nx\r\n", false},
    /* No empty line: all of it is header. */
    {"A: b\r\n.\r\n", 6, 0, "A: b\r\n", false},
    {"A: b\r\n.\r\n", 6, 9, "A: b\r\n.\r\n", true},
    /* The final line counted as header is still the final line. */
    {"A: b\r\n.\r\n", 9, 0, "A: b\r\n.\r\n", true},
    {".\r\n", 0, 0, "", false},
    {".\r\n", 0, 1, ".\r\n", true},
    /* Look-alikes of the final line are lines. */
    {HEADER "..\r\n.x\r\n.\n.\r\n", 14, 3, HEADER "..\r\n.x\r\n.\n", false},
    {HEADER "..\r\n.x\r\n.\n.\r\n", 14, 4, HEADER "..\r\n.x\r\n.\n.\r\n", true},
};

/* In pieces of `size` bytes. */
static void check_pieces(int i, size_t size)
{
    struct pop3_top top = pop3_top_ask(cases[i].lines);
    top.header_left = cases[i].header_bytes;
    struct span rest = span_text(cases[i].wire);
    size_t total = 0;
    while (rest.size > 0) {
        size_t piece = rest.size < size ? rest.size : size;
        size_t passed = pop3_top_pass(&top, span_of(rest.data, piece));
        total += passed;
        if (passed < piece)
            break;
        rest = span_from(rest, piece);
    }
    struct span said = span_of(cases[i].wire, total);
    ck_assert_msg(span_equal(said, span_text(cases[i].passed)), "pieces of %zu: %.*s", size,
                  (int)total, cases[i].wire);
    ck_assert_int_eq(top.ended, cases[i].ended);
}

START_TEST(test_pieces)
{
    for (size_t size = 1; size <= strlen(cases[_i].wire); size++)
        check_pieces(_i, size);
}
END_TEST

START_TEST(test_stays_ended)
{
    struct pop3_top top = pop3_top_ask(100);
    ck_assert_uint_eq(pop3_top_pass(&top, SPAN(".\r\n")), 3);
    ck_assert_uint_eq(pop3_top_pass(&top, SPAN("more\r\n")), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/top");
    TCase *tcase = tcase_create("lines");
    tcase_add_loop_test(tcase, test_pieces, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, test_stays_ended);
    suite_add_tcase(suite, tcase);
    return suite;
}
