/* Two TCP stacks, each a copy of its own, and a cable between them that does what it is told:
 * loses, doubles, swaps and damages frames, by lot from a seed, on a clock that only the lab moves.
 *
 * Every frame is a block of malloc's, so that a sanitizer sees one that is used after it was given
 * back; all must have been given back when the lab closes. */
#ifndef TESTS_ENGINE_NET_DPDK_LAB_H
#define TESTS_ENGINE_NET_DPDK_LAB_H

#include "base/random.h"
#include "engine/net/dpdk/module.h"

#define LAB_QUEUE 8192u

struct lab_faults { /* per million frames */
    uint32_t lost, doubled, swapped, damaged;
};

struct lab_frame;

struct lab_wire {
    struct wire wire;
    struct lab *lab;
    struct lab_wire *other;
    struct lab_frame *queue[LAB_QUEUE]; /* on their way to here */
    uint32_t head, tail;
    uint64_t frames_out; /* held by the stack */
    uint64_t sent;
    uint32_t queue_max; /* more finds no room */
};

struct lab {
    struct clock clock;
    uint64_t now_ns, latency_ns;
    struct random random;
    struct lab_faults faults;
    struct lab_wire wires[2];
    struct module modules[2];
    struct net *nets[2]; /* at 10.77.0.1 and .2, fd77::1 and ::2 */
};

/* Options but for wire, clock and addresses; zero ones get a default. */
void lab_open(struct lab *lab, uint64_t seed, const struct net_stack_options options[2]);
/* Deinitialises a net before the lab closes. */
void lab_close_net(struct lab *lab, unsigned side);
void lab_close(struct lab *lab);

/* A frame arrives at this side, as if the other had sent it. */
void lab_inject(struct lab *lab, unsigned side, const uint8_t *bytes, uint32_t size);
/* Takes what this side has sent; 0: nothing. */
uint32_t lab_overhear(struct lab *lab, unsigned side, uint8_t *bytes, uint32_t capacity);

/* Only the wires, without nets: to be tested alone. */
void lab_open_wires(struct lab *lab, uint64_t seed);
void lab_close_wires(struct lab *lab);

#endif
