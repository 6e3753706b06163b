/* One connection in a world: its two sides, and what most tests do with them. */
#ifndef TESTS_ENGINE_NET_PAIR_H
#define TESTS_ENGINE_NET_PAIR_H

#include "tests/engine/net/world.h"

struct pair {
    struct world world;
    struct sides sides; /* of the listener; its model may be set before */
    struct side client; /* its behaviour may be set before */
    struct side *server;
};

/* A world with a listener. */
void pair_listen(struct pair *pair, int backend);
void pair_connect(struct pair *pair);
void pair_open(struct pair *pair, int backend);
void pair_close(struct pair *pair);

/* Both ends end in order. */
void part(struct pair *pair);

/* Random bytes, always the same for a size; the caller frees them. */
uint8_t *noise(size_t size);

/* In pieces of random sizes. */
void send_all(struct side *side, const uint8_t *bytes, size_t size);

/* Exactly these were received. */
void check_bytes(const struct side *side, const uint8_t *bytes, size_t size);

#endif
