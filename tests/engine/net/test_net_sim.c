/* What makes the simulated network one: repeatable, at the rates asked for, on its own clock. */
#include "engine/net/net_sim.h"

#include "base/hash.h"
#include "tests/check_main.h"
#include "tests/engine/net/world.h"

#include <stdlib.h>

#define CONNECTIONS 64
#define ROUNDS 20

enum what { OPENED, RECEIVED, FINISHED, DRAINED, CLOSED, WHATS };

struct run;

struct door { /* the context of a listener */
    struct run *run;
    struct net *net;
    unsigned accepted;
};

/* One end of a connection: the client's sends ROUNDS messages, each when the echo of the one
 * before is there, then finishes. */
struct end {
    struct run *run;
    struct net *net;
    struct net_conn conn;
    bool client, open, closed, sending, deaf;
    unsigned rounds;
    uint32_t owed; /* bytes: still to echo, or still expected as an echo */
    struct net_tx tx;
};

struct run {
    struct sim_network *network;
    struct clock clock;
    uint64_t now_ns, trace;
    struct net *nets[3]; /* two servers that share an address, and a client */
    struct door doors[2];
    union net_address address;
    struct end ends[3 * CONNECTIONS];
    unsigned ends_count;
    uint64_t count[WHATS], reasons[NET_CLOSE_ERROR + 1];
    size_t piece_max;
    bool deaf; /* servers take nothing */
};

static const uint8_t zeros[4096];

static void trace(struct end *end, enum what what, uint64_t detail)
{
    struct run *run = end->run;
    expect(!end->closed);
    uint64_t line[] = {run->trace, run->now_ns, (uint64_t)(end - run->ends), what, detail};
    run->trace = hash64(span_of(line, sizeof line), 0);
    run->count[what]++;
}

static void released(struct net_tx *tx, void *context)
{
    struct end *end = context;
    expect(tx == &end->tx);
    expect(end->sending);
    end->sending = false;
}

static void say(struct end *end, uint32_t size)
{
    end->sending = true;
    end->tx = (struct net_tx){.data = zeros, .size = size, .release = released, .context = end};
    net_send(end->net, end->conn, &end->tx);
}

static struct end *new_end(struct run *run, struct net *net)
{
    expect(run->ends_count < 3 * CONNECTIONS);
    struct end *end = &run->ends[run->ends_count++];
    *end = (struct end){.run = run, .net = net};
    return end;
}

static void *up(struct end *end, struct net_conn conn)
{
    end->conn = conn;
    end->open = true;
    trace(end, OPENED, conn.slot);
    return end;
}

static void *accepted(void *context, struct net_conn conn, const union net_address *peer)
{
    struct door *door = context;
    expect(net_address_is_loopback(peer));
    door->accepted++;
    struct end *end = new_end(door->run, door->net);
    end->deaf = door->run->deaf;
    return up(end, conn);
}

static void *connected(void *context, struct net_conn conn, const union net_address *peer)
{
    struct end *end = context;
    expect(memcmp(peer, &end->run->address, sizeof peer->ipv4) == 0);
    end->owed = sizeof zeros;
    up(end, conn);
    say(end, end->owed);
    return end;
}

static size_t received(void *session, struct span bytes)
{
    struct end *end = session;
    trace(end, RECEIVED, bytes.size);
    if (bytes.size > end->run->piece_max)
        end->run->piece_max = bytes.size;
    if (end->deaf)
        return 0;
    if (end->client) {
        expect(bytes.size <= end->owed);
        end->owed -= (uint32_t)bytes.size;
        if (end->owed == 0 && ++end->rounds < ROUNDS)
            say(end, end->owed = sizeof zeros);
        else if (end->owed == 0)
            net_finish(end->net, end->conn);
    } else {
        end->owed += (uint32_t)bytes.size;
        if (!end->sending) {
            say(end, end->owed);
            end->owed = 0;
        }
    }
    return bytes.size;
}

static void peer_finished(void *session)
{
    struct end *end = session;
    trace(end, FINISHED, 0);
    net_finish(end->net, end->conn);
}

static void drained(void *session)
{
    struct end *end = session;
    trace(end, DRAINED, 0);
    expect(!end->sending);
    if (!end->client && end->owed > 0) {
        say(end, end->owed);
        end->owed = 0;
    }
}

static void closed(void *session, enum net_close_reason reason)
{
    struct end *end = session;
    trace(end, CLOSED, reason);
    end->run->reasons[reason]++;
    end->closed = true;
    expect(!end->sending);
}

static const struct net_handler server_handler = {
    .opened = accepted,
    .received = received,
    .peer_finished = peer_finished,
    .drained = drained,
    .closed = closed,
};
static const struct net_handler client_handler = {
    .opened = connected,
    .received = received,
    .peer_finished = peer_finished,
    .drained = drained,
    .closed = closed,
};

static uint64_t run_ns(void *context)
{
    return ((const struct run *)context)->now_ns;
}

static const struct sim_network_options calm = {
    .seed = 42,
    .latency_ns_min = 100000,
    .latency_ns_max = 900000,
    .segment_bytes_max = 500,
    .window_bytes = 3000,
    .connections_max = CONNECTIONS,
};

static struct run *run_open(const struct sim_network_options *options)
{
    struct run *run = calloc(1, sizeof *run);
    ck_assert_ptr_nonnull(run);
    run->clock = (struct clock){run_ns, run_ns, run};
    ck_assert_int_eq(sim_network_open(&run->network, options, &run->clock), STATUS_OK);
    struct fault fault;
    struct net_listener_options listener = {.backlog = CONNECTIONS, .reuse_port = true};
    ck_assert_int_eq(net_address_parse("127.0.0.1:0", &run->address, &fault), STATUS_OK);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(net_sim_open(&run->nets[i], run->network), STATUS_OK);
    for (int i = 0; i < 2; i++) {
        struct net *net = run->nets[i];
        run->doors[i] = (struct door){.run = run, .net = net};
        ck_assert_int_eq(net->calls->listen(net, &run->address, &listener, &server_handler,
                                            &run->doors[i], &run->address, &fault),
                         STATUS_OK);
    }
    return run;
}

static struct end *run_connect(struct run *run)
{
    struct end *end = new_end(run, run->nets[2]);
    end->client = true;
    ck_assert_int_eq(
        end->net->calls->connect(end->net, &run->address, NULL, &client_handler, end, &end->conn),
        STATUS_OK);
    return end;
}

static void run_turn(struct run *run)
{
    uint64_t next_ns = sim_network_next_ns(run->network);
    if (next_ns != UINT64_MAX && next_ns > run->now_ns)
        run->now_ns = next_ns;
    for (int i = 0; i < 3; i++)
        if (run->nets[i])
            net_poll(run->nets[i], 0);
}

/* Until nothing will ever happen again. */
static void run_out(struct run *run)
{
    for (unsigned turns = 0; sim_network_next_ns(run->network) != UINT64_MAX; turns++) {
        expect(turns < 2000000);
        run_turn(run);
    }
}

static uint64_t run_close(struct run *run)
{
    uint64_t result = run->trace;
    for (int i = 0; i < 3; i++)
        if (run->nets[i])
            run->nets[i]->calls->deinit(run->nets[i]);
    for (unsigned i = 0; i < run->ends_count; i++)
        ck_assert(!run->ends[i].open || run->ends[i].closed);
    sim_network_close(run->network);
    free(run);
    return result;
}

static struct run *run_all(const struct sim_network_options *options)
{
    struct run *run = run_open(options);
    for (int i = 0; i < CONNECTIONS; i++)
        run_connect(run);
    run_out(run);
    return run;
}

START_TEST(without_faults_all_end_in_order)
{
    struct run *run = run_all(&calm);
    ck_assert_uint_eq(run->reasons[NET_CLOSE_FINISHED], 2 * CONNECTIONS);
    ck_assert_uint_eq(run->doors[0].accepted + run->doors[1].accepted, CONNECTIONS);
    ck_assert_uint_gt(run->doors[0].accepted, CONNECTIONS / 4); /* shared by draw */
    ck_assert_uint_gt(run->doors[1].accepted, CONNECTIONS / 4);
    ck_assert_uint_eq(run->piece_max, 500);
    for (unsigned i = 0; i < run->ends_count; i++)
        ck_assert(!run->ends[i].client || run->ends[i].rounds == ROUNDS);
    run_close(run);
}
END_TEST

START_TEST(the_same_seed_gives_the_same_trace)
{
    struct sim_network_options options = calm;
    options.seed = (uint64_t)_i;
    options.resets_per_million = 500;
    options.stalls_per_million = 500;
    uint64_t first = run_close(run_all(&options));
    ck_assert_uint_eq(run_close(run_all(&options)), first);
    options.seed += 1000;
    ck_assert_uint_ne(run_close(run_all(&options)), first);
}
END_TEST

START_TEST(resets_come_at_the_rate_asked_for)
{
    struct sim_network_options options = calm;
    options.resets_per_million = 1000;
    struct run *run = run_all(&options);
    uint64_t resets = run->reasons[NET_CLOSE_PEER] / 2;
    uint64_t expected = run->count[RECEIVED] / 1000;
    ck_assert_uint_gt(expected, 10);
    ck_assert_uint_gt(resets, expected / 3);
    ck_assert_uint_lt(resets, expected * 3);
    ck_assert_uint_gt(run->reasons[NET_CLOSE_FINISHED], 0);
    run_close(run);
}
END_TEST

START_TEST(faults_change_as_told)
{
    struct run *run = run_open(&calm);
    sim_network_set_faults(run->network, 1000000, 0);
    run_connect(run);
    run_out(run);
    ck_assert_uint_eq(run->reasons[NET_CLOSE_PEER], 2);
    ck_assert_uint_eq(run->count[RECEIVED], 0);
    sim_network_set_faults(run->network, 0, 0);
    run_connect(run);
    run_out(run);
    ck_assert_uint_eq(run->reasons[NET_CLOSE_FINISHED], 2);
    run_close(run);
}
END_TEST

START_TEST(stalls_cost_time_and_nothing_else)
{
    struct sim_network_options options = calm;
    struct run *run = run_all(&options);
    uint64_t quick_ns = run->now_ns;
    run_close(run);
    options.stalls_per_million = 2000;
    run = run_all(&options);
    ck_assert_uint_gt(run->now_ns, 4 * quick_ns);
    ck_assert_uint_eq(run->reasons[NET_CLOSE_FINISHED], 2 * CONNECTIONS);
    run_close(run);
}
END_TEST

START_TEST(nothing_is_earlier_than_the_latency)
{
    struct run *run = run_open(&calm);
    struct end *end = run_connect(run);
    while (!end->open)
        run_turn(run);
    ck_assert_uint_ge(run->now_ns, 2 * calm.latency_ns_min);
    ck_assert_uint_le(run->now_ns, 2 * calm.latency_ns_max);
    uint64_t opened_ns = run->now_ns;
    uint64_t before = run->count[RECEIVED];
    while (run->count[RECEIVED] == before)
        run_turn(run);
    ck_assert_uint_ge(run->now_ns, opened_ns + calm.latency_ns_min);
    run_close(run);
}
END_TEST

START_TEST(a_sender_stalls_at_the_window)
{
    struct run *run = run_open(&calm);
    run->deaf = true;
    struct end *client = run_connect(run);
    run_out(run);
    ck_assert(client->sending);
    struct net_counters counters;
    client->net->calls->counters(client->net, &counters);
    ck_assert_uint_eq(counters.bytes_out, calm.window_bytes);
    run->ends[1].deaf = false;
    net_resume(run->ends[1].net, run->ends[1].conn);
    run_out(run);
    ck_assert_uint_eq(run->reasons[NET_CLOSE_FINISHED], 2);
    run_close(run);
}
END_TEST

START_TEST(a_killed_participant_hears_nothing_more)
{
    struct run *run = run_open(&calm);
    for (int i = 0; i < CONNECTIONS / 2; i++)
        run_connect(run);
    for (int i = 0; i < 100; i++)
        run_turn(run);
    uint64_t heard = run->count[OPENED];
    for (int i = 0; i < CONNECTIONS / 2; i++)
        run_connect(run); /* some of these are on their way to it */
    ck_assert_uint_gt(heard, 0);
    struct net *killed = run->nets[0];
    run->nets[0] = NULL;
    net_sim_kill(killed);
    unsigned lost = 0;
    for (unsigned i = 0; i < run->ends_count; i++)
        if (run->ends[i].net == killed) {
            lost += !run->ends[i].closed;
            run->ends[i].closed = true; /* trace() fails if it is called again */
        }
    ck_assert_uint_gt(lost, 0);
    run_out(run);
    ck_assert_uint_gt(run->reasons[NET_CLOSE_PEER], 0);
    for (unsigned i = 0; i < run->ends_count; i++)
        ck_assert(run->ends[i].closed);
    killed->calls->deinit(killed);
    run_close(run);
}
END_TEST

START_TEST(a_full_backlog_refuses)
{
    struct run *run = run_open(&calm);
    for (int i = 0; i < 2; i++)
        run->nets[i]->calls->unlisten(run->nets[i]);
    struct net_listener_options listener = {.backlog = 3};
    ck_assert_int_eq(run->nets[0]->calls->listen(run->nets[0], &run->address, &listener,
                                                 &server_handler, &run->doors[0], NULL, NULL),
                     STATUS_OK);
    run->nets[0]->calls->accept_pause(run->nets[0], true);
    for (int i = 0; i < 5; i++)
        run_connect(run);
    run_out(run);
    ck_assert_uint_eq(run->reasons[NET_CLOSE_REFUSED] + run->reasons[NET_CLOSE_PEER], 2);
    ck_assert_uint_eq(run->doors[0].accepted, 0);
    run->nets[0]->calls->accept_pause(run->nets[0], false);
    run_out(run);
    ck_assert_uint_eq(run->doors[0].accepted, 3);
    ck_assert_uint_eq(run->reasons[NET_CLOSE_FINISHED], 6);
    run_close(run);
}
END_TEST

START_TEST(without_a_slot_they_wait)
{
    struct sim_network_options options = calm;
    options.connections_max = 4;
    struct run *run = run_open(&options);
    run->nets[1]->calls->unlisten(run->nets[1]);
    struct net *client = run->nets[2];
    for (int i = 0; i < 4; i++)
        run_connect(run);
    struct net_conn conn;
    ck_assert_int_eq(
        client->calls->connect(client, &run->address, NULL, &client_handler, NULL, &conn),
        STATUS_AGAIN);
    run->nets[2] = run->nets[1]; /* another client, whose connections find the server full */
    run->nets[1] = client;
    for (int i = 0; i < 4; i++)
        run_connect(run);
    run_out(run);
    ck_assert_uint_eq(run->doors[0].accepted, 8);
    ck_assert_uint_eq(run->reasons[NET_CLOSE_FINISHED], 16);
    run_close(run);
}
END_TEST

START_TEST(a_wake_is_something_to_do_now)
{
    struct run *run = run_open(&calm);
    run->now_ns = 5;
    ck_assert_uint_eq(sim_network_next_ns(run->network), UINT64_MAX);
    run->nets[0]->calls->wake(run->nets[0]);
    ck_assert_uint_eq(sim_network_next_ns(run->network), 5);
    run_turn(run);
    ck_assert_uint_eq(sim_network_next_ns(run->network), UINT64_MAX);
    run_close(run);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net_sim");
    TCase *tcase = tcase_create("net_sim");
    tcase_add_test(tcase, without_faults_all_end_in_order);
    tcase_add_loop_test(tcase, the_same_seed_gives_the_same_trace, 0, 3);
    tcase_add_test(tcase, resets_come_at_the_rate_asked_for);
    tcase_add_test(tcase, faults_change_as_told);
    tcase_add_test(tcase, stalls_cost_time_and_nothing_else);
    tcase_add_test(tcase, nothing_is_earlier_than_the_latency);
    tcase_add_test(tcase, a_sender_stalls_at_the_window);
    tcase_add_test(tcase, a_killed_participant_hears_nothing_more);
    tcase_add_test(tcase, a_full_backlog_refuses);
    tcase_add_test(tcase, without_a_slot_they_wait);
    tcase_add_test(tcase, a_wake_is_something_to_do_now);
    suite_add_tcase(suite, tcase);
    return suite;
}
