#include "engine/metrics.h"

#include "tests/check_main.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

enum { PAGE_BYTES = 1 << 20, LINES_MAX = 8192, NAME_BYTES = 80 };

static uint64_t huge; /* added to every figure */

/* Every figure of a struct is its shard's number and its own place in the struct. */
static void fill(void *figures, size_t bytes, uint32_t member)
{
    uint64_t *numbers = figures;
    for (size_t i = 0; i < bytes / sizeof *numbers; i++)
        numbers[i] = huge + 1000 * (member + 1) + i;
}

static void read_shard(void *context, uint32_t shard, struct shard_figures *figures)
{
    (void)context;
    fill(figures, sizeof *figures, shard);
    memset(&figures->store.commit_ns, 0, sizeof figures->store.commit_ns);
    powers_add(&figures->store.commit_ns, 1);
    powers_add(&figures->store.commit_ns, 1 << 15);
    powers_add(&figures->store.commit_ns, (1 << 15) + 1);
    powers_add(&figures->store.commit_ns, 60 * NS_PER_S);
    figures->store.commit_ns_total = 60000065538;
}

static void read_log(void *context, uint32_t log, struct store_stats *recovered)
{
    (void)context;
    fill(recovered, sizeof *recovered, log);
}

static struct metrics_source source = {
    .shards = 2, .logs = 3, .durable = true, .read_shard = read_shard, .read_log = read_log};

static char page_text[PAGE_BYTES];
static char *lines[LINES_MAX];
static size_t lines_count;

/* The whole page, in pieces of so much room. */
static size_t write_page(uint32_t room)
{
    static uint8_t piece[PAGE_BYTES];
    struct metrics_page page;
    size_t size = 0;
    bool over = false;
    metrics_begin(&page, &source);
    page.figures.process = (struct process_figures){1500000000, 4096}; /* the same every time */
    while (!over) {
        struct output out = {piece, 0, room};
        over = metrics_write(&page, &out);
        ck_assert(over || out.size > 0);
        ck_assert_uint_lt(size + out.size, sizeof page_text);
        memcpy(page_text + size, piece, out.size);
        size += out.size;
    }
    page_text[size] = '\0';
    return size;
}

static void read_page(void)
{
    write_page(65536);
    lines_count = 0;
    for (char *line = page_text; *line; line += strlen(line) + 1) {
        char *end = strchr(line, '\n');
        ck_assert_ptr_nonnull(end);
        *end = '\0';
        ck_assert_uint_lt(lines_count, LINES_MAX);
        lines[lines_count++] = line;
    }
}

static bool has_line(const char *line)
{
    for (size_t i = 0; i < lines_count; i++)
        if (strcmp(lines[i], line) == 0)
            return true;
    return false;
}

/* ------------------------------------------------------------------------------- grammar ---- */

#define NAME "[a-zA-Z_:][a-zA-Z0-9_:]*"
#define LABEL "[a-z_]+=\"[^\"\\\n]*\""
#define VALUE "(\\+Inf|[0-9]+(\\.[0-9]+)?)"

static bool matches(const char *pattern, const char *line)
{
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, line, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    return strlen(text) >= strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

START_TEST(every_line_is_of_the_format)
{
    static const char *const forms[] = {
        "^# HELP mailrace_[a-z_]+ [^\\]+\\.$",
        "^# TYPE mailrace_[a-z_]+ (counter|gauge|histogram)$",
        "^" NAME "(\\{" LABEL "(," LABEL ")*\\})? " VALUE "$",
    };
    read_page();
    for (size_t i = 0; i < lines_count; i++) {
        size_t form = starts_with(lines[i], "# HELP") ? 0 : starts_with(lines[i], "# TYPE") ? 1 : 2;
        ck_assert_msg(matches(forms[form], lines[i]), "%s", lines[i]);
    }
}
END_TEST

/* The lines of a family are one group: HELP, TYPE, then samples, all by its name; no family comes
 * twice, no sample either. */
START_TEST(families_are_groups)
{
    static char names[256][NAME_BYTES];
    size_t families = 0;
    char type[NAME_BYTES] = "";
    read_page();
    for (size_t i = 0; i < lines_count; i++) {
        if (starts_with(lines[i], "# HELP ")) {
            ck_assert_uint_lt(families, 256);
            ck_assert_int_eq(sscanf(lines[i], "# HELP %79s", names[families]), 1);
            for (size_t before = 0; before < families; before++)
                ck_assert_str_ne(names[before], names[families]);
            families++;
            char name[NAME_BYTES];
            ck_assert_int_eq(sscanf(lines[++i], "# TYPE %79s %79s", name, type), 2);
            ck_assert_str_eq(name, names[families - 1]);
            ck_assert_msg(ends_with(name, "_total") == (strcmp(type, "counter") == 0), "%s", name);
            continue;
        }
        const char *name = names[families - 1];
        ck_assert_msg(starts_with(lines[i], name), "%s in %s", lines[i], name);
        char suffix[NAME_BYTES] = "";
        sscanf(lines[i] + strlen(name), "%79[a-z_]", suffix);
        bool histogram = strcmp(type, "histogram") == 0;
        bool right = histogram ? matches("^_(bucket|sum|count)$", suffix) : suffix[0] == '\0';
        ck_assert_msg(right, "%s", lines[i]);
    }
    ck_assert_uint_gt(families, 40);
}
END_TEST

/* Up to the value, no two lines are equal. */
START_TEST(no_sample_comes_twice)
{
    read_page();
    for (size_t i = 0; i < lines_count; i++) {
        size_t size = (size_t)(strrchr(lines[i], ' ') - lines[i]) + 1;
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(lines[i][0] == '#' || strncmp(lines[i], lines[j], size) != 0, "%s",
                          lines[i]);
    }
}
END_TEST

/* Buckets grow in bound and count, and the last is +Inf with the count of all. */
START_TEST(histograms_are_cumulative)
{
    double bound = 0, last_bound = -1;
    unsigned long long count = 0, last_count = 0;
    size_t histograms = 0;
    read_page();
    for (size_t i = 0; i < lines_count; i++) {
        const char *le = strstr(lines[i], "le=\""), *value = strrchr(lines[i], ' ');
        if (le) {
            bound = strtod(le + 4, NULL); /* knows +Inf */
            count = strtoull(value, NULL, 10);
            ck_assert_msg(bound > last_bound && count >= last_count, "%s", lines[i]);
            last_bound = bound;
            last_count = count;
        } else if (strstr(lines[i], "_count{")) {
            ck_assert(last_bound > 1e300);
            ck_assert_uint_eq(strtoull(value, NULL, 10), last_count);
            last_bound = -1;
            last_count = 0;
            histograms++;
        }
    }
    ck_assert_uint_eq(histograms, 2 * source.shards);
}
END_TEST

/* ------------------------------------------------------------------------------- figures ---- */

#define PLACE(member, type, field)                                                                 \
    (1000 * ((member) + 1) + (unsigned)(offsetof(struct type, field) / 8))

START_TEST(figures_are_where_they_belong)
{
    static const struct {
        const char *name;
        unsigned value;
    } rows[] = {
        {"mailrace_sessions_open{shard=\"0\",door=\"smtp\"}",
         PLACE(0, shard_figures, counters.sessions_open[DOOR_SMTP])},
        {"mailrace_sessions_opened_total{shard=\"1\",door=\"metrics\"}",
         PLACE(1, shard_figures, counters.sessions_opened[DOOR_METRICS])},
        {"mailrace_sessions_refused_total{shard=\"1\",door=\"pop3\"}",
         PLACE(1, shard_figures, counters.sessions_refused[DOOR_POP3])},
        {"mailrace_sessions_open{shard=\"1\",door=\"pop3s\"}",
         PLACE(1, shard_figures, counters.sessions_open[DOOR_POP3S])},
        {"mailrace_tls_handshakes_total{shard=\"0\"}",
         PLACE(0, shard_figures, counters.tls_handshakes)},
        {"mailrace_tls_resumed_total{shard=\"1\"}", PLACE(1, shard_figures, counters.tls_resumed)},
        {"mailrace_tls_failures_total{shard=\"1\"}",
         PLACE(1, shard_figures, counters.tls_failures)},
        {"mailrace_messages_stored_total{shard=\"1\"}",
         PLACE(1, shard_figures, counters.messages_stored)},
        {"mailrace_login_failures_total{shard=\"0\"}",
         PLACE(0, shard_figures, counters.login_failures)},
        {"mailrace_store_batches_total{shard=\"1\"}", PLACE(1, shard_figures, store.batches)},
        {"mailrace_store_batch_messages_sum{shard=\"0\"}", PLACE(0, shard_figures, store.messages)},
        {"mailrace_net_sent_bytes_total{shard=\"0\"}", PLACE(0, shard_figures, net.bytes_out)},
        {"mailrace_store_refused{shard=\"1\",purpose=\"deletions\"}",
         PLACE(1, shard_figures, store.refused[1])},
        {"mailrace_log_messages{shard=\"2\"}", PLACE(2, store_stats, messages)},
        {"mailrace_recovery_corrupt_records{shard=\"0\"}", PLACE(0, store_stats, corrupt_records)},
        {"mailrace_shards", 2},
        {"mailrace_durability{mode=\"commit\"}", 1},
        {"mailrace_durability{mode=\"none\"}", 0},
        {"mailrace_process_resident_memory_bytes", 4096},
    };
    read_page();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[200];
        snprintf(line, sizeof line, "%s %u", rows[i].name, rows[i].value);
        ck_assert_msg(has_line(line), "%s", line);
    }
}
END_TEST

START_TEST(the_build_says_its_version)
{
    size_t found = 0;
    read_page();
    for (size_t i = 0; i < lines_count; i++)
        found += matches("^mailrace_build_info\\{version=\"[0-9]+\\.[0-9.]+\"\\} 1$", lines[i]);
    ck_assert_uint_eq(found, 1);
}
END_TEST

START_TEST(times_are_seconds)
{
    static const char *const rows[] = {
        "mailrace_process_cpu_seconds_total 1.500000000",
        "mailrace_store_commit_seconds_bucket{shard=\"0\",le=\"0.000016384\"} 1",
        "mailrace_store_commit_seconds_bucket{shard=\"0\",le=\"0.000032768\"} 2",
        "mailrace_store_commit_seconds_bucket{shard=\"0\",le=\"0.000065536\"} 3",
        "mailrace_store_commit_seconds_bucket{shard=\"1\",le=\"8.589934592\"} 3",
        "mailrace_store_commit_seconds_bucket{shard=\"1\",le=\"+Inf\"} 4",
        "mailrace_store_commit_seconds_sum{shard=\"1\"} 60.000065538",
        "mailrace_store_commit_seconds_count{shard=\"1\"} 4",
    };
    read_page();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(has_line(rows[i]), "%s", rows[i]);
}
END_TEST

START_TEST(the_other_durability)
{
    source.durable = false;
    read_page();
    ck_assert(has_line("mailrace_durability{mode=\"commit\"} 0"));
    ck_assert(has_line("mailrace_durability{mode=\"none\"} 1"));
}
END_TEST

/* --------------------------------------------------------------------------------- room ---- */

START_TEST(the_page_is_the_same_in_any_room)
{
    static char whole[PAGE_BYTES];
    size_t size = write_page(PAGE_BYTES / 2);
    memcpy(whole, page_text, size + 1);
    for (uint32_t room = METRICS_LINE_BYTES_MAX; room < 3000; room += 101) {
        ck_assert_uint_eq(write_page(room), size);
        ck_assert_str_eq(page_text, whole);
    }
}
END_TEST

/* output_print and output_add abort when a line does not fit. */
START_TEST(the_longest_figures_fit)
{
    huge = UINT64_MAX / 40;
    source.shards = source.logs = 12;
    ck_assert_uint_gt(write_page(METRICS_LINE_BYTES_MAX), 12 * 1000);
}
END_TEST

START_TEST(nothing_is_written_without_room)
{
    struct metrics_page page;
    uint8_t bytes[METRICS_LINE_BYTES_MAX - 1];
    struct output out = {bytes, 0, sizeof bytes};
    metrics_begin(&page, &source);
    ck_assert(!metrics_write(&page, &out));
    ck_assert_uint_eq(out.size, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("page");
    tcase_add_test(tcase, every_line_is_of_the_format);
    tcase_add_test(tcase, families_are_groups);
    tcase_add_test(tcase, no_sample_comes_twice);
    tcase_add_test(tcase, histograms_are_cumulative);
    tcase_add_test(tcase, figures_are_where_they_belong);
    tcase_add_test(tcase, the_build_says_its_version);
    tcase_add_test(tcase, times_are_seconds);
    tcase_add_test(tcase, the_other_durability);
    tcase_add_test(tcase, the_page_is_the_same_in_any_room);
    tcase_add_test(tcase, the_longest_figures_fit);
    tcase_add_test(tcase, nothing_is_written_without_room);
    suite_add_tcase(suite, tcase);
    return suite;
}
