#include "tools/blast_settings.h"

#include "tests/check_main.h"
#include "tests/tools/blast_sample.h"

#include <stdlib.h>

#define ANY_SCHEME                                                                                 \
    (1u << TARGET_SMTP | 1u << TARGET_SMTPS | 1u << TARGET_LMTP | 1u << TARGET_POP3 |              \
     1u << TARGET_POP3S)

static const struct {
    const char *given, *text;
} targets[] = {
    {"smtp://127.0.0.1:2525", "smtp://127.0.0.1:2525"},
    {"smtps://127.0.0.1", "smtps://127.0.0.1:465"},
    {"smtp://localhost:25", "smtp://localhost:25"},
    {"lmtp://[::1]:24", "lmtp://[::1]:24"},
    {"lmtp://unix:/run/lmtp", "lmtp://unix:/run/lmtp"},
    {"pop3://127.0.0.1", "pop3://127.0.0.1:110"},
    {"pop3s://127.0.0.1", "pop3s://127.0.0.1:995"},
};

START_TEST(targets_read_as_they_were_given)
{
    struct target target = {0};
    struct fault fault;
    char text[TARGET_TEXT_BYTES];
    ck_assert_int_eq(target_parse(targets[_i].given, ANY_SCHEME, &target, &fault), STATUS_OK);
    ck_assert_str_eq(target_text(&target, text), targets[_i].text);
}
END_TEST

static const struct {
    const char *given, *text;
} distributions[] = {
    {"4k", "4096"},
    {"1k-64k", "1024-65536"},
    {"lognormal:8k,1.25", "lognormal:8192,1.25"},
    {"mix:1k*60,5k*25,17k*10,1M*5", "mix:1024*60,5120*25,17408*10,1048576*5"},
    {"mix:1000000000000000000*1000000000,999999999999999999*999999999",
     "mix:1000000000000000000*1000000000,999999999999999999*999999999"},
};

START_TEST(distributions_read_as_they_were_given)
{
    struct distribution distribution = {0};
    struct fault fault;
    char text[DISTRIBUTION_TEXT_BYTES];
    ck_assert_int_eq(
        distribution_parse(distributions[_i].given, 0, UINT64_MAX, &distribution, &fault),
        STATUS_OK);
    ck_assert_str_eq(distribution_text(&distribution, text), distributions[_i].text);
}
END_TEST

/* The longest mix there can be finds room. */
START_TEST(a_long_mix_is_whole)
{
    struct distribution mix = {.kind = DISTRIBUTION_MIX, .parts_count = DISTRIBUTION_PARTS_MAX};
    char text[DISTRIBUTION_TEXT_BYTES];
    for (uint32_t i = 0; i < DISTRIBUTION_PARTS_MAX; i++)
        mix.parts[i] = (struct distribution_part){UINT64_MAX, (i + 1) * 1000000000ull};
    distribution_text(&mix, text);
    const char *last = strrchr(text, ',');
    ck_assert_str_eq(last, ",18446744073709551615*1000000000");
}
END_TEST

START_TEST(settings)
{
    struct blast_sample *sample = blast_sample();
    struct fault fault;
    sample->options.hello = "\xff\xfe";
    sample->options.sources_count = 2;
    ck_assert_int_eq(net_address_parse("127.0.0.2:0", &sample->options.sources[0], &fault),
                     STATUS_OK);
    ck_assert_int_eq(net_address_parse("[::1]:0", &sample->options.sources[1], &fault), STATUS_OK);
    json_t *json = blast_settings_json(&sample->options);
    ck_assert(json != NULL);
    char *text = json_dumps(json, JSON_COMPACT);
    ck_assert_str_eq(
        text, "{\"target\":\"smtp://127.0.0.1:2525\",\"messages\":2000,\"duration\":null,"
              "\"connections\":10,\"shards\":2,\"rate\":null,\"per-connection\":null,\"retry\":0,"
              "\"pipeline\":false,\"chunking\":false,\"starttls\":false,\"verify\":false,"
              "\"ca\":null,\"auth\":\"alice\",\"hello\":\"\\\\xFF\\\\xFE\","
              "\"from\":\"blast@example.test\",\"to\":\"user%d@example.test\",\"users\":1000,"
              "\"size\":\"4096\",\"recipients\":\"1\",\"corpus\":null,\"ledger\":null,"
              "\"source\":[\"127.0.0.2\",\"::1\"],\"timeout\":60.0,\"gather\":null,"
              "\"io\":\"uring\",\"seed\":1}");
    free(text);
    json_decref(json);
    free(sample);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("blast_settings");
    TCase *tests = tcase_create("blast_settings");
    tcase_add_loop_test(tests, targets_read_as_they_were_given, 0,
                        sizeof targets / sizeof targets[0]);
    tcase_add_loop_test(tests, distributions_read_as_they_were_given, 0,
                        sizeof distributions / sizeof distributions[0]);
    tcase_add_test(tests, a_long_mix_is_whole);
    tcase_add_test(tests, settings);
    suite_add_tcase(suite, tests);
    return suite;
}
