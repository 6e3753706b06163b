#include "tools/position.h"

#include "tests/check_main.h"

static uint64_t places[STORE_SHARDS_MAX];
static char text[POSITION_BYTES];

START_TEST(there_and_back)
{
    static const char *const cases[] = {"0:0", "0:1", "3:17", "0:1048577,1:12",
                                        "1:4503599627370495,1023:1"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert(position_parse(cases[i], places));
        ck_assert_str_eq(position_text(places, text), cases[i]);
    }
    ck_assert(position_parse("0:5,2:0", places));
    ck_assert_str_eq(position_text(places, text), "0:5");
    ck_assert_uint_eq(places[0], 5);
}
END_TEST

START_TEST(the_longest)
{
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX; shard++)
        places[shard] = UINT64_MAX;
    ck_assert_uint_lt(strlen(position_text(places, text)), POSITION_BYTES - 1);
    for (uint32_t shard = 0; shard < STORE_SHARDS_MAX; shard++)
        places[shard] = (1ull << 52) - 1 - shard;
    ck_assert(position_parse(position_text(places, text), places));
    ck_assert_uint_eq(places[1023], (1ull << 52) - 1024);
}
END_TEST

START_TEST(what_is_none)
{
    static const char *const cases[] = {"",
                                        "0",
                                        ":",
                                        "0:",
                                        "0:1,",
                                        ",0:1",
                                        "0:1,0:2",
                                        "1:1,0:1",
                                        "1024:1",
                                        "0:-1",
                                        "-1:0",
                                        "0:1 ",
                                        " 0:1",
                                        "0:1x",
                                        "0x0:1",
                                        "0:4503599627370496",
                                        "0:99999999999999999999999",
                                        "0:1;1:1",
                                        "0::1",
                                        "0:1,,1:1"};
    places[0] = 7;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_msg(!position_parse(cases[i], places), "'%s'", cases[i]);
    ck_assert_uint_eq(places[0], 7);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("position");
    TCase *tests = tcase_create("position");
    tcase_add_test(tests, there_and_back);
    tcase_add_test(tests, the_longest);
    tcase_add_test(tests, what_is_none);
    suite_add_tcase(suite, tests);
    return suite;
}
