#include "storage/reclaim/contents.h"

#include "storage/store_log.h"
#include "tests/check_main.h"
#include "tests/storage/reclaim/compact_bed.h"

static struct compact_bed bed;

static void open_bed(void)
{
    compact_bed_open(&bed);
    compact_bed_fill(&bed, 1, "a");
    compact_bed_thin_out(&bed, 'a', 4);
    ck_assert_int_eq(compact_bed_compact(&bed, 1, 90), STATUS_OK);
}

static void close_bed(void)
{
    compact_bed_close(&bed);
}

static struct contents contents_of(uint32_t number, enum contents_part want)
{
    struct medium *medium = bed.bed.mediums[0];
    struct contents contents = {.medium = medium,
                                .object = must_open(medium, segment_name(0, number)),
                                .name = segment_name(0, number),
                                .store = bed.bed.store->identity.id,
                                .want = want};
    contents_load_wait(&contents);
    medium->calls->close(medium, contents.object);
    return contents;
}

static void damage(uint64_t offset)
{
    sim_disk_damage(bed.bed.disk, segment_name(0, 1), offset, 0x10);
}

START_TEST(a_plain_segment_is_as_its_slots_say)
{
    uint64_t offset;
    struct contents contents = contents_of(2, CONTENTS_MAP);
    ck_assert_int_eq(contents.status, STATUS_OK);
    ck_assert(!contents_are_compact(&contents));
    ck_assert(contents_find(&contents, 1033, &offset));
    ck_assert_uint_eq(offset, 1033 * 8);
    contents_deinit(&contents);
}
END_TEST

START_TEST(a_compacted_one_has_a_map)
{
    struct maildrop *drop = store_bed_peek(&bed.bed, 'a');
    uint64_t offset;
    struct contents contents = contents_of(1, CONTENTS_ALL);
    ck_assert_int_eq(contents.status, STATUS_OK);
    ck_assert(contents_are_compact(&contents));
    ck_assert(!contents.mended);
    ck_assert_uint_eq(contents.hint.size, contents.header.hint_bytes);
    ck_assert(contents_find(&contents, drop->links[1].slot, &offset));
    ck_assert_uint_lt(offset, (uint64_t)drop->links[1].slot * 8);
    ck_assert(!contents_find(&contents, drop->links[1].slot - 1, &offset));
    contents_deinit(&contents);
    store_maildrop_free(drop);
}
END_TEST

/* Either copy of each part will do. */
START_TEST(one_copy_is_enough)
{
    struct contents whole = contents_of(1, CONTENTS_HEAD);
    const struct compact_header header = whole.header;
    contents_deinit(&whole);
    const uint64_t places[] = {0, 60, header.front + 20, header.front + header.hint_bytes + 3};
    const uint64_t others[] = {header.bytes - MEDIUM_BLOCK_BYTES, header.bytes - 4096 + 60,
                               header.back + 20, header.back + header.hint_bytes + 3};
    damage(places[_i]);
    struct contents contents = contents_of(1, CONTENTS_ALL);
    ck_assert_int_eq(contents.status, STATUS_OK);
    ck_assert(contents_are_compact(&contents));
    ck_assert(contents.mended);
    ck_assert_uint_eq(contents.header.count, header.count);
    contents_deinit(&contents);
    damage(others[_i]);
    contents = contents_of(1, CONTENTS_ALL);
    ck_assert(contents.status == STATUS_CORRUPT || !contents_are_compact(&contents));
    contents_deinit(&contents);
    damage(places[_i]);
    contents = contents_of(1, CONTENTS_ALL);
    ck_assert_int_eq(contents.status, STATUS_OK);
    contents_deinit(&contents);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("contents");
    TCase *tcase = tcase_create("contents");
    tcase_add_checked_fixture(tcase, open_bed, close_bed);
    tcase_add_test(tcase, a_plain_segment_is_as_its_slots_say);
    tcase_add_test(tcase, a_compacted_one_has_a_map);
    tcase_add_loop_test(tcase, one_copy_is_enough, 0, 4);
    suite_add_tcase(suite, tcase);
    return suite;
}
