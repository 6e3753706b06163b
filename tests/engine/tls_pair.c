#include "tests/engine/tls_pair.h"

#include "tests/check_main.h"

#include <stdlib.h>

struct certificate tls_pair_certificate;
struct tls_server *tls_pair_server;

void tls_pair_setup(void)
{
    struct fault fault;
    certificate_make(&tls_pair_certificate, "mx.example.test");
    const struct tls_server_options options = {.certificate_file = tls_pair_certificate.file,
                                               .key_file = tls_pair_certificate.key_file,
                                               .shards = TLS_PAIR_SHARDS,
                                               .clock = &clock_system};
    enum status status = tls_server_open(&tls_pair_server, &options, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
}

void tls_pair_teardown(void)
{
    tls_server_close(tls_pair_server);
    certificate_delete(&tls_pair_certificate);
}

struct tls_client *tls_pair_client(void)
{
    struct tls_client *client;
    struct fault fault;
    const struct tls_client_options options = {.verify = false};
    ck_assert_int_eq(tls_client_open(&client, &options, &fault), STATUS_OK);
    return client;
}

struct tls_pair *tls_pair_open(struct tls_client *client, const char *host, const char *client_says,
                               const char *server_says)
{
    struct tls_pair *pair = calloc(1, sizeof *pair);
    ck_assert_ptr_nonnull(pair);
    pair->cut = SIZE_MAX;
    pair->room = 4096;
    ck_assert(tls_accept(&pair->server.tls, tls_pair_server, 0, span_text(server_says)));
    ck_assert(tls_connect(&pair->client.tls, client, host, span_text(client_says)));
    return pair;
}

void tls_pair_close(struct tls_pair *pair)
{
    tls_close(&pair->client.tls);
    tls_close(&pair->server.tls);
    free(pair);
}

static void put(struct tls_bytes *bytes, struct span span)
{
    ck_assert_uint_le(span.size, sizeof bytes->data - bytes->end);
    if (span.size > 0)
        memcpy(bytes->data + bytes->end, span.data, span.size);
    bytes->end += (uint32_t)span.size;
}

/* One call's worth of input; until nothing more comes of it. */
static void give(struct tls_pair *pair, struct tls_end *to, struct tls_end *peer, struct span input)
{
    uint8_t plain[TLS_RECORD_BYTES_MAX], sealed[4096];
    do {
        struct output plain_out = {.data = plain, .capacity = sizeof plain};
        struct output sealed_out = {.data = sealed, .capacity = pair->room};
        to->last = tls_receive(&to->tls, &input, &plain_out, &sealed_out);
        ck_assert((to->last == TLS_PLAIN) == (plain_out.size > 0));
        put(&to->plain, span_of(plain, plain_out.size));
        put(&peer->coming, span_of(sealed, sealed_out.size));
    } while (to->last == TLS_PLAIN || to->last == TLS_UP || to->last == TLS_FULL);
    if (to->last == TLS_MORE)
        ck_assert_uint_eq(input.size, 0);
}

void tls_pair_deliver(struct tls_pair *pair, struct tls_end *to, struct tls_end *peer)
{
    struct tls_bytes *coming = &to->coming;
    while (coming->start < coming->end) {
        size_t size = coming->end - coming->start;
        if (size > pair->cut)
            size = pair->cut;
        give(pair, to, peer, span_of(coming->data + coming->start, size));
        coming->start += (uint32_t)size;
    }
    coming->start = coming->end = 0;
}

void tls_pair_run(struct tls_pair *pair)
{
    struct tls_end *client = &pair->client, *server = &pair->server;
    give(pair, client, server, span_of(NULL, 0));
    while (client->coming.end > 0 || server->coming.end > 0) {
        tls_pair_deliver(pair, server, client);
        tls_pair_deliver(pair, client, server);
    }
}

void tls_pair_shake_hands(struct tls_pair *pair)
{
    tls_pair_run(pair);
    ck_assert(pair->client.tls.up && pair->server.tls.up);
}

void tls_pair_send(struct tls_end *from, struct tls_end *to, struct span plain)
{
    uint32_t size = (uint32_t)plain.size, room = tls_headroom(size);
    uint8_t *buffer = malloc(size + room);
    ck_assert_ptr_nonnull(buffer);
    if (size > 0)
        memcpy(buffer + room, plain.data, size);
    struct output sealed = {.data = buffer, .capacity = size + room};
    ck_assert(tls_send(&from->tls, span_of(buffer + room, size), &sealed));
    put(&to->coming, span_of(sealed.data, sealed.size));
    free(buffer);
}

void tls_pair_finish(struct tls_end *from, struct tls_end *to)
{
    uint8_t buffer[TLS_OVERHEAD_BYTES_MAX];
    struct output sealed = {.data = buffer, .capacity = sizeof buffer};
    tls_finish(&from->tls, &sealed);
    put(&to->coming, span_of(buffer, sealed.size));
}
