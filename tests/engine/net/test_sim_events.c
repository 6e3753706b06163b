#include "engine/net/sim_events.h"

#include "base/random.h"
#include "tests/check_main.h"

START_TEST(come_out_in_order_of_time_then_of_scheduling)
{
    enum { COUNT = 500 };
    struct sim_events events = {0};
    struct random random = {.state = (uint64_t)_i};
    ck_assert_uint_eq(sim_events_next_ns(&events), UINT64_MAX);
    for (uint64_t i = 0; i < COUNT; i++)
        sim_events_push(&events,
                        (struct sim_event){.at_ns = random_below(&random, 50), .sequence = i});
    struct sim_event previous = {0}, event;
    for (uint64_t i = 0; i < COUNT; i++) {
        uint64_t next_ns = sim_events_next_ns(&events);
        ck_assert(sim_events_pop(&events, 50, COUNT, &event));
        ck_assert_uint_eq(event.at_ns, next_ns);
        ck_assert(i == 0 || event.at_ns > previous.at_ns ||
                  (event.at_ns == previous.at_ns && event.sequence > previous.sequence));
        previous = event;
    }
    ck_assert(!sim_events_pop(&events, 50, COUNT, &event));
    sim_events_free(&events);
}
END_TEST

START_TEST(keeps_what_is_not_due_or_too_new)
{
    struct sim_events events = {0};
    struct sim_event event;
    sim_events_push(&events, (struct sim_event){.at_ns = 10, .sequence = 5});
    ck_assert(!sim_events_pop(&events, 9, 6, &event));
    ck_assert(!sim_events_pop(&events, 10, 5, &event));
    ck_assert(sim_events_pop(&events, 10, 6, &event));
    sim_events_free(&events);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sim_events");
    TCase *tcase = tcase_create("sim_events");
    tcase_add_loop_test(tcase, come_out_in_order_of_time_then_of_scheduling, 0, 5);
    tcase_add_test(tcase, keeps_what_is_not_due_or_too_new);
    suite_add_tcase(suite, tcase);
    return suite;
}
