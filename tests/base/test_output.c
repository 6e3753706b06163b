#include "tests/check_main.h"

#include "base/output.h"

#include <signal.h>

#define CAPACITY 32

static uint8_t bytes[CAPACITY + 1];
static struct output out;

static void lend(void)
{
    memset(bytes, '#', sizeof bytes);
    out = (struct output){.data = bytes, .capacity = CAPACITY};
}

static void guard(void)
{
    ck_assert_uint_eq(bytes[CAPACITY], '#');
}

static struct span written(void)
{
    return span_of(out.data, out.size);
}

START_TEST(appends)
{
    output_add(&out, SPAN("250 "));
    output_add(&out, (struct span){0});
    output_print(&out, "%s=%d", "size", -7);
    output_add(&out, SPAN("\r\n"));
    ck_assert(span_equal(written(), SPAN("250 size=-7\r\n")));
    ck_assert_uint_eq(output_room(&out), CAPACITY - 13);
}
END_TEST

START_TEST(fills_to_the_last_byte)
{
    output_add(&out, SPAN("0123456789"));
    output_print(&out, "%022d", 5);
    ck_assert_uint_eq(output_room(&out), 0);
    ck_assert_uint_eq(bytes[CAPACITY - 1], '5');
}
END_TEST

START_TEST(numbers)
{
    static const struct {
        uint64_t number;
        struct span text;
    } table[] = {
        {0, SPAN_INIT("0")},
        {9, SPAN_INIT("9")},
        {10, SPAN_INIT("10")},
        {4294967296, SPAN_INIT("4294967296")},
        {UINT64_MAX, SPAN_INIT("18446744073709551615")},
    };
    for (unsigned i = 0; i < sizeof table / sizeof *table; i++) {
        out.size = 0;
        output_add_number(&out, table[i].number);
        ck_assert(span_equal(written(), table[i].text));
    }
}
END_TEST

START_TEST(adding_too_much_is_a_bug)
{
    output_add(&out, span_of("0123456789012345678901234567890123", CAPACITY + 1));
}
END_TEST

START_TEST(printing_too_much_is_a_bug)
{
    output_print(&out, "%033d", 5);
}
END_TEST

START_TEST(a_number_too_much_is_a_bug)
{
    out.size = CAPACITY - 2;
    output_add_number(&out, 100);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("output");
    TCase *tcase = tcase_create("output");
    tcase_add_checked_fixture(tcase, lend, guard);
    tcase_add_test(tcase, appends);
    tcase_add_test(tcase, fills_to_the_last_byte);
    tcase_add_test(tcase, numbers);
    tcase_add_test_raise_signal(tcase, adding_too_much_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, printing_too_much_is_a_bug, SIGABRT);
    tcase_add_test_raise_signal(tcase, a_number_too_much_is_a_bug, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite;
}
