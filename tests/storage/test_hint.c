#include "storage/hint.h"

#include "tests/check_main.h"

static const uint8_t store[16] = "0123456789abcdef";
static struct link_names names;
static struct hint hint;
static _Alignas(8) uint8_t bytes[4096];

static void open_hint(void)
{
    ck_assert_int_eq(link_names_init(&names), STATUS_OK);
    hint_init(&hint, store, 1, 2, 3);
}

static void close_hint(void)
{
    hint_deinit(&hint);
    link_names_deinit(&names);
}

static struct record seal(enum record_type type, const char *const *mailboxes, struct span body)
{
    struct record record;
    struct envelope envelope = {.bytes = bytes + RECORD_HEADER_BYTES, .capacity = 2048};
    for (; *mailboxes; mailboxes++)
        ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, span_text(*mailboxes)));
    memcpy(envelope.bytes + envelope.size, body.data, body.size);
    struct record_header header = {
        .type = (uint8_t)type,
        .lsn = 50,
        .back = 2,
        .received_ns = 7,
        .octets = 9,
        .envelope_bytes = envelope.size,
        .body_bytes = (uint32_t)body.size,
    };
    record_seal(bytes, &header, 0);
    record_view(bytes, &record);
    return record;
}

START_TEST(a_message_and_its_links)
{
    static const char *const mailboxes[] = {"alice", "bob", "alice", NULL};
    struct record record = seal(RECORD_MESSAGE, mailboxes, SPAN(".\r\n"));
    hint_record(&hint, &record, 33, &names);
    hint_record(&hint, &record, 34, &names);
    struct span body = hint_body(&hint), content, name;
    struct hint_entry entry;
    for (uint32_t slot = 33; slot < 35; slot++) {
        uint16_t place;
        ck_assert(hint_next(&body, &entry, &content));
        ck_assert_uint_eq(entry.kind, HINT_MESSAGE);
        ck_assert_uint_eq(entry.slot, slot);
        ck_assert_uint_eq(entry.number, 48);
        ck_assert_uint_eq(entry.links, 2);
        ck_assert(hint_next_link(&content, &place, &name));
        ck_assert(span_equal(name, SPAN("alice")) && place == 0);
        ck_assert(hint_next_link(&content, &place, &name));
        ck_assert(span_equal(name, SPAN("bob")) && place == 1);
    }
    ck_assert(!hint_next(&body, &entry, &content));
}
END_TEST

START_TEST(a_deletion)
{
    static const char *const mailboxes[] = {"alice", NULL};
    const uint64_t deleted[] = {4, 5};
    struct record record = seal(RECORD_DELETE, mailboxes, span_of(deleted, sizeof(deleted)));
    hint_record(&hint, &record, 33, NULL);
    struct span body = hint_body(&hint), content, ids, name;
    struct hint_entry entry;
    ck_assert(hint_next(&body, &entry, &content));
    ck_assert_uint_eq(entry.kind, HINT_DELETE);
    hint_delete_parts(&entry, content, &ids, &name);
    ck_assert(span_equal(ids, span_of(deleted, sizeof(deleted))));
    ck_assert(span_equal(name, SPAN("alice")));
}
END_TEST

START_TEST(chunks_leave_no_entry)
{
    static const char *const none[] = {NULL};
    struct record record = seal(RECORD_CHUNK, none, SPAN("abc"));
    hint_record(&hint, &record, 33, &names);
    ck_assert_uint_eq(hint_body(&hint).size, 0);
}
END_TEST

START_TEST(every_flipped_bit_is_seen)
{
    static const char *const mailboxes[] = {"alice", NULL};
    struct record record = seal(RECORD_MESSAGE, mailboxes, SPAN(".\r\n"));
    struct hint_header header;
    hint_record(&hint, &record, 33, &names);
    struct span sealed = hint_seal(&hint);
    uint8_t *flipped = (uint8_t *)(uintptr_t)sealed.data;
    ck_assert(hint_parse(sealed, store, 1, 2, 3, &header));
    ck_assert(!hint_parse(sealed, store, 0, 2, 3, &header));
    ck_assert(!hint_parse(sealed, store, 1, 1, 3, &header));
    ck_assert(!hint_parse(sealed, store, 1, 2, 4, &header));
    for (size_t bit = 0; bit < sealed.size * 8; bit++) {
        flipped[bit / 8] ^= (uint8_t)(1 << bit % 8);
        ck_assert(!hint_parse(sealed, store, 1, 2, 3, &header));
        flipped[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t size = 0; size < sealed.size; size++)
        ck_assert(!hint_parse(span_of(sealed.data, size), store, 1, 2, 3, &header));
}
END_TEST

START_TEST(it_grows)
{
    static const char *const mailboxes[] = {"alice", NULL};
    struct record record = seal(RECORD_MESSAGE, mailboxes, SPAN(".\r\n"));
    for (uint32_t i = 0; i < 10000; i++)
        hint_record(&hint, &record, i, &names);
    struct span body = hint_body(&hint), content;
    struct hint_entry entry;
    for (uint32_t i = 0; i < 10000; i++) {
        ck_assert(hint_next(&body, &entry, &content));
        ck_assert_uint_eq(entry.slot, i);
    }
    ck_assert_uint_eq(body.size, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("hint");
    TCase *tcase = tcase_create("hint");
    tcase_add_checked_fixture(tcase, open_hint, close_hint);
    tcase_add_test(tcase, a_message_and_its_links);
    tcase_add_test(tcase, a_deletion);
    tcase_add_test(tcase, chunks_leave_no_entry);
    tcase_add_test(tcase, every_flipped_bit_is_seen);
    tcase_add_test(tcase, it_grows);
    suite_add_tcase(suite, tcase);
    return suite;
}
