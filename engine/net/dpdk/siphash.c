#include "engine/net/dpdk/siphash.h"

struct state {
    uint64_t v[4];
};

static uint64_t rotate(uint64_t value, unsigned bits)
{
    return value << bits | value >> (64 - bits);
}

static void rounds(struct state *s, unsigned count)
{
    while (count-- > 0) {
        s->v[0] += s->v[1];
        s->v[2] += s->v[3];
        s->v[1] = rotate(s->v[1], 13) ^ s->v[0];
        s->v[3] = rotate(s->v[3], 16) ^ s->v[2];
        s->v[0] = rotate(s->v[0], 32) + s->v[3];
        s->v[2] += s->v[1];
        s->v[1] = rotate(s->v[1], 17) ^ s->v[2];
        s->v[3] = rotate(s->v[3], 21) ^ s->v[0];
        s->v[2] = rotate(s->v[2], 32);
    }
}

/* Little-endian; at most 8 bytes. */
static uint64_t word(const uint8_t *data, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value |= (uint64_t)data[i] << (8 * i);
    return value;
}

static void absorb(struct state *s, uint64_t value)
{
    s->v[3] ^= value;
    rounds(s, 2);
    s->v[0] ^= value;
}

uint64_t siphash(struct span bytes, const uint64_t key[2])
{
    struct state s = {{key[0] ^ 0x736f6d6570736575ull, key[1] ^ 0x646f72616e646f6dull,
                       key[0] ^ 0x6c7967656e657261ull, key[1] ^ 0x7465646279746573ull}};
    size_t at = 0;
    for (; bytes.size - at >= 8; at += 8)
        absorb(&s, word(bytes.data + at, 8));
    absorb(&s, word(bytes.data + at, bytes.size - at) | (uint64_t)bytes.size << 56);
    s.v[2] ^= 0xFF;
    rounds(&s, 4);
    return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}
