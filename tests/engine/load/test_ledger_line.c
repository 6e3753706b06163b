#include "engine/load/ledger_line.h"

#include "tests/check_main.h"

#include <signal.h>

#define ID "0123456789abcdef0001000000000001"

static char line[LEDGER_LINE_BYTES_MAX];
static uint8_t recipient[LEDGER_RECIPIENT_BYTES_MAX];
static struct ledger_entry parsed;

static const struct {
    struct ledger_entry entry;
    const char *text;
} lines[] = {
    {{SPAN_INIT(ID), SPAN_INIT("user1@example.test"), 0x0123456789abcdef, 4096, LEDGER_SENT},
     ID " user1@example.test 0123456789abcdef 4096 sent\n"},
    {{SPAN_INIT("x"), SPAN_INIT("a"), 0, 0, LEDGER_ACKED}, "x a 0000000000000000 0 acked\n"},
    {{SPAN_INIT("x"), SPAN_INIT("a"), UINT64_MAX, UINT64_MAX, LEDGER_REFUSED},
     "x a ffffffffffffffff 18446744073709551615 refused\n"},
    {{SPAN_INIT("~!"), SPAN_INIT("\"a b\\\"@x"), 1, 10, LEDGER_FAILED},
     "~! \"a\\x20b\\x5c\"@x 0000000000000001 10 failed\n"},
    {{SPAN_INIT("x"), SPAN_INIT("\0\r\n\x1f\x7f~\xc3\xa9"), 1, 1, LEDGER_DOUBTFUL},
     "x \\x00\\x0d\\x0a\\x1f\\x7f~\\xc3\\xa9 0000000000000001 1 doubtful\n"},
    {{SPAN_INIT("x"), SPAN_INIT(""), 1, 1, LEDGER_SENT}, "x  0000000000000001 1 sent\n"},
};

START_TEST(an_entry_is_a_line)
{
    const struct ledger_entry *entry = &lines[_i].entry;
    size_t size = ledger_format(entry, line);
    ck_assert(span_equal(span_of(line, size), span_text(lines[_i].text)));
    ck_assert(ledger_parse(span_of(line, size - 1), &parsed, recipient));
    ck_assert(span_equal(parsed.id, entry->id));
    ck_assert(span_equal(parsed.recipient, entry->recipient));
    ck_assert_uint_eq(parsed.digest, entry->digest);
    ck_assert_uint_eq(parsed.octets, entry->octets);
    ck_assert_int_eq(parsed.outcome, entry->outcome);
}
END_TEST

/* So a line that a crash cut off is never taken for another. */
START_TEST(the_beginning_of_a_line_is_none)
{
    size_t size = ledger_format(&lines[_i].entry, line) - 1;
    for (size_t cut = 0; cut < size; cut++)
        ck_assert_msg(!ledger_parse(span_of(line, cut), &parsed, recipient), "cut at %zu", cut);
}
END_TEST

START_TEST(the_longest_entry_fits)
{
    uint8_t id[LEDGER_ID_BYTES_MAX], name[LEDGER_RECIPIENT_BYTES_MAX];
    memset(id, 'i', sizeof id);
    memset(name, 0xFF, sizeof name);
    const struct ledger_entry entry = {.id = span_of(id, sizeof id),
                                       .recipient = span_of(name, sizeof name),
                                       .digest = UINT64_MAX,
                                       .octets = UINT64_MAX,
                                       .outcome = LEDGER_DOUBTFUL};
    size_t size = ledger_format(&entry, line);
    ck_assert_uint_le(size, sizeof line);
    ck_assert(ledger_parse(span_of(line, size - 1), &parsed, recipient));
    ck_assert(span_equal(parsed.recipient, entry.recipient));
}
END_TEST

#define D "0123456789abcdef"
#define I64 ID ID

static const struct span bad[] = {
    SPAN_INIT(""),
    SPAN_INIT("    "),
    SPAN_INIT(" a " D " 1 sent"),
    SPAN_INIT("x a " D " 1 sent "),
    SPAN_INIT("x a " D " 1  sent"),
    SPAN_INIT(" x a " D " 1 sent"),
    SPAN_INIT("x a " D " 1 sent\r"),
    SPAN_INIT("x a " D " 1 SENT"),
    SPAN_INIT("x a " D " 1 maybe"),
    SPAN_INIT("x a " D " 1 "),
    SPAN_INIT("x a " D "  sent"),
    SPAN_INIT("x a " D " -1 sent"),
    SPAN_INIT("x a " D " 1k sent"),
    SPAN_INIT("x a " D " 18446744073709551616 sent"),
    SPAN_INIT("x a " D " 99999999999999999999 sent"),
    SPAN_INIT("x a 0" D " 1 sent"),
    SPAN_INIT("x a 123456789abcdef 1 sent"),
    SPAN_INIT("x a 0123456789ABCDEF 1 sent"),
    SPAN_INIT("x a 0123456789abcdeg 1 sent"),
    SPAN_INIT("x a/b\tc " D " 1 sent"),
    SPAN_INIT("x a\0b " D " 1 sent"),
    SPAN_INIT("x\0y a " D " 1 sent"),
    SPAN_INIT("x\x7f a " D " 1 sent"),
    SPAN_INIT("x a\xc3\xa9 " D " 1 sent"),
    SPAN_INIT("x a\\ " D " 1 sent"),
    SPAN_INIT("x a\\x " D " 1 sent"),
    SPAN_INIT("x a\\x2 " D " 1 sent"),
    SPAN_INIT("x a\\x2G " D " 1 sent"),
    SPAN_INIT("x a\\xAB " D " 1 sent"),
    SPAN_INIT("x a\\n20 " D " 1 sent"),
    SPAN_INIT("x a b " D " 1 sent"),
    SPAN_INIT(I64 "1 a " D " 1 sent"),
};

START_TEST(anything_else_is_no_line)
{
    ck_assert(!ledger_parse(bad[_i], &parsed, recipient));
}
END_TEST

START_TEST(too_long_a_recipient_is_no_line)
{
    memset(line, 'a', sizeof line);
    line[0] = 'x';
    line[1] = ' ';
    static const char end[] = " " D " 1 sent";
    for (size_t size = LEDGER_RECIPIENT_BYTES_MAX - 1; size < 1000; size++) {
        memset(line + 2, 'a', size);
        memcpy(line + 2 + size, end, sizeof end);
        bool fits = size <= LEDGER_RECIPIENT_BYTES_MAX;
        ck_assert(ledger_parse(span_text(line), &parsed, recipient) == fits);
    }
}
END_TEST

START_TEST(ids)
{
    ck_assert(ledger_is_id(SPAN("x")));
    ck_assert(ledger_is_id(SPAN(I64)));
    ck_assert(!ledger_is_id(SPAN("")));
    ck_assert(!ledger_is_id(SPAN(I64 "1")));
    ck_assert(!ledger_is_id(SPAN("a b")));
    ck_assert(!ledger_is_id(SPAN("\n")));
}
END_TEST

START_TEST(outcomes_have_names)
{
    static const char *const names[] = {"sent", "acked", "refused", "failed", "doubtful"};
    for (enum ledger_outcome i = 0; i < LEDGER_OUTCOMES; i++)
        ck_assert_str_eq(ledger_outcome_name(i), names[i]);
}
END_TEST

START_TEST(an_entry_without_an_id_is_a_bug)
{
    const struct ledger_entry entry = {.recipient = SPAN_INIT("a")};
    ledger_format(&entry, line);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("ledger_line");
    TCase *tcase = tcase_create("ledger_line");
    tcase_add_loop_test(tcase, an_entry_is_a_line, 0, sizeof lines / sizeof *lines);
    tcase_add_loop_test(tcase, the_beginning_of_a_line_is_none, 0, sizeof lines / sizeof *lines);
    tcase_add_test(tcase, the_longest_entry_fits);
    tcase_add_loop_test(tcase, anything_else_is_no_line, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, too_long_a_recipient_is_no_line);
    tcase_add_test(tcase, ids);
    tcase_add_test(tcase, outcomes_have_names);
    tcase_add_test_raise_signal(tcase, an_entry_without_an_id_is_a_bug, SIGABRT);
    suite_add_tcase(suite, tcase);
    return suite;
}
