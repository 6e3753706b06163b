#include "engine/load/schedule.h"

#include "base/clock.h"
#include "base/random.h"
#include "tests/check_main.h"

enum { STARTED_NS = 12345678 };

static struct schedule schedule_of(double rate, uint32_t index, uint32_t shards)
{
    return (struct schedule){.rate = rate,
                             .index = index,
                             .shards = shards,
                             .quota = UINT64_MAX,
                             .started_ns = STARTED_NS};
}

START_TEST(letters_are_evenly_spaced)
{
    static const struct {
        double rate;
        uint64_t place, expected_ns; /* after the start */
    } rows[] = {
        {1, 0, 0},
        {1, 1, NS_PER_S},
        {10, 3, 300 * NS_PER_MS},
        {1000, 999999, 999999 * NS_PER_MS},
        {8000000, 5, 625},
        {3, 1, 333333333},
        {3, 2, 666666666},
        {3, 3, NS_PER_S},
        {0.1, 7, 70 * NS_PER_S},
        {2.5, 86400 * 5, 86400 * 2 * NS_PER_S},
        {1e6, 3600000000, 3600 * NS_PER_S},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct schedule schedule = schedule_of(rows[i].rate, 0, 1);
        ck_assert_uint_eq(schedule_intended_ns(&schedule, rows[i].place) - STARTED_NS,
                          rows[i].expected_ns);
    }
}
END_TEST

/* Together they are one schedule. */
START_TEST(shards_take_turns)
{
    const struct schedule whole = schedule_of(7000, 0, 1);
    for (uint64_t place = 0; place < 1000; place++) {
        const struct schedule part = schedule_of(7000, (uint32_t)place % 3, 3);
        ck_assert_uint_eq(schedule_intended_ns(&part, place / 3),
                          schedule_intended_ns(&whole, place));
    }
}
END_TEST

START_TEST(nothing_is_due_before_the_start_or_beyond_the_quota)
{
    for (int open = 0; open < 2; open++) {
        struct schedule schedule = schedule_of(open * 10.0, 0, 1);
        schedule.quota = 5;
        ck_assert_uint_eq(schedule_due_ns(&schedule, 4), STARTED_NS + open * 400 * NS_PER_MS);
        ck_assert_uint_eq(schedule_due_ns(&schedule, 5), UINT64_MAX);
        schedule.started_ns = 0;
        ck_assert_uint_eq(schedule_due_ns(&schedule, 0), UINT64_MAX);
        ck_assert_uint_eq(schedule_due_count(&schedule, NS_PER_S), 0);
    }
}
END_TEST

/* Ten letters a second for a second are ten: the eleventh would begin at its end. */
START_TEST(nothing_is_due_once_it_is_over)
{
    struct schedule schedule = schedule_of(10, 0, 1);
    schedule.duration_ns = NS_PER_S;
    ck_assert_uint_eq(schedule_due_ns(&schedule, 9), STARTED_NS + 900 * NS_PER_MS);
    ck_assert_uint_eq(schedule_due_ns(&schedule, 10), UINT64_MAX);
    ck_assert(!schedule_is_over(&schedule, STARTED_NS + NS_PER_S - 1));
    ck_assert(schedule_is_over(&schedule, STARTED_NS + NS_PER_S));
    ck_assert_uint_eq(schedule_due_count(&schedule, STARTED_NS), 0);
    ck_assert_uint_eq(schedule_due_count(&schedule, STARTED_NS + 1), 1);
    ck_assert_uint_eq(schedule_due_count(&schedule, STARTED_NS + 900 * NS_PER_MS), 9);
    ck_assert_uint_eq(schedule_due_count(&schedule, STARTED_NS + 900 * NS_PER_MS + 1), 10);
    ck_assert_uint_eq(schedule_due_count(&schedule, STARTED_NS + NS_PER_S), 10);
    ck_assert_uint_eq(schedule_due_count(&schedule, UINT64_MAX), 10);
    schedule.rate = 0;
    ck_assert_uint_eq(schedule_due_count(&schedule, STARTED_NS), 0);
    ck_assert_uint_eq(schedule_due_count(&schedule, STARTED_NS + 1), schedule.quota);
    schedule.quota = UINT64_MAX;
    ck_assert_uint_eq(schedule_due_count(&schedule, STARTED_NS + 1), UINT64_MAX);
}
END_TEST

/* Without a duration it is never over, without a start neither. */
START_TEST(what_has_no_end_is_never_over)
{
    struct schedule schedule = schedule_of(10, 0, 1);
    ck_assert(!schedule_is_over(&schedule, UINT64_MAX));
    schedule.duration_ns = 1;
    schedule.started_ns = 0;
    ck_assert(!schedule_is_over(&schedule, UINT64_MAX));
}
END_TEST

/* As many letters are due before a moment as have an earlier time: at any rate, for any shard. */
START_TEST(the_count_agrees_with_the_times)
{
    static const double round_rates[] = {1, 2, 10, 50, 1000, 20000, 1000000};
    struct random random = {7};
    for (int i = 0; i < 20000; i++) {
        uint32_t shards = (uint32_t)random_below(&random, 5) + 1;
        double rate = round_rates[random_below(&random, sizeof round_rates / sizeof *round_rates)];
        if (random_below(&random, 2))
            rate /= (double)(random_below(&random, 1000) + 1);
        struct schedule schedule =
            schedule_of(rate, (uint32_t)random_below(&random, shards), shards);
        schedule.duration_ns = random_below(&random, 3) * random_below(&random, 10 * NS_PER_S);
        schedule.quota = random_below(&random, 2) ? UINT64_MAX : random_below(&random, 1000);
        uint64_t now_ns = STARTED_NS + random_below(&random, 20 * NS_PER_S);
        if (random_below(&random, 2)) /* just when one is due */
            now_ns = schedule_intended_ns(&schedule, random_below(&random, 1000));
        uint64_t count = schedule_due_count(&schedule, now_ns);
        bool enough = schedule_due_ns(&schedule, count) >= now_ns;
        bool too_many = count > 0 && schedule_due_ns(&schedule, count - 1) >= now_ns;
        if (!enough || too_many)
            ck_abort_msg("%lu are not those before %lu ns at %f/s", (unsigned long)count,
                         (unsigned long)now_ns, rate);
    }
}
END_TEST

/* Each letter has its share of the time, whichever shard has the last; but what was stopped ends
 * when it was, and what has a duration ends with it. */
START_TEST(the_last_letter_has_its_share_of_the_time)
{
    uint64_t last_ns = 0;
    for (uint32_t shard = 0; shard < 3; shard++) { /* of ten letters the first has four */
        struct schedule schedule = schedule_of(10, shard, 3);
        schedule.quota = shard == 0 ? 4 : 3;
        uint64_t end_ns = schedule_end_ns(&schedule, schedule.quota, STARTED_NS + 1);
        last_ns = end_ns > last_ns ? end_ns : last_ns;
        ck_assert_uint_eq(schedule_end_ns(&schedule, 2, STARTED_NS + 7), STARTED_NS + 7);
    }
    ck_assert_uint_eq(last_ns, STARTED_NS + NS_PER_S);

    struct schedule schedule = schedule_of(0.5, 0, 1);
    schedule.duration_ns = NS_PER_S;
    ck_assert_uint_eq(schedule_end_ns(&schedule, 1, STARTED_NS + 7), STARTED_NS + 7);
    ck_assert_uint_eq(schedule_end_ns(&schedule, 1, STARTED_NS + NS_PER_S + 7),
                      STARTED_NS + NS_PER_S);

    schedule.quota = 0; /* a shard without any */
    ck_assert_uint_eq(schedule_end_ns(&schedule, 0, STARTED_NS + 7), STARTED_NS + 7);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("engine/load/schedule");
    TCase *load = tcase_create("load");
    tcase_add_test(load, letters_are_evenly_spaced);
    tcase_add_test(load, shards_take_turns);
    tcase_add_test(load, nothing_is_due_before_the_start_or_beyond_the_quota);
    tcase_add_test(load, nothing_is_due_once_it_is_over);
    tcase_add_test(load, what_has_no_end_is_never_over);
    tcase_add_test(load, the_count_agrees_with_the_times);
    tcase_add_test(load, the_last_letter_has_its_share_of_the_time);
    suite_add_tcase(suite, load);
    return suite;
}
