#include "storage/index/tally.h"

#include "storage/link.h"
#include "storage/store_log.h"
#include "tests/check_main.h"

static struct store store;

static void close_tallies(void)
{
    tallies_deinit(&store.tallies);
}

static struct store_link link_to(uint32_t shard, uint32_t segment, uint16_t copies)
{
    return (struct store_link){.id = link_id(shard, 1),
                               .segment = segment,
                               .record_bytes = 1000,
                               .octets_low = 600,
                               .copies = copies};
}

START_TEST(what_comes_and_goes)
{
    struct tally tally;
    struct store_link alone = link_to(0, 3, 1), third = link_to(0, 3, 3);
    tallies_add(&store.tallies, &alone);
    for (int i = 0; i < 3; i++)
        tallies_add(&store.tallies, &third);
    tally_read(&store, 0, 3, &tally);
    ck_assert_uint_eq(tally.links, 4);
    ck_assert_uint_eq(tally.bytes, 1999);
    ck_assert_uint_eq((tally.parts + TALLY_WHOLE - 1) / TALLY_WHOLE, 2);
    tallies_remove(&store.tallies, &third);
    tally_read(&store, 0, 3, &tally);
    ck_assert(tally.links == 3 && tally.bytes == 1666);
    tallies_remove(&store.tallies, &third);
    tallies_remove(&store.tallies, &third);
    tallies_remove(&store.tallies, &alone);
    tally_read(&store, 0, 3, &tally);
    ck_assert(tally.links == 0 && tally.bytes == 0 && tally.parts == 0);
}
END_TEST

START_TEST(segments_are_apart)
{
    static const uint32_t places[][2] = {{0, 1},     {0, 63}, {0, 64},
                                         {0, 16384}, {1, 1},  {1023, (1u << 22) - 1}};
    struct tally tally;
    for (uint32_t i = 0; i < 6; i++) {
        struct store_link link = link_to(places[i][0], places[i][1], 1);
        for (uint32_t n = 0; n <= i; n++)
            tallies_add(&store.tallies, &link);
    }
    for (uint32_t i = 0; i < 6; i++) {
        tally_read(&store, places[i][0], places[i][1], &tally);
        ck_assert_uint_eq(tally.links, i + 1);
    }
    tally_read(&store, 2, 1, &tally);
    ck_assert_uint_eq(tally.links, 0);
    tally_read(&store, 0, UINT32_MAX, &tally);
    ck_assert_uint_eq(tally.links, 0);
}
END_TEST

/* Larger than its last record: the rest is in chunks. */
START_TEST(messages_in_chunks)
{
    uint64_t counts[INDEX_COUNTS];
    struct store_link link = link_to(0, 1, 2);
    link.octets_high = 1;
    tally_of_link(&link, counts);
    ck_assert_uint_eq(counts[INDEX_BYTES], ((1ull << 32) + 600) / 2);
    ck_assert_uint_eq(counts[INDEX_PARTS], TALLY_WHOLE / 2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("tally");
    TCase *tcase = tcase_create("tally");
    tcase_add_checked_fixture(tcase, NULL, close_tallies);
    tcase_add_test(tcase, what_comes_and_goes);
    tcase_add_test(tcase, segments_are_apart);
    tcase_add_test(tcase, messages_in_chunks);
    suite_add_tcase(suite, tcase);
    return suite;
}
