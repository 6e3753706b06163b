#include "storage/link.h"

#include "tests/check_main.h"

static struct link_names names;

static void open_names(void)
{
    ck_assert_int_eq(link_names_init(&names), STATUS_OK);
}

static void close_names(void)
{
    link_names_deinit(&names);
}

START_TEST(ids_as_text)
{
    static const struct {
        uint64_t id;
        const char *text;
    } cases[] = {
        {0, "0000000000000"},          {1, "0000000000001"},          {31, "000000000000Z"},
        {1ull << 52, "0040000000000"}, {UINT64_MAX, "FZZZZZZZZZZZZ"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[STORE_ID_TEXT_BYTES];
        uint64_t id;
        store_id_text(cases[i].id, text);
        ck_assert_mem_eq(text, cases[i].text, sizeof(text));
        ck_assert(store_id_parse(span_text(cases[i].text), &id));
        ck_assert_uint_eq(id, cases[i].id);
    }
}
END_TEST

START_TEST(what_is_no_id)
{
    static const char *const cases[] = {
        "", "000000000000", "00000000000000", "G000000000000", "000000000000U", "00000000000a0"};
    uint64_t id = 5;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        ck_assert(!store_id_parse(span_text(cases[i]), &id));
    ck_assert_uint_eq(id, 5);
}
END_TEST

START_TEST(uidls)
{
    char text[STORE_UIDL_BYTES_MAX];
    struct store_link link = {.id = 33};
    ck_assert_uint_eq(store_uidl_text(&link, text), 15);
    ck_assert_mem_eq(text, "0000000000011.0", 15);
    link.place = 65535;
    ck_assert_uint_eq(store_uidl_text(&link, text), 19);
    ck_assert_mem_eq(text, "0000000000011.65535", 19);
}
END_TEST

static struct envelope build(const char *const *mailboxes, uint8_t *bytes, uint32_t capacity)
{
    struct envelope envelope = {.bytes = bytes, .capacity = capacity};
    ck_assert(envelope_add(&envelope, ENVELOPE_REVERSE_PATH, SPAN("a@x")));
    for (; *mailboxes; mailboxes++) {
        ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, span_text(*mailboxes)));
        ck_assert(envelope_add(&envelope, ENVELOPE_ORIGINAL, SPAN("a@x")));
    }
    return envelope;
}

START_TEST(each_mailbox_once_at_its_first_place)
{
    static const char *const mailboxes[] = {"b@x", "a@x", "b@x", "c@x", "a@x", "d@x", NULL};
    static const struct {
        const char *mailbox;
        uint16_t place;
    } expected[] = {{"b@x", 0}, {"a@x", 1}, {"c@x", 3}, {"d@x", 5}};
    uint8_t bytes[256];
    struct envelope envelope = build(mailboxes, bytes, sizeof(bytes));
    for (int round = 0; round < 2; round++) {
        struct link_walk walk;
        struct link_stop stop;
        link_walk_begin(&walk, &names, span_of(bytes, envelope.size));
        for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
            ck_assert(link_walk_next(&walk, &stop));
            ck_assert(span_equal(stop.mailbox, span_text(expected[i].mailbox)));
            ck_assert_uint_eq(stop.place, expected[i].place);
            ck_assert_uint_eq(stop.hash, link_hash(stop.mailbox));
        }
        ck_assert(!link_walk_next(&walk, &stop));
    }
}
END_TEST

START_TEST(owners_are_spread_and_in_range)
{
    uint32_t owned[7] = {0};
    for (uint32_t i = 0; i < 7000; i++) {
        uint32_t owner = link_owner(link_hash(span_of(&i, sizeof(i))), 7);
        ck_assert_uint_lt(owner, 7);
        owned[owner]++;
    }
    for (int i = 0; i < 7; i++)
        ck_assert_uint_gt(owned[i], 700);
}
END_TEST

START_TEST(parts_of_an_id)
{
    uint64_t id = link_id(1023, 12345);
    ck_assert_uint_eq(link_shard(id), 1023);
    ck_assert_uint_eq(link_lsn(id), 12345);
    struct record_header header = {.shard = 1, .lsn = 10, .back = 3, .octets = (7ull << 32) + 5};
    struct store_link link = link_of(&header, 4, 6);
    ck_assert_uint_eq(link.id, link_id(1, 7));
    ck_assert_uint_eq(store_link_octets(&link), header.octets);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("link");
    TCase *tcase = tcase_create("link");
    tcase_add_checked_fixture(tcase, open_names, close_names);
    tcase_add_test(tcase, ids_as_text);
    tcase_add_test(tcase, what_is_no_id);
    tcase_add_test(tcase, uidls);
    tcase_add_test(tcase, each_mailbox_once_at_its_first_place);
    tcase_add_test(tcase, owners_are_spread_and_in_range);
    tcase_add_test(tcase, parts_of_an_id);
    suite_add_tcase(suite, tcase);
    return suite;
}
