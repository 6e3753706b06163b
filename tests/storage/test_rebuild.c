#include "storage/rebuild.h"

#include "storage/hint.h"
#include "tests/check_main.h"

static const uint8_t store[16];
static struct link_names names;
static struct mailboxes mailboxes[2];
static struct rebuild rebuild;
static _Alignas(8) uint8_t bytes[1024];

static void open_rebuild(void)
{
    ck_assert_int_eq(link_names_init(&names), STATUS_OK);
    mailboxes_init(&mailboxes[0]);
    mailboxes_init(&mailboxes[1]);
    rebuild_init(&rebuild, mailboxes, 2);
}

static void close_rebuild(void)
{
    rebuild_deinit(&rebuild);
    mailboxes_deinit(&mailboxes[0]);
    mailboxes_deinit(&mailboxes[1]);
    link_names_deinit(&names);
}

static void add(uint32_t shard, enum record_type type, uint64_t lsn, uint64_t received_ns,
                const char *mailbox, const char *second, struct span body)
{
    struct record record;
    struct hint hint;
    struct envelope envelope = {.bytes = bytes + RECORD_HEADER_BYTES, .capacity = 512};
    ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, span_text(mailbox)));
    if (second)
        ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, span_text(second)));
    memcpy(envelope.bytes + envelope.size, body.data, body.size);
    struct record_header header = {.type = (uint8_t)type,
                                   .shard = (uint16_t)shard,
                                   .lsn = lsn,
                                   .received_ns = received_ns,
                                   .octets = 10,
                                   .envelope_bytes = envelope.size,
                                   .body_bytes = (uint32_t)body.size};
    record_seal(bytes, &header, 0);
    record_view(bytes, &record);
    hint_init(&hint, store, shard, 1, 1);
    hint_record(&hint, &record, (uint32_t)lsn, &names);
    rebuild_add(&rebuild, shard, 1, hint_body(&hint));
    hint_deinit(&hint);
}

static void message(uint32_t shard, uint64_t lsn, uint64_t received_ns, const char *mailbox,
                    const char *second)
{
    add(shard, RECORD_MESSAGE, lsn, received_ns, mailbox, second, SPAN(".\r\n"));
}

static void deletion(uint32_t shard, const char *mailbox, uint64_t id)
{
    add(shard, RECORD_DELETE, 1000, 0, mailbox, NULL, span_of(&id, 8));
}

struct totals {
    uint32_t messages[4], links[4];
};

static void live(void *context, uint32_t shard, uint64_t size, uint32_t links)
{
    struct totals *totals = context;
    ck_assert_uint_gt(size, RECORD_HEADER_BYTES);
    totals->messages[shard]++;
    totals->links[shard] += links;
}

static const struct mailbox *find(const char *name)
{
    uint64_t hash = link_hash(span_text(name));
    return mailboxes_find(&mailboxes[link_owner(hash, 2)], span_text(name), hash);
}

START_TEST(order_and_deletions)
{
    struct totals totals = {{0}, {0}};
    deletion(1, "a", link_id(0, 2)); /* before the message itself is read */
    message(0, 1, 50, "a", "b");
    message(0, 2, 60, "a", "b");
    message(0, 3, 40, "a", NULL);
    message(1, 1, 50, "a", NULL);
    message(1, 2, 55, "c", NULL);
    deletion(0, "c", link_id(1, 2));
    deletion(0, "nobody", link_id(1, 2));
    ck_assert_int_eq(rebuild_finish(&rebuild, live, &totals), STATUS_OK);
    static const uint64_t expected[] = {3, 1, 1ull << LINK_LSN_BITS | 1};
    const struct mailbox *a = find("a");
    ck_assert_uint_eq(a->count, 3);
    for (int i = 0; i < 3; i++)
        ck_assert_uint_eq(a->links[i].id, expected[i]);
    ck_assert_uint_eq(a->octets, 30);
    ck_assert_uint_eq(find("b")->count, 2);
    ck_assert_ptr_null(find("c"));
    ck_assert_ptr_null(find("nobody"));
    ck_assert_uint_eq(mailboxes[0].count + mailboxes[1].count, 2);
    ck_assert(totals.messages[0] == 3 && totals.links[0] == 4);
    ck_assert(totals.messages[1] == 1 && totals.links[1] == 1);
}
END_TEST

START_TEST(odd_names_make_no_more_mailboxes)
{
    static const char *const odd[] = {"x", "xy", "xyz", "wxyz", "vwxyz"};
    struct totals totals = {{0}, {0}};
    for (uint64_t i = 0; i < 5; i++)
        message(0, 1 + i, i, odd[i], NULL);
    ck_assert_int_eq(rebuild_finish(&rebuild, live, &totals), STATUS_OK);
    ck_assert_uint_eq(mailboxes[0].count + mailboxes[1].count, 5);
    ck_assert_uint_eq(totals.links[0], 5);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("rebuild");
    TCase *tcase = tcase_create("rebuild");
    tcase_add_checked_fixture(tcase, open_rebuild, close_rebuild);
    tcase_add_test(tcase, order_and_deletions);
    tcase_add_test(tcase, odd_names_make_no_more_mailboxes);
    suite_add_tcase(suite, tcase);
    return suite;
}
