#include "storage/index/rebuild.h"

#include "storage/hint.h"
#include "storage/index/index_memory.h"
#include "storage/listing.h"
#include "storage/store_log.h"
#include "tests/check_main.h"

#include <stdlib.h>

static const uint8_t identity[16];
static struct link_names names;
static struct store store;
static struct owner owners[2];
static struct coverage coverage;
static struct rebuild rebuild;
static uint64_t ends[2] = {2000, 2000};
static _Alignas(8) uint8_t bytes[1024];

static void begin(uint64_t delta_bytes)
{
    for (int i = 0; i < 2; i++)
        owner_init(&owners[i], &store.tallies);
    rebuild = (struct rebuild){.index = store.index,
                               .coverage = &coverage,
                               .owners = owners,
                               .shards = 2,
                               .delta_bytes = delta_bytes,
                               .identity = identity};
}

static void end(void)
{
    rebuild_deinit(&rebuild);
    for (int i = 0; i < 2; i++)
        owner_deinit(&owners[i]);
    tallies_deinit(&store.tallies);
}

static void open_rebuild(void)
{
    ck_assert_int_eq(link_names_init(&names), STATUS_OK);
    ck_assert_int_eq(index_memory_open(&store.index, true), STATUS_OK);
    store.owners = owners;
    store.options.shards = 2;
    coverage = (struct coverage){.count = 0};
    begin(0);
}

static void close_rebuild(void)
{
    end();
    coverage_deinit(&coverage);
    store.index->calls->close(store.index);
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
    hint_init(&hint, identity, shard, 1, 1);
    hint_record(&hint, &record, (uint32_t)lsn, &names);
    rebuild_add(&rebuild, shard, 1, hint_body(&hint));
    hint_deinit(&hint);
}

static void message(uint32_t shard, uint64_t lsn, uint64_t received_ns, const char *mailbox,
                    const char *second)
{
    add(shard, RECORD_MESSAGE, lsn, received_ns, mailbox, second, SPAN(".\r\n"));
}

static void deletion(uint32_t shard, uint64_t lsn, const char *mailbox, uint64_t id)
{
    add(shard, RECORD_DELETE, lsn, 0, mailbox, NULL, span_of(&id, 8));
}

static void expect(const char *mailbox, const uint64_t *ids, uint32_t count)
{
    struct maildrop *drop;
    ck_assert_int_eq(store_peek(&store, span_text(mailbox), &drop), STATUS_OK);
    ck_assert_uint_eq(drop->count, count);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_uint_eq(drop->links[i].id, ids[i]);
    store_maildrop_free(drop);
}

static uint64_t links_of(uint32_t shard)
{
    struct tally tally;
    tally_read(&store, shard, 1, &tally);
    return tally.links;
}

static void some_of_everything(void)
{
    deletion(0, 5, "a", link_id(1, 6)); /* before the message itself is read */
    message(0, 6, 50, "a", "b");
    message(0, 7, 60, "a", "b");
    message(0, 8, 40, "a", NULL);
    deletion(0, 9, "a", link_id(0, 7));
    deletion(0, 10, "c", link_id(1, 7));
    deletion(0, 11, "nobody", link_id(1, 7));
    message(1, 5, 50, "a", NULL);
    message(1, 6, 60, "a", "b");
    message(1, 7, 55, "c", NULL);
    deletion(1, 8, "a", link_id(0, 99)); /* that was never there */
}

static void expect_some_of_everything(void)
{
    const uint64_t a[] = {8, 6, link_id(1, 5)}, b[] = {6, 7, link_id(1, 6)};
    expect("a", a, 3);
    expect("b", b, 3);
    expect("c", NULL, 0);
    expect("nobody", NULL, 0);
    ck_assert_uint_eq(links_of(0), 4);
    ck_assert_uint_eq(links_of(1), 2);
}

START_TEST(order_and_deletions)
{
    some_of_everything();
    ck_assert_int_eq(rebuild_finish(&rebuild, 2, ends, false), STATUS_OK);
    expect_some_of_everything();
    ck_assert_uint_eq(index_memory_runs(store.index), 0);
}
END_TEST

START_TEST(more_than_memory_goes_into_the_base_on_the_way)
{
    end();
    begin(100);
    some_of_everything();
    ck_assert_uint_gt(index_memory_runs(store.index), 3);
    ck_assert_int_eq(rebuild_finish(&rebuild, 2, ends, false), STATUS_OK);
    expect_some_of_everything();
    ck_assert_uint_eq(owners[0].active->count + owners[1].active->count, 0);
}
END_TEST

static void see(void *context, struct span value)
{
    *(size_t *)context = value.size;
}

static bool has_identity(void)
{
    struct index_key key;
    size_t size = 0;
    index_key_identity(&key);
    (void)store.index->calls->get(store.index, index_key_span(&key), see, &size);
    return size == 20;
}

START_TEST(only_a_whole_index_has_an_identity)
{
    ck_assert_int_eq(rebuild_finish(&rebuild, 2, ends, true), STATUS_OK);
    ck_assert(has_identity());
    end();
    begin(100);
    message(0, 6, 50, "a", "b");
    ck_assert(!has_identity());
    ck_assert_int_eq(rebuild_finish(&rebuild, 2, ends, false), STATUS_OK);
    ck_assert(has_identity());
}
END_TEST

/* The base has everything below 7 of log 0, and of 7 itself what went to "a". */
START_TEST(what_is_covered_is_not_taken_in_again)
{
    const uint64_t upto[] = {7, 0}, a[] = {7, 6, 8}, b[] = {7};
    message(0, 6, 60, "a", NULL);
    message(0, 7, 50, "a", NULL);
    ck_assert_int_eq(rebuild_finish(&rebuild, 2, ends, true), STATUS_OK);
    end();
    ck_assert_int_eq(coverage_add(&coverage, 0, UINT32_MAX, span_of(upto, sizeof(upto))),
                     STATUS_OK);
    begin(0);
    ck_assert(!rebuild_wants(&rebuild, 0, 7) && rebuild_wants(&rebuild, 0, 8));
    ck_assert(rebuild_wants(&rebuild, 1, 1) && !rebuild_wants(&rebuild, 1, 0));
    message(0, 5, 10, "a", "c"); /* deleted, and the deletion is covered */
    deletion(0, 6, "a", link_id(0, 6));
    message(0, 7, 50, "a", "b");
    message(0, 8, 90, "a", NULL);
    ck_assert_int_eq(rebuild_finish(&rebuild, 2, ends, false), STATUS_OK);
    expect("a", a, 3);
    expect("b", b, 1);
    expect("c", NULL, 0);
    ck_assert_uint_eq(links_of(0), 2);
    deletion(0, 9, "a", link_id(0, 6));
    expect("a", (const uint64_t[]){7, 8}, 2);
    ck_assert_uint_eq(links_of(0), 1);
}
END_TEST

START_TEST(a_full_index_leaves_it_in_memory)
{
    end();
    begin(100);
    index_memory_fail(store.index, 1000);
    some_of_everything();
    ck_assert_int_eq(rebuild_finish(&rebuild, 2, ends, true), STATUS_FULL);
    expect_some_of_everything();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("rebuild");
    TCase *tcase = tcase_create("rebuild");
    tcase_add_checked_fixture(tcase, open_rebuild, close_rebuild);
    tcase_add_test(tcase, order_and_deletions);
    tcase_add_test(tcase, more_than_memory_goes_into_the_base_on_the_way);
    tcase_add_test(tcase, only_a_whole_index_has_an_identity);
    tcase_add_test(tcase, what_is_covered_is_not_taken_in_again);
    tcase_add_test(tcase, a_full_index_leaves_it_in_memory);
    suite_add_tcase(suite, tcase);
    return suite;
}
