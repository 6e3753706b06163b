#include "engine/smtp/greeting.h"

#include "tests/check_main.h"
#include "tests/engine/smtp/conversation.h"

#include <stdio.h>

static struct conversation c;

static void setup(void)
{
    conversation_init(&c);
    conversation_open(&c);
}

static void teardown(void)
{
    conversation_close(&c);
    conversation_free(&c);
}

static void hello(const char *verb, struct span name)
{
    c.replies.size = 0;
    conversation_feed(&c, span_text(verb));
    conversation_feed(&c, SPAN(" "));
    conversation_feed(&c, name);
    conversation_feed(&c, SPAN("\r\n"));
}

START_TEST(test_names)
{
    const struct {
        const char *name;
        bool good;
    } cases[] = {{"c.test", true},       {"[192.0.2.1]", true}, {"[IPv6:::1]", true},
                 {"DESKTOP_#1", true},   {"a b", false},        {"a\tb", false},
                 {"a\x01", false},       {"\xC3\xA9.x", false}, {"a\x7F", false},
                 {"<script>()@;", true}, {"a\rb", false}};
    struct span name = span_text(cases[_i].name);
    hello("EHLO", name);
    ck_assert_int_eq(c.replies.data[0], cases[_i].good ? '2' : '5');
    ck_assert_int_eq(span_equal(smtp_helo(&c.session), name), cases[_i].good);
    ck_assert_uint_eq(c.session.state, cases[_i].good ? SMTP_IDLE : SMTP_NEW);
}
END_TEST

/* Short names are kept in the session, longer ones in a block, up to 255 bytes. */
START_TEST(test_length)
{
    char text[300];
    struct span name = {(const uint8_t *)text, (size_t)_i};
    memset(text, 'x', sizeof text);
    hello("HELO", name);
    ck_assert_int_eq(c.replies.data[0], _i <= 255 ? '2' : '5');
    ck_assert_int_eq(span_equal(smtp_helo(&c.session), name), _i <= 255);
    ck_assert_uint_eq(c.blocks.pools[BLOCK_1K].taken, _i > 63 && _i <= 255);
    hello("HELO", SPAN("short"));
    ck_assert(span_equal(smtp_helo(&c.session), SPAN("short")));
    ck_assert_uint_eq(c.blocks.pools[BLOCK_1K].taken, 0);
}
END_TEST

START_TEST(test_no_block)
{
    char line[300];
    uint8_t bytes[SMTP_REPLY_BYTES_MAX];
    struct output out = {bytes, 0, sizeof bytes};
    void *taken[4];
    hello("EHLO", SPAN("short"));
    for (unsigned i = 0; i < 4; i++)
        taken[i] = blocks_take(&c.blocks, BLOCK_1K);
    int size = snprintf(line, sizeof line, "EHLO %0200d\r\n", 0);
    ck_assert_uint_eq(smtp_feed(&c.session, span_of(line, (size_t)size), &out), (size_t)size);
    ck_assert(span_equal(span_of(out.data, out.size), SPAN("451 4.3.0 Try later\r\n")));
    ck_assert(span_equal(smtp_helo(&c.session), SPAN("short")));
    for (unsigned i = 0; i < 4; i++)
        blocks_give(&c.blocks, BLOCK_1K, taken[i]);
}
END_TEST

/* The largest reply there is. */
START_TEST(test_room)
{
    static char hostname[255];
    memset(hostname, 'h', sizeof hostname);
    conversation_close(&c);
    c.config.hostname = span_of(hostname, sizeof hostname);
    c.config.message_bytes_max = UINT64_MAX;
    c.config.recipients_max = UINT32_MAX;
    c.config.starttls = true;
    c.room = SMTP_REPLY_BYTES_MAX;
    conversation_open(&c);
    hello("EHLO", SPAN("c"));
    ck_assert_uint_gt(c.replies.size, 400);
    ck_assert_uint_le(c.replies.size, SMTP_REPLY_BYTES_MAX);
    const struct span last = SPAN("250-STARTTLS\r\n250 LIMITS RCPTMAX=4294967295\r\n");
    ck_assert_mem_eq(c.replies.data + c.replies.size - last.size, last.data, last.size);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("smtp_greeting");
    TCase *tcase = tcase_create("greeting");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, test_names, 0, 11);
    tcase_add_loop_test(tcase, test_length, 62, 66);
    tcase_add_loop_test(tcase, test_length, 254, 258);
    tcase_add_test(tcase, test_no_block);
    tcase_add_test(tcase, test_room);
    suite_add_tcase(suite, tcase);
    return suite;
}
