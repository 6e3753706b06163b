#include "engine/mesh.h"

#include "engine/net/net.h"
#include "tests/check_main.h"

#include <pthread.h>
#include <stdio.h>

/* A net that only counts how often it was woken. */
struct counting_net {
    struct net net;
    _Atomic uint32_t wakes;
};

static void count_wake(struct net *net)
{
    atomic_fetch_add(&((struct counting_net *)(void *)net)->wakes, 1);
}

static const struct net_calls counting_calls = {.name = "counting", .wake = count_wake};

struct seen {
    uint32_t links, crossings;
    uint64_t last_id;
    uint32_t links_before_crossing;
    char mailbox[64];
};

static void see_link(void *context, struct span mailbox, const struct store_link *link)
{
    struct seen *seen = context;
    ck_assert_uint_eq(link->id, seen->last_id + 1);
    seen->last_id = link->id;
    seen->links++;
    snprintf(seen->mailbox, sizeof seen->mailbox, "%.*s", (int)mailbox.size, mailbox.data);
}

static void see_crossing(void *context, struct crossing *crossing)
{
    struct seen *seen = context;
    ck_assert_uint_eq(crossing->name_bytes, seen->crossings);
    seen->crossings++;
    seen->links_before_crossing = seen->links;
}

struct fixture {
    struct mesh *mesh;
    struct counting_net nets[3];
    struct seen seen;
    struct mesh_visitor visitor;
};

static void set_up(struct fixture *fixture, uint32_t shards, size_t bytes)
{
    *fixture = (struct fixture){.visitor = {.link = see_link, .crossing = see_crossing}};
    fixture->visitor.context = &fixture->seen;
    ck_assert_int_eq(mesh_open(&fixture->mesh, shards, bytes), STATUS_OK);
    for (uint32_t i = 0; i < shards; i++) {
        fixture->nets[i].net.calls = &counting_calls;
        mesh_attach(fixture->mesh, i, &fixture->nets[i].net);
    }
}

START_TEST(links_arrive_in_order_and_wake_once_a_turn)
{
    struct fixture fixture;
    set_up(&fixture, 3, 65536);
    for (uint64_t id = 1; id <= 10; id++) {
        const struct store_link link = {.id = id};
        ck_assert(mesh_send_link(fixture.mesh, 0, 2, SPAN("box@example.test"), &link));
    }
    ck_assert_uint_eq(fixture.nets[2].wakes, 0);
    mesh_flush(fixture.mesh, 0);
    mesh_flush(fixture.mesh, 0);
    ck_assert_uint_eq(fixture.nets[2].wakes, 1);
    ck_assert_uint_eq(fixture.nets[1].wakes, 0);
    mesh_drain(fixture.mesh, 1, &fixture.visitor);
    ck_assert_uint_eq(fixture.seen.links, 0);
    mesh_drain(fixture.mesh, 2, &fixture.visitor);
    ck_assert_uint_eq(fixture.seen.links, 10);
    ck_assert_str_eq(fixture.seen.mailbox, "box@example.test");
    mesh_close(fixture.mesh);
}
END_TEST

START_TEST(a_full_queue_refuses_and_still_wakes)
{
    struct fixture fixture;
    set_up(&fixture, 2, 4096);
    struct store_link link = {.id = 1};
    while (mesh_send_link(fixture.mesh, 0, 1, SPAN("box"), &link))
        link.id++;
    ck_assert_uint_gt(link.id, 10);
    mesh_flush(fixture.mesh, 0);
    ck_assert_uint_eq(fixture.nets[1].wakes, 1);
    mesh_drain(fixture.mesh, 1, &fixture.visitor);
    ck_assert_uint_eq(fixture.seen.links, link.id - 1);
    ck_assert(mesh_send_link(fixture.mesh, 0, 1, SPAN("box"), &link));
    mesh_close(fixture.mesh);
}
END_TEST

START_TEST(links_come_before_crossings_that_follow_them)
{
    struct fixture fixture;
    struct crossing crossings[3] = {{.name_bytes = 0}, {.name_bytes = 1}, {.name_bytes = 2}};
    set_up(&fixture, 2, 4096);
    const struct store_link link = {.id = 1};
    ck_assert(mesh_send_link(fixture.mesh, 0, 1, SPAN("box"), &link));
    for (int i = 0; i < 3; i++)
        mesh_send_crossing(fixture.mesh, 1, &crossings[i]);
    ck_assert_uint_eq(fixture.nets[1].wakes, 3);
    mesh_drain(fixture.mesh, 1, &fixture.visitor);
    ck_assert_uint_eq(fixture.seen.crossings, 3);
    ck_assert_uint_eq(fixture.seen.links_before_crossing, 1);
    mesh_close(fixture.mesh);
}
END_TEST

/* A writer thread publishes a link and then sends a crossing; whenever the reader sees the crossing
 * it must have seen the link. */
enum { ROUNDS = 20000 };

struct race {
    struct mesh *mesh;
    struct crossing crossings[ROUNDS];
};

static void *race_writer(void *argument)
{
    struct race *race = argument;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const struct store_link link = {.id = i + 1};
        while (!mesh_send_link(race->mesh, 0, 1, SPAN("box"), &link))
            ;
        race->crossings[i].name_bytes = i;
        mesh_send_crossing(race->mesh, 1, &race->crossings[i]);
    }
    return NULL;
}

static void race_crossing(void *context, struct crossing *crossing)
{
    struct seen *seen = context;
    ck_assert_uint_eq(crossing->name_bytes, seen->crossings);
    ck_assert_uint_ge(seen->links, ++seen->crossings);
}

START_TEST(no_crossing_overtakes_a_link)
{
    static struct race race;
    struct fixture fixture;
    pthread_t thread;
    set_up(&fixture, 2, 4096);
    fixture.visitor.crossing = race_crossing;
    race.mesh = fixture.mesh;
    ck_assert_int_eq(pthread_create(&thread, NULL, race_writer, &race), 0);
    while (fixture.seen.crossings < ROUNDS)
        mesh_drain(fixture.mesh, 1, &fixture.visitor);
    pthread_join(thread, NULL);
    mesh_close(fixture.mesh);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("mesh");
    TCase *tests = tcase_create("mesh");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, links_arrive_in_order_and_wake_once_a_turn);
    tcase_add_test(tests, a_full_queue_refuses_and_still_wakes);
    tcase_add_test(tests, links_come_before_crossings_that_follow_them);
    tcase_add_test(tests, no_crossing_overtakes_a_link);
    suite_add_tcase(suite, tests);
    return suite;
}
