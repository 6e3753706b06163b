#include "engine/tls_tickets.h"

#include "tests/check_main.h"

#include <string.h>

#define KEY_NS (TLS_TICKETS_KEY_SECONDS * NS_PER_S)

static const uint8_t secret[TLS_TICKETS_SECRET_BYTES] = "what all shards start from";
static uint64_t now_ns;
static EVP_MAC *hmac;

static uint64_t tell(void *context)
{
    return *(const uint64_t *)context;
}

static const struct clock clock_told = {.monotonic_ns = tell, .wall_ns = tell, .context = &now_ns};

struct ticket {
    uint8_t name[16], iv[EVP_MAX_IV_LENGTH], sealed[64], mac[32];
    int size;
};

static void setup(void)
{
    now_ns = 1000 * KEY_NS + 7;
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    ck_assert_ptr_nonnull(hmac);
}

static void teardown(void)
{
    EVP_MAC_free(hmac);
}

static struct tls_tickets make(void)
{
    struct tls_tickets tickets;
    tls_tickets_init(&tickets, &clock_told, tls_tickets_epoch(&clock_told), secret);
    return tickets;
}

static void authenticate(EVP_MAC_CTX *mac, const struct ticket *ticket, uint8_t out[32])
{
    size_t size;
    ck_assert_int_eq(EVP_MAC_init(mac, NULL, 0, NULL), 1);
    ck_assert_int_eq(EVP_MAC_update(mac, ticket->sealed, (size_t)ticket->size), 1);
    ck_assert_int_eq(EVP_MAC_final(mac, out, &size, 32), 1);
}

static struct ticket seal(struct tls_tickets *tickets)
{
    struct ticket ticket = {0};
    int tail;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    ck_assert_int_eq(tls_tickets_use(tickets, ticket.name, ticket.iv, cipher, mac, true), 1);
    EVP_EncryptUpdate(cipher, ticket.sealed, &ticket.size, (const uint8_t *)"a session", 9);
    EVP_EncryptFinal_ex(cipher, ticket.sealed + ticket.size, &tail);
    ticket.size += tail;
    authenticate(mac, &ticket, ticket.mac);
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    return ticket;
}

/* What tls_tickets_use says; when it is positive the ticket must open. */
static int open_ticket(struct tls_tickets *tickets, struct ticket ticket)
{
    uint8_t plain[64], mac_bytes[32];
    int size = 0, tail = 0;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    EVP_MAC_CTX *mac = EVP_MAC_CTX_new(hmac);
    int result = tls_tickets_use(tickets, ticket.name, ticket.iv, cipher, mac, false);
    if (result > 0) {
        ck_assert_int_eq(EVP_DecryptUpdate(cipher, plain, &size, ticket.sealed, ticket.size), 1);
        ck_assert_int_eq(EVP_DecryptFinal_ex(cipher, plain + size, &tail), 1);
        ck_assert_int_eq(size + tail, 9);
        ck_assert_int_eq(memcmp(plain, "a session", 9), 0);
        authenticate(mac, &ticket, mac_bytes);
        ck_assert_int_eq(memcmp(mac_bytes, ticket.mac, sizeof mac_bytes), 0);
    }
    EVP_CIPHER_CTX_free(cipher);
    EVP_MAC_CTX_free(mac);
    return result;
}

START_TEST(shards_open_each_others)
{
    struct tls_tickets one = make(), other = make();
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(open_ticket(&other, seal(&one)), 1);
        ck_assert_int_eq(open_ticket(&one, seal(&other)), 1);
        now_ns += KEY_NS * (uint64_t)(i + 1);
    }
}
END_TEST

START_TEST(keys_age)
{
    struct tls_tickets tickets = make();
    struct ticket ticket = seal(&tickets);
    struct tls_ticket_key first = tickets.newest;
    now_ns += KEY_NS;
    ck_assert_int_eq(open_ticket(&tickets, ticket), 2);
    ck_assert_int_ne(memcmp(&first, &tickets.newest, sizeof first), 0);
    now_ns += KEY_NS;
    ck_assert_int_eq(open_ticket(&tickets, ticket), 0);
}
END_TEST

START_TEST(what_is_forgotten_is_gone)
{
    struct tls_tickets tickets = make(), before = tickets;
    now_ns += 3 * KEY_NS;
    (void)seal(&tickets);
    const uint8_t *bytes = (const uint8_t *)&tickets;
    for (size_t i = 0; i + sizeof before.secret <= sizeof tickets; i++) {
        ck_assert_int_ne(memcmp(bytes + i, before.secret, sizeof before.secret), 0);
        ck_assert_int_ne(memcmp(bytes + i, before.newest.cipher, sizeof before.newest.cipher), 0);
    }
}
END_TEST

START_TEST(others_tickets_are_not_opened)
{
    static const uint8_t other_secret[TLS_TICKETS_SECRET_BYTES] = "another";
    struct tls_tickets ours = make(), others;
    tls_tickets_init(&others, &clock_told, tls_tickets_epoch(&clock_told), other_secret);
    ck_assert_int_eq(open_ticket(&ours, seal(&others)), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tls_tickets");
    TCase *tests = tcase_create("tls_tickets");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, shards_open_each_others);
    tcase_add_test(tests, keys_age);
    tcase_add_test(tests, what_is_forgotten_is_gone);
    tcase_add_test(tests, others_tickets_are_not_opened);
    suite_add_tcase(suite, tests);
    return suite;
}
