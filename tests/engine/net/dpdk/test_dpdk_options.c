#include "engine/net/dpdk/net_dpdk.h"

#include "tests/check_main.h"

#include <string.h>

START_TEST(addresses_of_a_port)
{
    struct dpdk_options options;
    struct fault fault;
    char text[NET_ADDRESS_TEXT_BYTES];
    dpdk_options_default(&options);
    ck_assert_int_eq(dpdk_options_add_address(&options, "192.0.2.1/24", &fault), STATUS_OK);
    ck_assert_int_eq(dpdk_options_add_address(&options, "2001:db8::1/64", &fault), STATUS_OK);
    ck_assert_int_eq(dpdk_options_add_gateway(&options, "192.0.2.254", &fault), STATUS_OK);
    ck_assert_int_eq(dpdk_options_add_gateway(&options, "fe80::1", &fault), STATUS_OK);
    ck_assert_uint_eq(options.addresses_count, 2);
    ck_assert_uint_eq(options.addresses[0].prefix_bits, 24);
    ck_assert_str_eq(net_address_text(&options.addresses[0].address, text), "192.0.2.1:0");
    ck_assert_str_eq(net_address_text(&options.addresses[1].address, text), "[2001:db8::1]:0");
    ck_assert_str_eq(net_address_text(&options.gateways[0], text), "192.0.2.254:0");
    ck_assert_str_eq(net_address_text(&options.gateways[1], text), "[fe80::1]:0");
}
END_TEST

START_TEST(addresses_of_a_port_that_are_none)
{
    static const char *const rows[] = {"192.0.2.1",     "192.0.2.1/",      "192.0.2.1/33",
                                       "192.0.2.1/0",   "192.0.2.1/2x",    "localhost/8",
                                       "2001:db8::/63", "2001:db8::/64x",  "/24",
                                       "192.0.2/24",    "192.0.2.1:25/24", "2001:db8::1/320"};
    struct dpdk_options options;
    struct fault fault;
    dpdk_options_default(&options);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(dpdk_options_add_address(&options, rows[i], &fault) == STATUS_USAGE, "%s",
                      rows[i]);
        ck_assert_ptr_nonnull(strstr(fault.text, rows[i]));
    }
    ck_assert_int_eq(dpdk_options_add_gateway(&options, "mx.example.test", &fault), STATUS_USAGE);
    ck_assert_uint_eq(options.addresses_count, 0);
}
END_TEST

START_TEST(addresses_of_a_port_have_a_limit)
{
    struct dpdk_options options;
    struct fault fault;
    dpdk_options_default(&options);
    ck_assert_int_eq(dpdk_options_add_address(&options, "192.0.2.1/24", &fault), STATUS_OK);
    ck_assert_int_eq(dpdk_options_add_address(&options, "192.0.2.2/24", &fault), STATUS_USAGE);
    for (unsigned i = 1; i < NET_STACK_ADDRESSES_MAX - 1; i++)
        ck_assert_int_eq(dpdk_options_add_address(&options, "2001:db8::1/64", &fault), STATUS_OK);
    ck_assert_int_eq(dpdk_options_add_address(&options, "2001:db8::1/64", &fault), STATUS_USAGE);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("dpdk_options");
    TCase *tcase = tcase_create("dpdk_options");
    tcase_add_test(tcase, addresses_of_a_port);
    tcase_add_test(tcase, addresses_of_a_port_that_are_none);
    tcase_add_test(tcase, addresses_of_a_port_have_a_limit);
    suite_add_tcase(suite, tcase);
    return suite;
}
