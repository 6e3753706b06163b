#include "tests/check_main.h"

#include "base/envelope.h"
#include "base/random.h"

#include <stdlib.h>

#define CAPACITY (2 * 65536)

static uint8_t bytes[CAPACITY];
static struct envelope envelope;

static void begin(void)
{
    memset(bytes, 0xEE, sizeof bytes);
    envelope = (struct envelope){.bytes = bytes, .capacity = CAPACITY};
}

static struct span built(void)
{
    return span_of(envelope.bytes, envelope.size);
}

START_TEST(exact_bytes)
{
    ck_assert(envelope_add(&envelope, ENVELOPE_REVERSE_PATH, SPAN("a@b")));
    ck_assert(envelope_add(&envelope, ENVELOPE_SMTPUTF8, (struct span){0}));
    ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, SPAN("c")));
    ck_assert(span_equal(built(), SPAN("\x01\0\x03\0a@b"
                                       "\x09\0\0\0"
                                       "\x20\0\x01\0c")));
    ck_assert_uint_eq(envelope.recipients, 1);
}
END_TEST

START_TEST(items_come_back)
{
    static uint8_t long_value[65535];
    memset(long_value, 'x', sizeof long_value);
    const struct {
        enum envelope_tag tag;
        struct span value;
    } items[] = {
        {ENVELOPE_REVERSE_PATH, SPAN("")},
        {ENVELOPE_HELO, span_of(long_value, sizeof long_value)},
        {ENVELOPE_MAILBOX, SPAN("one@example.org")},
        {ENVELOPE_NOTIFY, SPAN("NEVER")},
        {ENVELOPE_MAILBOX, SPAN("two@example.org")},
    };
    const unsigned count = sizeof items / sizeof *items;
    for (unsigned i = 0; i < count; i++)
        ck_assert(envelope_add(&envelope, items[i].tag, items[i].value));
    ck_assert_uint_eq(envelope.recipients, 2);

    struct envelope_cursor cursor = envelope_read(built());
    unsigned tag;
    struct span value;
    for (unsigned i = 0; i < count; i++) {
        ck_assert(envelope_next(&cursor, &tag, &value));
        ck_assert_uint_eq(tag, items[i].tag);
        ck_assert(span_equal(value, items[i].value));
    }
    ck_assert(!envelope_next(&cursor, &tag, &value));
    ck_assert(!cursor.bad);
}
END_TEST

START_TEST(what_does_not_fit_changes_nothing)
{
    envelope.capacity = 20;
    ck_assert(envelope_add(&envelope, ENVELOPE_HELO, SPAN("12345")));
    ck_assert(!envelope_add(&envelope, ENVELOPE_MAILBOX, SPAN("12345678")));
    ck_assert_uint_eq(envelope.size, 9);
    ck_assert_uint_eq(envelope.recipients, 0);
    ck_assert_uint_eq(bytes[9], 0xEE);
    ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, SPAN("1234567")));
    ck_assert_uint_eq(envelope.size, 20);
    ck_assert_uint_eq(bytes[20], 0xEE);
    ck_assert(!envelope_add(&envelope, ENVELOPE_SMTPUTF8, SPAN("")));

    envelope.capacity = CAPACITY;
    ck_assert(!envelope_add(&envelope, ENVELOPE_HELO, span_of(bytes, 65536)));
    ck_assert_uint_eq(envelope.size, 20);
}
END_TEST

START_TEST(truncate_undoes_a_recipient)
{
    ck_assert(envelope_add(&envelope, ENVELOPE_REVERSE_PATH, SPAN("a@b")));
    uint32_t size = envelope.size;
    ck_assert(envelope_add(&envelope, ENVELOPE_MAILBOX, SPAN("c@d")));
    ck_assert(envelope_add(&envelope, ENVELOPE_NOTIFY, SPAN("NEVER")));
    envelope_truncate(&envelope, size, 0);
    ck_assert_uint_eq(envelope.size, size);
    ck_assert_uint_eq(envelope.recipients, 0);
}
END_TEST

START_TEST(bad_bytes_are_bad_for_good)
{
    static const struct span table[] = {
        SPAN_INIT("\x01"),                /* less than a head */
        SPAN_INIT("\x01\0\0"),            /* the same */
        SPAN_INIT("\x01\0\x01\0"),        /* less than the value */
        SPAN_INIT("\x01\0\0\x01 no 256"), /* the high byte counts */
        SPAN_INIT("\x01\x01\0\0"),        /* not zero where zero must be */
        SPAN_INIT("\0\0\0\0"),            /* no tag: padding is not an envelope */
    };
    struct envelope_cursor cursor = envelope_read(table[_i]);
    unsigned tag = 4711;
    struct span value = SPAN("untouched");
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(!envelope_next(&cursor, &tag, &value));
        ck_assert(cursor.bad);
    }
    ck_assert_uint_eq(tag, 4711);
    ck_assert(span_equal(value, SPAN("untouched")));
}
END_TEST

START_TEST(unknown_tags_are_passed_on)
{
    struct envelope_cursor cursor = envelope_read(SPAN("\xFF\0\x02\0hi"));
    unsigned tag;
    struct span value;
    ck_assert(envelope_next(&cursor, &tag, &value));
    ck_assert_uint_eq(tag, 0xFF);
    ck_assert(span_equal(value, SPAN("hi")));
}
END_TEST

/* Each run's bytes lie in memory of their own size, so that reading past them is noticed. */
START_TEST(random_bytes_stay_inside)
{
    struct random random = {3};
    for (unsigned run = 0; run < 20000; run++) {
        size_t size = random_below(&random, 40);
        uint8_t *data = malloc(size + 1);
        ck_assert_ptr_nonnull(data);
        for (size_t i = 0; i < size; i++)
            data[i] = random_below(&random, 2) ? 0 : (uint8_t)random_below(&random, 12);
        struct envelope_cursor cursor = envelope_read(span_of(data, size));
        size_t seen = 0;
        unsigned tag;
        struct span value;
        while (envelope_next(&cursor, &tag, &value)) {
            seen += ENVELOPE_ITEM_BYTES + value.size;
            ck_assert_uint_eq((uintptr_t)(value.data + value.size), (uintptr_t)(data + seen));
        }
        ck_assert_uint_le(seen, size);
        ck_assert(cursor.bad == (seen != size));
        free(data);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("envelope");
    TCase *tcase = tcase_create("envelope");
    tcase_add_checked_fixture(tcase, begin, NULL);
    tcase_add_test(tcase, exact_bytes);
    tcase_add_test(tcase, items_come_back);
    tcase_add_test(tcase, what_does_not_fit_changes_nothing);
    tcase_add_test(tcase, truncate_undoes_a_recipient);
    tcase_add_loop_test(tcase, bad_bytes_are_bad_for_good, 0, 6);
    tcase_add_test(tcase, unknown_tags_are_passed_on);
    tcase_add_test(tcase, random_bytes_stay_inside);
    suite_add_tcase(suite, tcase);
    return suite;
}
