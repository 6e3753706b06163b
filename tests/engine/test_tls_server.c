#include "engine/tls.h"

#include "tests/check_main.h"
#include "tests/engine/tls_pair.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static struct fault fault;

static enum status open_with(const char *certificate, const char *key)
{
    struct tls_server *server;
    const struct tls_server_options options = {
        .certificate_file = certificate, .key_file = key, .shards = 1, .clock = &clock_system};
    enum status status = tls_server_open(&server, &options, &fault);
    if (status == STATUS_OK)
        tls_server_close(server);
    return status;
}

/* Appends a file to another, or (NULL) some text that is no PEM. */
static void append(const char *to, const char *from)
{
    char text[4096] = "neither certificate nor key\n";
    size_t size = strlen(text);
    if (from != NULL) {
        FILE *file = fopen(from, "r");
        ck_assert_ptr_nonnull(file);
        size = fread(text, 1, sizeof text, file);
        fclose(file);
    }
    FILE *file = fopen(to, "a");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text, 1, size, file), size);
    fclose(file);
}

static void make_empty(const char *path)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fclose(file);
}

static void encrypt_key(const char *path)
{
    FILE *file = fopen(path, "w");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"secret", 6, NULL, NULL),
                     1);
    EVP_PKEY_free(key);
    fclose(file);
}

START_TEST(names_the_file_that_is_wrong)
{
    const struct certificate *ours = &tls_pair_certificate;
    struct certificate other;
    certificate_make(&other, "other.example.test");
    ck_assert_int_eq(open_with(ours->file, ours->key_file), STATUS_OK);

    ck_assert_int_eq(open_with("/nonexistent/cert.pem", ours->key_file), STATUS_ABSENT);
    ck_assert_ptr_nonnull(strstr(fault.text, "/nonexistent/cert.pem"));
    ck_assert_int_eq(open_with(ours->file, "/nonexistent/key.pem"), STATUS_ABSENT);
    ck_assert_ptr_nonnull(strstr(fault.text, "/nonexistent/key.pem"));
    ck_assert_int_eq(open_with(ours->file, other.key_file), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, other.key_file));
    ck_assert_int_eq(open_with(ours->key_file, ours->key_file), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, ours->key_file));
    ck_assert_int_eq(open_with(ours->file, ours->file), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, ours->file));

    encrypt_key(other.key_file);
    ck_assert_int_eq(open_with(ours->file, other.key_file), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, "unencrypted"));
    make_empty(other.file);
    ck_assert_int_eq(open_with(other.file, ours->key_file), STATUS_CONFIG);
    append(other.file, NULL);
    ck_assert_int_eq(open_with(other.file, ours->key_file), STATUS_CONFIG);
    ck_assert_ptr_null(strchr(fault.text, '\n'));
    certificate_delete(&other);
}
END_TEST

/* The certificate that a new connection is shown: its subject. */
static void check_shown(struct tls_client *client, const char *name)
{
    struct tls_pair *pair = tls_pair_open(client, "mx.example.test", "", "smtp");
    tls_pair_shake_hands(pair);
    X509 *shown = SSL_get0_peer_certificate(pair->client.tls.ssl);
    ck_assert_ptr_nonnull(shown);
    ck_assert_int_eq(X509_check_host(shown, name, 0, 0, NULL), 1);
    tls_pair_close(pair);
}

START_TEST(reload_is_for_what_comes_after)
{
    struct tls_client *client = tls_pair_client();
    struct tls_pair *pair = tls_pair_open(client, "mx.example.test", "", "smtp");
    tls_pair_shake_hands(pair);
    check_shown(client, "mx.example.test");
    for (int i = 0; i < 3; i++) {
        certificate_renew(&tls_pair_certificate, i % 2 ? "odd.test" : "even.test");
        ck_assert_int_eq(tls_server_reload(tls_pair_server, &fault), STATUS_OK);
        struct tls_client *fresh = tls_pair_client(); /* one that resumes nothing */
        check_shown(fresh, i % 2 ? "odd.test" : "even.test");
        tls_client_close(fresh);
    }
    tls_pair_send(&pair->client, &pair->server, SPAN("still there"));
    tls_pair_deliver(pair, &pair->server, &pair->client);
    ck_assert_uint_eq(pair->server.plain.end, 11);
    tls_pair_close(pair);
    tls_client_close(client);
}
END_TEST

START_TEST(failed_reload_changes_nothing)
{
    struct tls_client *client = tls_pair_client();
    make_empty(tls_pair_certificate.key_file);
    ck_assert_int_eq(tls_server_reload(tls_pair_server, &fault), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, tls_pair_certificate.key_file));
    check_shown(client, "mx.example.test");
    tls_client_close(client);
}
END_TEST

START_TEST(sends_what_stands_behind_the_certificate)
{
    struct certificate other;
    certificate_make(&other, "other.example.test");
    append(tls_pair_certificate.file, other.file);
    ck_assert_int_eq(tls_server_reload(tls_pair_server, &fault), STATUS_OK);
    struct tls_client *client = tls_pair_client();
    struct tls_pair *pair = tls_pair_open(client, "mx.example.test", "", "smtp");
    tls_pair_shake_hands(pair);
    ck_assert_int_eq(sk_X509_num(SSL_get_peer_cert_chain(pair->client.tls.ssl)), 2);
    tls_pair_close(pair);
    tls_client_close(client);

    append(tls_pair_certificate.file, NULL); /* text between certificates is usual */
    ck_assert_int_eq(tls_server_reload(tls_pair_server, &fault), STATUS_OK);
    certificate_delete(&other);
}
END_TEST

static const struct {
    const char *client, *server;
    bool good;
} protocols[] = {
    {"", "smtp", true},      {"smtp", "smtp", true},   {"pop3", "pop3", true},
    {"http", "smtp", false}, {"pop3", "smtp", false},  {"smt", "smtp", false},
    {"h2", "pop3", false},   {"smtps", "smtp", false}, {"SMTP", "smtp", false},
};

START_TEST(another_protocol_is_turned_away)
{
    struct tls_client *client = tls_pair_client();
    struct tls_pair *pair =
        tls_pair_open(client, "mx.example.test", protocols[_i].client, protocols[_i].server);
    tls_pair_run(pair);
    ck_assert_int_eq(pair->server.tls.up, protocols[_i].good);
    ck_assert_int_eq(pair->client.tls.up, protocols[_i].good);
    if (!protocols[_i].good)
        ck_assert_int_eq(pair->server.last, TLS_BROKEN);
    tls_pair_close(pair);
    tls_client_close(client);
}
END_TEST

START_TEST(one_of_several_protocols_is_enough)
{
    static const unsigned char offered[] = "\2h2\4smtp";
    struct tls_client *client = tls_pair_client();
    struct tls_pair *pair = tls_pair_open(client, "mx.example.test", "", "smtp");
    ck_assert_int_eq(SSL_set_alpn_protos(pair->client.tls.ssl, offered, sizeof offered - 1), 0);
    tls_pair_shake_hands(pair);
    tls_pair_close(pair);
    tls_client_close(client);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls_server");
    TCase *tests = tcase_create("tls_server");
    tcase_add_checked_fixture(tests, tls_pair_setup, tls_pair_teardown);
    tcase_add_test(tests, names_the_file_that_is_wrong);
    tcase_add_test(tests, reload_is_for_what_comes_after);
    tcase_add_test(tests, failed_reload_changes_nothing);
    tcase_add_test(tests, sends_what_stands_behind_the_certificate);
    tcase_add_loop_test(tests, another_protocol_is_turned_away, 0,
                        sizeof protocols / sizeof protocols[0]);
    tcase_add_test(tests, one_of_several_protocols_is_enough);
    suite_add_tcase(suite, tests);
    return suite;
}
