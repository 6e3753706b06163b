/* TCP over bad networks and with bad peers: nothing acknowledged is lost, nothing hangs for good,
 * and nothing is left behind. */
#include "engine/net/dpdk/net_stack.h"

#include "engine/net/dpdk/frame.h"
#include "tests/check_main.h"
#include "tests/engine/net/dpdk/frames.h"
#include "tests/engine/net/pair.h"

#include <arpa/inet.h>
#include <stdlib.h>

#define CLIENTS 12

struct crowd {
    struct pair pair;
    struct side clients[CLIENTS];
};

static struct crowd *crowd_open(uint64_t turn_ns)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    ck_assert_ptr_nonnull(crowd);
    pair_listen(&crowd->pair, BACKEND_DPDK);
    crowd->pair.world.turn_ns = turn_ns;
    return crowd;
}

static void crowd_close(struct crowd *crowd)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        side_free(&crowd->clients[i]);
    pair_close(&crowd->pair);
    free(crowd);
}

static const struct lab_faults networks[] = {
    {.lost = 10000},    {.lost = 50000, .doubled = 20000, .swapped = 50000, .damaged = 5000},
    {.lost = 200000},   {.swapped = 500000, .doubled = 100000},
    {.damaged = 50000}, {.lost = 200000, .doubled = 100000, .swapped = 300000, .damaged = 50000},
};

START_TEST(bytes_are_exact_over_bad_networks)
{
    const size_t size = 60000;
    struct crowd *crowd = crowd_open(NS_PER_MS);
    struct world *world = &crowd->pair.world;
    crowd->pair.sides.model.echo = true;
    crowd->pair.sides.model.finish_back = true;
    world->lab->faults = networks[_i];
    uint8_t *bytes = noise(size);
    for (unsigned i = 0; i < CLIENTS; i++) {
        world_connect(world, &crowd->clients[i]);
        send_all(&crowd->clients[i], bytes, size);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        world_until(world, crowd->clients[i].size == size || crowd->clients[i].closed);
        check_bytes(&crowd->clients[i], bytes, size);
        net_finish(crowd->clients[i].net, crowd->clients[i].conn);
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        world_until(world, crowd->clients[i].closed && crowd->pair.sides.sides[i]->closed);
    crowd_close(crowd);
    free(bytes);
}
END_TEST

/* The reader takes little and rarely; what asks for its window may get lost on the way. */
START_TEST(a_window_that_opens_late_opens)
{
    const size_t size = 700000;
    struct crowd *crowd = crowd_open(10 * NS_PER_MS);
    struct pair *pair = &crowd->pair;
    pair->sides.model.stubborn = true;
    pair_connect(pair);
    pair->world.lab->faults.lost = 100000;
    uint8_t *bytes = noise(size);
    send_all(&pair->client, bytes, size);
    world_turns(&pair->world, 6000); /* a minute */
    ck_assert_uint_eq(pair->server->size + pair->client.closed, 0);
    struct random random = {.state = 3};
    while (pair->server->size < size) {
        pair->server->take = (size_t)random_below(&random, 20000);
        net_resume(pair->server->net, pair->server->conn);
        world_turns(&pair->world, 10);
        ck_assert_uint_eq(pair->client.closed, 0);
    }
    check_bytes(pair->server, bytes, size);
    crowd_close(crowd);
    free(bytes);
}
END_TEST

static void vanish(struct world *world)
{
    world->lab->faults.lost = 1000000;
}

START_TEST(peers_that_vanish_are_noticed)
{
    struct crowd *crowd = crowd_open(50 * NS_PER_MS);
    struct pair *pair = &crowd->pair;
    pair_connect(pair);
    world_connect(&pair->world, &crowd->clients[0]);
    world_until(&pair->world, crowd->clients[0].opened && pair->sides.count == 2);
    struct side *sending = pair->sides.sides[1];
    vanish(&pair->world);
    side_send(sending, "are you there?", 14);
    world_turns(&pair->world, 6000);            /* five minutes */
    ck_assert_uint_eq(pair->server->closed, 1); /* nothing to say: by keepalive */
    ck_assert_int_eq(pair->server->reason, NET_CLOSE_PEER);
    world_turns(&pair->world, 1000);
    ck_assert_uint_eq(sending->closed, 1); /* repeated for long enough */
    ck_assert_int_eq(sending->reason, NET_CLOSE_PEER);
    struct side late = {0};
    world_connect(&pair->world, &late);
    world_turns(&pair->world, 1000);
    ck_assert_int_eq(late.reason, NET_CLOSE_REFUSED);
    crowd_close(crowd);
}
END_TEST

/* What the client would say after the one frame that is on its way, which goes on. */
static struct segment overhear(struct world *world)
{
    uint8_t frame[FRAMES_BYTES_MAX];
    struct frame_view view;
    uint32_t size = lab_overhear(world->lab, 1, frame, sizeof frame);
    ck_assert_int_eq(frame_look(frame, size, &view), FRAME_TCP);
    lab_inject(world->lab, 0, frame, size);
    return (struct segment){.window = 1000,
                            .source = 0x0A4D0002,
                            .from = ntohs(view.source_port),
                            .to = ntohs(view.destination_port),
                            .sequence = view.sequence + view.payload_bytes};
}

/* Resets that only guess, connection requests on top of it, and damaged ends: it goes on. Only the
 * reset that knows the number ends it (RFC 5961 section 3). */
START_TEST(a_storm_of_resets_breaks_nothing)
{
    struct crowd *crowd = crowd_open(NS_PER_MS);
    struct pair *pair = &crowd->pair;
    struct world *world = &pair->world;
    uint8_t frame[FRAMES_BYTES_MAX];
    pair_connect(pair);
    world_turns(world, 200);
    side_send(&pair->client, "first", 5);
    world->polling = true;
    net_poll(world->client, 0);
    world->polling = false;
    struct segment segment = overhear(world);
    world_until(world, pair->server->size == 5);
    const uint32_t right = segment.sequence;
    struct random random = {.state = 9};
    static const uint8_t flags[] = {FRAME_RST, FRAME_RST | FRAME_ACK, FRAME_SYN,
                                    FRAME_SYN | FRAME_ACK, FRAME_FIN | FRAME_SYN};
    for (unsigned i = 0; i < 5000; i++) {
        segment.sequence = right + 1 + (uint32_t)random_below(&random, UINT32_MAX - 1);
        segment.acknowledgement = (uint32_t)random_next(&random);
        segment.flags = flags[random_below(&random, sizeof flags)];
        lab_inject(world->lab, 0, frame, frames_segment(&segment, frame));
        if (i % 10 == 0)
            world_turn(world);
    }
    ck_assert_uint_eq(pair->server->closed + pair->client.closed, 0);
    side_send(&pair->client, " second", 7);
    world_until(world, pair->server->size == 12);
    check_bytes(pair->server, (const uint8_t *)"first second", 12);
    segment.flags = FRAME_RST;
    segment.sequence = right + 7;
    lab_inject(world->lab, 0, frame, frames_segment(&segment, frame));
    world_until(world, pair->server->closed);
    ck_assert_int_eq(pair->server->reason, NET_CLOSE_PEER);
    crowd_close(crowd);
}
END_TEST

/* The other end has lost its memory, and says so to the first thing it hears. */
START_TEST(a_peer_that_started_anew_is_noticed)
{
    struct crowd *crowd = crowd_open(NS_PER_MS);
    struct pair *pair = &crowd->pair;
    pair_connect(pair);
    world_turns(&pair->world, 100);
    vanish(&pair->world); /* it has no time to say goodbye */
    net_abort(pair->client.net, pair->client.conn);
    world_until(&pair->world, pair->client.closed);
    pair->world.lab->faults = (struct lab_faults){0};
    side_send(pair->server, "still there?", 12);
    world_until(&pair->world, pair->server->closed);
    ck_assert_int_eq(pair->server->reason, NET_CLOSE_PEER);
    ck_assert_uint_eq(pair->world.released, pair->world.sent);
    crowd_close(crowd);
}
END_TEST

/* Both ends of a hundred connections finish, abort, send and stop at random moments. */
struct churn {
    struct crowd *crowd;
    struct random random;
    unsigned begun, ended;
};

static void act(struct churn *churn, struct side *side)
{
    if (!side->opened || side->closed)
        return;
    switch (random_below(&churn->random, 12)) {
    case 0:
        net_abort(side->net, side->conn);
        break;
    case 1:
    case 2:
        net_finish(side->net, side->conn);
        break;
    case 3:
    case 4:
        side_send(side, "some words that want to be heard", 32);
        break;
    case 5:
        side->stubborn = !side->stubborn;
        side->take = side->stubborn ? 7 : SIZE_MAX;
        net_resume(side->net, side->conn);
        break;
    default:
        break;
    }
}

static void begin_again(struct churn *churn, struct side *side)
{
    churn->ended += side->closed;
    side_free(side);
    *side = (struct side){0};
    world_connect(&churn->crowd->pair.world, side);
    if (random_below(&churn->random, 20) == 0)
        net_abort(side->net, side->conn);
    churn->begun++;
}

/* Sides that are over make room for others. */
static void sweep(struct sides *sides)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < sides->count; i++) {
        struct side *side = sides->sides[i];
        if (side->closed) {
            side_free(side);
            free(side);
        } else {
            sides->sides[kept++] = side;
        }
    }
    sides->count = kept;
}

START_TEST(connections_come_and_go_at_random)
{
    const unsigned wanted = getenv("MAILRACE_LONG") ? 100000 : 6000;
    struct churn churn = {.crowd = crowd_open(NS_PER_MS), .random.state = 11};
    struct pair *pair = &churn.crowd->pair;
    pair->sides.model.finish_back = true;
    pair->world.lab->faults = (struct lab_faults){.lost = 5000, .doubled = 5000, .swapped = 10000};
    enum { MANY = 100 };
    struct side *clients = calloc(MANY, sizeof *clients);
    ck_assert_ptr_nonnull(clients);
    while (churn.ended < wanted) {
        for (unsigned i = 0; i < MANY; i++) {
            if (clients[i].closed || !clients[i].world)
                begin_again(&churn, &clients[i]);
            act(&churn, &clients[i]);
        }
        for (unsigned i = 0; i < pair->sides.count; i++)
            act(&churn, pair->sides.sides[i]);
        world_turn(&pair->world);
        sweep(&pair->sides);
    }
    world_close_client(&pair->world);
    world_close_server(&pair->world);
    for (unsigned i = 0; i < MANY; i++) {
        ck_assert_uint_eq(clients[i].closed, 1);
        side_free(&clients[i]);
    }
    free(clients);
    crowd_close(churn.crowd);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net_stack_bad");
    TCase *tcase = tcase_create("net_stack_bad");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, bytes_are_exact_over_bad_networks, 0,
                        sizeof networks / sizeof *networks);
    tcase_add_test(tcase, a_window_that_opens_late_opens);
    tcase_add_test(tcase, peers_that_vanish_are_noticed);
    tcase_add_test(tcase, a_storm_of_resets_breaks_nothing);
    tcase_add_test(tcase, a_peer_that_started_anew_is_noticed);
    tcase_add_test(tcase, connections_come_and_go_at_random);
    suite_add_tcase(suite, tcase);
    return suite;
}
