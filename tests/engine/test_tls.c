#include "engine/tls.h"

#include "base/random.h"
#include "tests/check_main.h"
#include "tests/engine/tls_pair.h"

#include <openssl/ssl.h>
#include <stdlib.h>

static struct tls_client *client;
static struct tls_pair *pair;

static void setup(void)
{
    tls_pair_setup();
    client = tls_pair_client();
    pair = tls_pair_open(client, "mx.example.test", "smtp", "smtp");
}

static void teardown(void)
{
    tls_pair_close(pair);
    tls_client_close(client);
    tls_pair_teardown();
}

static uint8_t *noise(size_t size)
{
    uint8_t *bytes = malloc(size + 1);
    struct random random = {.state = size};
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_next(&random);
    return bytes;
}

/* Goes there whole, and leaves nothing behind. */
static void check_sent(struct tls_end *from, struct tls_end *to, size_t size)
{
    uint8_t *bytes = noise(size);
    tls_pair_send(from, to, span_of(bytes, size));
    tls_pair_deliver(pair, to, from);
    ck_assert_uint_eq(to->plain.end, size);
    ck_assert(memcmp(to->plain.data, bytes, size) == 0);
    to->plain.end = 0;
    free(bytes);
}

/* ----------------------------------------------------------------------------- going well ---- */

static const struct {
    size_t cut;
    uint32_t room;
} cuts[] = {{SIZE_MAX, 4096}, {1, 4096}, {2, 1},   {3, 7},     {4, 64},  {5, 4096},
            {6, 100},         {7, 4096}, {23, 11}, {64, 4096}, {999, 1}, {SIZE_MAX, 1}};

START_TEST(any_segmentation_will_do)
{
    static const size_t sizes[] = {1, 2, 1000, 16383, 16384, 16385, 70000};
    size_t count = cuts[_i].cut < 64 ? 3 : sizeof sizes / sizeof sizes[0];
    pair->cut = cuts[_i].cut;
    pair->room = cuts[_i].room;
    tls_pair_shake_hands(pair);
    ck_assert_str_eq(pair->server.tls.cipher, pair->client.tls.cipher);
    ck_assert_int_eq(strncmp(pair->server.tls.cipher, "TLSv1.3 TLS_", 12), 0);
    for (size_t i = 0; i < count; i++) {
        check_sent(&pair->client, &pair->server, sizes[i]);
        check_sent(&pair->server, &pair->client, sizes[i]);
    }
}
END_TEST

/* Each adds a different number of bytes to a record, all fewer than the headroom. */
START_TEST(older_ciphers_seal_in_place_too)
{
    static const char *const ciphers[] = {
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA"};
    SSL_set_max_proto_version(pair->client.tls.ssl, TLS1_2_VERSION);
    ck_assert_int_eq(SSL_set_cipher_list(pair->client.tls.ssl, ciphers[_i]), 1);
    tls_pair_shake_hands(pair);
    ck_assert_int_eq(strncmp(pair->server.tls.cipher, "TLSv1.2 ", 8), 0);
    ck_assert_str_eq(pair->server.tls.cipher + 8, ciphers[_i]);
    for (size_t size = 1; size < 66000; size = size * 2 + 1) {
        check_sent(&pair->client, &pair->server, size);
        check_sent(&pair->server, &pair->client, size);
    }
}
END_TEST

START_TEST(new_keys_on_request)
{
    tls_pair_shake_hands(pair);
    for (int i = 0; i < 3; i++) {
        int kind = i == 0 ? SSL_KEY_UPDATE_NOT_REQUESTED : SSL_KEY_UPDATE_REQUESTED;
        ck_assert_int_eq(SSL_key_update(pair->client.tls.ssl, kind), 1);
        check_sent(&pair->client, &pair->server, 40000); /* the update goes first */
        tls_pair_run(pair);
        check_sent(&pair->server, &pair->client, 40000);
    }
}
END_TEST

START_TEST(close_notify_ends_one_direction)
{
    tls_pair_shake_hands(pair);
    tls_pair_send(&pair->client, &pair->server, SPAN("QUIT\r\n"));
    tls_pair_finish(&pair->client, &pair->server);
    tls_pair_deliver(pair, &pair->server, &pair->client);
    ck_assert_int_eq(pair->server.last, TLS_ENDED);
    ck_assert_uint_eq(pair->server.plain.end, 6);
    check_sent(&pair->server, &pair->client, 1000);
    tls_pair_finish(&pair->server, &pair->client);
    tls_pair_deliver(pair, &pair->client, &pair->server);
    ck_assert_int_eq(pair->client.last, TLS_ENDED);
}
END_TEST

/* ---------------------------------------------------------------------------- going badly ---- */

START_TEST(truncated_is_not_ended)
{
    tls_pair_shake_hands(pair);
    tls_pair_send(&pair->client, &pair->server, SPAN("0123456789"));
    struct tls_bytes *coming = &pair->server.coming;
    uint32_t most = coming->end - 1;
    uint8_t last = coming->data[most];
    pair->cut = 1;
    coming->end = most;
    tls_pair_deliver(pair, &pair->server, &pair->client);
    ck_assert_int_eq(pair->server.last, TLS_MORE);
    ck_assert_uint_eq(pair->server.plain.end, 0);
    coming->data[0] = last;
    coming->end = 1;
    tls_pair_deliver(pair, &pair->server, &pair->client);
    ck_assert_uint_eq(pair->server.plain.end, 10);
}
END_TEST

START_TEST(clear_text_is_no_hello)
{
    static const char *const clear[] = {"EHLO client.test\r\n", "MAIL FROM:<a@b.test>\r\n",
                                        "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n\r\n\r\n",
                                        "QUIT\r\nQUIT\r\n"};
    struct tls_bytes *coming = &pair->server.coming;
    coming->end = (uint32_t)strlen(clear[_i]);
    memcpy(coming->data, clear[_i], coming->end);
    tls_pair_deliver(pair, &pair->server, &pair->client);
    ck_assert_int_eq(pair->server.last, TLS_BROKEN);
    ck_assert(!pair->server.tls.up && pair->server.tls.broken);
    ck_assert_uint_eq(pair->server.plain.end, 0);
}
END_TEST

/* A hello after a failure is not listened to. */
START_TEST(broken_stays_broken)
{
    memcpy(pair->server.coming.data, "NOOP\r\n", 6);
    pair->server.coming.end = 6;
    tls_pair_deliver(pair, &pair->server, &pair->client);
    ck_assert_int_eq(pair->server.last, TLS_BROKEN);
    pair->client.coming.end = 0;
    tls_pair_run(pair);
    ck_assert_int_eq(pair->server.last, TLS_BROKEN);
    ck_assert(!pair->client.tls.up);
}
END_TEST

/* In the handshake or after it, whichever byte is hit: what comes through is what was sent. */
START_TEST(damage_is_never_taken_for_data)
{
    tls_pair_shake_hands(pair);
    tls_pair_send(&pair->client, &pair->server, SPAN("0123456789"));
    uint32_t size = pair->server.coming.end;
    ck_assert_int_lt(_i, 33);
    ck_assert_uint_ge(size, 32);
    pair->server.coming.data[_i % (int)size] ^= 0x55;
    tls_pair_deliver(pair, &pair->server, &pair->client);
    ck_assert_uint_eq(pair->server.plain.end, 0);
    ck_assert(pair->server.last == TLS_BROKEN || pair->server.last == TLS_MORE);
}
END_TEST

START_TEST(clear_text_after_the_handshake_ends_it)
{
    tls_pair_shake_hands(pair);
    struct tls_bytes *coming = &pair->server.coming;
    memcpy(coming->data, "\r\n.\r\nQUIT\r\n", 11);
    coming->end = 11;
    tls_pair_deliver(pair, &pair->server, &pair->client);
    ck_assert_int_eq(pair->server.last, TLS_BROKEN);
    ck_assert_uint_gt(pair->client.coming.end, 0); /* an alert */
    tls_pair_deliver(pair, &pair->client, &pair->server);
    ck_assert_int_eq(pair->client.last, TLS_BROKEN);

    uint8_t buffer[1024];
    struct output sealed = {.data = buffer, .capacity = sizeof buffer};
    ck_assert(!tls_send(&pair->server.tls, SPAN("250 OK\r\n"), &sealed));
    tls_finish(&pair->server.tls, &sealed);
    ck_assert_uint_eq(sealed.size, 0);
}
END_TEST

START_TEST(nothing_older_than_tls_1_2)
{
    SSL_set_security_level(pair->client.tls.ssl, 0);
    SSL_set_min_proto_version(pair->client.tls.ssl, TLS1_VERSION);
    SSL_set_max_proto_version(pair->client.tls.ssl, TLS1_1_VERSION);
    SSL_set_cipher_list(pair->client.tls.ssl, "ALL:@SECLEVEL=0");
    tls_pair_run(pair);
    ck_assert_int_eq(pair->server.last, TLS_BROKEN);
    ck_assert_int_eq(pair->client.last, TLS_BROKEN);
}
END_TEST

/* Who leaves too little room loses the connection, not a byte of what is still to be sealed. */
START_TEST(too_little_headroom_breaks)
{
    uint8_t buffer[2000] = {0};
    struct output sealed = {.data = buffer, .capacity = sizeof buffer};
    tls_pair_shake_hands(pair);
    ck_assert(!tls_send(&pair->client.tls, span_of(buffer + 10, 1000), &sealed));
    ck_assert(pair->client.tls.broken);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls");
    TCase *tests = tcase_create("tls");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_loop_test(tests, any_segmentation_will_do, 0, sizeof cuts / sizeof cuts[0]);
    tcase_add_loop_test(tests, older_ciphers_seal_in_place_too, 0, 5);
    tcase_add_test(tests, new_keys_on_request);
    tcase_add_test(tests, close_notify_ends_one_direction);
    tcase_add_test(tests, truncated_is_not_ended);
    tcase_add_loop_test(tests, clear_text_is_no_hello, 0, 5);
    tcase_add_test(tests, broken_stays_broken);
    tcase_add_loop_test(tests, damage_is_never_taken_for_data, 0, 32);
    tcase_add_test(tests, clear_text_after_the_handshake_ends_it);
    tcase_add_test(tests, nothing_older_than_tls_1_2);
    tcase_add_test(tests, too_little_headroom_breaks);
    suite_add_tcase(suite, tests);
    return suite;
}
