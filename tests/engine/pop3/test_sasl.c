#include "engine/pop3/sasl.h"

#include "tests/check_main.h"

#define BYTES(literal) literal, sizeof literal - 1

static const struct {
    const char *text;
    const char *bytes;
    size_t size;
} good[] = {
    {"", BYTES("")},
    {"Zg==", BYTES("f")},
    {"Zm8=", BYTES("fo")},
    {"Zm9v", BYTES("foo")},
    {"Zm9vYg==", BYTES("foob")},
    {"Zm9vYmE=", BYTES("fooba")},
    {"Zm9vYmFy", BYTES("foobar")},
    {"+/+/", BYTES("\xfb\xff\xbf")},
    {"AAAA", BYTES("\0\0\0")},
};

static const char *const bad[] = {
    "Z",    "Zg",   "Zg=",           "Zm9",  "Zm9v=", "=",    "==",           "====",
    "=Zg=", "Zg=a", "Z===",          "Zh==", "Zm9=",  " Zg=", "Zm9vZg==Zm9v", "Zm9\n",
    "Zm-_", "*",    "Zm9vYmFy Zg==",
};

START_TEST(test_base64)
{
    uint8_t out[POP3_SASL_BYTES_MAX];
    size_t size = 99;
    ck_assert(pop3_base64_decode(span_text(good[_i].text), out, &size));
    ck_assert(span_equal(span_of(out, size), span_of(good[_i].bytes, good[_i].size)));
}
END_TEST

START_TEST(test_base64_bad)
{
    uint8_t out[POP3_SASL_BYTES_MAX];
    size_t size = 99;
    ck_assert(!pop3_base64_decode(span_text(bad[_i]), out, &size));
    ck_assert_uint_eq(size, 99);
}
END_TEST

START_TEST(test_base64_longest)
{
    uint8_t out[POP3_SASL_BYTES_MAX];
    char text[POP3_COMMAND_BYTES_MAX + 4];
    size_t size;
    memset(text, 'A', sizeof text);
    ck_assert(pop3_base64_decode(span_of(text, POP3_COMMAND_BYTES_MAX), out, &size));
    ck_assert_uint_eq(size, POP3_SASL_BYTES_MAX);
    ck_assert(!pop3_base64_decode(span_of(text, sizeof text), out, &size));
}
END_TEST

static const struct {
    const char *message;
    size_t size;
    const char *user, *password; /* NULL: malformed */
} plain[] = {
    {BYTES("\0tim\0tanstaaftanstaaf"), "tim", "tanstaaftanstaaf"},
    {BYTES("tim\0tim\0secret word"), "tim", "secret word"},
    {BYTES("\0u\0p"), "u", "p"},
    {BYTES("Ursel\0Kurt\0xipj3plmq"), NULL, NULL}, /* to act for another */
    {BYTES(""), NULL, NULL},
    {BYTES("tim"), NULL, NULL},
    {BYTES("\0tim"), NULL, NULL},
    {BYTES("\0tim\0"), NULL, NULL},
    {BYTES("\0\0secret"), NULL, NULL},
    {BYTES("\0\0"), NULL, NULL},
    {BYTES("tim\0tim\0"), NULL, NULL},
    {BYTES("\0tim\0sec\0ret"), NULL, NULL},
    {BYTES("\0tim\0secret\0"), NULL, NULL},
};

START_TEST(test_plain)
{
    struct span user = SPAN("-"), password = SPAN("-");
    bool is_good = plain[_i].user;
    ck_assert_int_eq(pop3_plain_parse(span_of(plain[_i].message, plain[_i].size), &user, &password),
                     is_good);
    ck_assert(span_equal(user, span_text(is_good ? plain[_i].user : "-")));
    ck_assert(span_equal(password, span_text(is_good ? plain[_i].password : "-")));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pop3/sasl");
    TCase *tcase = tcase_create("sasl");
    tcase_add_loop_test(tcase, test_base64, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, test_base64_bad, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, test_base64_longest);
    tcase_add_loop_test(tcase, test_plain, 0, sizeof plain / sizeof *plain);
    suite_add_tcase(suite, tcase);
    return suite;
}
