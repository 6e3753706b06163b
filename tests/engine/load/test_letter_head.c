#include "engine/load/letter_head.h"

#include "tests/check_main.h"

#include <stdio.h>

#define WALL_NS (1000000000ull * NS_PER_S) /* Sun, 09 Sep 2001 01:46:40 */
#define ID "0123456789abcdefbeef00000000002a"
#define NO_DOMAIN "mailrace.invalid"
#define NO_ONE "<mailrace@mailrace.invalid>"
#define NO_LIST "undisclosed-recipients:;"

static struct letter_head head;
static uint8_t text[LETTER_HEAD_BYTES];
static struct output out;

static void write_head(const char *to, uint64_t wall_ns)
{
    memset(text, 'x', sizeof text);
    out = (struct output){.data = text, .capacity = sizeof text};
    letter_head_write(&head, ID, wall_ns, span_text(to), &out);
}

static void expect(const char *expected)
{
    ck_assert_msg(span_equal(span_of(text, out.size), span_text(expected)), "%.*s\nnot\n%s",
                  (int)out.size, (const char *)text, expected);
}

/* What the head of letters from `from` is, with these in the three places that depend on it. */
static void expect_head(const char *from, const char *to, const char *shown_from,
                        const char *shown_to, const char *domain)
{
    char expected[2 * LETTER_HEAD_BYTES];
    snprintf(expected, sizeof expected,
             "X-Mailrace-Id: " ID "\r\n"
             "Message-ID: <" ID "@%s>\r\n"
             "Date: Sun, 09 Sep 2001 01:46:40 +0000\r\n"
             "From: %s\r\n"
             "Subject: mailrace\r\n"
             "MIME-Version: 1.0\r\n"
             "Content-Type: text/plain; charset=us-ascii\r\n"
             "To: %s\r\n"
             "\r\n",
             domain, shown_from, shown_to);
    letter_head_init(&head, span_text(from), true);
    write_head(to, WALL_NS);
    expect(expected);
    ck_assert_uint_le(out.size + LETTER_ID_BYTES + 1 + 4, LETTER_OCTETS_MIN);
}

START_TEST(names_addresses)
{
    expect_head("me@from.test", "you@to.test", "<me@from.test>", "<you@to.test>", "from.test");
    expect_head("", "u", NO_ONE, "<u>", NO_DOMAIN);
    expect_head("root", "u", "<root>", "<u>", NO_DOMAIN);
    expect_head("a@", "u", "<a@>", "<u>", NO_DOMAIN);
    expect_head("a@b@c.test", "u", "<a@b@c.test>", "<u>", "c.test");
    expect_head("\xC3\xA4@b.test", "\xC3\xA4@b.test", NO_ONE, NO_LIST, "b.test");
    expect_head("a@\xC3\xA4.test", "u", NO_ONE, "<u>", NO_DOMAIN);
}
END_TEST

/* An address of so many bytes, of which the domain has so many. */
static void make_address(size_t size, size_t domain, char address[600])
{
    memset(address, 'a', size);
    address[size - domain - 1] = '@';
    address[size] = '\0';
}

/* All lengths: what is too long is not shown. */
START_TEST(has_room)
{
    for (size_t i = 1; i <= 82; i++) {
        char from[600], to[600], shown_from[610] = NO_ONE, shown_to[610] = NO_LIST;
        size_t from_size = i <= 80 ? i + 2 : 254, to_size = i <= 80 ? i : 512;
        size_t domain = i <= 80 ? i : 200;
        make_address(from_size, domain, from);
        make_address(to_size, 0, to);
        if (from_size <= 72)
            snprintf(shown_from, sizeof shown_from, "<%s>", from);
        if (to_size <= 72)
            snprintf(shown_to, sizeof shown_to, "<%s>", to);
        expect_head(from, to, shown_from, shown_to,
                    domain <= 56 ? from + from_size - domain : NO_DOMAIN);
    }
}
END_TEST

START_TEST(the_date_follows)
{
    char dates[2][CLOCK_DATE_BYTES + 1] = {"", ""};
    letter_head_init(&head, SPAN("me@from.test"), true);
    for (uint32_t i = 0; i < 2; i++) {
        write_head("u", WALL_NS + i * NS_PER_S);
        const char *date = memmem(text, out.size, "\r\nDate: ", 8);
        ck_assert_ptr_nonnull(date);
        memcpy(dates[i], date + 8, CLOCK_DATE_BYTES);
    }
    ck_assert_str_eq(dates[0], "Sun, 09 Sep 2001 01:46:40 +0000");
    ck_assert_str_eq(dates[1], "Sun, 09 Sep 2001 01:46:41 +0000");
}
END_TEST

START_TEST(without_a_letter_made_up_there_is_only_the_id)
{
    letter_head_init(&head, SPAN("me@from.test"), false);
    write_head("u", WALL_NS);
    expect("X-Mailrace-Id: " ID "\r\n");
}
END_TEST

/* Behind what is in the output. */
START_TEST(appends)
{
    letter_head_init(&head, SPAN("me@from.test"), false);
    out = (struct output){.data = text, .capacity = sizeof text};
    output_add(&out, SPAN("A: 1\r\n"));
    letter_head_write(&head, ID, WALL_NS, SPAN("u"), &out);
    expect("A: 1\r\nX-Mailrace-Id: " ID "\r\n");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("letter_head");
    TCase *tcase = tcase_create("letter_head");
    tcase_add_test(tcase, names_addresses);
    tcase_add_test(tcase, has_room);
    tcase_add_test(tcase, the_date_follows);
    tcase_add_test(tcase, without_a_letter_made_up_there_is_only_the_id);
    tcase_add_test(tcase, appends);
    suite_add_tcase(suite, tcase);
    return suite;
}
