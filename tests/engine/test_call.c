/* Calls of a shard that has no log, on the simulated network: how they come up, fail, and end. */
#include "engine/call.h"

#include "engine/net/net_sim.h"
#include "engine/shard_state.h"
#include "tests/check_main.h"

enum { PATIENCE_MS = 5000, LATENCY_NS = 1000000, CONNECTIONS_MAX = 3 };

static uint64_t now_ns;
static struct clock test_clock;
static struct sim_network *network;
static struct net *client_net, *server_net;
static struct shard_config config;
static struct shard *shard;
static union net_address address;
static struct call_plan plan;

/* ------------------------------------------------------------------------------- a door ---- */

struct caller {
    struct call call; /* first */
    uint32_t opened, closed, expired;
    bool came_up; /* as of its end */
    char heard[64];
    size_t heard_bytes;
};

static struct caller callers[CONNECTIONS_MAX + 1];

static struct caller *caller_of(const struct session *session)
{
    return (struct caller *)(void *)session->call;
}

static void door_open(struct session *session, const struct session_listener *listener,
                      struct span client, struct output *out)
{
    (void)listener, (void)client, (void)out;
    ck_assert(!(session->flags & SESSION_CONNECTING));
    caller_of(session)->opened++;
}

/* Answers whatever comes with "hello", and hangs up on "b". */
static size_t door_feed(struct session *session, struct span input, struct output *out)
{
    struct caller *caller = caller_of(session);
    ck_assert_uint_lt(caller->heard_bytes + input.size, sizeof caller->heard);
    memcpy(caller->heard + caller->heard_bytes, input.data, input.size);
    caller->heard_bytes += input.size;
    if (input.size > 0)
        output_add(out, SPAN("hello"));
    return input.size;
}

static void door_go_on(struct session *session)
{
    (void)session;
}

static enum session_wish door_wish(const struct session *session)
{
    return strchr(caller_of(session)->heard, 'b') != NULL ? SESSION_CLOSE : SESSION_GO_ON;
}

static bool door_expects(const struct session *session)
{
    (void)session;
    return false;
}

static uint32_t door_patience_ms(const struct session *session)
{
    (void)session;
    return PATIENCE_MS;
}

static void door_end(struct session *session, bool shutdown, struct output *out)
{
    (void)shutdown, (void)out;
    caller_of(session)->expired++;
    net_abort(session->shard->net, session->conn);
}

static bool door_busy(const struct session *session)
{
    (void)session;
    return false;
}

static bool door_close(struct session *session)
{
    struct caller *caller = caller_of(session);
    caller->closed++;
    caller->came_up = !(session->flags & SESSION_CONNECTING);
    caller->call.session = NULL;
    return false;
}

static const struct door door = {.name = "test",
                                 .open = door_open,
                                 .feed = door_feed,
                                 .go_on = door_go_on,
                                 .wish = door_wish,
                                 .expects = door_expects,
                                 .patience_ms = door_patience_ms,
                                 .end = door_end,
                                 .busy = door_busy,
                                 .close = door_close};

/* ----------------------------------------------------------------------------- a server ---- */

static struct server {
    struct net_conn conn;
    char peer[NET_ADDRESS_TEXT_BYTES];
    char heard[64];
    size_t heard_bytes;
    uint32_t opened, closed;
} server;

static void *server_opened(void *context, struct net_conn conn, const union net_address *peer)
{
    (void)context;
    server.conn = conn;
    server.opened++;
    net_address_text(peer, server.peer);
    return &server;
}

static size_t server_received(void *context, struct span bytes)
{
    (void)context;
    ck_assert_uint_lt(server.heard_bytes + bytes.size, sizeof server.heard);
    memcpy(server.heard + server.heard_bytes, bytes.data, bytes.size);
    server.heard_bytes += bytes.size;
    return bytes.size;
}

static void server_peer_finished(void *context)
{
    (void)context;
    net_finish(server_net, server.conn);
}

static void server_drained(void *context)
{
    (void)context;
}

static void server_closed(void *context, enum net_close_reason reason)
{
    (void)context, (void)reason;
    server.closed++;
}

static const struct net_handler server_handler = {.opened = server_opened,
                                                  .received = server_received,
                                                  .peer_finished = server_peer_finished,
                                                  .drained = server_drained,
                                                  .closed = server_closed};

static void keep(struct net_tx *tx, void *context)
{
    (void)tx, (void)context;
}

static void server_say(const char *text)
{
    static struct net_tx tx;
    tx = (struct net_tx){
        .data = (const uint8_t *)text, .size = (uint32_t)strlen(text), .release = keep};
    net_send(server_net, server.conn, &tx);
}

/* --------------------------------------------------------------------------- the network ---- */

static uint64_t read_clock(void *context)
{
    (void)context;
    return now_ns;
}

static void open_network(uint64_t latency_ns)
{
    const struct net_listener_options listener = {.backlog = 8};
    const struct sim_network_options options = {.seed = 1,
                                                .latency_ns_min = latency_ns,
                                                .latency_ns_max = latency_ns,
                                                .segment_bytes_max = 8192,
                                                .window_bytes = 65536,
                                                .connections_max = CONNECTIONS_MAX};
    struct fault fault;
    now_ns = NS_PER_S;
    test_clock = (struct clock){read_clock, read_clock, NULL};
    server = (struct server){0};
    address.ipv4 = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(25)};
    plan = (struct call_plan){.door = &door, .address = &address, .host = "localhost"};
    config = (struct shard_config){.connections_max = CONNECTIONS_MAX, .clock = &test_clock};
    ck_assert(sim_network_open(&network, &options, &test_clock) == STATUS_OK);
    ck_assert(net_sim_open(&client_net, network) == STATUS_OK);
    ck_assert(net_sim_open(&server_net, network) == STATUS_OK);
    ck_assert(server_net->calls->listen(server_net, &address, &listener, &server_handler, NULL,
                                        NULL, &fault) == STATUS_OK);
    ck_assert(shard_open(&shard, &config, 0, client_net, NULL) == STATUS_OK);
}

static void set_up(void)
{
    open_network(LATENCY_NS);
}

static void tear_down(void)
{
    client_net->calls->deinit(client_net);
    ck_assert_uint_eq(shard_sessions(shard), 0);
    ck_assert_uint_eq(shard_counters(shard)->sessions_open[DOOR_OUTGOING], 0);
    shard_close(shard);
    server_net->calls->deinit(server_net);
    sim_network_close(network);
}

static void run(uint64_t ms)
{
    for (uint64_t until_ns = now_ns + ms * NS_PER_MS; now_ns < until_ns; now_ns += NS_PER_MS / 2) {
        shard_turn(shard, 0);
        net_poll(server_net, 0);
    }
}

static void start(struct caller *caller)
{
    *caller = (struct caller){0};
    ck_assert(call_connect(shard, &caller->call, &plan, NULL) == STATUS_OK);
    ck_assert_ptr_nonnull(caller->call.session);
}

/* --------------------------------------------------------------------------------- tests ---- */

START_TEST(both_hear_each_other_until_one_hangs_up)
{
    start(&callers[0]);
    ck_assert_uint_eq(callers[0].opened, 0);
    run(5);
    ck_assert_uint_eq(callers[0].opened, 1);
    ck_assert_uint_eq(server.opened, 1);
    ck_assert_uint_eq(server.heard_bytes, 0); /* who calls waits to be spoken to */
    server_say("a");
    run(5);
    ck_assert_str_eq(callers[0].heard, "a");
    ck_assert_str_eq(server.heard, "hello");
    ck_assert_uint_eq(shard_counters(shard)->sessions_open[DOOR_OUTGOING], 1);
    server_say("b");
    run(10);
    ck_assert_uint_eq(server.closed, 1);
    ck_assert_uint_eq(callers[0].closed, 1);
    ck_assert(callers[0].came_up);
    ck_assert_uint_eq(shard_counters(shard)->sessions_opened[DOOR_OUTGOING], 1);
}
END_TEST

START_TEST(the_other_side_may_end_it)
{
    for (int reset = 0; reset < 2; reset++) {
        start(&callers[0]);
        run(5);
        if (reset)
            net_abort(server_net, server.conn);
        else
            net_finish(server_net, server.conn);
        run(10);
        ck_assert_uint_eq(callers[0].closed, 1);
        ck_assert(callers[0].came_up);
        ck_assert_uint_eq(shard_sessions(shard), 0);
    }
}
END_TEST

START_TEST(nobody_is_there)
{
    address.ipv4.sin_port = htons(26);
    start(&callers[0]);
    run(5);
    ck_assert_uint_eq(callers[0].opened, 0);
    ck_assert_uint_eq(callers[0].closed, 1);
    ck_assert(!callers[0].came_up);
    ck_assert_ptr_null(callers[0].call.session);
}
END_TEST

/* It is on its way for 200 s; the door's patience is 5. */
START_TEST(nobody_answers_in_time)
{
    tear_down();
    open_network(100 * NS_PER_S);
    start(&callers[0]);
    run(PATIENCE_MS - 10);
    ck_assert_uint_eq(callers[0].closed, 0);
    run(20);
    ck_assert_uint_eq(callers[0].expired, 1);
    ck_assert_uint_eq(callers[0].closed, 1);
    ck_assert(!callers[0].came_up);
    ck_assert_uint_eq(shard_counters(shard)->timeouts, 1);
}
END_TEST

START_TEST(silence_ends_a_call_that_came_up)
{
    start(&callers[0]);
    run(1000);
    server_say("a");
    run(PATIENCE_MS - 10);
    ck_assert_uint_eq(callers[0].closed, 0);
    run(20);
    ck_assert_uint_eq(callers[0].expired, 1);
    ck_assert_uint_eq(callers[0].closed, 1);
    ck_assert(callers[0].came_up);
}
END_TEST

/* The fourth is told, and may try again when one has ended; nothing was called for it. */
START_TEST(there_are_only_so_many)
{
    struct caller *late = &callers[CONNECTIONS_MAX];
    for (uint32_t i = 0; i < CONNECTIONS_MAX; i++)
        start(&callers[i]);
    ck_assert(call_connect(shard, &late->call, &plan, NULL) == STATUS_AGAIN);
    ck_assert_ptr_null(late->call.session);
    run(5);
    net_abort(client_net, callers[1].call.session->conn);
    run(5);
    ck_assert_uint_eq(callers[1].closed, 1);
    ck_assert(call_connect(shard, &late->call, &plan, NULL) == STATUS_OK);
    run(5);
    ck_assert_uint_eq(late->opened, 1);
    ck_assert_uint_eq(late->closed, 0);
}
END_TEST

/* The network has no room although the shard has: the session is given back. */
START_TEST(the_network_may_have_no_room)
{
    struct net_conn conns[CONNECTIONS_MAX];
    for (uint32_t i = 0; i < CONNECTIONS_MAX; i++)
        ck_assert(client_net->calls->connect(client_net, &address, NULL, &server_handler, NULL,
                                             &conns[i]) == STATUS_OK);
    ck_assert(call_connect(shard, &callers[0].call, &plan, NULL) == STATUS_AGAIN);
    ck_assert_ptr_null(callers[0].call.session);
    ck_assert_uint_eq(shard_sessions(shard), 0);
    ck_assert_uint_eq(shard_counters(shard)->sessions_opened[DOOR_OUTGOING], 0);
}
END_TEST

START_TEST(a_call_comes_from_where_it_should)
{
    union net_address source = address;
    source.ipv4.sin_addr.s_addr = htonl(0x7F000063);
    source.ipv4.sin_port = htons(4711);
    ck_assert(call_connect(shard, &callers[1].call, &plan, &source) == STATUS_OK);
    run(5);
    ck_assert_str_eq(server.peer, "127.0.0.99:4711");
    start(&callers[0]);
    run(5);
    ck_assert(strncmp(server.peer, "127.0.0.1:", 10) == 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/call");
    TCase *calls = tcase_create("call");
    tcase_add_checked_fixture(calls, set_up, tear_down);
    tcase_add_test(calls, both_hear_each_other_until_one_hangs_up);
    tcase_add_test(calls, the_other_side_may_end_it);
    tcase_add_test(calls, nobody_is_there);
    tcase_add_test(calls, nobody_answers_in_time);
    tcase_add_test(calls, silence_ends_a_call_that_came_up);
    tcase_add_test(calls, there_are_only_so_many);
    tcase_add_test(calls, the_network_may_have_no_room);
    tcase_add_test(calls, a_call_comes_from_where_it_should);
    suite_add_tcase(suite, calls);
    return suite;
}
