#include "engine/net/dpdk/net_dpdk.h"

#include "tests/check_main.h"

#include <string.h>

START_TEST(a_build_without_says_what_it_needs)
{
    struct dpdk *dpdk = NULL;
    struct dpdk_options options = {.wanted = true};
    struct fault fault;
    ck_assert_int_eq(dpdk_open(&dpdk, &options, 1, &fault), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, "libdpdk-dev"));
    ck_assert_ptr_null(dpdk);
    struct net *net = NULL;
    ck_assert_int_eq(net_dpdk_open(&net, dpdk, 0, NULL, NULL, 1, NULL, &fault), STATUS_CONFIG);
    ck_assert_ptr_null(net);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net_dpdk_none");
    TCase *tcase = tcase_create("net_dpdk_none");
    tcase_add_test(tcase, a_build_without_says_what_it_needs);
    suite_add_tcase(suite, tcase);
    return suite;
}
