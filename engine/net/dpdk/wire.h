/* Ethernet as a TCP stack sees it: frames come, frames go.
 *
 * A wire is one thread's: a queue of a DPDK port, or in tests a piece of memory with faults. A
 * frame belongs to whoever holds it: the stack from wire_receive or wire_take until it passes it to
 * wire_send or gives it back with wire_give. A wire never blocks: what it can't carry it refuses or
 * drops, and TCP repeats. */
#ifndef ENGINE_NET_DPDK_WIRE_H
#define ENGINE_NET_DPDK_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#define WIRE_BURST 32u

struct frame {
    uint64_t stack[6]; /* the stack's while it holds the frame */
    uint8_t *data;     /* from the destination address on, without the check sequence */
    uint32_t size;     /* bytes there; when taken, how many fit */
};

struct wire;

struct wire_calls {
    /* At most `max` frames that have arrived. */
    unsigned (*receive)(struct wire *wire, struct frame **frames, unsigned max);
    /* An empty frame to be filled with `size` bytes; NULL when there is no room for more. */
    struct frame *(*take)(struct wire *wire, uint32_t size);
    void (*send)(struct wire *wire, struct frame *frame); /* on its way with the next flush */
    void (*flush)(struct wire *wire);
    void (*give)(struct wire *wire, struct frame *frame);
};

struct wire { /* at the head of every implementation */
    const struct wire_calls *calls;
    uint8_t mac[6];
    uint16_t mtu;    /* bytes of an IP packet */
    bool unchecked;  /* TCP and headers of IP have no checksum, either way */
    uint32_t frames; /* how many can be held before nothing is received any more */
    uint64_t moved;  /* frames that came and went: whether anything goes on */
};

static inline unsigned wire_receive(struct wire *wire, struct frame **frames, unsigned max)
{
    return wire->calls->receive(wire, frames, max);
}

static inline struct frame *wire_take(struct wire *wire, uint32_t size)
{
    return wire->calls->take(wire, size);
}

static inline void wire_send(struct wire *wire, struct frame *frame)
{
    wire->calls->send(wire, frame);
}

static inline void wire_flush(struct wire *wire)
{
    wire->calls->flush(wire);
}

static inline void wire_give(struct wire *wire, struct frame *frame)
{
    wire->calls->give(wire, frame);
}

#endif
