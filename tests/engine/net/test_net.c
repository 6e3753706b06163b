/* What every backend promises (engine/net/net.h), checked on each of them. */
#include "base/random.h"
#include "tests/check_main.h"
#include "tests/engine/net/pair.h"

#include <stdio.h>
#include <stdlib.h>

START_TEST(opens_and_tells_who_is_there)
{
    struct pair pair = {0};
    pair_open(&pair, _i);
    char text[NET_ADDRESS_TEXT_BYTES];
    const char *host = world_client_host(&pair.world);
    net_address_text(&pair.server->peer, text);
    ck_assert(strncmp(text, host, strlen(host)) == 0 && text[strlen(host)] == ':');
    ck_assert_uint_eq(pair.client.peer.ipv4.sin_port, pair.world.address.ipv4.sin_port);
    part(&pair);
    struct net_counters server, client;
    pair.world.server->calls->counters(pair.world.server, &server);
    pair.world.client->calls->counters(pair.world.client, &client);
    ck_assert_uint_eq(server.accepted, 1);
    ck_assert_uint_eq(server.connected, 0);
    ck_assert_uint_eq(server.closed, 1);
    ck_assert_uint_eq(client.connected, 1);
    ck_assert_uint_eq(client.errors, 0);
    pair_close(&pair);
}
END_TEST

START_TEST(refused_is_the_only_call)
{
    struct pair pair = {0};
    pair_listen(&pair, _i);
    pair.world.server->calls->unlisten(pair.world.server);
    world_turns(&pair.world, 3);
    world_connect(&pair.world, &pair.client);
    side_send(&pair.client, "never sent", 10);
    world_until(&pair.world, pair.client.closed);
    ck_assert_int_eq(pair.client.reason, NET_CLOSE_REFUSED);
    ck_assert_uint_eq(pair.client.calls, 1);
    struct net_counters counters;
    pair.world.client->calls->counters(pair.world.client, &counters);
    ck_assert_uint_eq(counters.refused, 1);
    pair_close(&pair);
}
END_TEST

START_TEST(carries_exact_bytes_both_ways)
{
    static const size_t sizes[] = {1, 2, 1023, 1024, 1025, 65536, 1000003};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct pair pair = {.sides.model.echo = true};
        pair_open(&pair, _i);
        uint8_t *bytes = noise(sizes[i]);
        send_all(&pair.client, bytes, sizes[i]);
        world_until(&pair.world, pair.client.size == sizes[i]);
        check_bytes(pair.server, bytes, sizes[i]);
        check_bytes(&pair.client, bytes, sizes[i]);
        part(&pair);
        struct net_counters counters;
        pair.world.server->calls->counters(pair.world.server, &counters);
        ck_assert_uint_eq(counters.bytes_in, sizes[i]);
        ck_assert_uint_eq(counters.bytes_out, sizes[i]);
        pair_close(&pair);
        free(bytes);
    }
}
END_TEST

START_TEST(delivers_again_what_was_left)
{
    const size_t size = 200000;
    struct pair pair = {.sides.model = {.stubborn = true, .take = 10}};
    pair_open(&pair, _i);
    uint8_t *bytes = noise(size);
    send_all(&pair.client, bytes, size);
    net_finish(pair.client.net, pair.client.conn);
    world_until(&pair.world, pair.server->size == 10);
    unsigned calls = pair.server->calls;
    world_turns(&pair.world, 20);
    ck_assert_uint_eq(pair.server->calls, calls); /* paused is paused */
    struct random random = {.state = 7};
    while (pair.server->size < size) {
        ck_assert_uint_eq(pair.server->finished, 0);
        pair.server->take = (size_t)random_below(&random, 6000);
        net_resume(pair.server->net, pair.server->conn);
        world_turn(&pair.world);
    }
    net_resume(pair.server->net, pair.server->conn);
    world_until(&pair.world, pair.server->finished);
    check_bytes(pair.server, bytes, size);
    part(&pair);
    pair_close(&pair);
    free(bytes);
}
END_TEST

static void resume_now(struct side *side)
{
    side->take = side->size < 5000 ? 100 : SIZE_MAX;
    net_resume(side->net, side->conn);
}

START_TEST(resume_inside_received_counts_for_the_next_turn)
{
    struct pair pair = {.sides.model = {.stubborn = true, .take = 100, .act = resume_now}};
    pair_open(&pair, _i);
    uint8_t *bytes = noise(20000);
    send_all(&pair.client, bytes, 20000);
    world_until(&pair.world, pair.server->size == 20000);
    check_bytes(pair.server, bytes, 20000);
    part(&pair);
    pair_close(&pair);
    free(bytes);
}
END_TEST

START_TEST(half_close_still_sends)
{
    struct pair pair = {0};
    pair_open(&pair, _i);
    side_send(&pair.client, "question", 8);
    net_finish(pair.client.net, pair.client.conn);
    world_until(&pair.world, pair.server->finished);
    check_bytes(pair.server, (const uint8_t *)"question", 8);
    world_turns(&pair.world, 5);
    ck_assert_uint_eq(pair.server->closed + pair.client.closed, 0);
    side_send(pair.server, "answer", 6);
    net_finish(pair.server->net, pair.server->conn);
    world_until(&pair.world, pair.client.closed && pair.server->closed);
    check_bytes(&pair.client, (const uint8_t *)"answer", 6);
    ck_assert_uint_eq(pair.client.finished, 1);
    ck_assert_int_eq(pair.client.reason, NET_CLOSE_FINISHED);
    ck_assert_int_eq(pair.server->reason, NET_CLOSE_FINISHED);
    pair_close(&pair);
}
END_TEST

START_TEST(finish_sends_all_first)
{
    const size_t size = 3000000;
    struct pair pair = {.client.finish_back = true};
    pair_open(&pair, _i);
    uint8_t *bytes = noise(size);
    send_all(pair.server, bytes, size);
    net_finish(pair.server->net, pair.server->conn);
    side_send(pair.server, "too late", 8); /* released, never sent */
    world_until(&pair.world, pair.client.closed && pair.server->closed);
    check_bytes(&pair.client, bytes, size);
    ck_assert_int_eq(pair.client.reason, NET_CLOSE_FINISHED);
    ck_assert_int_eq(pair.server->reason, NET_CLOSE_FINISHED);
    pair_close(&pair);
    free(bytes);
}
END_TEST

START_TEST(abort_drops_and_resets)
{
    const size_t size = 20000000;
    struct pair pair = {.client.stubborn = true};
    pair_open(&pair, _i);
    uint8_t *bytes = noise(size);
    send_all(pair.server, bytes, size);
    world_turns(&pair.world, 10);
    ck_assert_uint_lt(pair.world.released, pair.world.sent);
    net_abort(pair.server->net, pair.server->conn);
    net_abort(pair.server->net, pair.server->conn);
    side_send(pair.server, "too late", 8);
    ck_assert_uint_eq(pair.server->closed, 0); /* never from within the call */
    world_until(&pair.world, pair.server->closed);
    ck_assert_int_eq(pair.server->reason, NET_CLOSE_ABORTED);
    ck_assert_uint_eq(pair.world.released, pair.world.sent);
    world_turns(&pair.world, 3);
    side_send(&pair.client, "anybody?", 8);
    world_until(&pair.world, pair.client.closed);
    ck_assert_int_eq(pair.client.reason, NET_CLOSE_PEER);
    pair_close(&pair);
    free(bytes);
}
END_TEST

START_TEST(stale_names_are_harmless)
{
    struct pair pair = {0};
    pair_open(&pair, _i);
    struct side old = *pair.server;
    part(&pair);
    /* the slot serves another connection by now */
    pair.client = (struct side){0};
    world_connect(&pair.world, &pair.client);
    world_until(&pair.world, pair.client.opened && pair.sides.count == 2);
    struct side *fresh = pair.sides.sides[1];
    const struct net_conn names[] = {old.conn, {0, 0}, {UINT32_MAX, 1}, {5, 77}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        old.conn = names[i];
        side_send(&old, "nobody", 6);
        net_resume(old.net, old.conn);
        net_finish(old.net, old.conn);
        net_abort(old.net, old.conn);
    }
    world_turns(&pair.world, 20);
    ck_assert_uint_eq(pair.world.released, pair.world.sent);
    ck_assert_uint_eq(fresh->closed + fresh->finished + pair.client.finished, 0);
    ck_assert_uint_eq(pair.client.size, 0);
    pair.server = fresh;
    part(&pair);
    pair_close(&pair);
}
END_TEST

static void do_everything(struct side *side)
{
    side_send(side, "a", 1);
    net_resume(side->net, side->conn);
    net_abort(side->net, side->conn);
    net_finish(side->net, side->conn);
    side_send(side, "b", 1);
    struct side *other = side->group->sides[0];
    side_send(other, "c", 1);
    net_abort(other->net, other->conn);
}

START_TEST(calls_inside_handlers_only_queue)
{
    struct pair pair = {0};
    pair_open(&pair, _i);
    struct side second = {0};
    pair.sides.model.act = do_everything;
    world_connect(&pair.world, &second);
    side_send(&second, "sent while connecting", 21);
    world_until(&pair.world, pair.sides.count == 2 && pair.sides.sides[1]->closed &&
                                 pair.sides.sides[0]->closed);
    ck_assert_int_eq(pair.sides.sides[0]->reason, NET_CLOSE_ABORTED);
    ck_assert_int_eq(pair.sides.sides[1]->reason, NET_CLOSE_ABORTED);
    world_until(&pair.world, pair.client.closed && second.closed);
    pair_close(&pair);
    side_free(&second);
}
END_TEST

START_TEST(a_thousand_connections)
{
    enum { COUNT = 1000 };
    struct pair pair = {.sides.model = {.echo = true, .finish_back = true}};
    pair_listen(&pair, _i);
    struct side *clients = calloc(COUNT, sizeof *clients);
    char text[COUNT][16];
    unsigned done = 0;
    for (int i = 0; i < COUNT; i++) {
        world_connect(&pair.world, &clients[i]);
        snprintf(text[i], sizeof text[i], "connection %d", i);
        side_send(&clients[i], text[i], strlen(text[i]));
        if (i % 100 == 99)
            world_turn(&pair.world);
    }
    for (int i = 0; i < COUNT; i++) {
        world_until(&pair.world, clients[i].size == strlen(text[i]));
        check_bytes(&clients[i], (const uint8_t *)text[i], strlen(text[i]));
        net_finish(clients[i].net, clients[i].conn);
    }
    ck_assert_uint_eq(pair.sides.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        world_until(&pair.world, clients[i].closed && pair.sides.sides[i]->closed);
        done += clients[i].reason == NET_CLOSE_FINISHED &&
                pair.sides.sides[i]->reason == NET_CLOSE_FINISHED;
        side_free(&clients[i]);
    }
    ck_assert_uint_eq(done, COUNT);
    pair_close(&pair);
    free(clients);
}
END_TEST

START_TEST(no_room_closes_without_another_call)
{
    struct pair pair = {.sides.model.refuse = true, .client.finish_back = true};
    pair_listen(&pair, _i);
    world_connect(&pair.world, &pair.client);
    side_send(&pair.client, "hello?", 6);
    world_until(&pair.world, pair.client.closed && pair.sides.count == 1);
    world_turns(&pair.world, 5);
    ck_assert_uint_eq(pair.sides.sides[0]->calls, 1);
    ck_assert_uint_eq(pair.sides.model.calls, 0);
    struct net_counters counters;
    pair.world.server->calls->counters(pair.world.server, &counters);
    ck_assert_uint_eq(counters.turned_away, 1);
    ck_assert_uint_eq(counters.accepted, 0);
    pair_close(&pair);
}
END_TEST

START_TEST(who_connects_may_think_better_of_it)
{
    struct pair pair = {.client.refuse = true, .sides.model.finish_back = true};
    pair_listen(&pair, _i);
    world_connect(&pair.world, &pair.client);
    side_send(&pair.client, "never sent", 10);
    world_until(&pair.world, pair.sides.count == 1 && pair.sides.sides[0]->closed);
    ck_assert_uint_eq(pair.client.calls, 1);
    ck_assert_uint_eq(pair.sides.sides[0]->size, 0);
    pair_close(&pair);
}
END_TEST

START_TEST(drained_when_the_last_was_released)
{
    struct pair pair = {0};
    pair_open(&pair, _i);
    world_turns(&pair.world, 5);
    ck_assert_uint_eq(pair.server->drained, 0);
    for (unsigned round = 1; round <= 3; round++) {
        for (int i = 0; i < 40; i++)
            side_send(pair.server, "piece", 5);
        world_until(&pair.world, pair.server->drained == round);
        ck_assert_uint_eq(pair.world.released, pair.world.sent);
        ck_assert_uint_eq(pair.world.sent, 40 * round);
    }
    world_until(&pair.world, pair.client.size == 3 * 200);
    part(&pair);
    pair_close(&pair);
}
END_TEST

START_TEST(pausing_accept_leaves_them_waiting)
{
    struct pair pair = {0};
    pair_listen(&pair, _i);
    pair.world.server->calls->accept_pause(pair.world.server, true);
    world_turns(&pair.world, 5);
    world_connect(&pair.world, &pair.client);
    side_send(&pair.client, "patience", 8);
    world_until(&pair.world, pair.client.opened);
    world_turns(&pair.world, 20);
    ck_assert_uint_eq(pair.sides.count, 0);
    pair.world.server->calls->accept_pause(pair.world.server, false);
    world_until(&pair.world, pair.sides.count == 1 && pair.sides.sides[0]->size == 8);
    pair.server = pair.sides.sides[0];
    part(&pair);
    pair_close(&pair);
}
END_TEST

START_TEST(unlisten_leaves_connections_open)
{
    struct pair pair = {0};
    pair_open(&pair, _i);
    pair.world.server->calls->unlisten(pair.world.server);
    world_turns(&pair.world, 5);
    struct side late = {0};
    world_connect(&pair.world, &late);
    world_until(&pair.world, late.closed);
    ck_assert_int_eq(late.reason, NET_CLOSE_REFUSED);
    side_send(&pair.client, "still here", 10);
    world_until(&pair.world, pair.server->size == 10);
    part(&pair);
    /* the address is free again */
    world_listen(&pair.world, &pair.sides);
    pair_close(&pair);
}
END_TEST

START_TEST(an_address_has_one_listener)
{
    struct pair pair = {0};
    pair_listen(&pair, _i);
    struct fault fault = {0};
    struct net_listener_options options = {.backlog = 8};
    ck_assert_int_eq(pair.world.client->calls->listen(pair.world.client, &pair.world.address,
                                                      &options, &accepting_handler, &pair.sides,
                                                      NULL, &fault),
                     STATUS_NETWORK);
    char text[NET_ADDRESS_TEXT_BYTES];
    ck_assert_ptr_nonnull(strstr(fault.text, net_address_text(&pair.world.address, text)));
    pair_close(&pair);
}
END_TEST

START_TEST(abort_while_connecting)
{
    struct pair pair = {0};
    pair_listen(&pair, _i);
    world_connect(&pair.world, &pair.client);
    side_send(&pair.client, "never mind", 10);
    net_abort(pair.client.net, pair.client.conn);
    world_until(&pair.world, pair.client.closed);
    ck_assert_int_eq(pair.client.reason, NET_CLOSE_ABORTED);
    ck_assert_uint_eq(pair.client.calls, 1);
    world_turns(&pair.world, 10);
    pair_close(&pair);
}
END_TEST

START_TEST(a_peer_that_never_reads_costs_bounded_memory)
{
    const size_t size = 30000000;
    struct pair pair = {.sides.model.stubborn = true};
    pair_open(&pair, _i);
    uint8_t *bytes = noise(size);
    send_all(&pair.client, bytes, size);
    world_turns(&pair.world, 300);
    struct net_counters counters;
    pair.world.server->calls->counters(pair.world.server, &counters);
    ck_assert_uint_lt(counters.bytes_in, 1000000); /* what the backend itself took in */
    ck_assert_uint_lt(pair.world.released, pair.world.sent);
    ck_assert_uint_eq(pair.client.drained, 0);
    net_abort(pair.server->net, pair.server->conn);
    world_until(&pair.world, pair.client.closed && pair.server->closed);
    ck_assert_int_eq(pair.client.reason, NET_CLOSE_PEER);
    pair_close(&pair);
    free(bytes);
}
END_TEST

START_TEST(deinit_closes_what_is_open)
{
    struct pair pair = {.client.stubborn = true};
    pair_open(&pair, _i);
    struct side connecting = {0};
    world_connect(&pair.world, &connecting);
    uint8_t *bytes = noise(8000000);
    send_all(pair.server, bytes, 8000000);
    send_all(&pair.client, bytes, 1000);
    world_close_server(&pair.world);
    ck_assert_uint_eq(pair.server->closed, 1);
    ck_assert_int_eq(pair.server->reason, NET_CLOSE_ABORTED);
    world_close_client(&pair.world);
    ck_assert_uint_eq(pair.client.closed, 1);
    ck_assert_uint_eq(connecting.closed, 1);
    pair_close(&pair);
    side_free(&connecting);
    free(bytes);
}
END_TEST

Suite *test_suite(void)
{
    const TTest *const tests[] = {
        opens_and_tells_who_is_there,
        refused_is_the_only_call,
        carries_exact_bytes_both_ways,
        delivers_again_what_was_left,
        resume_inside_received_counts_for_the_next_turn,
        half_close_still_sends,
        finish_sends_all_first,
        abort_drops_and_resets,
        stale_names_are_harmless,
        calls_inside_handlers_only_queue,
        a_thousand_connections,
        no_room_closes_without_another_call,
        who_connects_may_think_better_of_it,
        drained_when_the_last_was_released,
        pausing_accept_leaves_them_waiting,
        unlisten_leaves_connections_open,
        an_address_has_one_listener,
        abort_while_connecting,
        a_peer_that_never_reads_costs_bounded_memory,
        deinit_closes_what_is_open,
    };
    Suite *suite = suite_create("net");
    static const char *const names[] = {"uring", "sim", "dpdk"};
    for (int backend = 0; backend < BACKENDS; backend++) {
        TCase *tcase = tcase_create(names[backend]);
        tcase_set_timeout(tcase, 30);
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
            tcase_add_loop_test(tcase, tests[i], backend, backend + 1);
        suite_add_tcase(suite, tcase);
    }
    return suite;
}
