#include "base/credentials.h"
#include "tests/check_main.h"

static uint8_t text[CREDENTIALS_BASE64_BYTES_MAX];
static struct output out;

static void setup(void)
{
    out = (struct output){text, 0, sizeof text};
}

static void expect(const char *said)
{
    ck_assert_msg(span_equal(span_of(text, out.size), span_text(said)), "%.*s, not %s",
                  (int)out.size, text, said);
}

/* RFC 4648 section 10, and all the digits. */
START_TEST(base64)
{
    static const struct {
        struct span text;
        const char *base64;
    } table[] = {
        {SPAN_INIT(""), ""},
        {SPAN_INIT("f"), "Zg=="},
        {SPAN_INIT("fo"), "Zm8="},
        {SPAN_INIT("foo"), "Zm9v"},
        {SPAN_INIT("foob"), "Zm9vYg=="},
        {SPAN_INIT("fooba"), "Zm9vYmE="},
        {SPAN_INIT("foobar"), "Zm9vYmFy"},
        {SPAN_INIT("\xFB\xFF\xBF"), "+/+/"},
        {SPAN_INIT("\x00\x10\x83\x10\x51\x87\x20\x92\x8B\x30\xD3\x8F\x41\x14\x93\x51\x55\x97\x61"
                   "\x96\x9B\x71\xD7\x9F\x82\x18\xA3\x92\x59\xA7\xA2\x9A\xAB\xB2\xDB\xAF\xC3\x1C"
                   "\xB3\xD3\x5D\xB7\xE3\x9E\xBB\xF3\xDF\xBF"),
         "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        setup();
        credentials_base64(table[i].text, &out);
        expect(table[i].base64);
    }
}
END_TEST

/* RFC 4616 section 4's example. */
START_TEST(plain)
{
    const struct credentials credentials = {SPAN_INIT("tim"), SPAN_INIT("tanstaaftanstaaf")};
    credentials_plain(&credentials, &out);
    expect("AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
}
END_TEST

START_TEST(longest)
{
    static const uint8_t name[CREDENTIALS_BYTES_MAX];
    const struct credentials credentials = {span_of(name, sizeof name), span_of(name, sizeof name)};
    credentials_plain(&credentials, &out);
    ck_assert_uint_eq(out.size, CREDENTIALS_BASE64_BYTES_MAX);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("credentials");
    TCase *tcase = tcase_create("credentials");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, base64);
    tcase_add_test(tcase, plain);
    tcase_add_test(tcase, longest);
    suite_add_tcase(suite, tcase);
    return suite;
}
