#include "engine/load/pattern.h"

#include "engine/smtp/client.h"
#include "tests/check_main.h"

#define A10 "aaaaaaaaaa"
#define A50 A10 A10 A10 A10 A10
#define A500 A50 A50 A50 A50 A50 A50 A50 A50 A50 A50

START_TEST(writes_recipients)
{
    static const struct {
        const char *pattern;
        uint32_t user;
        const char *recipient;
        bool counts, ascii;
    } rows[] = {
        {"a@b.test", 7, "a@b.test", false, true},
        {"a", 0, "a", false, true},
        {"%d", 0, "0", true, true},
        {"%d@b.test", 10, "10@b.test", true, true},
        {"a@b%d", 999, "a@b999", true, true},
        {"a%d@b.test", UINT32_MAX, "a4294967295@b.test", true, true},
        {"\"a\\@\"@b.test", 1, "\"a\\@\"@b.test", false, true},
        {"\xC3\xA4%d@b.test", 1,
         "\xC3\xA4"
         "1@b.test",
         true, false},
        {"a%d@\xE2\x82\xAC.test", 1, "a1@\xE2\x82\xAC.test", true, false},
        {A500 "@b%d", UINT32_MAX, A500 "@b4294967295", true, true},
        {A500 "@b0123456789", 1, A500 "@b0123456789", false, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pattern pattern;
        struct fault fault;
        uint8_t text[SMTP_CLIENT_PATH_BYTES_MAX];
        ck_assert_msg(pattern_parse(rows[i].pattern, &pattern, &fault) == STATUS_OK, "%s",
                      fault.text);
        struct output out = {.data = text, .capacity = pattern.bytes_max};
        pattern_write(&pattern, rows[i].user, &out);
        ck_assert_msg(span_equal(span_of(text, out.size), span_text(rows[i].recipient)),
                      "%.*s, not %s", (int)out.size, (const char *)text, rows[i].recipient);
        ck_assert(pattern.counts == rows[i].counts && pattern.ascii == rows[i].ascii);
        ck_assert(rows[i].user < UINT32_MAX || out.size == pattern.bytes_max);
    }
}
END_TEST

START_TEST(refuses_the_rest)
{
    static const struct {
        const char *pattern, *line;
    } rows[] = {
        {"", "--to: '' is no address"},
        {"%", "--to: '%': a % may stand in it only once, as %d"},
        {"a%", "--to: 'a%': a %"},
        {"a%@b", "only once, as %d"},
        {"a%s@b", "only once, as %d"},
        {"a%%d@b", "only once, as %d"},
        {"a%5d@b", "only once, as %d"},
        {"a%D@b", "only once, as %d"},
        {"a%d@%d", "only once, as %d"},
        {"a%d%", "only once, as %d"},
        {"a b", "--to: 'a b' is no address"},
        {" a", "is no address"},
        {"a ", "is no address"},
        {"<a@b>", "--to: '<a@b>' is no address"},
        {"a@b>", "is no address"},
        {"a@b> SIZE=1", "is no address"},
        {"a@b\r\nRSET", "is no address"},
        {"a@b\n", "is no address"},
        {"a\t@b", "is no address"},
        {"a\x01@b", "is no address"},
        {"a\x7F@b", "is no address"},
        {"a\xC3", "is no address"},
        {"a\xFF@b", "is no address"},
        {"a\xC0\x8A@b", "is no address"}, /* an overlong LF */
        {A500 "@bc%d", "is too long"},
        {A500 "@b01234567890", "is too long"},
        {A500 A500 A500, "is too long"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pattern pattern = {.bytes_max = 4711};
        struct fault fault = {.text = ""};
        ck_assert_msg(pattern_parse(rows[i].pattern, &pattern, &fault) == STATUS_USAGE, "%s",
                      rows[i].pattern);
        ck_assert_msg(strstr(fault.text, rows[i].line) != NULL, "%s", fault.text);
        ck_assert_uint_eq(pattern.bytes_max, 4711);
    }
}
END_TEST

/* Every byte by itself. */
START_TEST(paths)
{
    ck_assert(pattern_is_path(SPAN("")));
    for (unsigned byte = 0; byte < 256; byte++) {
        const uint8_t text[] = {'a', (uint8_t)byte, 'b'};
        bool expected = byte > ' ' && byte < 0x7F && byte != '<' && byte != '>';
        ck_assert_msg(pattern_is_path(span_of(text, 3)) == expected, "0x%02X", byte);
        ck_assert_msg(pattern_is_ascii(span_of(text, 3)) == (byte < 0x80), "0x%02X", byte);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pattern");
    TCase *tcase = tcase_create("pattern");
    tcase_add_test(tcase, writes_recipients);
    tcase_add_test(tcase, refuses_the_rest);
    tcase_add_test(tcase, paths);
    suite_add_tcase(suite, tcase);
    return suite;
}
