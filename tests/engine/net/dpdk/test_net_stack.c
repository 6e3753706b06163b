/* What only a TCP of our own can show: its neighbours, its bounds, its numbers. */
#include "engine/net/dpdk/net_stack.h"

#include "engine/net/dpdk/frame.h"
#include "tests/check_main.h"
#include "tests/engine/net/dpdk/frames.h"
#include "tests/engine/net/pair.h"

#include <arpa/inet.h>
#include <stdlib.h>

static void listen_on(struct pair *pair, const char *text)
{
    struct fault fault;
    union net_address address;
    struct net_listener_options options = {.backlog = 1024};
    struct net *net = pair->world.server;
    ck_assert_int_eq(net_address_parse(text, &address, &fault), STATUS_OK);
    pair->sides.model.world = &pair->world;
    pair->sides.model.net = net;
    enum status status = net->calls->listen(net, &address, &options, &accepting_handler,
                                            &pair->sides, &pair->world.address, &fault);
    ck_assert_msg(status == STATUS_OK, "%s", fault.text);
}

START_TEST(ipv6_carries_mail_as_well)
{
    const size_t size = 300000;
    struct pair pair = {.sides.model.echo = true};
    char text[NET_ADDRESS_TEXT_BYTES];
    world_open(&pair.world, BACKEND_DPDK, NULL);
    listen_on(&pair, "[fd77::1]:25");
    pair_connect(&pair);
    net_address_text(&pair.server->peer, text);
    ck_assert(strncmp(text, "[fd77::2]:", 10) == 0);
    uint8_t *bytes = noise(size);
    send_all(&pair.client, bytes, size);
    world_until(&pair.world, pair.client.size == size);
    check_bytes(&pair.client, bytes, size);
    part(&pair);
    pair_close(&pair);
    free(bytes);
}
END_TEST

START_TEST(other_addresses_are_not_its_own)
{
    struct pair pair = {0};
    struct fault fault;
    union net_address address;
    struct net_listener_options options = {.backlog = 8};
    world_open(&pair.world, BACKEND_DPDK, NULL);
    ck_assert_int_eq(net_address_parse("10.77.0.9:25", &address, &fault), STATUS_OK);
    ck_assert_int_eq(pair.world.server->calls->listen(pair.world.server, &address, &options,
                                                      &accepting_handler, &pair.sides, NULL,
                                                      &fault),
                     STATUS_NETWORK);
    ck_assert_ptr_nonnull(strstr(fault.text, "10.77.0.9:25"));
    pair_close(&pair);
}
END_TEST

/* ---------------------------------------------------------------------- frames made by hand ----
 */

/* The first frame that the server says for which `is` holds; 0: none. */
static uint32_t answer(struct world *world, uint8_t *frame, bool (*is)(const uint8_t *frame))
{
    for (unsigned turn = 0; turn < 10; turn++) {
        world->lab->now_ns += 20000;
        net_poll(world->server, 0);
        uint32_t size;
        while ((size = lab_overhear(world->lab, 0, frame, 2048)) > 0)
            if (is(frame))
                return size;
    }
    return 0;
}

static bool is_arp_reply(const uint8_t *frame)
{
    return frame[12] == 8 && frame[13] == 6 && frame[21] == 2;
}

static bool is_echo_reply(const uint8_t *frame)
{
    return frame[12] == 8 && frame[13] == 0 && frame[23] == 1 && frame[34] == 0;
}

static bool is_advertisement(const uint8_t *frame)
{
    return frame[12] == 0x86 && frame[20] == 58 && frame[54] == 136;
}

static void ask_for_mac(struct world *world)
{
    uint8_t frame[42] = {0};
    static const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 1};
    static const uint8_t from[10] = {2, 0, 0, 0, 99, 99, 10, 77, 0, 99};
    static const uint8_t to[4] = {10, 77, 0, 1};
    frames_ethernet(frame, 0x0806);
    memcpy(frame + 14, head, sizeof head);
    memcpy(frame + 22, from, sizeof from);
    memcpy(frame + 38, to, sizeof to);
    lab_inject(world->lab, 0, frame, sizeof frame);
}

START_TEST(answers_its_neighbours)
{
    struct pair pair = {0};
    uint8_t said[2048];
    pair_listen(&pair, BACKEND_DPDK);
    struct world *world = &pair.world;
    ask_for_mac(world);
    ck_assert_uint_ge(answer(world, said, is_arp_reply), 42);
    ck_assert_int_eq(memcmp(said + 22, world->lab->wires[0].wire.mac, 6), 0);

    uint8_t echo[60] = {0};
    frames_ethernet(echo, 0x0800);
    frames_ipv4(echo + 14, 0x0A4D0063, 1, 46);
    echo[34] = 8;
    memset(echo + 38, 0x55, 22);
    uint16_t sum = frames_sum(echo + 34, 26, 0);
    memcpy(echo + 36, &sum, 2);
    lab_inject(world->lab, 0, echo, sizeof echo);
    ck_assert_uint_eq(answer(world, said, is_echo_reply), sizeof echo);
    ck_assert_int_eq(memcmp(said + 38, echo + 38, 22), 0);

    uint8_t ask[86] = {0};
    frames_ethernet(ask, 0x86DD);
    static const uint8_t head[8] = {0x60, 0, 0, 0, 0, 32, 58, 255};
    memcpy(ask + 14, head, sizeof head);
    ck_assert_int_eq(inet_pton(AF_INET6, "fd77::99", ask + 22), 1);
    ck_assert_int_eq(inet_pton(AF_INET6, "ff02::1:ff00:1", ask + 38), 1);
    ask[54] = 135;
    ck_assert_int_eq(inet_pton(AF_INET6, "fd77::1", ask + 62), 1);
    static const uint8_t option[8] = {1, 1, 2, 0, 0, 0, 99, 99};
    memcpy(ask + 78, option, sizeof option);
    uint32_t pseudo = 58 + 32;
    for (unsigned i = 22; i < 54; i += 2)
        pseudo += (uint32_t)(ask[i] << 8 | ask[i + 1]);
    sum = frames_sum(ask + 54, 32, pseudo);
    memcpy(ask + 56, &sum, 2);
    lab_inject(world->lab, 0, ask, sizeof ask);
    ck_assert_uint_ge(answer(world, said, is_advertisement), 78);
    pair_close(&pair);
}
END_TEST

/* More requests than there is room for, from everywhere: who means it still gets in. */
START_TEST(a_flood_of_requests_keeps_nobody_out)
{
    struct pair pair = {0};
    uint8_t frame[FRAMES_BYTES_MAX];
    pair_listen(&pair, BACKEND_DPDK);
    struct segment segment = {
        .to = ntohs(pair.world.address.ipv4.sin_port), .flags = FRAME_SYN, .window = 16384};
    unsigned flood = 0;
    world_connect(&pair.world, &pair.client);
    while (pair.sides.count == 0 || flood < 20000) {
        for (unsigned i = 0; i < 20; i++, flood++) {
            segment.source = 0x0A4D0010 + flood % 200;
            segment.from = (uint16_t)(1024 + flood);
            segment.sequence = flood * 7919;
            lab_inject(pair.world.lab, 0, frame, frames_segment(&segment, frame));
        }
        world_turn(&pair.world);
        ck_assert_uint_lt(flood, 100000);
    }
    pair.server = pair.sides.sides[0];
    ck_assert_uint_eq(pair.sides.count, 1);
    part(&pair);
    pair_close(&pair);
}
END_TEST

/* ---------------------------------------------------------------------------- its bounds ---- */

START_TEST(as_many_connections_as_agreed)
{
    enum { CLIENTS = 10, ROOM = 4 };
    struct pair pair = {0};
    struct side clients[CLIENTS] = {0};
    world_open(&pair.world, BACKEND_DPDK, &(struct world_options){.connections_max = ROOM});
    world_listen(&pair.world, &pair.sides);
    for (unsigned i = 0; i < CLIENTS; i++)
        world_connect(&pair.world, &clients[i]);
    world_turns(&pair.world, 2000);
    ck_assert_uint_eq(pair.sides.count, ROOM);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct side *server = pair.sides.sides[i];
        net_abort(server->net, server->conn);
        unsigned expected = i + ROOM + 1 < CLIENTS ? i + ROOM + 1 : CLIENTS;
        world_until(&pair.world, server->closed && pair.sides.count == expected);
    }
    world_turns(&pair.world, 100);
    for (unsigned i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(clients[i].reason, NET_CLOSE_PEER);
    pair_close(&pair);
}
END_TEST

/* Who waits in line may lose patience; his place must not be lost with him. */
START_TEST(who_leaves_the_line_is_forgotten)
{
    enum { CLIENTS = 6 };
    struct pair pair = {0};
    struct side clients[CLIENTS] = {0};
    pair_listen(&pair, BACKEND_DPDK);
    pair.world.server->calls->accept_pause(pair.world.server, true);
    for (unsigned i = 0; i < CLIENTS; i++)
        world_connect(&pair.world, &clients[i]);
    for (unsigned i = 0; i < CLIENTS; i++)
        world_until(&pair.world, clients[i].opened);
    for (unsigned i = 0; i < CLIENTS - 1; i++)
        net_abort(clients[i].net, clients[i].conn);
    world_turns(&pair.world, 100);
    pair.world.server->calls->accept_pause(pair.world.server, false);
    world_turns(&pair.world, 100);
    ck_assert_uint_eq(pair.sides.count, 1);
    pair.client = clients[CLIENTS - 1];
    ck_assert_uint_eq(counters_of(pair.world.server).accepted, 1);
    ck_assert_uint_eq(counters_of(pair.world.server).refused, 0);
    pair_close(&pair);
}
END_TEST

/* The peer delays the acknowledgement of an odd segment: nobody must wait for that. */
START_TEST(the_end_of_something_long_is_released_early)
{
    for (size_t size = 65536; size < 65536 + 4 * 1460; size += 365) {
        struct pair pair = {0};
        uint8_t *bytes = noise(size);
        pair_open(&pair, BACKEND_DPDK);
        world_turns(&pair.world, 100);
        for (unsigned round = 1; round <= 6; round++) {
            uint64_t start_ns = pair.world.lab->now_ns;
            side_send(pair.server, bytes, size);
            side_send(pair.server, bytes, size);
            world_until(&pair.world, pair.server->drained >= round);
            if (round > 3) /* the window of congestion is open */
                ck_assert_uint_lt(pair.world.lab->now_ns - start_ns, 20 * NS_PER_MS);
            ck_assert_uint_eq(pair.world.released, pair.world.sent);
        }
        world_until(&pair.world, pair.client.size == 12 * size);
        for (unsigned i = 0; i < 12; i++)
            ck_assert_int_eq(memcmp(pair.client.bytes + i * size, bytes, size), 0);
        part(&pair);
        pair_close(&pair);
        free(bytes);
    }
}
END_TEST

/* … of an answer of any size: its sender may have the next one ready. */
START_TEST(the_end_of_an_answer_is_released_early)
{
    static const size_t sizes[] = {600, 1460, 1461, 2920, 2921, 4288, 5000, 8192, 12000, 30000};
    uint8_t *bytes = noise(30000);
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pair pair = {0};
        pair_open(&pair, BACKEND_DPDK);
        world_turns(&pair.world, 100);
        for (unsigned round = 1; round <= 8; round++) {
            uint64_t start_ns = pair.world.lab->now_ns;
            /* as a session does: in blocks of which the last may be short */
            for (size_t from = 0; from < sizes[i]; from += 4096)
                side_send(pair.server, bytes + from,
                          sizes[i] - from < 4096 ? sizes[i] - from : 4096);
            world_until(&pair.world, pair.server->drained >= round);
            if (round > 3) /* the window of congestion is open */
                ck_assert_uint_lt(pair.world.lab->now_ns - start_ns, 20 * NS_PER_MS);
        }
        world_until(&pair.world, pair.client.size == 8 * sizes[i]);
        for (unsigned round = 0; round < 8; round++)
            ck_assert_int_eq(memcmp(pair.client.bytes + round * sizes[i], bytes, sizes[i]), 0);
        part(&pair);
        pair_close(&pair);
    }
    free(bytes);
}
END_TEST

/* … nor for that of a few words; but many that nobody acknowledges are no longer copied. */
START_TEST(little_things_are_released_at_once)
{
    struct pair pair = {0};
    pair_open(&pair, BACKEND_DPDK);
    world_turns(&pair.world, 100);
    pair.world.lab->faults.lost = 1000000;
    for (unsigned i = 1; i <= 5; i++) {
        side_send(pair.server, "250 ok", 6);
        world_turn(&pair.world);
        expect(pair.server->drained == i);
    }
    for (unsigned i = 0; i < 1000; i++)
        side_send(pair.server, "250 ok", 6);
    world_turns(&pair.world, 100);
    ck_assert_uint_lt(pair.world.released, 100);
    pair.world.lab->faults.lost = 0;
    world_until(&pair.world, pair.client.size == 1005 * 6);
    world_until(&pair.world, pair.world.released == pair.world.sent);
    for (unsigned i = 0; i < 1005; i++)
        ck_assert_int_eq(memcmp(pair.client.bytes + i * 6, "250 ok", 6), 0);
    part(&pair);
    pair_close(&pair);
}
END_TEST

/* ---------------------------------------------------------------------------- its numbers ---- */

static bool is_syn(const uint8_t *frame)
{
    return frame[12] == 8 && frame[13] == 0 && frame[23] == 6 && frame[47] == FRAME_SYN;
}

START_TEST(nobody_guesses_the_next_connection)
{
    enum { COUNT = 20 };
    struct pair pair = {0};
    struct side sides[COUNT] = {0};
    uint32_t numbers[COUNT];
    pair_listen(&pair, BACKEND_DPDK);
    world_connect(&pair.world, &pair.client);
    world_until(&pair.world, pair.client.opened); /* the neighbour is known from now on */
    for (unsigned i = 0; i < COUNT; i++) {
        uint8_t frame[2048];
        uint32_t size;
        struct frame_view view;
        world_connect(&pair.world, &sides[i]);
        do {
            net_poll(pair.world.client, 0);
            size = lab_overhear(pair.world.lab, 1, frame, sizeof frame);
        } while (size == 0 || !is_syn(frame));
        ck_assert_int_eq(frame_look(frame, size, &view), FRAME_TCP);
        numbers[i] = view.sequence;
        for (unsigned j = 0; j < i; j++)
            ck_assert_uint_gt(
                numbers[i] > numbers[j] ? numbers[i] - numbers[j] : numbers[j] - numbers[i], 1000);
    }
    pair_close(&pair);
}
END_TEST

START_TEST(ports_lead_back_to_their_shard)
{
    static struct steer steer;
    steer_init(&steer, 3);
    for (uint32_t shard = 0; shard < 3; shard++) {
        struct lab *lab = calloc(1, sizeof *lab);
        ck_assert_ptr_nonnull(lab);
        const struct net_stack_options options[2] = {{0}, {.steer = &steer, .shard = shard}};
        struct pair pair = {0};
        world_open_lab(&pair.world, lab, options);
        world_listen(&pair.world, &pair.sides);
        for (unsigned i = 0; i < 30; i++) {
            struct side side = {0};
            world_connect(&pair.world, &side);
            world_until(&pair.world, side.opened && pair.sides.count == i + 1);
            const union net_address *ours = &pair.sides.sides[i]->peer;
            const union net_address *theirs = &pair.world.address;
            uint32_t hash = steer_hash(&steer, &theirs->ipv4.sin_addr, &ours->ipv4.sin_addr, 4,
                                       theirs->ipv4.sin_port, ours->ipv4.sin_port);
            ck_assert_uint_eq(steer_shard(&steer, hash), shard);
            net_abort(side.net, side.conn);
            world_until(&pair.world, side.closed && pair.sides.sides[i]->closed);
        }
        pair_close(&pair);
    }
}
END_TEST

START_TEST(far_away_is_reached_through_the_gateway)
{
    struct lab *lab = calloc(1, sizeof *lab);
    ck_assert_ptr_nonnull(lab);
    struct net_stack_options options[2] = {{0}, {0}};
    struct fault fault;
    ck_assert_int_eq(net_address_parse("10.77.0.1:0", &options[1].gateways[0], &fault), STATUS_OK);
    ck_assert_int_eq(net_address_parse("[fd77::1]:0", &options[1].gateways[1], &fault), STATUS_OK);
    struct pair pair = {0};
    world_open_lab(&pair.world, lab, options);
    static const char *const far[] = {"192.0.2.1:25", "[2001:db8::1]:25"};
    for (unsigned i = 0; i < 2; i++) {
        struct side side = {0};
        uint8_t frame[2048] = {0};
        struct frame_view view;
        ck_assert_int_eq(net_address_parse(far[i], &pair.world.address, &fault), STATUS_OK);
        world_connect(&pair.world, &side);
        while (frame_look(frame, sizeof frame, &view) != FRAME_TCP) {
            net_poll(pair.world.client, 0);
            uint32_t size = lab_overhear(lab, 1, frame, sizeof frame);
            if (size > 0)
                lab_inject(lab, 0, frame, size);
            net_poll(pair.world.server, 0);
            lab->now_ns += 20000;
        }
        ck_assert_int_eq(memcmp(frame, lab->wires[0].wire.mac, 6), 0);
        net_abort(side.net, side.conn);
        world_turns(&pair.world, 3);
    }
    pair_close(&pair);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net_stack");
    TCase *tcase = tcase_create("net_stack");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, ipv6_carries_mail_as_well);
    tcase_add_test(tcase, other_addresses_are_not_its_own);
    tcase_add_test(tcase, answers_its_neighbours);
    tcase_add_test(tcase, a_flood_of_requests_keeps_nobody_out);
    tcase_add_test(tcase, as_many_connections_as_agreed);
    tcase_add_test(tcase, who_leaves_the_line_is_forgotten);
    tcase_add_test(tcase, the_end_of_something_long_is_released_early);
    tcase_add_test(tcase, the_end_of_an_answer_is_released_early);
    tcase_add_test(tcase, little_things_are_released_at_once);
    tcase_add_test(tcase, nobody_guesses_the_next_connection);
    tcase_add_test(tcase, ports_lead_back_to_their_shard);
    tcase_add_test(tcase, far_away_is_reached_through_the_gateway);
    suite_add_tcase(suite, tcase);
    return suite;
}
