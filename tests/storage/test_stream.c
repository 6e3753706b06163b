#include "storage/link.h"
#include "storage/medium/medium_sim.h"
#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"
#include "tests/storage/store_bed.h"

#include <stdlib.h>

static struct store_bed bed;
static uint32_t put_count; /* messages stored so far: their cookies are 0, 1, … */

/* A reader beside the bed's writer: a store of its own on the same disk. */
struct beside {
    struct medium *medium;
    struct store *store;
    struct store_stream *stream;
};

static enum status beside_try(struct beside *beside, const uint64_t *places, struct fault *fault)
{
    ck_assert_int_eq(medium_sim_open(&beside->medium, bed.disk), STATUS_OK);
    ck_assert_int_eq(store_open(&beside->store, beside->medium, STORE_READ, &bed.options, fault),
                     STATUS_OK);
    return store_stream_open(&beside->stream, beside->store, places, fault);
}

static void beside_open(struct beside *beside, const uint64_t *places)
{
    struct fault fault = {.text = ""};
    ck_assert_msg(beside_try(beside, places, &fault) == STATUS_OK, "%s", fault.text);
}

static void beside_close(struct beside *beside)
{
    if (beside->stream)
        store_stream_close(beside->stream);
    store_close(beside->store);
    beside->medium->calls->deinit(beside->medium);
    beside->stream = NULL;
}

static void open_bed(void)
{
    put_count = 0;
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 7, .latency_ns_max = 100000});
    store_bed_open(&bed);
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static void put(uint32_t shard, size_t bytes, const char *mailboxes)
{
    ck_assert_int_eq(store_bed_put(&bed, shard, put_count, bytes, mailboxes, put_count), STATUS_OK);
    put_count++;
}

/* Time passes: batches that stand still are known to. */
static void rest(void)
{
    bed.now_ns += NS_PER_S;
}

/* What the stream gives until it has no more, also after a rest: the cookies, in order. */
static uint32_t drain(struct beside *beside, uint32_t *cookies, uint32_t most)
{
    struct store_entry entry;
    uint32_t count = 0;
    enum status status;
    for (int rests = 0; rests < 4; rests++) {
        while ((status = store_stream_next(beside->stream, &entry)) == STATUS_OK) {
            uint32_t cookie = 0;
            while (cookie < put_count && bed.stored[cookie].id != entry.link.id)
                cookie++;
            ck_assert_uint_lt(count, most);
            ck_assert_uint_lt(cookie, put_count);
            cookies[count++] = cookie;
            ck_assert_uint_eq(store_stream_places(beside->stream)[entry.shard], entry.lsn);
        }
        if (status == STATUS_CORRUPT) /* a batch that the writer does not get on with */
            break;
        ck_assert_int_eq(status, STATUS_AGAIN);
        if (!store_stream_waits(beside->stream))
            break;
        rest();
    }
    return count;
}

static void assert_next(struct beside *beside, uint32_t first, uint32_t count)
{
    static uint32_t cookies[4096];
    ck_assert_uint_eq(drain(beside, cookies, 4096), count);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(cookies[i], first + i);
}

/* Over several segments, with hints and without, with chunks, from every place. */
START_TEST(every_message_once_in_order)
{
    struct beside beside = {.store = NULL};
    for (uint32_t i = 0; i < 60; i++)
        put(0, i % 7 ? 20000 : 90000, "a");
    ck_assert_uint_gt(store_log_counters(bed.logs[0])->segments, 3);
    for (int closed = 0; closed < 2; closed++) {
        beside_open(&beside, NULL);
        assert_next(&beside, 0, 60);
        beside_close(&beside);
        for (uint32_t from = 0; from < 60; from += 13) {
            uint64_t places[STORE_SHARDS_MAX] = {0};
            struct store_entry entry;
            beside_open(&beside, NULL);
            for (uint32_t i = 0; i <= from; i++)
                ck_assert_int_eq(store_stream_next(beside.stream, &entry), STATUS_OK);
            memcpy(places, store_stream_places(beside.stream), sizeof(places));
            beside_close(&beside);
            beside_open(&beside, places);
            assert_next(&beside, from + 1, 59 - from);
            beside_close(&beside);
        }
        store_bed_close(&bed);
        store_bed_open(&bed);
    }
}
END_TEST

START_TEST(follows_a_writer)
{
    struct beside beside = {.store = NULL};
    beside_open(&beside, NULL);
    assert_next(&beside, 0, 0);
    uint32_t told = 0;
    for (uint32_t round = 0; round < 40; round++) {
        uint32_t count = round % 5 + 1;
        for (uint32_t i = 0; i < count; i++)
            put(0, round % 3 ? 30000 : 500, "ab");
        assert_next(&beside, told, count);
        told += count;
    }
    ck_assert_uint_gt(store_log_counters(bed.logs[0])->segments, 3);
    beside_close(&beside);
}
END_TEST

/* While a batch is the last, it must stand still for a moment; one that follows vouches for it. */
START_TEST(gives_what_is_durable)
{
    struct beside beside = {.store = NULL};
    struct store_entry entry;
    beside_open(&beside, NULL);
    assert_next(&beside, 0, 0);
    put(0, 500, "a");
    ck_assert_int_eq(store_stream_next(beside.stream, &entry), STATUS_AGAIN);
    ck_assert(store_stream_waits(beside.stream));
    put(0, 500, "a");
    ck_assert_int_eq(store_stream_next(beside.stream, &entry), STATUS_OK);
    ck_assert_uint_eq(entry.link.id, bed.stored[0].id);
    ck_assert_int_eq(store_stream_next(beside.stream, &entry), STATUS_AGAIN);
    rest();
    ck_assert_int_eq(store_stream_next(beside.stream, &entry), STATUS_OK);
    ck_assert_uint_eq(entry.link.id, bed.stored[1].id);
    ck_assert_int_eq(store_stream_next(beside.stream, &entry), STATUS_AGAIN);
    ck_assert(!store_stream_waits(beside.stream));
    beside_close(&beside);
}
END_TEST

START_TEST(goes_on_over_restarts)
{
    struct beside beside = {.store = NULL};
    beside_open(&beside, NULL);
    uint32_t told = 0;
    for (uint32_t round = 0; round < 12; round++) {
        for (uint32_t i = 0; i < 4; i++)
            put(0, 20000, "a");
        if (round % 2)
            store_bed_close(&bed);
        assert_next(&beside, told, 4);
        told += 4;
        if (round % 2)
            store_bed_open(&bed);
    }
    beside_close(&beside);
}
END_TEST

/* What was given is there after a power cut, and what was acknowledged is given. */
START_TEST(nothing_is_lost_or_repeated_over_crashes)
{
    struct beside beside = {.store = NULL};
    uint64_t places[STORE_SHARDS_MAX] = {0};
    static uint8_t given[BED_STORED_MAX], acked[BED_STORED_MAX];
    bed.random.state = (uint64_t)_i;
    for (uint32_t round = 0; round < 15; round++) {
        static uint32_t cookies[4096];
        for (uint32_t i = 0; i < 5; i++) {
            acked[put_count] = 1;
            put(0, 1 + random_below(&bed.random, 60000), "a");
        }
        /* Some more under way, seen by the reader as far as they got. */
        for (uint32_t i = 0; i < 3; i++) {
            uint64_t id = store_next_id(bed.logs[0]);
            if (store_bed_append(&bed, 0, put_count, 9000, "a", put_count) == STATUS_OK)
                bed.stored[put_count++].id = id;
        }
        store_bed_turn(&bed);
        beside_open(&beside, places);
        uint32_t count = drain(&beside, cookies, 4096);
        memcpy(places, store_stream_places(beside.stream), sizeof(places));
        for (uint32_t i = 0; i < count; i++)
            given[cookies[i]]++;
        beside_close(&beside);
        for (uint32_t i = 0; i < put_count; i++)
            ck_assert_uint_ge(given[i], acked[i]);
        store_bed_crash(&bed);
        store_bed_open(&bed);
        struct store_link link;
        for (uint32_t i = 0; i < put_count; i++) {
            ck_assert_uint_le(given[i], 1);
            if (given[i])
                ck_assert_int_eq(store_find(bed.store, bed.stored[i].id, &link), STATUS_OK);
        }
    }
}
END_TEST

START_TEST(entries_say_what_the_record_says)
{
    struct beside beside = {.store = NULL};
    struct store_entry entry;
    put(0, 500, "abc");
    put(0, 500, "a");
    ck_assert_int_eq(store_bed_expunge(&bed, 'a', 1), STATUS_OK);
    beside_open(&beside, NULL);
    ck_assert_int_eq(store_stream_next(beside.stream, &entry), STATUS_OK);
    struct maildrop *drop = store_bed_peek(&bed, 'b');
    ck_assert_uint_eq(entry.link.id, drop->links[0].id);
    ck_assert_uint_eq(store_link_octets(&entry.link), store_link_octets(&drop->links[0]));
    ck_assert_uint_eq(entry.link.segment, drop->links[0].segment);
    ck_assert_uint_eq(entry.link.slot, drop->links[0].slot);
    ck_assert_uint_eq(entry.received_ns, drop->links[0].received_ns);
    ck_assert(!entry.fresh);
    store_maildrop_free(drop);
    struct envelope_cursor cursor = envelope_read(entry.envelope);
    unsigned tag;
    struct span value;
    ck_assert(envelope_next(&cursor, &tag, &value));
    ck_assert_uint_eq(tag, ENVELOPE_REVERSE_PATH);
    ck_assert(span_equal(value, SPAN("sender@example.org")));
    ck_assert(!store_holds(beside.store, bed_mailbox('a'), &entry.link));
    ck_assert(store_holds(beside.store, bed_mailbox('b'), &entry.link));
    ck_assert(!store_holds(beside.store, bed_mailbox('z'), &entry.link));
    ck_assert_int_eq(store_stream_next(beside.stream, &entry), STATUS_OK);
    ck_assert(store_holds(beside.store, bed_mailbox('a'), &entry.link));
    put(0, 500, "a");
    rest();
    uint32_t cookies[4];
    ck_assert_uint_eq(drain(&beside, cookies, 4), 1);
    beside_close(&beside);
}
END_TEST

START_TEST(all_logs_also_new_ones)
{
    struct beside beside = {.store = NULL};
    uint32_t cookies[64];
    put(0, 500, "a");
    beside_open(&beside, NULL);
    assert_next(&beside, 0, 1);
    store_bed_close(&bed);
    bed.options.shards = 3;
    store_bed_open(&bed);
    for (uint32_t i = 0; i < 9; i++)
        put(i % 3, 500, "ab");
    rest();
    uint32_t count = drain(&beside, cookies, 64);
    rest();
    count += drain(&beside, cookies + count, 64 - count);
    ck_assert_uint_eq(count, 9);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_uint_eq(store_stream_places(beside.stream)[i], link_lsn(bed.stored[7 + i].id));
    beside_close(&beside);
}
END_TEST

/* What is damaged is passed over, what follows it is given. */
START_TEST(passes_over_damage)
{
    struct beside beside = {.store = NULL};
    for (uint32_t i = 0; i < 30; i++)
        put(0, 20000, "a");
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    struct store_link second = drop->links[1], sixth = drop->links[5];
    store_maildrop_free(drop);
    store_bed_close(&bed);
    log_set_level(LOG_LEVEL_ERROR - 1);
    ck_assert_int_eq(medium_sim_open(&beside.medium, bed.disk), STATUS_OK);
    ck_assert_int_eq(medium_remove_wait(beside.medium, hint_name(0, 1)), 0);
    beside.medium->calls->deinit(beside.medium);
    sim_disk_damage(bed.disk, segment_name(0, 1), second.slot * 8ull + 300, 1);
    sim_disk_damage(bed.disk, segment_name(0, 1), sixth.slot * 8ull - 40, 1); /* batch header */
    beside_open(&beside, NULL);
    static uint32_t cookies[64];
    uint32_t count = drain(&beside, cookies, 64);
    ck_assert_uint_eq(count, 28);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(cookies[i], i + (i >= 1) + (i >= 4));
    beside_close(&beside);
    store_bed_open(&bed);
}
END_TEST

START_TEST(places_that_are_gone)
{
    struct beside beside = {.store = NULL};
    struct fault fault = {.text = ""};
    uint64_t places[STORE_SHARDS_MAX] = {[0] = 1};
    log_set_level(LOG_LEVEL_ERROR - 1);
    for (uint32_t i = 0; i < 60; i++)
        put(0, 20000, "a");
    ck_assert_int_eq(medium_sim_open(&beside.medium, bed.disk), STATUS_OK);
    ck_assert_int_eq(medium_remove_wait(beside.medium, segment_name(0, 1)), 0);
    beside.medium->calls->deinit(beside.medium);

    ck_assert_int_eq(beside_try(&beside, places, &fault), STATUS_ABSENT);
    const char *first = strstr(fault.text, "the first that is: 0:");
    ck_assert_msg(first != NULL, "%s", fault.text);
    beside_close(&beside);
    places[0] = strtoull(first + 21, NULL, 10);
    beside_open(&beside, places);
    uint32_t cookies[64], count = drain(&beside, cookies, 64);
    ck_assert_uint_gt(count, 0);
    ck_assert_uint_eq(cookies[count - 1], 59);
    beside_close(&beside);

    places[0]--;
    ck_assert_int_eq(beside_try(&beside, places, &fault), STATUS_ABSENT);
    beside_close(&beside);
    places[0] = 1ull << 40;
    ck_assert_int_eq(beside_try(&beside, places, &fault), STATUS_ABSENT);
    ck_assert_msg(strstr(fault.text, "behind the end") != NULL, "%s", fault.text);
    beside_close(&beside);
    places[0] = 0;
    places[5] = 3;
    ck_assert_int_eq(beside_try(&beside, places, &fault), STATUS_ABSENT);
    beside_close(&beside);
    beside_open(&beside, NULL);
    ck_assert_uint_eq(drain(&beside, cookies, 64), count);
    beside_close(&beside);
}
END_TEST

Suite *test_suite(void)
{
    static const TTest *const *const tests[] = {
        &every_message_once_in_order,
        &follows_a_writer,
        &gives_what_is_durable,
        &goes_on_over_restarts,
        &entries_say_what_the_record_says,
        &all_logs_also_new_ones,
        &passes_over_damage,
        &places_that_are_gone,
    };
    Suite *suite = suite_create("stream");
    TCase *tcase = tcase_create("stream");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(tcase, *tests[i]);
    tcase_add_loop_test(tcase, nothing_is_lost_or_repeated_over_crashes, 0, 3);
    suite_add_tcase(suite, tcase);
    return suite;
}
