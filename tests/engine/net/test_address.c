#include "engine/net/net.h"
#include "tests/check_main.h"

struct good_case {
    const char *text, *printed;
    int family;
    bool loopback;
};

static const struct good_case good[] = {
    {"127.0.0.1:25", "127.0.0.1:25", AF_INET, true},
    {"127.255.0.9:0", "127.255.0.9:0", AF_INET, true},
    {"192.0.2.1:65535", "192.0.2.1:65535", AF_INET, false},
    {"0.0.0.0:2525", "0.0.0.0:2525", AF_INET, false},
    {"128.0.0.1:1", "128.0.0.1:1", AF_INET, false},
    {"localhost:110", "127.0.0.1:110", AF_INET, true},
    {"[::1]:25", "[::1]:25", AF_INET6, true},
    {"[::]:25", "[::]:25", AF_INET6, false},
    {"[2001:db8::1]:25", "[2001:db8::1]:25", AF_INET6, false},
    {"[::ffff:127.0.0.1]:25", "[::ffff:127.0.0.1]:25", AF_INET6, true},
    {"[::ffff:192.0.2.1]:25", "[::ffff:192.0.2.1]:25", AF_INET6, false},
    {"unix:/run/mailrace/lmtp", "unix:/run/mailrace/lmtp", AF_UNIX, true},
    {"unix:a:b", "unix:a:b", AF_UNIX, true},
};

START_TEST(parses_and_prints)
{
    const struct good_case *c = &good[_i];
    union net_address address;
    struct fault fault = {0};
    ck_assert_msg(net_address_parse(c->text, &address, &fault) == STATUS_OK, "%s", fault.text);
    ck_assert_int_eq(address.any.sa_family, c->family);
    char text[NET_ADDRESS_TEXT_BYTES];
    ck_assert_str_eq(net_address_text(&address, text), c->printed);
    ck_assert(net_address_is_loopback(&address) == c->loopback);
    socklen_t size = net_address_size(&address);
    ck_assert_uint_eq(size, c->family == AF_INET    ? sizeof(struct sockaddr_in)
                            : c->family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                    : sizeof(struct sockaddr_un));
}
END_TEST

/* 108 bytes: one more than fits with its NUL. */
#define LONG_PATH                                                                                  \
    "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"  \
    "aaaaaaaaaaaaaaaaa"

static const char *const bad[] = {
    "",
    "25",
    ":25",
    "127.0.0.1",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:99999999999999999999",
    "127.0.0.1:-1",
    "127.0.0.1:+1",
    "127.0.0.1: 1",
    "127.0.0.1:smtp",
    "127.0.0.1:25x",
    "::1:25",
    "[::1]",
    "[::1]25",
    "[::1:25",
    "[]:25",
    "[127.0.0.1]:25",
    "[::1]:",
    "[localhost]:25",
    "unix:",
    "unix:" LONG_PATH,
    "bad..name:25",
};

START_TEST(refuses_with_a_line_that_names_it)
{
    union net_address address, before;
    memset(&before, 0x5a, sizeof before);
    address = before;
    struct fault fault = {0};
    ck_assert_int_eq(net_address_parse(bad[_i], &address, &fault), STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, bad[_i]));
    ck_assert_int_eq(memcmp(&address, &before, sizeof before), 0);
}
END_TEST

START_TEST(takes_the_longest_path)
{
    char text[5 + sizeof LONG_PATH] = "unix:" LONG_PATH;
    text[5 + 107] = '\0';
    union net_address address;
    ck_assert_int_eq(net_address_parse(text, &address, NULL), STATUS_OK);
    char printed[NET_ADDRESS_TEXT_BYTES];
    ck_assert_str_eq(net_address_text(&address, printed), text);
}
END_TEST

START_TEST(a_nameless_unix_peer_prints_as_unix)
{
    union net_address address = {.local.sun_family = AF_UNIX};
    char text[NET_ADDRESS_TEXT_BYTES];
    ck_assert_str_eq(net_address_text(&address, text), "unix");
}
END_TEST

Suite *test_suite(void)
{
    _Static_assert(sizeof LONG_PATH == 109, "one byte too long");
    Suite *suite = suite_create("address");
    TCase *tcase = tcase_create("address");
    tcase_add_loop_test(tcase, parses_and_prints, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, refuses_with_a_line_that_names_it, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, takes_the_longest_path);
    tcase_add_test(tcase, a_nameless_unix_peer_prints_as_unix);
    suite_add_tcase(suite, tcase);
    return suite;
}
