/* Torn or damaged: a small store, harmed in every block and every byte. */
#include "storage/recover.h"

#include "base/log.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"
#include "tests/storage/store_bed.h"

#define MESSAGES 6
#define BODY_BYTES 700

static struct store_bed bed;
static uint64_t used_bytes; /* of the segment */

static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 3});
}

static void close_bed(void)
{
    store_bed_deinit(&bed);
}

/* Header block, anchor, six batches of one message, closing batch; each a block. */
static void write_store(bool close)
{
    store_bed_open(&bed);
    for (uint32_t i = 0; i < MESSAGES; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, BODY_BYTES, "a", i), STATUS_OK);
    if (close)
        store_bed_close(&bed);
    else
        store_bed_crash(&bed);
    used_bytes = (2 + MESSAGES + close) * 4096ull;
}

static void damage(uint64_t offset, uint8_t xor)
{
    sim_disk_damage(bed.disk, segment_name(0, 1), offset, xor);
}

/* Opens to look, and counts the messages that are there; all must have their own bytes. */
static uint32_t look(struct store_stats *stats)
{
    struct fault fault = {.text = ""};
    ck_assert_msg(store_bed_try(&bed, STORE_READ, &fault) == STATUS_OK, "%s", fault.text);
    store_stats(bed.store, 0, stats);
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    uint32_t found = 0;
    for (uint32_t i = 0, next = 0; i < drop->count; i++, found++) {
        while (next < MESSAGES && bed.stored[next].id != drop->links[i].id)
            next++;
        if (next == MESSAGES)
            ck_abort_msg("a message that was never stored");
    }
    store_maildrop_free(drop);
    return found;
}

static enum status verify_and_close(void)
{
    char line[256];
    enum status status = store_bed_verify(&bed, line);
    store_close(bed.store);
    bed.medium->calls->deinit(bed.medium);
    return status;
}

/* One bit in every byte of a store that was closed in order: at most the message it belongs to is
 * gone, and then it was counted. The closing batch says nothing that would be missed. */
START_TEST(every_byte)
{
    struct store_stats stats;
    write_store(true);
    for (uint64_t at = 0; at < used_bytes; at += at % 4096 < 100 ? 1 : at % 4096 < 1000 ? 9 : 601) {
        uint8_t xor = (uint8_t)(1 << at % 8);
        damage(at, xor);
        uint32_t found = look(&stats);
        uint64_t corrupt = stats.corrupt_batches + stats.corrupt_records;
        enum status verified = verify_and_close();
        bool whole = found == MESSAGES;
        if (found < MESSAGES - 1 || (!whole && (corrupt == 0 || verified != STATUS_CORRUPT)) ||
            (whole && corrupt != 0 && verified == STATUS_OK))
            ck_abort_msg("byte %lu: %u found, %lu corrupt, verified %d", (unsigned long)at, found,
                         (unsigned long)corrupt, verified);
        damage(at, xor);
    }
    ck_assert_uint_eq(look(&stats), MESSAGES);
    ck_assert_int_eq(verify_and_close(), STATUS_OK);
}
END_TEST

/* Whole blocks of a store that was cut off: the last acknowledged batch can't be told from a torn
 * one, all others can. Block 1 is the anchor, message n is in block 2 + n. */
START_TEST(every_block)
{
    struct store_stats stats;
    write_store(false);
    for (uint32_t block = 2; block < 2 + MESSAGES; block++) {
        for (uint32_t at = 0; at < 4096; at += 8)
            damage(block * 4096ull + at, 0x55);
        bool last = block == 1 + MESSAGES;
        ck_assert_uint_eq(look(&stats), MESSAGES - 1);
        ck_assert_uint_eq(stats.corrupt_batches, !last);
        ck_assert_uint_eq(stats.torn_tails, last);
        ck_assert_int_eq(verify_and_close(), last ? STATUS_OK : STATUS_CORRUPT);
        for (uint32_t at = 0; at < 4096; at += 8)
            damage(block * 4096ull + at, 0x55);
    }
}
END_TEST

/* What is damaged stays named, the rest is served, and new mail goes into a new segment. */
START_TEST(life_goes_on)
{
    struct store_stats stats;
    write_store(true);
    damage(3 * 4096, 1);
    for (uint32_t round = 0; round < 3; round++) {
        store_bed_open(&bed);
        store_stats(bed.store, 0, &stats);
        ck_assert_uint_eq(stats.corrupt_batches, 1);
        ck_assert_uint_eq(store_bed_count(&bed, 'a'), MESSAGES - 1 + round);
        struct maildrop *drop = store_bed_peek(&bed, 'a');
        ck_assert(store_bed_has_body(&bed, &drop->links[0], 0, BODY_BYTES));
        ck_assert(store_bed_has_body(&bed, &drop->links[1], 2, BODY_BYTES));
        store_maildrop_free(drop);
        ck_assert_int_eq(store_bed_put(&bed, 0, 50, BODY_BYTES, "a", 50), STATUS_OK);
        store_bed_close(&bed);
    }
}
END_TEST

START_TEST(numbers_are_not_used_again)
{
    static const struct {
        uint64_t end_lsn, next;
    } cases[] = {
        {1, 1 << 20},
        {1 << 19, 1 << 20},
        {(1 << 19) + 1, 2 << 20},
        {(1 << 20) - 1, 2 << 20},
        {1 << 20, 2 << 20},
        {(1 << 20) + 1, 2 << 20},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ck_assert_uint_eq(recover_next_lsn(cases[i].end_lsn), cases[i].next);
}
END_TEST

/* Hints are believed when they are good, ignored when not, and written again. */
START_TEST(hints)
{
    struct store_stats stats;
    struct maildrop *drop;
    store_bed_open(&bed);
    for (uint32_t i = 0; i < 100; i++)
        ck_assert_int_eq(store_bed_put(&bed, 0, i, 16000, "ab", i), STATUS_OK);
    store_bed_close(&bed);
    for (uint32_t round = 0; round < 3; round++) {
        store_bed_open(&bed);
        store_stats(bed.store, 0, &stats);
        ck_assert_uint_eq(stats.hints, round == 2 ? 2 : 3);
        ck_assert_uint_eq(stats.messages, 100);
        ck_assert_uint_eq(stats.links, 200);
        drop = store_bed_peek(&bed, 'b');
        for (uint32_t i = 0; i < 100; i++)
            ck_assert(drop->links[i].id == bed.stored[i].id && drop->links[i].place == 1);
        store_maildrop_free(drop);
        store_bed_close(&bed);
        if (round == 1)
            sim_disk_damage(bed.disk, hint_name(0, 2), 300, 4);
    }
}
END_TEST

START_TEST(shards_come_and_go)
{
    static const uint32_t shards[] = {1, 3, 2, 1, 4};
    for (uint32_t run = 0; run < 5; run++) {
        bed.options.shards = shards[run];
        store_bed_open(&bed);
        for (char mailbox = 'a'; mailbox <= 'f'; mailbox++)
            ck_assert_uint_eq(store_bed_count(&bed, mailbox), run);
        for (char mailbox = 'a'; mailbox <= 'f'; mailbox++) {
            const char name[2] = {mailbox, 0};
            uint32_t number = run * 10 + (uint32_t)(mailbox - 'a');
            ck_assert_int_eq(store_bed_put(&bed, number % shards[run], number, 500, name, number),
                             STATUS_OK);
        }
        store_bed_close(&bed);
    }
    struct store_stats stats;
    struct fault fault;
    ck_assert_int_eq(store_bed_try(&bed, STORE_READ, &fault), STATUS_OK);
    ck_assert_uint_eq(store_shards_on_disk(bed.store), 4);
    store_stats(bed.store, 2, &stats);
    ck_assert_uint_gt(stats.messages, 0);
    ck_assert_int_eq(verify_and_close(), STATUS_OK);
}
END_TEST

static const struct medium_calls *plain_calls;
static uint32_t overtaken; /* the segment before whose reading a writer goes on into it */
static uint32_t stored;

/* A reader's: the bed's writer has the time to fill one segment and to go on in the next. */
static enum status open_late(struct medium *medium, struct medium_name name,
                             struct medium_object **object)
{
    while (name.kind == MEDIUM_SEGMENT && name.number == overtaken &&
           store_log_counters(bed.logs[0])->segments < overtaken) {
        ck_assert_int_eq(store_bed_put(&bed, 0, stored, 30000, "a", stored), STATUS_OK);
        stored++;
    }
    return plain_calls->open(medium, name, object);
}

START_TEST(a_writer_is_not_taken_for_damage)
{
    struct medium *medium;
    struct store *store;
    struct fault fault = {.text = ""};
    struct store_stats stats;
    store_bed_open(&bed);
    for (stored = 0; stored < 9; stored++)
        ck_assert_int_eq(store_bed_put(&bed, 0, stored, 30000, "a", stored), STATUS_OK);
    for (int i = 0; i < 100; i++) /* the next segment is made ready */
        store_bed_turn(&bed);
    overtaken = 2;
    ck_assert_int_eq(medium_sim_open(&medium, bed.disk), STATUS_OK);
    plain_calls = medium->calls;
    struct medium_calls calls = *plain_calls;
    calls.open = open_late;
    medium->calls = &calls;
    ck_assert_int_eq(store_open(&store, medium, STORE_READ, &bed.options, &fault), STATUS_OK);
    store_stats(store, 0, &stats);
    ck_assert_uint_gt(stored, 9);
    ck_assert_uint_eq(stats.messages, stored);
    ck_assert_uint_eq(stats.corrupt_batches, 0);
    store_close(store);
    medium->calls->deinit(medium);
    store_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("recover");
    TCase *tcase = tcase_create("recover");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, every_byte);
    tcase_add_test(tcase, every_block);
    tcase_add_test(tcase, life_goes_on);
    tcase_add_test(tcase, numbers_are_not_used_again);
    tcase_add_test(tcase, hints);
    tcase_add_test(tcase, shards_come_and_go);
    tcase_add_test(tcase, a_writer_is_not_taken_for_damage);
    suite_add_tcase(suite, tcase);
    return suite;
}
