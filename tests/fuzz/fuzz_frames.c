/* The TCP stack against whatever a wire may bring: frames as they are, and segments with right
 * checksums that know the stack's numbers, so that they get beyond its first checks; in between
 * time passes, and the sessions on top send, finish, abort and pause.
 *
 * The input is a list of steps: a byte that says which, and what it needs. */
#include "base/clock.h"
#include "base/invariant.h"
#include "engine/net/dpdk/frame.h"
#include "engine/net/dpdk/net_stack.h"
#include "tests/engine/net/dpdk/frames.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { PEERS = 4, SESSIONS = 8, PORT = 25, QUEUE = WIRE_BURST };

struct input {
    const uint8_t *data;
    size_t size;
};

struct fuzz_frame {
    struct frame frame;
    uint8_t bytes[];
};

struct session {
    struct fuzz *fuzz;
    struct net_conn conn;
    struct net_tx tx;
    bool used, sending, lazy;
};

struct fuzz {
    struct wire wire;
    struct clock clock;
    uint64_t now_ns;
    struct net *net;
    struct fuzz_frame *queue[QUEUE];
    unsigned queued;
    uint64_t frames_out;
    uint32_t said[PEERS], heard[PEERS]; /* next numbers: the stack's, and the peer's own */
    struct session sessions[SESSIONS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t take(struct input *input, unsigned bytes)
{
    uint32_t value = 0;
    while (bytes-- > 0 && input->size > 0) {
        value = value << 8 | *input->data++;
        input->size--;
    }
    return value;
}

static struct input take_run(struct input *input, size_t size)
{
    struct input run = {input->data, size < input->size ? size : input->size};
    input->data += run.size;
    input->size -= run.size;
    return run;
}

/* ---------------------------------------------------------------------------------- the wire ----
 */

static struct fuzz *fuzz_of(struct wire *wire)
{
    return (struct fuzz *)wire;
}

static struct fuzz_frame *make(const uint8_t *bytes, uint32_t size)
{
    struct fuzz_frame *made = malloc(sizeof *made + size);
    INVARIANT(made);
    *made = (struct fuzz_frame){.frame = {.data = made->bytes, .size = size}};
    if (bytes && size > 0)
        memcpy(made->bytes, bytes, size);
    return made;
}

static unsigned fuzz_receive(struct wire *wire, struct frame **frames, unsigned max)
{
    struct fuzz *fuzz = fuzz_of(wire);
    unsigned count = fuzz->queued;
    INVARIANT(count <= max);
    for (unsigned i = 0; i < count; i++)
        frames[i] = &fuzz->queue[i]->frame;
    fuzz->queued = 0;
    fuzz->frames_out += count;
    return count;
}

static struct frame *fuzz_take(struct wire *wire, uint32_t size)
{
    fuzz_of(wire)->frames_out++;
    return &make(NULL, size)->frame;
}

static void fuzz_give(struct wire *wire, struct frame *frame)
{
    fuzz_of(wire)->frames_out--;
    free(frame);
}

/* What the stack says tells its peers where its numbers are. */
static void fuzz_send(struct wire *wire, struct frame *frame)
{
    struct fuzz *fuzz = fuzz_of(wire);
    struct frame_view view;
    if (frame_look(frame->data, frame->size, &view) == FRAME_TCP && !(view.flags & FRAME_RST)) {
        bool counts = view.flags & (FRAME_SYN | FRAME_FIN);
        fuzz->said[ntohs(view.destination_port) % PEERS] =
            view.sequence + view.payload_bytes + counts;
    }
    fuzz_give(wire, frame);
}

static void fuzz_flush(struct wire *wire)
{
    (void)wire;
}

static const struct wire_calls wire_calls = {fuzz_receive, fuzz_take, fuzz_send, fuzz_flush,
                                             fuzz_give};

static uint64_t fuzz_ns(void *context)
{
    return ((const struct fuzz *)context)->now_ns;
}

/* ------------------------------------------------------------------------------ the sessions ----
 */

static void *opened(void *context, struct net_conn conn, const union net_address *peer)
{
    struct fuzz *fuzz = context;
    INVARIANT(peer->any.sa_family != 0);
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *session = &fuzz->sessions[i];
        if (session->used || session->sending)
            continue;
        *session = (struct session){.fuzz = fuzz, .conn = conn, .used = true};
        return session;
    }
    return NULL;
}

static size_t received(void *context, struct span bytes)
{
    const struct session *session = context;
    unsigned sum = 0;
    INVARIANT(session->used && bytes.size > 0);
    for (size_t i = 0; i < bytes.size; i++)
        sum += bytes.data[i];
    return session->lazy ? sum % 2 : bytes.size;
}

static void peer_finished(void *context)
{
    struct session *session = context;
    INVARIANT(session->used);
    net_finish(session->fuzz->net, session->conn);
}

static void drained(void *context)
{
    INVARIANT(((const struct session *)context)->used);
}

static void closed(void *context, enum net_close_reason reason)
{
    struct session *session = context;
    (void)reason;
    INVARIANT(session->used);
    session->used = false;
}

static const struct net_handler handler = {
    .opened = opened,
    .received = received,
    .peer_finished = peer_finished,
    .drained = drained,
    .closed = closed,
};

static void released(struct net_tx *tx, void *context)
{
    (void)tx;
    struct session *session = context;
    INVARIANT(session->sending);
    session->sending = false;
}

static void act(struct fuzz *fuzz, struct input *input)
{
    static const uint8_t text[5000];
    struct session *session = &fuzz->sessions[take(input, 1) % SESSIONS];
    switch (take(input, 1) % 5) {
    case 0:
        if (session->sending)
            break;
        session->sending = true;
        session->tx = (struct net_tx){.data = text,
                                      .size = take(input, 2) % 5000 + 1,
                                      .release = released,
                                      .context = session};
        net_send(fuzz->net, session->conn, &session->tx);
        break;
    case 1:
        net_finish(fuzz->net, session->conn);
        break;
    case 2:
        net_abort(fuzz->net, session->conn);
        break;
    case 3:
        session->lazy = !session->lazy;
        net_resume(fuzz->net, session->conn);
        break;
    default:
        fuzz->net->calls->accept_pause(fuzz->net, take(input, 1) % 2);
    }
}

/* ----------------------------------------------------------------------------------- the run ----
 */

static void arrive(struct fuzz *fuzz, const uint8_t *bytes, uint32_t size)
{
    if (fuzz->queued == QUEUE)
        net_poll(fuzz->net, 0);
    fuzz->queue[fuzz->queued++] = make(bytes, size);
}

static void arrive_segment(struct fuzz *fuzz, struct input *input)
{
    uint8_t frame[FRAMES_BYTES_MAX];
    unsigned peer = take(input, 1) % PEERS;
    struct segment segment = {.source = 0x0A4D0010 + peer,
                              .from = (uint16_t)(1024 * PEERS + peer),
                              .to = PORT,
                              .flags = (uint8_t)take(input, 1),
                              .window = (uint16_t)take(input, 2)};
    segment.sequence = fuzz->heard[peer] + (uint32_t)(int32_t)(int8_t)take(input, 1);
    segment.acknowledgement = fuzz->said[peer] + (uint32_t)(int32_t)(int8_t)take(input, 1);
    struct input options = take_run(input, take(input, 1) % 11 * 4);
    struct input payload = take_run(input, take(input, 2) % 1400);
    segment.options = options.data;
    segment.options_bytes = options.size / 4 * 4;
    segment.payload = payload.data;
    segment.payload_bytes = payload.size;
    fuzz->heard[peer] = segment.sequence + (uint32_t)payload.size +
                        (segment.flags & (FRAME_SYN | FRAME_FIN) ? 1 : 0);
    arrive(fuzz, frame, frames_segment(&segment, frame));
}

static void step(struct fuzz *fuzz, struct input *input)
{
    struct input run;
    switch (take(input, 1) % 5) {
    case 0:
        run = take_run(input, take(input, 2) % 1600);
        arrive(fuzz, run.data, (uint32_t)run.size);
        break;
    case 1:
    case 2:
        arrive_segment(fuzz, input);
        break;
    case 3:
        act(fuzz, input);
        break;
    default:
        fuzz->now_ns += (uint64_t)take(input, 2) * NS_PER_MS;
        net_poll(fuzz->net, 0);
    }
}

static void open_net(struct fuzz *fuzz)
{
    struct net_stack_options options = {.wire = &fuzz->wire,
                                        .clock = &fuzz->clock,
                                        .connections_max = SESSIONS / 2,
                                        .half_open_max = 3,
                                        .kept_bytes = 10000,
                                        .seed = 1,
                                        .addresses_count = 1};
    union net_address address;
    const struct net_listener_options listener = {.backlog = 8};
    enum status status = net_address_parse("10.77.0.1:25", &address, NULL);
    options.addresses[0] = (struct net_stack_address){address, 24};
    if (status == STATUS_OK)
        status = net_stack_open(&fuzz->net, &options, NULL);
    if (status == STATUS_OK)
        status =
            fuzz->net->calls->listen(fuzz->net, &address, &listener, &handler, fuzz, NULL, NULL);
    INVARIANT(status == STATUS_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct fuzz *fuzz = calloc(1, sizeof *fuzz);
    INVARIANT(fuzz);
    fuzz->wire =
        (struct wire){.calls = &wire_calls, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .frames = 64};
    fuzz->clock = (struct clock){fuzz_ns, fuzz_ns, fuzz};
    fuzz->now_ns = NS_PER_S;
    open_net(fuzz);
    while (input.size > 0)
        step(fuzz, &input);
    net_poll(fuzz->net, 0);
    fuzz->net->calls->deinit(fuzz->net);
    for (unsigned i = 0; i < SESSIONS; i++)
        INVARIANT(!fuzz->sessions[i].used && !fuzz->sessions[i].sending);
    INVARIANT(fuzz->frames_out == 0);
    free(fuzz);
    return 0;
}
