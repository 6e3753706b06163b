/* The promises of the store, over many lives of many seeds. */
#include "tests/check_main.h"
#include "base/log.h"
#include "storage/index/index_memory.h"
#include "tests/storage/crash_model.h"

#include <stdio.h>
#include <stdlib.h>

#define LIVES 6

struct weather { /* what the disk is like */
    const char *name;
    uint32_t seeds;
    uint32_t write_errors_per_million;
    uint64_t capacity_bytes;
};

static const struct weather weathers[] = {
    {.name = "crashes", .seeds = 40},
    {.name = "failing writes", .seeds = 40, .write_errors_per_million = 20000},
    {.name = "a small disk", .seeds = 15, .capacity_bytes = 3u << 20},
};

/* The index is derived: whatever part of it a crash, or somebody's hand, takes away. */
static void shake_index(struct store_bed *bed)
{
    uint32_t runs = index_memory_runs(bed->options.index);
    bed->options.delta_bytes = 300 + (uint32_t)random_below(&bed->random, 3000);
    if (random_below(&bed->random, 2) == 0)
        runs -= (uint32_t)random_below(&bed->random, runs < 5 ? runs + 1 : 5);
    else if (random_below(&bed->random, 8) == 0)
        runs = (uint32_t)random_below(&bed->random, runs + 1);
    index_memory_rewind(bed->options.index, runs);
    index_memory_fail(bed->options.index, (uint32_t)random_below(&bed->random, 8) / 7 * 2);
}

static void live(struct model *model)
{
    struct store_bed *bed = model->bed;
    shake_index(bed);
    bed->options.shards = 1 + (uint32_t)random_below(&bed->random, 3);
    bed->options.commit_depth = 1 + (uint32_t)random_below(&bed->random, 4);
    bed->options.seed = random_next(&bed->random);
    bed->options.segment_bytes = 256 * 1024 << random_below(&bed->random, 2);
    bed->options.reclaim_rate = random_below(&bed->random, 3) * 100000000;
    bed->refuse_links = (uint32_t)random_below(&bed->random, 3);
    store_bed_open(bed);
    model_check(model);
    uint64_t steps = random_below(&bed->random, 240);
    for (uint64_t i = 0; i < steps; i++)
        model_step(model);
    if (random_below(&bed->random, 4) == 0) {
        model_release(model, false);
        store_bed_close(bed);
        model_learn(model);
    } else {
        store_bed_crash(bed);
        model_release(model, true);
    }
}

static void run(const struct weather *weather, uint64_t seed)
{
    static struct store_bed bed;
    struct model *model = calloc(1, sizeof(*model));
    store_bed_init(&bed, &(struct sim_disk_options){.seed = seed,
                                                    .latency_ns_min = 10000,
                                                    .latency_ns_max = 2000000,
                                                    .capacity_bytes = weather->capacity_bytes});
    model->bed = &bed;
    ck_assert_int_eq(index_memory_open(&bed.options.index, true), STATUS_OK);
    store_bed_open(&bed); /* creating a store may fail, and then that is all */
    store_bed_close(&bed);
    sim_disk_set_errors(bed.disk, weather->write_errors_per_million, 0);
    for (int i = 0; i < LIVES; i++)
        live(model);
    sim_disk_set_errors(bed.disk, 0, 0);
    store_bed_open(&bed);
    model_check(model);
    char line[256];
    ck_assert_msg(store_bed_verify(&bed, line) == STATUS_OK, "%s", line);
    store_bed_close(&bed);
    bed.options.index->calls->close(bed.options.index);
    store_bed_deinit(&bed);
    free(model);
}

START_TEST(promises_are_kept)
{
    /* SEED=n: only that one, SEEDS=n: so many. */
    const char *chosen = getenv("SEED"), *many = getenv("SEEDS");
    const struct weather *weather = &weathers[_i];
    log_set_level(LOG_LEVEL_ERROR - 1);
    uint64_t first = chosen ? strtoull(chosen, NULL, 10) : 0;
    uint64_t count = chosen ? 1 : many ? strtoull(many, NULL, 10) : weather->seeds;
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (getenv("VERBOSE"))
            fprintf(stderr, "%s: seed %llu\n", weather->name, (unsigned long long)seed);
        run(weather, seed);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("crash");
    TCase *tcase = tcase_create("crash");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, promises_are_kept, 0, sizeof(weathers) / sizeof(*weathers));
    suite_add_tcase(suite, tcase);
    return suite;
}
