#include "tools/json_make.h"

#include "tests/check_main.h"

#include <stdlib.h>

START_TEST(values)
{
    const struct json_member members[] = {
        {"most", json_make_count(UINT64_MAX)},    {"few", json_make_count(7)},
        {"known", json_make_real(true, 0.5)},     {"unknown", json_make_real(false, 0.5)},
        {"text", json_make_text("<\xc3\xa9>\"")}, {"bytes", json_make_text("a\xff\\\n")},
        {"none", json_make_text(NULL)},
    };
    json_t *json = json_make_object(members, sizeof members / sizeof members[0]);
    char *text = json_dumps(json, JSON_COMPACT);
    ck_assert_str_eq(text, "{\"most\":9223372036854775807,\"few\":7,\"known\":0.5,"
                           "\"unknown\":null,\"text\":\"<\xc3\xa9>\\\"\","
                           "\"bytes\":\"a\\\\xFF\\\\x5C\\\\x0A\",\"none\":null}");
    free(text);
    json_decref(json);
}
END_TEST

/* As if there had been no memory for one of them; the sanitizer sees whether the others leak. */
START_TEST(all_or_nothing)
{
    const struct json_member members[] = {
        {"a", json_integer(1)}, {"b", NULL}, {"c", json_string("text")}};
    ck_assert(json_make_object(members, 3) == NULL);
    ck_assert(json_make_whole(json_object(), false) == NULL);
    ck_assert(json_make_whole(NULL, false) == NULL);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("json_make");
    TCase *tests = tcase_create("json_make");
    tcase_add_test(tests, values);
    tcase_add_test(tests, all_or_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
