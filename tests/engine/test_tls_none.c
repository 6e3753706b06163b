#include "engine/tls.h"

#include "tests/check_main.h"

/* Linked with tls_none.c in place of the others. */
START_TEST(says_what_is_missing)
{
    struct tls_server *server;
    struct tls_client *client;
    struct fault fault;
    ck_assert_int_eq(tls_server_open(&server, &(struct tls_server_options){0}, &fault),
                     STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "libssl-dev"));
    ck_assert_int_eq(tls_client_open(&client, &(struct tls_client_options){0}, &fault),
                     STATUS_USAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "libssl-dev"));
}
END_TEST

/* Not that anybody could call them. */
START_TEST(nothing_is_let_through)
{
    struct tls tls = {0};
    uint8_t byte = 'x';
    struct span input = span_of(&byte, 1);
    struct output out = {.data = &byte, .capacity = 1};
    ck_assert(!tls_accept(&tls, NULL, 0, SPAN("smtp")));
    ck_assert(!tls_connect(&tls, NULL, "mx.example.test", SPAN("smtp")));
    ck_assert_int_eq(tls_receive(&tls, &input, &out, &out), TLS_BROKEN);
    ck_assert(!tls_send(&tls, input, &out));
    tls_finish(&tls, &out);
    tls_close(&tls);
    ck_assert_uint_eq(out.size, 0);
    ck_assert(!tls_is_resumed(&tls));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls_none");
    TCase *tests = tcase_create("tls_none");
    tcase_add_test(tests, says_what_is_missing);
    tcase_add_test(tests, nothing_is_let_through);
    suite_add_tcase(suite, tests);
    return suite;
}
