#include "tests/engine/net/dpdk/lab.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#define FRAME_BYTES_MAX 9014u

struct lab_frame {
    struct frame frame;
    uint64_t at_ns;
    uint8_t bytes[];
};

static uint64_t lab_ns(void *context)
{
    return ((const struct lab *)context)->now_ns;
}

static struct lab_wire *lab_of(struct wire *wire)
{
    return (struct lab_wire *)wire;
}

static struct lab_frame *make(const uint8_t *bytes, uint32_t size)
{
    struct lab_frame *made = malloc(sizeof *made + size);
    ck_assert_ptr_nonnull(made);
    *made = (struct lab_frame){.frame = {.data = made->bytes, .size = size}};
    if (bytes)
        memcpy(made->bytes, bytes, size);
    return made;
}

static uint32_t waiting(const struct lab_wire *wire)
{
    return wire->tail - wire->head;
}

static void push(struct lab_wire *wire, struct lab_frame *frame)
{
    if (waiting(wire) == LAB_QUEUE) {
        free(frame);
        return;
    }
    wire->queue[wire->tail++ % LAB_QUEUE] = frame;
}

static struct lab_frame *pop(struct lab_wire *wire)
{
    return wire->queue[wire->head++ % LAB_QUEUE];
}

static bool happens(struct lab *lab, uint32_t per_million)
{
    return per_million > 0 && random_below(&lab->random, 1000000) < per_million;
}

/* The frame and one that is on its way already change places. */
static void swap(struct lab_wire *wire)
{
    uint32_t count = waiting(wire);
    if (count < 2)
        return;
    uint32_t back = 1 + (uint32_t)random_below(&wire->lab->random, count < 8 ? count - 1 : 7);
    struct lab_frame **a = &wire->queue[(wire->tail - 1) % LAB_QUEUE];
    struct lab_frame **b = &wire->queue[(wire->tail - 1 - back) % LAB_QUEUE];
    struct lab_frame *frame = *a;
    *a = *b;
    *b = frame;
    uint64_t at_ns = (*a)->at_ns;
    (*a)->at_ns = (*b)->at_ns;
    (*b)->at_ns = at_ns;
}

static void carry(struct lab_wire *to, struct lab_frame *frame)
{
    struct lab *lab = to->lab;
    frame->at_ns = lab->now_ns + lab->latency_ns;
    if (happens(lab, lab->faults.lost)) {
        free(frame);
        return;
    }
    if (happens(lab, lab->faults.damaged))
        frame->bytes[random_below(&lab->random, frame->frame.size)] ^=
            (uint8_t)(1u << random_below(&lab->random, 8));
    if (happens(lab, lab->faults.doubled)) {
        struct lab_frame *again = make(frame->bytes, frame->frame.size);
        again->at_ns = frame->at_ns;
        push(to, again);
    }
    push(to, frame);
    if (happens(lab, lab->faults.swapped))
        swap(to);
}

static unsigned lab_receive(struct wire *base, struct frame **frames, unsigned max)
{
    struct lab_wire *wire = lab_of(base);
    unsigned count = 0;
    while (count < max && waiting(wire) > 0 &&
           wire->queue[wire->head % LAB_QUEUE]->at_ns <= wire->lab->now_ns) {
        frames[count++] = &pop(wire)->frame;
        wire->frames_out++;
    }
    return count;
}

static struct frame *lab_take(struct wire *base, uint32_t size)
{
    struct lab_wire *wire = lab_of(base);
    if (size > FRAME_BYTES_MAX || waiting(wire->other) >= wire->queue_max)
        return NULL;
    wire->frames_out++;
    return &make(NULL, size)->frame;
}

static void lab_give(struct wire *base, struct frame *frame)
{
    lab_of(base)->frames_out--;
    free((struct lab_frame *)(void *)frame);
}

static void lab_send(struct wire *base, struct frame *frame)
{
    struct lab_wire *wire = lab_of(base);
    wire->frames_out--;
    wire->sent++;
    carry(wire->other, (struct lab_frame *)(void *)frame);
}

static void lab_flush(struct wire *base)
{
    (void)base; /* sent is on its way */
}

static const struct wire_calls lab_calls = {
    .receive = lab_receive,
    .take = lab_take,
    .send = lab_send,
    .flush = lab_flush,
    .give = lab_give,
};

void lab_open_wires(struct lab *lab, uint64_t seed)
{
    *lab = (struct lab){.clock = {lab_ns, lab_ns, lab},
                        .random.state = seed,
                        .now_ns = NS_PER_S,
                        .latency_ns = 10000};
    for (uint8_t i = 0; i < 2; i++)
        lab->wires[i] = (struct lab_wire){
            .wire = {.calls = &lab_calls, .mac = {2, 0, 0, 0, 77, i}, .mtu = 1500, .frames = 4096},
            .lab = lab,
            .other = &lab->wires[1 - i],
            .queue_max = LAB_QUEUE / 2};
}

static void add_address(struct net_stack_options *options, const char *text, uint8_t bits)
{
    struct fault fault;
    struct net_stack_address *address = &options->addresses[options->addresses_count++];
    address->prefix_bits = bits;
    ck_assert_int_eq(net_address_parse(text, &address->address, &fault), STATUS_OK);
}

void lab_open(struct lab *lab, uint64_t seed, const struct net_stack_options options[2])
{
    static const char *const texts[2][2] = {{"10.77.0.1:0", "[fd77::1]:0"},
                                            {"10.77.0.2:0", "[fd77::2]:0"}};
    lab_open_wires(lab, seed);
    for (unsigned i = 0; i < 2; i++) {
        struct net_stack_options mine = options[i];
        struct fault fault;
        mine.wire = &lab->wires[i].wire;
        mine.clock = &lab->clock;
        mine.seed = seed + i;
        mine.half_open_max = mine.half_open_max ? mine.half_open_max : 1100;
        mine.connections_max = mine.connections_max ? mine.connections_max : 1100;
        mine.kept_bytes = mine.kept_bytes ? mine.kept_bytes : NET_STACK_KEPT_BYTES_DEFAULT;
        add_address(&mine, texts[i][0], 24);
        add_address(&mine, texts[i][1], 64);
        enum status status = module_load(&lab->modules[i], &fault);
        ck_assert_msg(status == STATUS_OK, "%s", fault.text);
        ck_assert_int_eq(lab->modules[i].open(&lab->nets[i], &mine, &fault), STATUS_OK);
    }
}

void lab_close_net(struct lab *lab, unsigned side)
{
    lab->nets[side]->calls->deinit(lab->nets[side]);
    lab->nets[side] = NULL;
    module_unload(&lab->modules[side]);
}

void lab_close_wires(struct lab *lab)
{
    for (unsigned i = 0; i < 2; i++) {
        while (waiting(&lab->wires[i]) > 0)
            free(pop(&lab->wires[i]));
        ck_assert_uint_eq(lab->wires[i].frames_out, 0);
    }
}

void lab_close(struct lab *lab)
{
    for (unsigned i = 0; i < 2; i++)
        if (lab->nets[i])
            lab_close_net(lab, i);
    lab_close_wires(lab);
}

void lab_inject(struct lab *lab, unsigned side, const uint8_t *bytes, uint32_t size)
{
    struct lab_frame *frame = make(bytes, size);
    frame->at_ns = lab->now_ns;
    push(&lab->wires[side], frame);
}

uint32_t lab_overhear(struct lab *lab, unsigned side, uint8_t *bytes, uint32_t capacity)
{
    struct lab_wire *wire = &lab->wires[1 - side];
    if (waiting(wire) == 0)
        return 0;
    struct lab_frame *frame = pop(wire);
    uint32_t size = frame->frame.size < capacity ? frame->frame.size : capacity;
    memcpy(bytes, frame->bytes, size);
    free(frame);
    return size;
}
