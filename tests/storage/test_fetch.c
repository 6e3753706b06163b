#include "storage/fetch.h"

#include "base/log.h"
#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"
#include "tests/storage/store_bed.h"

#include <stdlib.h>

static struct store_bed bed;
static struct maildrop *drop;

struct reading {
    struct store_fetch fetch; /* first */
    uint32_t pieces;
    enum status status;
    bool over;
};

/* Two small messages and one in chunks. */
static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 5, .latency_ns_max = 1000});
    store_bed_open(&bed);
    ck_assert_int_eq(store_bed_put(&bed, 0, 0, 3000, "a", 0), STATUS_OK);
    ck_assert_int_eq(store_bed_put(&bed, 0, 1, 3000, "a", 1), STATUS_OK);
    ck_assert_int_eq(store_bed_put(&bed, 0, 2, 100000, "a", 2), STATUS_OK);
    drop = store_bed_peek(&bed, 'a');
    ck_assert_uint_eq(drop->count, 3);
}

static void close_bed(void)
{
    store_maildrop_free(drop);
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static void on_piece(struct store_fetch *fetch, enum status status, struct span wire, bool last)
{
    struct reading *reading = (struct reading *)fetch;
    reading->pieces++;
    reading->status = status;
    reading->over = last;
    if (status == STATUS_OK)
        ck_assert_ptr_nonnull(wire.data);
}

static void start(struct reading *reading, const struct store_link *link)
{
    *reading = (struct reading){.fetch = {.piece = on_piece}};
    store_fetch_start(bed.logs[0], &reading->fetch, link);
    ck_assert_uint_eq(reading->pieces, 0);
}

static void turns(int count)
{
    while (count-- > 0)
        store_bed_turn(&bed);
}

START_TEST(whole_messages)
{
    ck_assert(store_bed_has_body(&bed, &drop->links[0], 0, 3000));
    ck_assert(store_bed_has_body(&bed, &drop->links[1], 1, 3000));
    ck_assert(store_bed_has_body(&bed, &drop->links[2], 2, 100000));
}
END_TEST

START_TEST(what_the_record_says_besides)
{
    struct store_about about;
    struct reading reading;
    for (uint32_t i = 0; i < 3; i++) {
        start(&reading, &drop->links[i]);
        for (int limit = 0; reading.pieces == 0 && limit < 1000; limit++)
            turns(1);
        store_fetch_about(&reading.fetch, &about);
        ck_assert_uint_eq(about.received_ns, drop->links[i].received_ns);
        ck_assert_uint_eq(about.trace_bytes, strlen("Received: from here by there\r\n"));
        ck_assert_uint_eq(about.flags, 0);
        struct envelope_cursor cursor = envelope_read(about.envelope);
        unsigned tag;
        struct span value;
        ck_assert(envelope_next(&cursor, &tag, &value));
        ck_assert(span_equal(value, SPAN("sender@example.org")));
        store_fetch_end(bed.logs[0], &reading.fetch);
    }
    turns(10);
}
END_TEST

START_TEST(those_without_buffers_wait)
{
    struct reading readings[4];
    for (int i = 0; i < 4; i++)
        start(&readings[i], &drop->links[i % 2]);
    turns(10);
    ck_assert(readings[0].over && readings[1].over && !readings[2].over && !readings[3].over);
    store_fetch_end(bed.logs[0], &readings[3].fetch);
    store_fetch_end(bed.logs[0], &readings[0].fetch);
    turns(10);
    ck_assert(readings[2].over);
    ck_assert_uint_eq(readings[3].pieces, 0);
    store_fetch_end(bed.logs[0], &readings[1].fetch);
    store_fetch_end(bed.logs[0], &readings[2].fetch);
    store_fetch_end(bed.logs[0], &readings[2].fetch);
    ck_assert_uint_eq(bed.logs[0]->fetches.buffers.taken, 0);
}
END_TEST

/* At every moment of a long message. */
START_TEST(it_may_end_at_any_time)
{
    for (int moment = 0; moment < 25; moment++) {
        struct reading reading;
        start(&reading, &drop->links[2]);
        uint32_t pieces = 0;
        for (int i = 0; i < moment; i++) {
            turns(1);
            if (reading.pieces > pieces && !reading.over)
                store_fetch_next(bed.logs[0], &reading.fetch);
            pieces = reading.pieces;
        }
        store_fetch_end(bed.logs[0], &reading.fetch);
        pieces = reading.pieces;
        turns(5);
        ck_assert_uint_eq(reading.pieces, pieces);
        ck_assert_uint_eq(bed.logs[0]->fetches.buffers.taken, 0);
    }
}
END_TEST

/* Damage anywhere in a message is told before any of it is given. */
START_TEST(damage_is_told_not_served)
{
    static const struct {
        uint32_t link;
        uint64_t back; /* from the end of the message's record */
    } places[] = {{0, 100}, {0, 3000}, {2, 20}, {2, 40000}, {2, 100000}};
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        const struct store_link *link = &drop->links[places[i].link];
        uint64_t at = link->slot * 8ull + link->record_bytes - places[i].back;
        struct reading reading;
        sim_disk_damage(bed.disk, segment_name(0, link->segment), at, 0x10);
        start(&reading, link);
        turns(30);
        ck_assert_int_eq(reading.status, STATUS_CORRUPT);
        ck_assert_uint_eq(reading.pieces, 1);
        sim_disk_damage(bed.disk, segment_name(0, link->segment), at, 0x10);
        ck_assert(store_bed_has_body(&bed, link, places[i].link, places[i].link ? 100000 : 3000));
    }
}
END_TEST

START_TEST(wrong_links)
{
    static const struct {
        int what;
        enum status status;
    } cases[] = {{0, STATUS_CORRUPT}, {1, STATUS_CORRUPT}, {2, STATUS_CORRUPT},
                 {3, STATUS_ABSENT},  {4, STATUS_CORRUPT}, {5, STATUS_CORRUPT}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct store_link link = drop->links[0];
        link.id += cases[i].what == 0;
        link.slot += cases[i].what == 1;
        link.record_bytes += 8 * (cases[i].what == 2);
        link.segment += 1000 * (cases[i].what == 3);
        link.record_bytes = cases[i].what == 4 ? UINT32_MAX : link.record_bytes;
        link.slot = cases[i].what == 5 ? UINT32_MAX : link.slot;
        struct reading reading;
        start(&reading, &link);
        turns(10);
        ck_assert_int_eq(reading.status, cases[i].status);
        ck_assert(reading.over);
    }
}
END_TEST

START_TEST(a_disk_that_does_not_read)
{
    struct reading reading;
    sim_disk_set_errors(bed.disk, 0, 1000000);
    start(&reading, &drop->links[0]);
    turns(10);
    ck_assert_int_eq(reading.status, STATUS_IO);
    sim_disk_set_errors(bed.disk, 0, 0);
    ck_assert(store_bed_has_body(&bed, &drop->links[0], 0, 3000));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("fetch");
    TCase *tcase = tcase_create("fetch");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, whole_messages);
    tcase_add_test(tcase, what_the_record_says_besides);
    tcase_add_test(tcase, those_without_buffers_wait);
    tcase_add_test(tcase, it_may_end_at_any_time);
    tcase_add_test(tcase, damage_is_told_not_served);
    tcase_add_test(tcase, wrong_links);
    tcase_add_test(tcase, a_disk_that_does_not_read);
    suite_add_tcase(suite, tcase);
    return suite;
}
