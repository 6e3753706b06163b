#include "engine/load/distribution.h"

#include "tests/check_main.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 20000u
#define K 1024ull

static struct distribution parse(const char *text, uint64_t low, uint64_t high)
{
    struct distribution distribution;
    struct fault fault;
    ck_assert_msg(distribution_parse(text, low, high, &distribution, &fault) == STATUS_OK, "%s",
                  fault.text);
    return distribution;
}

START_TEST(numbers_and_ranges)
{
    static const struct {
        const char *text;
        uint64_t low, high;
    } rows[] = {
        {"0", 0, 0},
        {"1", 1, 1},
        {"007", 7, 7},
        {"4k", 4 * K, 4 * K},
        {"4K", 4 * K, 4 * K},
        {"3m", 3 * K * K, 3 * K * K},
        {"3M", 3 * K * K, 3 * K * K},
        {"2g", 2 * K * K * K, 2 * K * K * K},
        {"2G", 2 * K * K * K, 2 * K * K * K},
        {"1-5", 1, 5},
        {"5-5", 5, 5},
        {"1k-64k", K, 64 * K},
        {"0-18446744073709551615", 0, UINT64_MAX},
        {"17179869183G", 17179869183 * K * K * K, 17179869183 * K * K * K},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct distribution distribution = parse(rows[i].text, 0, UINT64_MAX);
        ck_assert_uint_eq(distribution_max(&distribution), rows[i].high);
        struct random random = {.state = i};
        uint64_t least = UINT64_MAX, most = 0;
        for (uint32_t k = 0; k < 1000; k++) {
            uint64_t value = distribution_draw(&distribution, &random);
            least = value < least ? value : least;
            most = value > most ? value : most;
        }
        ck_assert_msg(least >= rows[i].low && most <= rows[i].high, "%s: %llu to %llu",
                      rows[i].text, (unsigned long long)least, (unsigned long long)most);
        if (rows[i].high - rows[i].low < 10) /* both ends are drawn */
            ck_assert(least == rows[i].low && most == rows[i].high);
    }
}
END_TEST

static const char *const bad[] = {
    "",
    "k",
    "-",
    "-5",
    "+5",
    " 5",
    "5 ",
    "5x",
    "5kk",
    "5kB",
    "5.5",
    "1e3",
    "0x10",
    "inf",
    "nan",
    "5-",
    "5-1",
    "1-5-9",
    "1--5",
    "1,5",
    "99", /* beyond high */
    "2",  /* below low */
    "2-5",
    "5-99",
    "18446744073709551616",
    "18014398509481984k",
    "17179869184G",
    "lognormal",
    "lognormal:",
    "lognormal:5",
    "lognormal:5,",
    "lognormal:,1",
    "lognormal:0,1",
    "lognormal:99,1",
    "lognormal:2,1",
    "lognormal:5,-1",
    "lognormal:5,+1",
    "lognormal:5, 1",
    "lognormal:5,nan",
    "lognormal:5,inf",
    "lognormal:5,1e1",
    "lognormal:5,0x1",
    "lognormal:5,.",
    "lognormal:5,1.2.3",
    "lognormal:5,1x",
    "lognormal:5,10.1",
    "lognormal:5,1,1",
    "Lognormal:5,1",
    "mix",
    "mix:",
    "mix:5",
    "mix:5*",
    "mix:*5",
    "mix:5*0",
    "mix:5*-1",
    "mix:5*1,",
    "mix:,5*1",
    "mix:5*1,,6*1",
    "mix:5*1 ,6*1",
    "mix:5*1;6*1",
    "mix:5*1000000001",
    "mix:5*1,99*1",
    "mix:5*1,2*1",
};

START_TEST(refuses_the_rest)
{
    const struct distribution untouched = {.low = 77, .high = 88, .parts_count = 3};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct distribution distribution;
        struct fault fault = {.text = ""};
        char quoted[64];
        memcpy(&distribution, &untouched, sizeof distribution);
        ck_assert_msg(distribution_parse(bad[i], 3, 20, &distribution, &fault) == STATUS_USAGE,
                      "'%s'", bad[i]);
        snprintf(quoted, sizeof quoted, "'%s'", bad[i]);
        ck_assert_msg(strstr(fault.text, quoted) != NULL, "%s", fault.text);
        ck_assert_mem_eq(&distribution, &untouched, sizeof distribution);
    }
}
END_TEST

/* Where every number of 64 bits is allowed, what is refused is none, or can't be meant. */
START_TEST(refuses_what_overflows)
{
    static const char *const texts[] = {
        "18446744073709551616", "18014398509481984k",       "17592186044416M",
        "17179869184G",         "0-17179869184G",           "mix:17179869184G*1",
        "mix:1*17179869184G",   "lognormal:17179869184G,1", "lognormal:0,1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct distribution distribution;
        ck_assert_msg(distribution_parse(texts[i], 0, UINT64_MAX, &distribution, NULL) ==
                          STATUS_USAGE,
                      "%s", texts[i]);
    }
}
END_TEST

START_TEST(a_mix_has_so_many_parts)
{
    char text[512] = "mix:5*1";
    struct distribution distribution;
    for (uint32_t parts = 2; parts <= DISTRIBUTION_PARTS_MAX + 1; parts++) {
        size_t size = strlen(text);
        snprintf(text + size, sizeof text - size, ",%u*1000000000", parts);
        enum status status = distribution_parse(text, 0, 100, &distribution, NULL);
        ck_assert_int_eq(status, parts <= DISTRIBUTION_PARTS_MAX ? STATUS_OK : STATUS_USAGE);
    }
    ck_assert_uint_eq(distribution_max(&distribution), DISTRIBUTION_PARTS_MAX);
}
END_TEST

START_TEST(a_mix_keeps_its_weights)
{
    static const uint64_t values[] = {K, 5 * K, 17 * K, K * K};
    static const double shares[] = {0.60, 0.25, 0.10, 0.05};
    struct distribution distribution = parse("mix:1k*60,5k*25,17k*10,1M*5", 1, 1u << 30);
    struct random random = {.state = 1};
    uint32_t counts[4] = {0};
    ck_assert_uint_eq(distribution.low, K);
    ck_assert_uint_eq(distribution_max(&distribution), K * K);
    for (uint32_t i = 0; i < DRAWS; i++) {
        uint64_t value = distribution_draw(&distribution, &random);
        size_t part = 0;
        while (part < 4 && values[part] != value)
            part++;
        if (part == 4)
            ck_abort_msg("%llu", (unsigned long long)value);
        counts[part]++;
    }
    for (size_t i = 0; i < 4; i++)
        ck_assert_double_eq_tol(counts[i] / (double)DRAWS, shares[i], 0.02);
}
END_TEST

START_TEST(a_mix_of_the_least_weights)
{
    struct distribution distribution = parse("mix:1*1,2*1,3*1", 1, 3);
    struct random random = {.state = 4};
    uint32_t counts[4] = {0};
    for (uint32_t i = 0; i < DRAWS; i++)
        counts[distribution_draw(&distribution, &random)]++;
    for (size_t i = 1; i < 4; i++)
        ck_assert_double_eq_tol(counts[i] / (double)DRAWS, 1 / 3.0, 0.02);
}
END_TEST

START_TEST(uniform_is_even)
{
    struct distribution distribution = parse("10-19", 0, 100);
    struct random random = {.state = 2};
    uint32_t counts[10] = {0};
    for (uint32_t i = 0; i < DRAWS; i++)
        counts[distribution_draw(&distribution, &random) - 10]++;
    for (size_t i = 0; i < 10; i++)
        ck_assert_double_eq_tol(counts[i] / (double)DRAWS, 0.1, 0.01);
}
END_TEST

/* The logarithm is normal: half lies below the median, 84.1 % below one sigma more, 15.9 % below
 * one less, 97.7 % below two more. */
START_TEST(lognormal_has_median_and_sigma)
{
    static const struct {
        double sigmas, share;
    } rows[] = {{-1, 0.159}, {0, 0.5}, {1, 0.841}, {2, 0.977}};
    struct distribution distribution = parse("lognormal:8k,1.2", 1, 1u << 30);
    struct random random = {.state = 3};
    uint32_t below[4] = {0};
    for (uint32_t i = 0; i < DRAWS; i++) {
        double value = (double)distribution_draw(&distribution, &random);
        for (size_t k = 0; k < 4; k++)
            below[k] += value < 8192 * exp(1.2 * rows[k].sigmas);
    }
    for (size_t k = 0; k < 4; k++)
        ck_assert_double_eq_tol(below[k] / (double)DRAWS, rows[k].share, 0.015);
}
END_TEST

START_TEST(lognormal_is_cut_off)
{
    static const struct {
        const char *text;
        uint64_t low, high;
        bool reached; /* both ends */
    } rows[] = {
        {"lognormal:8k,10", 512, 1u << 30, true},
        {"lognormal:8k,.5", 8000, 8500, true},
        {"lognormal:8k,0", 512, 1u << 30, false},
        {"lognormal:1,10.0", 1, UINT64_MAX, false},
        {"lognormal:17179869183G,10", 1, UINT64_MAX, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct distribution distribution = parse(rows[i].text, rows[i].low, rows[i].high);
        struct random random = {.state = i};
        bool low = false, high = false;
        for (uint32_t k = 0; k < DRAWS; k++) {
            uint64_t value = distribution_draw(&distribution, &random);
            if (value < rows[i].low || value > rows[i].high ||
                (distribution.sigma <= 0 && value != 8 * K))
                ck_abort_msg("%s: %llu", rows[i].text, (unsigned long long)value);
            low |= value == rows[i].low;
            high |= value == rows[i].high;
        }
        ck_assert_msg(!rows[i].reached || high, "%s", rows[i].text);
        ck_assert_msg(!rows[i].reached || low || rows[i].low == 1, "%s", rows[i].text);
        ck_assert_uint_eq(distribution_max(&distribution), rows[i].high);
    }
}
END_TEST

START_TEST(the_seed_decides)
{
    static const char *const texts[] = {"1-1000000000", "lognormal:1G,1", "mix:1*1,2*1,3*1,4*1"};
    for (size_t i = 0; i < 3; i++) {
        struct distribution distribution = parse(texts[i], 0, UINT64_MAX);
        struct random one = {.state = 5}, same = {.state = 5}, other = {.state = 6};
        uint32_t differ = 0;
        for (uint32_t k = 0; k < 100; k++) {
            uint64_t value = distribution_draw(&distribution, &one);
            ck_assert_uint_eq(value, distribution_draw(&distribution, &same));
            differ += value != distribution_draw(&distribution, &other);
        }
        ck_assert_uint_gt(differ, 50);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("distribution");
    TCase *tcase = tcase_create("distribution");
    tcase_add_test(tcase, numbers_and_ranges);
    tcase_add_test(tcase, refuses_the_rest);
    tcase_add_test(tcase, refuses_what_overflows);
    tcase_add_test(tcase, a_mix_has_so_many_parts);
    tcase_add_test(tcase, a_mix_keeps_its_weights);
    tcase_add_test(tcase, a_mix_of_the_least_weights);
    tcase_add_test(tcase, uniform_is_even);
    tcase_add_test(tcase, lognormal_has_median_and_sigma);
    tcase_add_test(tcase, lognormal_is_cut_off);
    tcase_add_test(tcase, the_seed_decides);
    suite_add_tcase(suite, tcase);
    return suite;
}
