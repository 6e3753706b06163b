#include "storage/formats.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "storage/identity.h"
#include "tests/check_main.h"
#include "tests/storage/medium/medium_bed.h"
#include "tests/storage/store_bed.h"

#include <stdio.h>
#include <stdlib.h>

/* Two logs of some sealed segments each; recovery would write the first one's missing hint. */
static struct store_bed bed;

static void open_bed(void)
{
    log_set_level(LOG_LEVEL_ERROR - 1);
    store_bed_init(&bed, &(struct sim_disk_options){.seed = 31});
    bed.options.shards = 2;
    store_bed_open(&bed);
    for (uint32_t i = 0; i < 80; i++)
        ck_assert_int_eq(store_bed_put(&bed, i % 2, i, 30000, "a", i), STATUS_OK);
    store_bed_close(&bed);
    struct medium *medium;
    ck_assert_int_eq(medium_sim_open(&medium, bed.disk), STATUS_OK);
    ck_assert_int_eq(medium_remove_wait(medium, hint_name(0, 1)), 0);
    medium->calls->deinit(medium);
}

static void close_bed(void)
{
    store_bed_deinit(&bed);
}

/* The object with another format and a checksum that agrees: where both are, and where the
 * checksum's bytes end. */
static void set_format(struct medium_name name, uint32_t format_at, uint32_t crc_at, uint32_t end)
{
    struct medium *medium;
    ck_assert_int_eq(medium_sim_open(&medium, bed.disk), STATUS_OK);
    struct medium_object *object = must_open(medium, name);
    uint32_t size = (uint32_t)medium->calls->size(object), format = STORE_FORMAT_BLANK + 1;
    uint8_t *bytes = aligned_alloc(4096, (size + 4095) & ~4095u);
    ck_assert_int_eq(medium_read_wait(medium, object, bytes, size, 0), size);
    memcpy(bytes + format_at, &format, 4);
    uint32_t crc = crc32c(0, bytes + crc_at + 4, end - crc_at - 4);
    memcpy(bytes + crc_at, &crc, 4);
    if (name.kind == MEDIUM_SEGMENT)
        ck_assert_int_eq(medium_write_wait(medium, object, bytes, 4096, 0), 4096);
    medium->calls->close(medium, object);
    if (name.kind == MEDIUM_HINT)
        ck_assert_int_eq(medium_publish_wait(medium, name, bytes, size), 0);
    free(bytes);
    medium->calls->deinit(medium);
}

static struct listing list_all(void)
{
    struct medium *medium;
    ck_assert_int_eq(medium_sim_open(&medium, bed.disk), STATUS_OK);
    struct listing listing = medium_list(medium);
    medium->calls->deinit(medium);
    return listing;
}

static void check_refused(const char *what)
{
    struct fault fault = {.status = STATUS_OK};
    struct listing before = list_all();
    static const enum store_mode modes[] = {STORE_READ, STORE_WRITE};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(store_bed_try(&bed, modes[i], &fault), STATUS_NEWER);
        ck_assert_msg(strstr(fault.text, what) != NULL, "%s", fault.text);
    }
    struct listing after = list_all();
    ck_assert_mem_eq(&before, &after, sizeof(before));
}

START_TEST(a_newer_segment_is_refused)
{
    set_format(segment_name(1, 2), 12, 8, 48);
    check_refused("log 1, segment 00000002: its format is newer");
}
END_TEST

START_TEST(a_newer_hint_is_refused)
{
    set_format(hint_name(1, 1), 16, 8, 128);
    check_refused("log 1, the hint of segment 00000001: its format is newer");
}
END_TEST

/* A format that fails its checksum is damage, which is recovery's. */
START_TEST(damage_is_not_newer)
{
    sim_disk_damage(bed.disk, segment_name(1, 2), 12, 1);
    sim_disk_damage(bed.disk, hint_name(1, 1), 16, 1);
    store_bed_open(&bed);
    ck_assert_uint_eq(store_bed_count(&bed, 'a'), 80);
    store_bed_close(&bed);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("formats");
    TCase *tcase = tcase_create("formats");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_newer_segment_is_refused);
    tcase_add_test(tcase, a_newer_hint_is_refused);
    tcase_add_test(tcase, damage_is_not_newer);
    suite_add_tcase(suite, tcase);
    return suite;
}
