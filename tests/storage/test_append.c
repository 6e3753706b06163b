#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/store_bed.h"

#include <stdio.h>
#include <stdlib.h>

static struct store_bed bed;
static uint8_t envelope_bytes[128 * 1024];
static struct envelope envelope;

static void open_bed(void)
{
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 8});
    store_bed_open(&bed);
    envelope = (struct envelope){.bytes = envelope_bytes, .capacity = sizeof(envelope_bytes)};
}

static void close_bed(void)
{
    store_bed_close(&bed);
    store_bed_deinit(&bed);
}

static enum status append(struct span tail, uint32_t stuffed, uint64_t cookie)
{
    struct store_draft draft = {.next = NULL};
    struct store_message message = {
        .envelope = &envelope,
        .trace = SPAN("T: x\r\n"),
        .tail = tail,
        .received_ns = 5 * NS_PER_S + 1,
        .stuffed = stuffed,
        .header_bytes = 9,
        .flags = STORE_EIGHT_BIT | STORE_TLS,
    };
    return store_append(bed.logs[0], &draft, &message, cookie);
}

START_TEST(sizes_of_a_stuffed_message)
{
    ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, bed_mailbox('a')));
    ck_assert_int_eq(append(SPAN("A: b\r\n\r\n..dot\r\n.\r\n"), 1, 1), STATUS_OK);
    store_bed_wait(&bed, 1);
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    ck_assert_uint_eq(store_link_octets(&drop->links[0]), 6 + 8 + 6);
    ck_assert_uint_eq(drop->links[0].received_ns / NS_PER_S, 5);
    struct span wire;
    uint64_t header_bytes;
    ck_assert_int_eq(store_bed_fetch(&bed, 0, &drop->links[0], &wire, &header_bytes), STATUS_OK);
    ck_assert(span_equal(wire, SPAN("T: x\r\nA: b\r\n\r\n..dot\r\n.\r\n")));
    ck_assert_uint_eq(header_bytes, 6 + 9);
    free((void *)(uintptr_t)wire.data);
    store_maildrop_free(drop);
}
END_TEST

/* The number told before is the message's, whatever has to go ahead of it. */
START_TEST(the_number_is_told_before)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < 40; i++) {
        uint64_t id = store_next_id(bed.logs[0]);
        ck_assert_uint_gt(id, last);
        ck_assert_int_eq(store_bed_put(&bed, 0, i, 100 + i * 2500, "a", i), STATUS_OK);
        ck_assert_uint_eq(bed.stored[i].id, id);
        last = id;
    }
    struct maildrop *drop = store_bed_peek(&bed, 'a');
    for (uint32_t i = 0; i < 40; i++)
        ck_assert(store_bed_has_body(&bed, &drop->links[i], i, 100 + i * 2500));
    store_maildrop_free(drop);
}
END_TEST

/* All or none: to a thousand recipients, some of them twice. */
START_TEST(many_recipients)
{
    char name[8];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "%d", i % 900);
        ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, span_text(name)));
    }
    ck_assert_int_eq(append(SPAN("\r\n.\r\n"), 0, 1), STATUS_OK);
    store_bed_wait(&bed, 1);
    ck_assert_uint_eq(bed.links, 900);
    store_bed_crash(&bed);
    store_bed_open(&bed);
    struct store_stats stats;
    store_stats(bed.store, 0, &stats);
    ck_assert_uint_eq(stats.messages, 1);
    ck_assert_uint_eq(stats.links, 900);
}
END_TEST

START_TEST(what_fits_no_batch_is_refused)
{
    char name[60];
    memset(name, 'n', sizeof(name));
    while (envelope_add(&envelope, ENVELOPE_MAILBOX, span_of(name, sizeof(name))))
        continue;
    ck_assert_int_eq(append(SPAN("\r\n.\r\n"), 0, 1), STATUS_FULL);
    envelope_truncate(&envelope, 0, 0);
    ck_assert_int_eq(append(SPAN("\r\n.\r\n"), 0, 1), STATUS_OK);
    store_bed_wait(&bed, 1);
}
END_TEST

/* With no buffer free nothing happens; with one, the same message goes through. */
START_TEST(again_until_there_is_room)
{
    uint32_t taken = 0;
    enum status status;
    while ((status = store_bed_append(&bed, 0, taken, 30000, "a", taken)) == STATUS_OK)
        taken++;
    ck_assert_int_eq(status, STATUS_AGAIN);
    ck_assert(!store_has_room(bed.logs[0]));
    ck_assert_uint_ge(taken, 6);
    for (int i = 0; i < 20; i++)
        store_bed_turn(&bed);
    ck_assert(store_has_room(bed.logs[0]));
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), taken);
    ck_assert_int_eq(store_bed_put(&bed, 0, taken, 30000, "a", taken), STATUS_OK);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("append");
    TCase *tcase = tcase_create("append");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, sizes_of_a_stuffed_message);
    tcase_add_test(tcase, the_number_is_told_before);
    tcase_add_test(tcase, many_recipients);
    tcase_add_test(tcase, what_fits_no_batch_is_refused);
    tcase_add_test(tcase, again_until_there_is_room);
    suite_add_tcase(suite, tcase);
    return suite;
}
