#include "base/digest.h"

#include "base/hash.h"
#include "tests/check_main.h"

#define BYTES 1500u /* XXH3 treats more than 240 bytes, and more than 1024, in other ways */

static uint8_t bytes[BYTES];

static void setup(void)
{
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 131 + i / 7);
}

static uint64_t in_pieces(struct span text, size_t piece)
{
    struct digest digest;
    digest_start(&digest);
    for (; text.size > piece; text = span_from(text, piece))
        digest_add(&digest, span_of(text.data, piece));
    digest_add(&digest, text);
    return digest_end(&digest);
}

/* XXH64 of nothing, from the reference implementation's own tests. */
START_TEST(of_nothing)
{
    struct digest digest;
    digest_start(&digest);
    ck_assert_uint_eq(digest_end(&digest), 0x2D06800538D394C2u);
    digest_add(&digest, span_of(NULL, 0));
    ck_assert_uint_eq(digest_end(&digest), 0x2D06800538D394C2u);
    ck_assert_uint_eq(digest_of(span_of(NULL, 0)), 0x2D06800538D394C2u);
}
END_TEST

/* Unseeded XXH3: what every other implementation says. */
START_TEST(is_xxh3)
{
    for (size_t size = 0; size <= sizeof bytes; size++)
        ck_assert_uint_eq(digest_of(span_of(bytes, size)), hash64(span_of(bytes, size), 0));
}
END_TEST

START_TEST(pieces_make_no_difference)
{
    static const size_t sizes[] = {1, 2, 16, 17, 128, 129, 240, 241, 256, 257, 1024, 1025, BYTES};
    static const size_t pieces[] = {1, 3, 64, 255, 256, 257, 1000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            struct span text = span_of(bytes, sizes[i]);
            ck_assert_msg(in_pieces(text, pieces[k]) == digest_of(text), "%zu bytes by %zu",
                          sizes[i], pieces[k]);
        }
}
END_TEST

/* The digest so far does not disturb what follows. */
START_TEST(may_be_asked_in_between)
{
    struct digest digest;
    digest_start(&digest);
    for (size_t i = 0; i < sizeof bytes; i++) {
        ck_assert_uint_eq(digest_end(&digest), digest_of(span_of(bytes, i)));
        digest_add(&digest, span_of(bytes + i, 1));
    }
}
END_TEST

START_TEST(every_bit_counts)
{
    uint64_t whole = digest_of(span_of(bytes, sizeof bytes));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        ck_assert_uint_ne(digest_of(span_of(bytes, sizeof bytes)), whole);
        bytes[i] ^= 1;
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, of_nothing);
    tcase_add_test(tcase, is_xxh3);
    tcase_add_test(tcase, pieces_make_no_difference);
    tcase_add_test(tcase, may_be_asked_in_between);
    tcase_add_test(tcase, every_bit_counts);
    suite_add_tcase(suite, tcase);
    return suite;
}
