#include "tools/blast_json.h"

#include "tests/check_main.h"
#include "tests/tools/blast_sample.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* "latency_us.total.p50": the member of a member; NULL: there is none. */
static const json_t *find(const json_t *json, const char *path)
{
    char name[64];
    while (json != NULL && *path != '\0') {
        size_t size = strcspn(path, ".");
        snprintf(name, sizeof name, "%.*s", (int)size, path);
        json = json_is_array(json) ? json_array_get(json, strtoul(name, NULL, 10))
                                   : json_object_get(json, name);
        path += size + (path[size] == '.');
    }
    return json;
}

static json_t *make(const struct blast_sample *sample)
{
    json_error_t error;
    char *text = blast_json_text(&sample->options, &sample->report);
    ck_assert(text != NULL);
    ck_assert(strchr(text, '\n') == NULL);
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s", error.text);
    free(text);
    return json;
}

static const struct {
    const char *path, *text;
} rows[] = {
    {"version", "\"" MAILRACE_VERSION "\""},
    {"messages",
     "{\"sent\": 2000, \"acked\": 1990, \"refused\": 5, \"failed\": 3, \"doubtful\": 2}"},
    {"recipients",
     "{\"sent\": 4000, \"acked\": 3980, \"refused\": 10, \"failed\": 6, \"doubtful\": 4}"},
    {"seconds", "4.0"},
    {"rate", "497.5"},
    {"bytes_per_second", "2000000.0"},
    {"cpu_seconds", "0.5"},
    {"cpu_us_per_message", "250.0"},
    {"behind", "null"},
    {"retries", "1"},
    {"interrupted", "false"},
    {"gave_up", "false"},
    {"connections", "{\"connected\": 10, \"unconnected\": 4, \"ended_well\": 8}"},
    {"failures", "{\"connection lost\": 2}"},
    {"replies", "{\"250\": 12345, \"451\": 5}"},
    {"notes", "[]"},
    {"latency_us.connect.count", "10"},
    {"latency_us.connect.p50", "50.015"},
    {"latency_us.connect.p90", "90.047"},
    {"latency_us.connect.p99", "100.0"},
    {"latency_us.connect.max", "100.0"},
    {"latency_us.connect.mean", "55.0"},
    {"latency_us.total.count", "1990"},
    {"latency_us.total.p999", "3979.263"},
    {"latency_us.total.mean", "1991.0"},
    {"latency_us.total.histogram.0", "[2.0, 2.0, 1]"},
    {"latency_us.tls", "{\"count\": 0, \"p50\": null, \"p90\": null, \"p99\": null, \"p999\": "
                       "null, \"max\": null, \"mean\": null, \"histogram\": []}"},
    {"timeline.3", "{\"seconds\": 4.0, \"length\": 1.0, \"acked\": 500, \"refused\": 3, "
                   "\"failed\": 0, \"doubtful\": 0, \"bytes\": 2000000, \"acked_per_second\": "
                   "500.0, \"p50_us\": 1500.0, \"p99_us\": 3500.0, \"in_flight\": 7}"},
    {"settings.to", "\"user%d@example.test\""},
};

START_TEST(keys)
{
    struct blast_sample *sample = blast_sample();
    json_t *json = make(sample);
    const json_t *found = find(json, rows[_i].path);
    ck_assert_msg(found != NULL, "%s", rows[_i].path);
    char *text = json_dumps(found, JSON_ENCODE_ANY | JSON_REAL_PRECISION(12));
    ck_assert_str_eq(text, rows[_i].text);
    free(text);
    json_decref(json);
    free(sample);
}
END_TEST

/* Every value lies in its bucket and every bucket up to the maximum. */
START_TEST(histograms_are_whole)
{
    struct blast_sample *sample = blast_sample();
    json_t *json = make(sample);
    const json_t *buckets = find(json, "latency_us.total.histogram");
    json_int_t count = 0;
    double before = -1;
    for (size_t i = 0; i < json_array_size(buckets); i++) {
        const json_t *bucket = json_array_get(buckets, i);
        double low = json_real_value(json_array_get(bucket, 0));
        double high = json_real_value(json_array_get(bucket, 1));
        ck_assert(before < low && low <= high);
        before = high;
        count += json_integer_value(json_array_get(bucket, 2));
    }
    ck_assert_int_eq(count, 1990);
    ck_assert_double_eq(before, 3980);
    json_decref(json);
    free(sample);
}
END_TEST

START_TEST(nothing_happened)
{
    struct blast_sample *sample = blast_sample_empty();
    sample->options.rate = 100;
    sample->report.steps_count = 1; /* of no length */
    json_t *json = make(sample);
    ck_assert_double_eq(json_number_value(find(json, "rate")), 0);
    ck_assert_double_eq(json_number_value(find(json, "cpu_us_per_message")), 0);
    ck_assert(json_is_real(find(json, "behind")));
    ck_assert(json_is_null(find(json, "latency_us.total.p50")));
    ck_assert(json_is_null(find(json, "timeline.0.acked_per_second")));
    ck_assert(json_is_null(find(json, "timeline.0.p50_us")));
    ck_assert_uint_eq(json_object_size(find(json, "latency_us")), TALLY_PHASES);
    ck_assert_uint_eq(json_object_size(find(json, "replies")), 0);
    json_decref(json);
    free(sample);
}
END_TEST

START_TEST(no_password_is_told)
{
    struct blast_sample *sample = blast_sample();
    char *text = blast_json_text(&sample->options, &sample->report);
    ck_assert(strstr(text, sample->options.user) != NULL);
    ck_assert(strstr(text, sample->options.password) == NULL);
    free(text);
    free(sample);
}
END_TEST

START_TEST(counts_end_somewhere)
{
    struct blast_sample *sample = blast_sample();
    memset(&sample->report.total.messages, 0xff, sizeof sample->report.total.messages);
    json_t *json = make(sample);
    ck_assert_int_eq(json_integer_value(find(json, "messages.acked")), INT64_MAX);
    json_decref(json);
    free(sample);
}
END_TEST

START_TEST(goes_to_a_file)
{
    struct blast_sample *sample = blast_sample();
    struct fault fault = {0};
    char path[] = "/tmp/blast-json-XXXXXX";
    json_error_t error;
    close(mkstemp(path));
    ck_assert_int_eq(blast_json_write(path, &sample->options, &sample->report, &fault), STATUS_OK);
    json_t *json = json_load_file(path, 0, &error);
    unlink(path);
    ck_assert_int_eq(json_integer_value(find(json, "messages.acked")), 1990);
    ck_assert_int_eq(blast_json_write("/absent/a.json", &sample->options, &sample->report, &fault),
                     STATUS_ABSENT);
    ck_assert(strstr(fault.text, "/absent/a.json") != NULL);
    json_decref(json);
    free(sample);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("blast_json");
    TCase *tests = tcase_create("blast_json");
    tcase_add_loop_test(tests, keys, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tests, histograms_are_whole);
    tcase_add_test(tests, nothing_happened);
    tcase_add_test(tests, no_password_is_told);
    tcase_add_test(tests, counts_end_somewhere);
    tcase_add_test(tests, goes_to_a_file);
    suite_add_tcase(suite, tests);
    return suite;
}
