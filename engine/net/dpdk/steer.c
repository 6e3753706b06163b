#include "engine/net/dpdk/steer.h"

#include "base/invariant.h"
#include "engine/net/dpdk/frame.h"

#include <string.h>

/* Microsoft's verification suite has published values for this key. */
const uint8_t steer_key[STEER_KEY_BYTES] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43,
    0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb,
    0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01,
    0xfa, 0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d,
};

/* The 32 bits of the key from this bit on. */
static uint32_t key_at(unsigned bit)
{
    uint64_t window = 0;
    for (unsigned i = 0; i < 5; i++)
        window = window << 8 | steer_key[bit / 8 + i];
    return (uint32_t)(window >> (8 - bit % 8));
}

void steer_init(struct steer *steer, uint32_t shards)
{
    INVARIANT(shards > 0);
    *steer = (struct steer){.shards = shards};
    for (unsigned place = 0; place < STEER_TUPLE_BYTES_MAX; place++)
        for (unsigned byte = 0; byte < 256; byte++)
            for (unsigned bit = 0; bit < 8; bit++)
                if (byte & 0x80u >> bit)
                    steer->table[place][byte] ^= key_at(place * 8 + bit);
}

void steer_keep(struct steer *steer, uint16_t port, uint32_t shard)
{
    if (steer->kept_count < STEER_KEPT_MAX)
        steer->kept[steer->kept_count++] = (struct steer_kept){.port = port, .shard = shard};
}

static uint32_t add(const struct steer *steer, unsigned *place, const void *bytes, size_t size)
{
    const uint8_t *data = bytes;
    uint32_t hash = 0;
    for (size_t i = 0; i < size; i++)
        hash ^= steer->table[(*place)++][data[i]];
    return hash;
}

uint32_t steer_hash(const struct steer *steer, const void *remote, const void *local,
                    size_t address_bytes, uint16_t remote_port, uint16_t local_port)
{
    unsigned place = 0;
    uint32_t hash = add(steer, &place, remote, address_bytes);
    hash ^= add(steer, &place, local, address_bytes);
    hash ^= add(steer, &place, &remote_port, sizeof remote_port);
    return hash ^ add(steer, &place, &local_port, sizeof local_port);
}

static uint32_t steer_tcp(const struct steer *steer, const struct frame_view *view)
{
    for (unsigned i = 0; i < steer->kept_count; i++)
        if (steer->kept[i].port == view->destination_port)
            return steer->kept[i].shard;
    return steer_shard(steer,
                       steer_hash(steer, view->source, view->destination, view->address_bytes,
                                  view->source_port, view->destination_port));
}

uint32_t steer_frame(const struct steer *steer, const uint8_t *frame, uint32_t size)
{
    struct frame_view view;
    switch (frame_look(frame, size, &view)) {
    case FRAME_TCP:
        return steer_tcp(steer, &view);
    case FRAME_NEIGHBOUR:
        return STEER_ALL;
    case FRAME_ECHO:
    case FRAME_USELESS:
        break;
    }
    return 0;
}
