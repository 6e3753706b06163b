#include "engine/net/dpdk/eal_words.h"

#include "tests/check_main.h"

#include <stdio.h>
#include <string.h>

/* All words but the first, joined by '|'. */
static void parse(const char *arguments, char *out, size_t capacity)
{
    struct eal_words words;
    size_t size = 0;
    ck_assert_ptr_null(eal_words_parse(&words, arguments, 3));
    ck_assert_ptr_null(words.list[words.count]);
    out[0] = '\0';
    for (int i = 1; i < words.count; i++)
        size +=
            (size_t)snprintf(out + size, capacity - size, "%s%s", i > 1 ? "|" : "", words.list[i]);
}

START_TEST(words_get_what_they_lack)
{
    static const struct {
        const char *arguments, *words;
    } rows[] = {
        {"", "--lcores=0@3|--no-telemetry|--in-memory|--log-level=error"},
        {" -l 2  --vdev=x,'a b'\t\"c'd\"", "-l|2|--vdev=x,a b|c'd|--no-telemetry|--in-memory|"
                                           "--no-pci|--log-level=error"},
        {"--no-huge --lcores 0 --log-level=info",
         "--no-huge|--lcores|0|--log-level=info|--no-telemetry|-m512"},
        {"--no-huge -m 64 -a 0000:01:00.0 --vdev=x --telemetry -c1 --log-level 8",
         "--no-huge|-m|64|-a|0000:01:00.0|--vdev=x|--telemetry|-c1|--log-level|8"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        parse(rows[i].arguments, text, sizeof text);
        ck_assert_str_eq(text, rows[i].words);
    }
}
END_TEST

START_TEST(words_that_make_no_sense)
{
    struct eal_words words;
    char many[5000];
    ck_assert_str_eq(eal_words_parse(&words, "--vdev='x", 0), "a quote is open");
    for (size_t i = 0; i < 300; i++)
        many[i] = i % 2 ? ' ' : 'x';
    many[300] = '\0';
    ck_assert_str_eq(eal_words_parse(&words, many, 0), "too many words");
    memset(many, 'x', sizeof many - 1);
    many[sizeof many - 1] = '\0';
    ck_assert_str_eq(eal_words_parse(&words, many, 0), "too long");
}
END_TEST

START_TEST(advice_fits_the_line)
{
    ck_assert_ptr_nonnull(strstr(
        eal_words_advice("EAL: No free 2048 kB hugepages reported on node 0"), "nr_hugepages"));
    ck_assert_ptr_nonnull(
        strstr(eal_words_advice("EAL: Cannot get hugepage information."), "nr_hugepages"));
    ck_assert_ptr_nonnull(strstr(eal_words_advice("vfio: Permission denied"), "root"));
    ck_assert_ptr_nonnull(strstr(eal_words_advice("something else"), "--dpdk-args"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("eal_words");
    TCase *tcase = tcase_create("eal_words");
    tcase_add_test(tcase, words_get_what_they_lack);
    tcase_add_test(tcase, words_that_make_no_sense);
    tcase_add_test(tcase, advice_fits_the_line);
    suite_add_tcase(suite, tcase);
    return suite;
}
