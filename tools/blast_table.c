#include "tools/blast_table.h"

#include "base/log.h"
#include "tools/blast_figures.h"
#include "tools/blast_settings.h"
#include "tools/figure.h"

#include <string.h>

enum { LABEL = 12, COUNT = 13, TIME = 9, CODE = 7, REASON = 20 }; /* columns */

static void print_left(FILE *out, const char *text, unsigned columns)
{
    size_t taken = figure_columns(text);
    fprintf(out, "%s%*s", text, taken < columns ? (int)(columns - taken) : 0, "");
}

/* What is too wide for its column is still apart from the one before. */
static void print_right(FILE *out, const char *text, unsigned columns)
{
    size_t taken = figure_columns(text);
    fprintf(out, "%*s%s", taken < columns ? (int)(columns - taken) : 1, "", text);
}

static void print_count(FILE *out, uint64_t count)
{
    char text[FIGURE_BYTES];
    print_right(out, figure_count(count, text), COUNT);
}

static void print_time(FILE *out, double ns)
{
    char text[FIGURE_BYTES];
    print_right(out, figure_time(ns, text), TIME);
}

/* A section begins with an empty line and its label; its other lines have none. */
static void print_label(FILE *out, const char *label, bool first)
{
    fputs(first ? "\n" : "", out);
    print_left(out, first ? label : "", LABEL);
}

static void print_head(FILE *out, const struct blast_options *options,
                       const struct blast_report *report)
{
    char target[TARGET_TEXT_BYTES], escaped[TARGET_TEXT_BYTES], rate[FIGURE_BYTES],
        connections[FIGURE_BYTES], lasted[FIGURE_BYTES];
    target_text(&options->target, target);
    fprintf(out, "%s\n", log_escape(span_text(target), escaped, sizeof escaped));
    if (options->rate > 0)
        fprintf(out, "open loop at %s/s", figure_rate(options->rate, rate));
    else
        fprintf(out, "closed loop");
    fprintf(out, ", %s connection%s, %u shard%s, %s\n\n",
            figure_count(options->connections, connections), options->connections == 1 ? "" : "s",
            options->shards, options->shards == 1 ? "" : "s",
            figure_duration(report->seconds, lasted));
}

static void print_outcomes(FILE *out, const char *name, const struct tally_outcomes *outcomes)
{
    print_left(out, name, LABEL);
    print_count(out, outcomes->sent);
    print_count(out, outcomes->acked);
    print_count(out, outcomes->refused);
    print_count(out, outcomes->failed);
    print_count(out, outcomes->doubtful);
    fprintf(out, "\n");
}

static void print_messages(FILE *out, const struct tally *tally)
{
    static const char *const columns[] = {"sent", "acked", "refused", "failed", "doubtful"};
    print_left(out, "", LABEL);
    for (unsigned i = 0; i < sizeof columns / sizeof columns[0]; i++)
        print_right(out, columns[i], COUNT);
    fprintf(out, "\n");
    print_outcomes(out, "messages", &tally->messages);
    print_outcomes(out, "recipients", &tally->recipients);
    fprintf(out, "\n");
}

static void print_rates(FILE *out, const struct blast_report *report)
{
    const struct tally *tally = &report->total;
    struct blast_figures figures = blast_figures(report);
    char a[FIGURE_BYTES], b[FIGURE_BYTES], c[FIGURE_BYTES];
    print_left(out, "rate", LABEL);
    fprintf(out, "%s messages/s, %s MB/s\n", figure_rate(figures.acked_per_second, a),
            figure_rate(figures.bytes_per_second / 1e6, b));
    print_left(out, "CPU", LABEL);
    fprintf(out, "%s, %s per message\n", figure_time(report->cpu_seconds * 1e9, a),
            figure_time(figures.cpu_us_per_message * 1e3, b));
    print_left(out, "connections", LABEL);
    fprintf(out, "%s came up, %s did not; %s %s\n", figure_count(tally->connected, a),
            figure_count(tally->unconnected, b), figure_count(tally->retries, c),
            tally->retries == 1 ? "retry" : "retries");
}

static void print_replies(FILE *out, const struct tally *tally)
{
    bool first = true;
    for (unsigned code = 0; code < TALLY_CODES; code++) {
        if (tally->replies[code] == 0)
            continue;
        print_label(out, "replies", first);
        fprintf(out, "%-*u", CODE, code);
        print_count(out, tally->replies[code]);
        fprintf(out, "\n");
        first = false;
    }
}

static void print_failures(FILE *out, const struct tally *tally)
{
    bool first = true;
    for (unsigned i = SMTP_CLIENT_FINE + 1; i < SMTP_CLIENT_FAILURES; i++) {
        if (tally->failures[i] == 0)
            continue;
        print_label(out, "sessions", first);
        print_left(out, smtp_client_failure_name(i), REASON);
        print_count(out, tally->failures[i]);
        fprintf(out, "\n");
        first = false;
    }
}

static void print_latencies(FILE *out, const struct tally *tally)
{
    static const char *const columns[] = {"p50", "p90", "p99", "p99.9", "max", "mean"};
    bool first = true;
    for (unsigned phase = 0; phase < TALLY_PHASES; phase++) {
        const struct histogram *histogram = &tally->latency[phase];
        if (histogram->count == 0)
            continue;
        if (first) {
            print_label(out, "latency", true);
            print_right(out, "count", COUNT);
            for (unsigned i = 0; i < sizeof columns / sizeof columns[0]; i++)
                print_right(out, columns[i], TIME);
            fprintf(out, "\n");
        }
        struct histogram_summary summary = histogram_summary(histogram);
        const double times[] = {(double)summary.p50,  (double)summary.p90, (double)summary.p99,
                                (double)summary.p999, (double)summary.max, summary.mean};
        print_left(out, tally_phase_name(phase), LABEL);
        print_count(out, histogram->count);
        for (unsigned i = 0; i < sizeof times / sizeof times[0]; i++)
            print_time(out, times[i]);
        fprintf(out, "\n");
        first = false;
    }
}

static void print_notes(FILE *out, const struct blast_options *options,
                        const struct blast_report *report)
{
    struct blast_note notes[BLAST_NOTES_MAX];
    uint32_t count = blast_notes(options, report, notes);
    for (uint32_t i = 0; i < count; i++)
        fprintf(out, "%s%s%s\n", i == 0 ? "\n" : "", notes[i].warning ? "warning: " : "",
                notes[i].text);
}

void blast_table_print(FILE *out, const struct blast_options *options,
                       const struct blast_report *report)
{
    print_head(out, options, report);
    print_messages(out, &report->total);
    print_rates(out, report);
    print_replies(out, &report->total);
    print_failures(out, &report->total);
    print_latencies(out, &report->total);
    print_notes(out, options, report);
}
