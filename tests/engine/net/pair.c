#include "tests/engine/net/pair.h"

#include "base/random.h"

#include <stdlib.h>

void pair_listen(struct pair *pair, int backend)
{
    world_open(&pair->world, backend, NULL);
    world_listen(&pair->world, &pair->sides);
}

void pair_connect(struct pair *pair)
{
    world_connect(&pair->world, &pair->client);
    world_until(&pair->world, pair->client.opened && pair->sides.count == 1);
    pair->server = pair->sides.sides[0];
}

void pair_open(struct pair *pair, int backend)
{
    pair_listen(pair, backend);
    pair_connect(pair);
}

void pair_close(struct pair *pair)
{
    world_close(&pair->world);
    sides_free(&pair->sides);
    side_free(&pair->client);
}

uint8_t *noise(size_t size)
{
    struct random random = {.state = size};
    uint8_t *bytes = malloc(size);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)random_next(&random);
    return bytes;
}

void send_all(struct side *side, const uint8_t *bytes, size_t size)
{
    struct random random = {.state = size};
    for (size_t at = 0; at < size;) {
        size_t piece = 1 + (size_t)random_below(&random, size - at < 9000 ? size - at : 9000);
        side_send(side, bytes + at, piece);
        at += piece;
    }
}

void check_bytes(const struct side *side, const uint8_t *bytes, size_t size)
{
    ck_assert_uint_eq(side->size, size);
    ck_assert(size == 0 || memcmp(side->bytes, bytes, size) == 0);
}

void part(struct pair *pair)
{
    net_finish(pair->client.net, pair->client.conn);
    net_finish(pair->server->net, pair->server->conn);
    world_until(&pair->world, pair->client.closed && pair->server->closed);
    ck_assert_int_eq(pair->client.reason, NET_CLOSE_FINISHED);
    ck_assert_int_eq(pair->server->reason, NET_CLOSE_FINISHED);
}
