#include "engine/tls.h"

#include "tests/check_main.h"
#include "tests/engine/tls_pair.h"

#include <openssl/ssl.h>

static struct fault fault;

static struct tls_client *verifying(const char *ca_file)
{
    struct tls_client *client;
    const struct tls_client_options options = {.verify = true, .ca_file = ca_file};
    ck_assert_int_eq(tls_client_open(&client, &options, &fault), STATUS_OK);
    return client;
}

static const struct {
    const char *host;
    bool trusted, good;
} hosts[] = {
    {"mx.example.test", true, true},     {"127.0.0.1", true, true},
    {"other.example.test", true, false}, {"127.0.0.2", true, false},
    {"mx.example.test", false, false},
};

START_TEST(the_certificate_must_be_the_hosts)
{
    struct tls_client *client = verifying(hosts[_i].trusted ? tls_pair_certificate.file : NULL);
    struct tls_pair *pair = tls_pair_open(client, hosts[_i].host, "", "smtp");
    tls_pair_run(pair);
    ck_assert_int_eq(pair->client.tls.up, hosts[_i].good);
    if (!hosts[_i].good)
        ck_assert_int_eq(pair->client.last, TLS_BROKEN);
    tls_pair_close(pair);
    tls_client_close(client);
}
END_TEST

START_TEST(names_the_host)
{
    static const char *const hosts_asked[] = {"other.example.test", "127.0.0.1"};
    struct tls_client *client = tls_pair_client();
    struct tls_pair *pair = tls_pair_open(client, hosts_asked[_i], "", "smtp");
    tls_pair_shake_hands(pair);
    const char *name = SSL_get_servername(pair->server.tls.ssl, TLSEXT_NAMETYPE_host_name);
    if (_i == 0)
        ck_assert_str_eq(name, hosts_asked[_i]);
    else
        ck_assert_ptr_null(name);
    tls_pair_close(pair);
    tls_client_close(client);
}
END_TEST

START_TEST(no_certificates_to_trust)
{
    struct tls_client *client;
    const struct tls_client_options options = {.verify = true, .ca_file = "/nonexistent/ca.pem"};
    ck_assert_int_eq(tls_client_open(&client, &options, &fault), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, "/nonexistent/ca.pem"));
}
END_TEST

/* Any shard knows the others' tickets. */
START_TEST(takes_up_sessions)
{
    struct tls_client *client = tls_pair_client();
    const int version = _i == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    for (uint32_t i = 0; i < 6; i++) {
        struct tls_pair *pair = tls_pair_open(client, "mx.example.test", "", "smtp");
        tls_close(&pair->server.tls);
        ck_assert(
            tls_accept(&pair->server.tls, tls_pair_server, i % TLS_PAIR_SHARDS, SPAN("smtp")));
        SSL_set_max_proto_version(pair->client.tls.ssl, version);
        tls_pair_shake_hands(pair);
        ck_assert_int_eq(tls_is_resumed(&pair->client.tls), i > 0);
        ck_assert_int_eq(tls_is_resumed(&pair->server.tls), i > 0);
        tls_pair_send(&pair->server, &pair->client, SPAN("220 hello\r\n"));
        tls_pair_deliver(pair, &pair->client, &pair->server);
        ck_assert_uint_eq(pair->client.plain.end, 11);
        tls_pair_close(pair);
    }
    tls_client_close(client);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls_client");
    TCase *tests = tcase_create("tls_client");
    tcase_add_checked_fixture(tests, tls_pair_setup, tls_pair_teardown);
    tcase_add_loop_test(tests, the_certificate_must_be_the_hosts, 0,
                        sizeof hosts / sizeof hosts[0]);
    tcase_add_loop_test(tests, names_the_host, 0, 2);
    tcase_add_test(tests, no_certificates_to_trust);
    tcase_add_loop_test(tests, takes_up_sessions, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
