#include "tests/engine/secure_client.h"

#include "engine/shard_state.h"
#include "tests/check_main.h"
#include "tests/engine/tls_pair.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 120000 };

struct tls_client *secure_bed_open(struct bed *bed, const struct bed_options *options)
{
    struct bed_options with_tls = *options;
    tls_pair_setup();
    with_tls.tls = tls_pair_server;
    bed_open(bed, &with_tls);
    return tls_pair_client();
}

void secure_bed_close(struct bed *bed, struct tls_client *from)
{
    bed_close(bed);
    tls_client_close(from);
    tls_pair_teardown();
}

uint32_t secure_bed_buffers(const struct bed *bed)
{
    const struct shard *shard = bed->shards[0];
    uint32_t taken = shard->tls_records.taken;
    for (int class = 0; class < BLOCK_CLASSES; class ++)
        taken += shard->blocks.pools[class].taken;
    return taken;
}

static void put(struct secure_client *secure, struct span plain)
{
    ck_assert_uint_lt(secure->size + plain.size, BED_INPUT_BYTES);
    memcpy(secure->heard + secure->size, plain.data, plain.size);
    secure->size += plain.size;
    secure->heard[secure->size] = '\0';
}

/* Until nothing more comes of the input. */
static void take(struct secure_client *secure, struct span input)
{
    static uint8_t plain[TLS_RECORD_BYTES_MAX], sealed[4096];
    do {
        struct output plain_out = {.data = plain, .capacity = sizeof plain};
        struct output sealed_out = {.data = sealed, .capacity = sizeof sealed};
        secure->last = tls_receive(&secure->tls, &input, &plain_out, &sealed_out);
        put(secure, span_of(plain, plain_out.size));
        if (sealed_out.size > 0 && !secure->client->over)
            bed_send(secure->client, span_of(sealed, sealed_out.size));
    } while (secure->last == TLS_PLAIN || secure->last == TLS_UP || secure->last == TLS_FULL);
}

void secure_read(struct secure_client *secure)
{
    struct client *client = secure->client;
    if (secure->read == client->size || secure->last != TLS_MORE)
        return;
    struct span input = span_of(client->input + secure->read, client->size - secure->read);
    secure->read = client->size;
    take(secure, input);
}

void secure_begin(struct secure_client *secure, struct client *client, struct tls_client *from)
{
    *secure = (struct secure_client){
        .client = client, .read = client->size, .heard = malloc(BED_INPUT_BYTES)};
    ck_assert_ptr_nonnull(secure->heard);
    secure->heard[0] = '\0';
    ck_assert(tls_connect(&secure->tls, from, "mx.example.test", SPAN("")));
    take(secure, span_of(NULL, 0));
}

void secure_connect(struct secure_client *secure, struct bed *bed, enum door_kind door,
                    struct tls_client *from)
{
    secure_begin(secure, bed_connect(bed, door), from);
    ck_assert(secure_is_up(secure));
}

void secure_upgrade(struct secure_client *secure, struct bed *bed, enum door_kind door,
                    struct tls_client *from)
{
    static const char *const commands[] = {[DOOR_SMTP] = "EHLO c\r\nSTARTTLS\r\n",
                                           [DOOR_LMTP] = "LHLO c\r\nSTARTTLS\r\n",
                                           [DOOR_POP3] = "STLS\r\n"};
    struct client *client = bed_greet(bed, door);
    bed_say(client, "%s", commands[door]);
    ck_assert(bed_hears(client, door == DOOR_POP3 ? "+OK" : "220 2.0.0"));
    ck_assert(bed_hears(client, "\n"));
    secure_begin(secure, client, from);
    ck_assert(secure_is_up(secure));
}

void secure_close(struct secure_client *secure)
{
    tls_close(&secure->tls);
    free(secure->heard);
}

bool secure_is_up(struct secure_client *secure)
{
    struct bed *bed = secure->client->bed;
    uint64_t until_ns = bed->now_ns + PATIENCE_MS * NS_PER_MS;
    for (;;) {
        secure_read(secure);
        if (secure->tls.up || secure->client->over || bed->now_ns >= until_ns)
            return secure->tls.up;
        bed_step(bed);
    }
}

void secure_send(struct secure_client *secure, struct span bytes)
{
    uint32_t size = (uint32_t)bytes.size, room = tls_headroom(size);
    uint8_t *buffer = malloc(size + room);
    ck_assert_ptr_nonnull(buffer);
    memcpy(buffer + room, bytes.data, size);
    struct output sealed = {.data = buffer, .capacity = size + room};
    ck_assert(tls_send(&secure->tls, span_of(buffer + room, size), &sealed));
    bed_send(secure->client, span_of(sealed.data, sealed.size));
    free(buffer);
}

void secure_say(struct secure_client *secure, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ck_assert(size > 0 && (size_t)size < sizeof text);
    secure_send(secure, span_of(text, (size_t)size));
}

void secure_finish(struct secure_client *secure)
{
    uint8_t buffer[TLS_OVERHEAD_BYTES_MAX];
    struct output sealed = {.data = buffer, .capacity = sizeof buffer};
    tls_finish(&secure->tls, &sealed);
    bed_send(secure->client, span_of(sealed.data, sealed.size));
}

bool secure_hears(struct secure_client *secure, const char *text)
{
    struct bed *bed = secure->client->bed;
    uint64_t until_ns = bed->now_ns + PATIENCE_MS * NS_PER_MS;
    for (;;) {
        secure_read(secure);
        const char *found = strstr((const char *)secure->heard + secure->at, text);
        if (found != NULL) {
            secure->at = (size_t)(found - (const char *)secure->heard) + strlen(text);
            return true;
        }
        if (secure->client->over || secure->last != TLS_MORE || bed->now_ns >= until_ns) {
            fprintf(stderr, "# '%s' is not in '%.300s'\n", text, secure->heard + secure->at);
            return false;
        }
        bed_step(bed);
    }
}

bool secure_ends_well(struct secure_client *secure)
{
    bool ended = bed_ends(secure->client, PATIENCE_MS);
    secure_read(secure);
    return ended && secure->last == TLS_ENDED;
}
