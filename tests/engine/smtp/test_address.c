#include "engine/smtp/address.h"

#include "tests/check_main.h"

#include <stdio.h>

struct row {
    const char *path;    /* with < and >, and perhaps more after it */
    const char *text;    /* as given; NULL: not a path */
    const char *mailbox; /* normalised */
    bool non_ascii;
};

#define X10 "xxxxxxxxxx"
#define X60 X10 X10 X10 X10 X10 X10
#define X63 X60 "xxx"

static const struct row rows[] = {
    {"<alice@example.test>", "alice@example.test", "alice@example.test", false},
    {"<Alice@EXAMPLE.Test> SIZE=1", "Alice@EXAMPLE.Test", "Alice@example.test", false},
    {"<\"alice\"@example.test>", "\"alice\"@example.test", "alice@example.test", false},
    {"<\"al\\ice\"@example.test>", "\"al\\ice\"@example.test", "alice@example.test", false},
    {"<\"a b\"@x>", "\"a b\"@x", "a b@x", false},
    {"<\"a\\\"\\\\b\"@x>", "\"a\\\"\\\\b\"@x", "a\"\\b@x", false},
    {"<\"a@b\"@x>", "\"a@b\"@x", "a@b@x", false},
    {"<\">\"@x>", "\">\"@x", ">@x", false},
    {"<\"\"@x>", "\"\"@x", "@x", false},
    {"<!#$%&'*+-/=?^_`{|}~@x>", "!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x", false},
    {"<a.b.c@d.e.f>", "a.b.c@d.e.f", "a.b.c@d.e.f", false},
    {"<a@1x-y.z_1>", "a@1x-y.z_1", "a@1x-y.z_1", false},
    {"<../../x@y>", NULL, NULL, false},
    {"</etc/passwd@y>", "/etc/passwd@y", "/etc/passwd@y", false},
    {"<|/bin/sh@y>", "|/bin/sh@y", "|/bin/sh@y", false},
    {"<${run{}}@y>", "${run{}}@y", "${run{}}@y", false},
    /* source routes (RFC 5321 appendix C) */
    {"<@a.b,@c.d:e@f>", "e@f", "e@f", false},
    {"<@a.b:e@f>", "e@f", "e@f", false},
    {"<@a.b,c.d:e@f>", NULL, NULL, false},
    {"<@a.b e@f>", NULL, NULL, false},
    {"<@a.b:>", NULL, NULL, false},
    /* without a domain */
    {"<>", "", NULL, false},
    {"<postmaster>", "postmaster", "postmaster", false},
    {"<PostMaster>", "PostMaster", "postmaster", false},
    {"<POSTMASTER@X.test>", "POSTMASTER@X.test", "postmaster@x.test", false},
    {"<\"Postmaster\"@x>", "\"Postmaster\"@x", "postmaster@x", false},
    {"<postmasters>", NULL, NULL, false},
    {"<alice>", NULL, NULL, false},
    {"<alice@>", NULL, NULL, false},
    {"<@>", NULL, NULL, false},
    {"<@x>", NULL, NULL, false},
    /* address literals */
    {"<a@[192.0.2.1]>", "a@[192.0.2.1]", "a@[192.0.2.1]", false},
    {"<a@[IPv6:2001:DB8::1]>", "a@[IPv6:2001:DB8::1]", "a@[ipv6:2001:db8::1]", false},
    {"<a@[ipv6:2001:db8:0:0::1]>", "a@[ipv6:2001:db8:0:0::1]", "a@[ipv6:2001:db8::1]", false},
    {"<a@[IPv6:::ffff:192.0.2.1]>", "a@[IPv6:::ffff:192.0.2.1]", "a@[ipv6:::ffff:192.0.2.1]",
     false},
    {"<a@[192.0.2.256]>", NULL, NULL, false},
    {"<a@[192.0.2]>", NULL, NULL, false},
    {"<a@[2001:db8::1]>", NULL, NULL, false},
    {"<a@[IPv6:2001:db8::1::]>", NULL, NULL, false},
    {"<a@[IPv6:]>", NULL, NULL, false},
    {"<a@[X-net:1]>", NULL, NULL, false},
    {"<a@[]>", NULL, NULL, false},
    {"<a@[192.0.2.1>", NULL, NULL, false},
    {"<a@[IPv6:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111]>", NULL, NULL, false},
    /* not well formed */
    {"", NULL, NULL, false},
    {"<", NULL, NULL, false},
    {"a@b", NULL, NULL, false},
    {"<a@b", NULL, NULL, false},
    {"<a@b>>", "a@b", "a@b", false},
    {"<a b@c>", NULL, NULL, false},
    {"<.a@b>", NULL, NULL, false},
    {"<a.@b>", NULL, NULL, false},
    {"<a..b@c>", NULL, NULL, false},
    {"<a@b..c>", NULL, NULL, false},
    {"<a@b.>", NULL, NULL, false},
    {"<a@.b>", NULL, NULL, false},
    {"<a@-b>", NULL, NULL, false},
    {"<a@b->", NULL, NULL, false},
    {"<a@b-.c>", NULL, NULL, false},
    {"<a@b c>", NULL, NULL, false},
    {"<a@b@c>", NULL, NULL, false},
    {"<\"a@c>", NULL, NULL, false},
    {"<\"a\"b@c>", NULL, NULL, false},
    {"<\"a\\", NULL, NULL, false},
    {"<\"a\\\r\"@c>", NULL, NULL, false},
    {"<\"a\tb\"@c>", NULL, NULL, false},
    {"<a\x01@c>", NULL, NULL, false},
    {"<a\x7F@c>", NULL, NULL, false},
    /* lengths: local part 64, label 63 */
    {"<" X60 "xxxx@y>", X60 "xxxx@y", X60 "xxxx@y", false},
    {"<" X60 "xxxxx@y>", NULL, NULL, false},
    {"<a@" X63 ".y>", "a@" X63 ".y", "a@" X63 ".y", false},
    {"<a@" X63 "x.y>", NULL, NULL, false},
    /* RFC 6531 */
    {"<j\xC3\xB6rg@x>", "j\xC3\xB6rg@x", "j\xC3\xB6rg@x", true},
    {"<\"j\xC3\xB6 rg\"@x>", "\"j\xC3\xB6 rg\"@x", "j\xC3\xB6 rg@x", true},
    {"<a@B\xC3\xBC"
     "cher.Test>",
     "a@B\xC3\xBC"
     "cher.Test",
     "a@b\xC3\xBC"
     "cher.test",
     true},
    {"<\xEF\xBD\x81lice@x>", "\xEF\xBD\x81lice@x", "\xEF\xBD\x81lice@x", true},
    {"<j\xF6rg@x>", NULL, NULL, false},
    {"<a\xC0\xAE@x>", NULL, NULL, false},
    {"<a\xED\xA0\x80@x>", NULL, NULL, false},
    {"<a@x\xC3>", NULL, NULL, false},
    {"<\"\\\xC3\xB6\"@x>", NULL, NULL, false},
    {"<a@[\xC3\xB6]>", NULL, NULL, false},
};

START_TEST(test_path)
{
    const struct row *row = &rows[_i];
    struct smtp_address address;
    uint8_t name[SMTP_MAILBOX_BYTES_MAX];
    size_t size = 0;
    ck_assert_int_eq(smtp_path_parse(span_text(row->path), &address, &size), row->text != NULL);
    if (row->text == NULL)
        return;
    ck_assert(span_equal(address.text, span_text(row->text)));
    ck_assert_uint_eq(row->path[size - 1], '>');
    ck_assert_int_eq(address.non_ascii, row->non_ascii);
    if (row->mailbox) {
        struct span mailbox = span_of(name, smtp_address_normalise(&address, name));
        ck_assert(span_equal(mailbox, span_text(row->mailbox)));
    }
}
END_TEST

/* Whatever SMTP accepts, a person or POP3 can say without < and >, and means the same mailbox. */
START_TEST(test_mailbox)
{
    const struct row *row = &rows[_i];
    uint8_t name[SMTP_MAILBOX_BYTES_MAX];
    size_t size;
    if (row->mailbox == NULL)
        return;
    ck_assert(smtp_mailbox_normalise(span_text(row->text), true, name, &size));
    ck_assert(span_equal(span_of(name, size), span_text(row->mailbox)));
    ck_assert_int_eq(smtp_mailbox_normalise(span_text(row->text), false, name, &size),
                     !row->non_ascii);
}
END_TEST

START_TEST(test_no_mailbox)
{
    const char *names[] = {"", "alice", "a@", "@x", "<a@x>", "a@x ", " a@x", "a@x>", "a@x\r\n"};
    uint8_t name[SMTP_MAILBOX_BYTES_MAX];
    size_t size = 99;
    ck_assert(!smtp_mailbox_normalise(span_text(names[_i]), true, name, &size));
    ck_assert(!smtp_mailbox_normalise(span_of("a\0b@x", 5), true, name, &size));
    ck_assert_uint_eq(size, 99);
}
END_TEST

/* A path may have 256 bytes with < and >; a domain never gets to its 255 that way. */
START_TEST(test_length)
{
    char path[400];
    for (int labels = 1; labels < 30; labels++) {
        size_t size = (size_t)snprintf(path, sizeof path, "<local@");
        for (int i = 0; i < labels; i++)
            size += (size_t)snprintf(path + size, sizeof path - size, "%.*s" X10, i > 0, ".");
        size += (size_t)snprintf(path + size, sizeof path - size, ">");
        struct smtp_address address;
        size_t used;
        ck_assert_int_eq(smtp_path_parse(span_of(path, size), &address, &used), size <= 256);
    }
}
END_TEST

Suite *test_suite(void)
{
    const int count = sizeof rows / sizeof *rows;
    Suite *suite = suite_create("smtp_address");
    TCase *tcase = tcase_create("address");
    tcase_add_loop_test(tcase, test_path, 0, count);
    tcase_add_loop_test(tcase, test_mailbox, 0, count);
    tcase_add_loop_test(tcase, test_no_mailbox, 0, 9);
    tcase_add_test(tcase, test_length);
    suite_add_tcase(suite, tcase);
    return suite;
}
