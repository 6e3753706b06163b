/* What only the kernel's TCP can show: scarce buffers, slots and descriptors, unix sockets, peers
 * that are not us. */
#include "engine/net/net_uring.h"

#include "engine/net/uring.h"
#include "tests/check_main.h"
#include "tests/engine/net/world.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENTS 40

struct crowd {
    struct world world;
    struct sides sides;
    struct side clients[CLIENTS];
    uint8_t text[100000];
};

static struct crowd *crowd_open(const struct world_options *options)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    ck_assert_ptr_nonnull(crowd);
    for (size_t i = 0; i < sizeof crowd->text; i++)
        crowd->text[i] = (uint8_t)(i * 7 + i / 256);
    world_open(&crowd->world, BACKEND_URING, options);
    world_listen(&crowd->world, &crowd->sides);
    return crowd;
}

static void crowd_connect(struct crowd *crowd, unsigned first, unsigned end)
{
    for (unsigned i = first; i < end; i++)
        world_connect(&crowd->world, &crowd->clients[i]);
    world_until(&crowd->world, crowd->sides.count == end);
}

static void crowd_close(struct crowd *crowd)
{
    world_close(&crowd->world);
    sides_free(&crowd->sides);
    for (unsigned i = 0; i < CLIENTS; i++)
        side_free(&crowd->clients[i]);
    free(crowd);
}

static const struct net_uring *server_of(const struct crowd *crowd)
{
    return (const struct net_uring *)crowd->world.server;
}

START_TEST(starved_connections_get_their_turn)
{
    struct crowd *crowd = crowd_open(&(struct world_options){.buffers = 4, .buffer_bytes = 256});
    crowd_connect(crowd, 0, CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++)
        side_send(&crowd->clients[i], crowd->text + i, 20000);
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct side *side = crowd->sides.sides[i];
        world_until(&crowd->world, side->size == 20000);
        unsigned sender = side->bytes[0] == (uint8_t)(i * 7) ? i : CLIENTS;
        ck_assert_uint_lt(sender, CLIENTS);
        ck_assert_int_eq(memcmp(side->bytes, crowd->text + i, 20000), 0);
    }
    ck_assert_uint_gt(counters_of(crowd->world.server).starved, 0);
    crowd_close(crowd);
}
END_TEST

START_TEST(paused_connections_leave_buffers_to_the_others)
{
    struct crowd *crowd = crowd_open(&(struct world_options){.buffers = 4, .buffer_bytes = 256});
    crowd->sides.model.stubborn = true;
    crowd_connect(crowd, 0, CLIENTS - 1);
    for (unsigned i = 0; i < CLIENTS - 1; i++)
        side_send(&crowd->clients[i], crowd->text, 5000);
    world_turns(&crowd->world, 200);
    ck_assert_uint_le(server_of(crowd)->kept.held, 2);
    for (unsigned i = 0; i < CLIENTS - 1; i++)
        ck_assert_uint_eq(crowd->sides.sides[i]->size, 0);

    crowd->sides.model.stubborn = false;
    crowd_connect(crowd, CLIENTS - 1, CLIENTS);
    side_send(&crowd->clients[CLIENTS - 1], crowd->text, sizeof crowd->text);
    struct side *last = crowd->sides.sides[CLIENTS - 1];
    world_until(&crowd->world, last->size == sizeof crowd->text);
    ck_assert_int_eq(memcmp(last->bytes, crowd->text, sizeof crowd->text), 0);

    for (unsigned i = 0; i < CLIENTS - 1; i++) {
        struct side *side = crowd->sides.sides[i];
        side->stubborn = false;
        net_resume(side->net, side->conn);
    }
    for (unsigned i = 0; i < CLIENTS - 1; i++) {
        struct side *side = crowd->sides.sides[i];
        world_until(&crowd->world, side->size == 5000);
        ck_assert_int_eq(memcmp(side->bytes, crowd->text, 5000), 0);
    }
    ck_assert_uint_eq(server_of(crowd)->kept.held, 0);
    crowd_close(crowd);
}
END_TEST

START_TEST(idle_connections_hold_no_buffer)
{
    struct crowd *crowd = crowd_open(NULL);
    crowd_connect(crowd, 0, CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++)
        side_send(&crowd->clients[i], "hello", 5);
    for (unsigned i = 0; i < CLIENTS; i++)
        world_until(&crowd->world, crowd->sides.sides[i]->size == 5);
    ck_assert_uint_eq(uring_buffers_left(&server_of(crowd)->buffers), 64);
    crowd_close(crowd);
}
END_TEST

START_TEST(one_send_for_what_a_turn_queued)
{
    struct crowd *crowd = crowd_open(NULL);
    crowd_connect(crowd, 0, 1);
    world_turns(&crowd->world, 5);
    struct side *side = crowd->sides.sides[0];
    uint64_t before = crowd->world.rings[0].submitted;
    for (unsigned i = 0; i < URING_PARTS_MAX; i++)
        side_send(side, crowd->text + 1000 * i, 1000);
    world_until(&crowd->world, side->drained == 1);
    ck_assert_uint_eq(crowd->world.rings[0].submitted - before, 1);
    world_until(&crowd->world, crowd->clients[0].size == 1000 * URING_PARTS_MAX);
    ck_assert_int_eq(memcmp(crowd->clients[0].bytes, crowd->text, 1000 * URING_PARTS_MAX), 0);
    crowd_close(crowd);
}
END_TEST

START_TEST(without_a_slot_they_wait_in_the_backlog)
{
    struct crowd *crowd = crowd_open(&(struct world_options){.connections_max = 4});
    crowd_connect(crowd, 0, 4);
    world_turns(&crowd->world, 5);
    for (unsigned i = 4; i < 6; i++)
        world_connect(&crowd->world, &crowd->clients[i]);
    world_until(&crowd->world, crowd->clients[5].opened);
    world_turns(&crowd->world, 20);
    ck_assert_uint_eq(crowd->sides.count, 4);
    for (unsigned i = 0; i < 2; i++) {
        net_abort(crowd->world.server, crowd->sides.sides[i]->conn);
        world_until(&crowd->world, crowd->sides.count == 5 + i);
    }
    ck_assert_uint_eq(counters_of(crowd->world.server).accepted, 6);
    ck_assert_uint_eq(counters_of(crowd->world.server).turned_away, 0);
    crowd_close(crowd);
}
END_TEST

START_TEST(without_a_descriptor_accepting_backs_off)
{
    struct crowd *crowd = crowd_open(NULL);
    crowd_connect(crowd, 0, 1);
    crowd->world.server->calls->accept_pause(crowd->world.server, true);
    world_turns(&crowd->world, 5);
    world_connect(&crowd->world, &crowd->clients[1]);
    struct rlimit limit, few = {.rlim_cur = 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    few.rlim_max = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    world_until(&crowd->world, crowd->clients[1].opened);
    crowd->world.server->calls->accept_pause(crowd->world.server, false);
    world_until(&crowd->world, counters_of(crowd->world.server).errors > 0);
    world_turns(&crowd->world, 500);
    ck_assert_uint_eq(crowd->sides.count, 1);
    ck_assert_uint_lt(counters_of(crowd->world.server).errors, 5);
    struct net_conn conn;
    ck_assert_int_eq(crowd->world.client->calls->connect(crowd->world.client, &crowd->world.address,
                                                         NULL, &connecting_handler,
                                                         &crowd->clients[2], &conn),
                     STATUS_AGAIN);
    setrlimit(RLIMIT_NOFILE, &limit);
    world_until(&crowd->world, crowd->sides.count == 2);
    crowd_close(crowd);
}
END_TEST

static void *wake_later(void *context)
{
    usleep(5000);
    struct net *net = context;
    net->calls->wake(net);
    return NULL;
}

START_TEST(wakes_from_another_thread)
{
    struct crowd *crowd = crowd_open(NULL);
    for (int round = 0; round < 10; round++) {
        pthread_t thread;
        ck_assert_int_eq(pthread_create(&thread, NULL, wake_later, crowd->world.server), 0);
        net_poll(crowd->world.server, UINT64_MAX);
        pthread_join(thread, NULL);
        net_poll(crowd->world.server, 0);
    }
    crowd_close(crowd);
}
END_TEST

START_TEST(listens_on_unix_sockets)
{
    char directory[] = "/tmp/mailrace-net-XXXXXX", text[64];
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(text, sizeof text, "unix:%s/lmtp", directory);
    struct crowd *crowd = crowd_open(NULL);
    struct fault fault;
    struct net_listener_options options = {.backlog = 16};
    ck_assert_int_eq(net_address_parse(text, &crowd->world.address, &fault), STATUS_OK);
    ck_assert_int_eq(crowd->world.server->calls->listen(crowd->world.server, &crowd->world.address,
                                                        &options, &accepting_handler, &crowd->sides,
                                                        NULL, &fault),
                     STATUS_OK);
    crowd->sides.model.echo = true;
    crowd_connect(crowd, 0, 1);
    ck_assert_int_eq(crowd->sides.sides[0]->peer.any.sa_family, AF_UNIX);
    side_send(&crowd->clients[0], crowd->text, 50000);
    world_until(&crowd->world, crowd->clients[0].size == 50000);
    crowd->world.server->calls->unlisten(crowd->world.server);
    world_turns(&crowd->world, 5);
    struct stat status;
    ck_assert_int_ne(stat(text + 5, &status), 0); /* the file went with the listener */
    crowd_close(crowd);
    ck_assert_int_eq(rmdir(directory), 0);
}
END_TEST

START_TEST(connects_from_a_source)
{
    struct crowd *crowd = crowd_open(NULL);
    struct side *client = &crowd->clients[0];
    *client = (struct side){.world = &crowd->world, .net = crowd->world.client};
    union net_address source;
    struct fault fault;
    ck_assert_int_eq(net_address_parse("127.0.0.42:0", &source, &fault), STATUS_OK);
    ck_assert_int_eq(crowd->world.client->calls->connect(crowd->world.client, &crowd->world.address,
                                                         &source, &connecting_handler, client,
                                                         &client->conn),
                     STATUS_OK);
    world_until(&crowd->world, crowd->sides.count == 1);
    char text[NET_ADDRESS_TEXT_BYTES];
    net_address_text(&crowd->sides.sides[0]->peer, text);
    ck_assert_int_eq(strncmp(text, "127.0.0.42:", 11), 0);
    /* a source that is not ours */
    struct side *other = &crowd->clients[1];
    *other = (struct side){.world = &crowd->world, .net = crowd->world.client};
    ck_assert_int_eq(net_address_parse("192.0.2.1:0", &source, &fault), STATUS_OK);
    ck_assert_int_eq(crowd->world.client->calls->connect(crowd->world.client, &crowd->world.address,
                                                         &source, &connecting_handler, other,
                                                         &other->conn),
                     STATUS_OK);
    world_until(&crowd->world, other->closed);
    ck_assert_int_eq(other->reason, NET_CLOSE_ERROR);
    ck_assert_uint_eq(other->calls, 1);
    crowd_close(crowd);
}
END_TEST

static int plain_connect(struct crowd *crowd)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, &crowd->world.address.any, sizeof crowd->world.address.ipv4), 0);
    world_until(&crowd->world, crowd->sides.count > 0);
    return fd;
}

START_TEST(a_reset_is_the_peers_doing)
{
    struct crowd *crowd = crowd_open(NULL);
    int fd = plain_connect(crowd);
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
    struct side *side = crowd->sides.sides[0];
    world_until(&crowd->world, side->closed);
    ck_assert_int_eq(side->reason, NET_CLOSE_PEER);
    ck_assert_uint_eq(side->finished, 0);
    ck_assert_uint_eq(counters_of(crowd->world.server).errors, 0);
    crowd_close(crowd);
}
END_TEST

START_TEST(sending_to_who_is_gone_is_no_signal)
{
    struct crowd *crowd = crowd_open(NULL);
    int fd = plain_connect(crowd);
    struct side *side = crowd->sides.sides[0];
    close(fd);
    world_until(&crowd->world, side->finished);
    while (!side->closed) {
        side_send(side, crowd->text, 10000);
        world_turn(&crowd->world);
    }
    ck_assert_int_eq(side->reason, NET_CLOSE_PEER);
    crowd_close(crowd);
}
END_TEST

START_TEST(aborting_resets_the_peer)
{
    struct crowd *crowd = crowd_open(NULL);
    int fd = plain_connect(crowd);
    net_abort(crowd->world.server, crowd->sides.sides[0]->conn);
    world_until(&crowd->world, crowd->sides.sides[0]->closed);
    world_turns(&crowd->world, 3);
    char byte;
    ck_assert_int_eq(recv(fd, &byte, 1, 0), -1); /* and not the end of a stream in order */
    close(fd);
    crowd_close(crowd);
}
END_TEST

START_TEST(listeners_with_reuse_port_share)
{
    struct crowd *crowd = crowd_open(NULL);
    union net_address address;
    struct fault fault;
    struct net *nets[] = {crowd->world.server, crowd->world.client};
    struct net_listener_options options = {.backlog = 64, .reuse_port = true};
    ck_assert_int_eq(net_address_parse("127.0.0.1:0", &address, &fault), STATUS_OK);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(nets[i]->calls->listen(nets[i], &address, &options, &accepting_handler,
                                                &crowd->sides, &address, &fault),
                         STATUS_OK);
    crowd->world.address = address;
    crowd_connect(crowd, 0, CLIENTS);
    ck_assert_uint_gt(counters_of(nets[0]).accepted, 0);
    ck_assert_uint_gt(counters_of(nets[1]).accepted, 0);
    ck_assert_uint_eq(counters_of(nets[0]).accepted + counters_of(nets[1]).accepted, CLIENTS);
    crowd_close(crowd);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net_uring");
    TCase *tcase = tcase_create("net_uring");
    tcase_add_test(tcase, starved_connections_get_their_turn);
    tcase_add_test(tcase, paused_connections_leave_buffers_to_the_others);
    tcase_add_test(tcase, idle_connections_hold_no_buffer);
    tcase_add_test(tcase, one_send_for_what_a_turn_queued);
    tcase_add_test(tcase, without_a_slot_they_wait_in_the_backlog);
    tcase_add_test(tcase, without_a_descriptor_accepting_backs_off);
    tcase_add_test(tcase, wakes_from_another_thread);
    tcase_add_test(tcase, listens_on_unix_sockets);
    tcase_add_test(tcase, connects_from_a_source);
    tcase_add_test(tcase, a_reset_is_the_peers_doing);
    tcase_add_test(tcase, sending_to_who_is_gone_is_no_signal);
    tcase_add_test(tcase, aborting_resets_the_peer);
    tcase_add_test(tcase, listeners_with_reuse_port_share);
    suite_add_tcase(suite, tcase);
    return suite;
}
