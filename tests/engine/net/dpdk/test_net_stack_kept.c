/* What sessions leave for later. */
#include "engine/net/dpdk/net_stack.h"

#include "tests/check_main.h"
#include "tests/engine/net/pair.h"

#include <stdlib.h>

static void resume_all(struct pair *pair)
{
    for (unsigned i = 0; i < pair->sides.count; i++) {
        struct side *side = pair->sides.sides[i];
        side->stubborn = false;
        net_resume(side->net, side->conn);
    }
}

/* Every client has sent these bytes, and they arrive. */
static void part_from_all(struct pair *pair, struct side *clients, const uint8_t *bytes,
                          size_t size)
{
    for (unsigned i = 0; i < pair->sides.count; i++) {
        world_until(&pair->world, pair->sides.sides[i]->size == size);
        check_bytes(pair->sides.sides[i], bytes, size);
        side_free(&clients[i]);
    }
    pair_close(pair);
}

START_TEST(what_is_kept_for_later_has_a_limit)
{
    enum { CLIENTS = 40 };
    const size_t size = 200000, limit = 1000000;
    struct pair pair = {.sides.model.stubborn = true};
    struct side clients[CLIENTS] = {0};
    world_open(&pair.world, BACKEND_DPDK, &(struct world_options){.kept_bytes = limit});
    world_listen(&pair.world, &pair.sides);
    uint8_t *bytes = noise(size);
    for (unsigned i = 0; i < CLIENTS; i++) {
        world_connect(&pair.world, &clients[i]);
        send_all(&clients[i], bytes, size);
    }
    world_turns(&pair.world, 3000);
    ck_assert_uint_eq(pair.sides.count, CLIENTS);
    ck_assert_uint_lt(counters_of(pair.world.server).bytes_in, 2 * limit);
    ck_assert_uint_gt(counters_of(pair.world.server).bytes_in, limit / 2);
    resume_all(&pair);
    pair.world.turn_ns = 10 * NS_PER_MS; /* they ask ever more rarely */
    part_from_all(&pair, clients, bytes, size);
    free(bytes);
}
END_TEST

/* However much is kept: the first bytes of everybody have room, and no connection ends for want of
 * it. */
START_TEST(what_comes_first_is_kept_in_any_case)
{
    enum { CLIENTS = 4000 };
    const size_t size = 1000;
    struct pair pair = {.sides.model.stubborn = true};
    struct side *clients = calloc(CLIENTS, sizeof *clients);
    struct lab *lab = calloc(1, sizeof *lab);
    const struct net_stack_options options[2] = {{.connections_max = CLIENTS, .kept_bytes = 10000},
                                                 {.connections_max = CLIENTS}};
    world_open_lab(&pair.world, lab, options);
    world_listen(&pair.world, &pair.sides);
    uint8_t *bytes = noise(size);
    for (unsigned i = 0; i < CLIENTS; i++) {
        world_connect(&pair.world, &clients[i]);
        world_until(&pair.world, clients[i].opened);
        send_all(&clients[i], bytes, size);
    }
    world_turns(&pair.world, 100);
    ck_assert_uint_eq(pair.sides.count, CLIENTS);
    ck_assert_uint_eq(counters_of(pair.world.server).bytes_in, CLIENTS * size);
    ck_assert_uint_eq(counters_of(pair.world.server).errors, 0);
    resume_all(&pair);
    part_from_all(&pair, clients, bytes, size);
    free(clients);
    free(bytes);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("net_stack_kept");
    TCase *tcase = tcase_create("net_stack_kept");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_kept_for_later_has_a_limit);
    tcase_add_test(tcase, what_comes_first_is_kept_in_any_case);
    suite_add_tcase(suite, tcase);
    return suite;
}
