#include "tools/blast_json.h"

#include "base/clock.h"
#include "tools/blast_figures.h"
#include "tools/blast_settings.h"
#include "tools/json_make.h"
#include "tools/whole_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define DIGITS 15 /* every decimal number of so many is written as it is */

#define OBJECT(members) json_make_object(members, sizeof(members) / sizeof(members)[0])

static double us(uint64_t ns)
{
    return (double)ns / 1e3;
}

static json_t *outcomes_json(const struct tally_outcomes *outcomes)
{
    const struct json_member members[] = {
        {"sent", json_make_count(outcomes->sent)},
        {"acked", json_make_count(outcomes->acked)},
        {"refused", json_make_count(outcomes->refused)},
        {"failed", json_make_count(outcomes->failed)},
        {"doubtful", json_make_count(outcomes->doubtful)},
    };
    return OBJECT(members);
}

/* Adds what happened at least once. */
static bool set_count(json_t *counts, const char *name, uint64_t count)
{
    return count == 0 || json_object_set_new(counts, name, json_make_count(count)) == 0;
}

static json_t *replies_json(const struct tally *tally)
{
    json_t *replies = json_object();
    bool whole = replies != NULL;
    for (unsigned code = 0; code < TALLY_CODES; code++) {
        char name[8];
        snprintf(name, sizeof name, "%03u", code);
        whole = whole && set_count(replies, name, tally->replies[code]);
    }
    return json_make_whole(replies, whole);
}

static json_t *failures_json(const struct tally *tally)
{
    json_t *failures = json_object();
    bool whole = failures != NULL;
    for (unsigned i = SMTP_CLIENT_FINE + 1; i < SMTP_CLIENT_FAILURES; i++)
        whole = whole && set_count(failures, smtp_client_failure_name(i), tally->failures[i]);
    return json_make_whole(failures, whole);
}

static json_t *connections_json(const struct tally *tally)
{
    const struct json_member members[] = {
        {"connected", json_make_count(tally->connected)},
        {"unconnected", json_make_count(tally->unconnected)},
        {"ended_well", json_make_count(tally->failures[SMTP_CLIENT_FINE])},
    };
    return OBJECT(members);
}

static json_t *buckets_json(const struct histogram *histogram)
{
    json_t *buckets = json_array();
    bool whole = buckets != NULL;
    struct histogram_bucket bucket;
    for (uint32_t next = 0; whole && histogram_next(histogram, &next, &bucket);) {
        uint64_t high = bucket.high < histogram->max ? bucket.high : histogram->max;
        json_t *row =
            json_pack("[f, f, o]", us(bucket.low), us(high), json_make_count(bucket.count));
        whole = json_array_append_new(buckets, row) == 0;
    }
    return json_make_whole(buckets, whole);
}

static json_t *latency_json(const struct histogram *histogram)
{
    struct histogram_summary summary = histogram_summary(histogram);
    bool any = histogram->count > 0;
    const struct json_member members[] = {
        {"count", json_make_count(histogram->count)},
        {"p50", json_make_real(any, us(summary.p50))},
        {"p90", json_make_real(any, us(summary.p90))},
        {"p99", json_make_real(any, us(summary.p99))},
        {"p999", json_make_real(any, us(summary.p999))},
        {"max", json_make_real(any, us(summary.max))},
        {"mean", json_make_real(any, summary.mean / 1e3)},
        {"histogram", buckets_json(histogram)},
    };
    return OBJECT(members);
}

static json_t *latencies_json(const struct tally *tally)
{
    struct json_member members[TALLY_PHASES];
    for (unsigned phase = 0; phase < TALLY_PHASES; phase++)
        members[phase] =
            (struct json_member){tally_phase_name(phase), latency_json(&tally->latency[phase])};
    return OBJECT(members);
}

static json_t *step_json(const struct tally_step *step)
{
    bool lasted = step->length > 0, acked = step->acked > 0;
    const struct json_member members[] = {
        {"seconds", json_real(step->seconds)},
        {"length", json_real(step->length)},
        {"acked", json_make_count(step->acked)},
        {"refused", json_make_count(step->refused)},
        {"failed", json_make_count(step->failed)},
        {"doubtful", json_make_count(step->doubtful)},
        {"bytes", json_make_count(step->octets)},
        {"acked_per_second",
         json_make_real(lasted, lasted ? (double)step->acked / step->length : 0)},
        {"p50_us", json_make_real(acked, us(step->p50_ns))},
        {"p99_us", json_make_real(acked, us(step->p99_ns))},
        {"in_flight", json_make_count(step->in_flight)},
    };
    return OBJECT(members);
}

static json_t *timeline_json(const struct blast_report *report)
{
    json_t *timeline = json_array();
    bool whole = timeline != NULL;
    for (uint32_t i = 0; whole && i < report->steps_count; i++)
        whole = json_array_append_new(timeline, step_json(&report->steps[i])) == 0;
    return json_make_whole(timeline, whole);
}

static json_t *notes_json(const struct blast_options *options, const struct blast_report *report)
{
    struct blast_note notes[BLAST_NOTES_MAX];
    uint32_t count = blast_notes(options, report, notes);
    json_t *array = json_array();
    bool whole = array != NULL;
    for (uint32_t i = 0; whole && i < count; i++) {
        const struct json_member members[] = {
            {"warning", json_boolean(notes[i].warning)},
            {"text", json_make_text(notes[i].text)},
        };
        whole = json_array_append_new(array, OBJECT(members)) == 0;
    }
    return json_make_whole(array, whole);
}

/* Figures mean little without what they were taken on. */
static json_t *machine_json(void)
{
    struct utsname system = {0};
    uname(&system);
    const struct json_member members[] = {
        {"system", json_make_text(system.sysname)},
        {"release", json_make_text(system.release)},
        {"architecture", json_make_text(system.machine)},
        {"cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN))},
    };
    return OBJECT(members);
}

static json_t *time_json(void)
{
    char text[32];
    time_t now = (time_t)(clock_wall_ns(&clock_system) / NS_PER_S);
    struct tm utc;
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    return json_string(text);
}

static json_t *report_json(const struct blast_options *options, const struct blast_report *report)
{
    const struct tally *total = &report->total;
    struct blast_figures figures = blast_figures(report);
    const struct json_member members[] = {
        {"version", json_string(MAILRACE_VERSION)},
        {"time", time_json()},
        {"machine", machine_json()},
        {"notes", notes_json(options, report)},
        {"interrupted", json_boolean(report->interrupted)},
        {"gave_up", json_boolean(report->gave_up)},
        {"messages", outcomes_json(&total->messages)},
        {"recipients", outcomes_json(&total->recipients)},
        {"seconds", json_real(report->seconds)},
        {"rate", json_real(figures.acked_per_second)},
        {"bytes_per_second", json_real(figures.bytes_per_second)},
        {"cpu_seconds", json_real(report->cpu_seconds)},
        {"cpu_us_per_message", json_real(figures.cpu_us_per_message)},
        {"behind", json_make_real(options->rate > 0, report->behind)},
        {"retries", json_make_count(total->retries)},
        {"connections", connections_json(total)},
        {"failures", failures_json(total)},
        {"replies", replies_json(total)},
        {"latency_us", latencies_json(total)},
        {"timeline", timeline_json(report)},
        {"settings", blast_settings_json(options)},
    };
    return OBJECT(members);
}

char *blast_json_text(const struct blast_options *options, const struct blast_report *report)
{
    json_t *json = report_json(options, report);
    if (json == NULL)
        return NULL;
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS));
    json_decref(json);
    return text;
}

enum status blast_json_write(const char *path, const struct blast_options *options,
                             const struct blast_report *report, struct fault *fault)
{
    char *text = blast_json_text(options, report);
    if (text == NULL)
        return fault_set(fault, STATUS_SYSTEM, "cannot write '%.200s': no memory", path);
    const struct span parts[] = {span_text(text), SPAN("\n")};
    enum status status = whole_file_write(path, parts, 2, fault);
    free(text);
    return status;
}
