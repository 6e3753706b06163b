#include "engine/net/dpdk/net_stack.h"

#include "tests/check_main.h"

static const struct {
    const char *ours;
    uint8_t prefix_bits;
    const char *address;
    bool has, is_near;
} rows[] = {
    {"192.0.2.1:0", 24, "192.0.2.1:25", true, true},
    {"192.0.2.1:0", 24, "192.0.2.200:25", false, true},
    {"192.0.2.1:0", 24, "192.0.3.1:25", false, false},
    {"192.0.2.1:0", 25, "192.0.2.127:25", false, true},
    {"192.0.2.1:0", 25, "192.0.2.128:25", false, false},
    {"192.0.2.1:0", 32, "192.0.2.1:25", true, true},
    {"192.0.2.1:0", 32, "192.0.2.0:25", false, false},
    {"127.0.0.2:0", 8, "127.255.0.1:25", false, true},
    {"192.0.2.1:0", 24, "127.0.0.1:25", false, false},
    {"192.0.2.1:0", 24, "[2001:db8::1]:25", false, false},
    {"[2001:db8::1]:0", 64, "[2001:db8::1]:25", true, true},
    {"[2001:db8::1]:0", 64, "[2001:db8::ffff:1]:25", false, true},
    {"[2001:db8::1]:0", 64, "[2001:db8:0:1::1]:25", false, false},
    {"[2001:db8::1]:0", 64, "192.0.2.1:25", false, false},
};

static union net_address parse(const char *text)
{
    union net_address address;
    ck_assert_int_eq(net_address_parse(text, &address, NULL), STATUS_OK);
    return address;
}

START_TEST(addresses_and_their_networks)
{
    struct net_stack_address ours[] = {
        {.address = parse("198.51.100.1:0"), .prefix_bits = 32},
        {.address = parse(rows[_i].ours), .prefix_bits = rows[_i].prefix_bits},
    };
    union net_address address = parse(rows[_i].address);
    ck_assert_msg(net_stack_has(ours, 2, &address) == rows[_i].has, "%s", rows[_i].address);
    ck_assert_msg(net_stack_is_near(ours, 2, &address) == rows[_i].is_near, "%s", rows[_i].address);
    ck_assert(!net_stack_has(ours, 1, &address) && !net_stack_is_near(ours, 0, &address));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net_stack_address");
    TCase *tcase = tcase_create("net_stack_address");
    tcase_add_loop_test(tcase, addresses_and_their_networks, 0, sizeof rows / sizeof *rows);
    suite_add_tcase(suite, tcase);
    return suite;
}
