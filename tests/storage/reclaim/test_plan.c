#include "storage/reclaim/plan.h"

#include "tests/check_main.h"

static const uint8_t store[16] = "0123456789abcdef";
static const struct hint_header last = {
    .reach = 2, .last_sequence = 40, .last_crc = 0xabcd, .end_lsn = 99, .end_offset = 70000};
static const struct plan_place place = {
    .name = {.kind = MEDIUM_SEGMENT, .shard = 1, .number = 3},
    .store = store,
    .epoch = 1234,
    .generation = 2,
    .first_sequence = 7,
    .first_lsn = 8,
    .forgotten = 55,
    .last = &last,
};

static void check_numbers(const struct plan *plan)
{
    const struct hint_header *hint = &plan->header.hint;
    ck_assert_uint_eq(plan->header.generation, 2);
    ck_assert_uint_eq(plan->header.forgotten, 55);
    ck_assert_uint_eq(hint->first_sequence, 7);
    ck_assert_uint_eq(hint->last_sequence, 40);
    ck_assert_uint_eq(hint->last_crc, 0xabcd);
    ck_assert_uint_eq(hint->first_lsn, 8);
    ck_assert_uint_eq(hint->end_lsn, 99);
    ck_assert_uint_eq(hint->record_bytes, plan->record_bytes);
}

/* The hint and the map that the body holds. */
static const struct compact_place *check_body(const struct plan *plan, struct span *entries)
{
    struct hint_header parsed;
    struct span hint = span_of(plan->body, plan->header.hint_bytes);
    ck_assert(hint_parse(hint, store, 1, 3, 1234, &parsed));
    *entries = span_from(hint, HINT_HEADER_BYTES);
    const struct compact_place *map =
        (const struct compact_place *)(const void *)(plan->body + hint.size);
    ck_assert_uint_eq(compact_map_checksum(&plan->header, map), plan->header.map_crc);
    return map;
}

START_TEST(what_lives_is_laid_out_by_slot)
{
    struct hint hint;
    struct link_stop stop = {.mailbox = SPAN("a@x")};
    struct survey_item items[3] = {{.slot = 1000, .bytes = 80, .live = true},
                                   {.slot = 1100, .bytes = 160},
                                   {.slot = 1200, .bytes = 240, .live = true}};
    struct survey_chunk chunks[2] = {{1150, 400}, {900, 88}};
    struct survey survey = {
        .items = items, .own = 3, .count = 3, .chunks = chunks, .chunk_count = 2};
    struct hint_entry entry;
    struct span entries, content;
    struct plan plan;
    hint_init(&hint, store, 1, 3, 99);
    for (uint32_t i = 0; i < 3; i++) {
        struct record record = {.header = {.lsn = 20 + i, .record_bytes = items[i].bytes}};
        hint_message_begin(&hint, &record, items[i].slot);
        hint_message_link(&hint, &stop);
        hint_message_end(&hint);
    }
    survey.target.body = hint_body(&hint);
    plan_make(&plan, &survey, &place);
    check_numbers(&plan);
    ck_assert_uint_eq(plan.count, 4);
    ck_assert_uint_eq(plan.record_bytes, 88 + 80 + 400 + 240);
    const struct compact_place *map = check_body(&plan, &entries);
    const struct compact_place expected[] = {
        {900, 1024}, {1000, 1024 + 11}, {1150, 1024 + 21}, {1200, 1024 + 71}};
    ck_assert_mem_eq(map, expected, sizeof(expected));
    ck_assert(hint_next(&entries, &entry, &content));
    ck_assert_uint_eq(entry.number, 20);
    ck_assert(hint_next(&entries, &entry, &content));
    ck_assert_uint_eq(entry.number, 22);
    ck_assert(!hint_next(&entries, &entry, &content));
    plan_deinit(&plan);
    hint_deinit(&hint);
}
END_TEST

START_TEST(a_stone)
{
    struct span entries;
    struct plan plan;
    plan_make_empty(&plan, &place);
    check_numbers(&plan);
    (void)check_body(&plan, &entries);
    ck_assert_uint_eq(plan.count, 0);
    ck_assert_uint_eq(entries.size, 0);
    ck_assert_uint_eq(plan.header.bytes, 4 * 4096);
    plan_deinit(&plan);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("plan");
    TCase *tcase = tcase_create("plan");
    tcase_add_test(tcase, what_lives_is_laid_out_by_slot);
    tcase_add_test(tcase, a_stone);
    suite_add_tcase(suite, tcase);
    return suite;
}
