#include "tools/blast_figures.h"

#include "tools/figure.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* Nearer than that to what was asked for is what was asked for. */
#define RATE_TOLERANCE 0.01
#define LATE_TOLERANCE 0.001

#define SATURATED 0.9 /* of a core per shard */
#define SHORT_SECONDS 1.0
#define FEW_MESSAGES 1000u /* have no 99.9th percentile but their maximum */

static double per(double amount, double divisor)
{
    double quotient = divisor > 0 ? amount / divisor : 0;
    return isfinite(quotient) ? quotient : 0;
}

static uint64_t ended(const struct tally_outcomes *messages)
{
    return messages->acked + messages->refused + messages->failed + messages->doubtful;
}

struct blast_figures blast_figures(const struct blast_report *report)
{
    const struct tally_outcomes *messages = &report->total.messages;
    double messages_ended = (double)ended(messages);
    return (struct blast_figures){
        .ended_per_second = per(messages_ended, report->seconds),
        .acked_per_second = per((double)messages->acked, report->seconds),
        .bytes_per_second = per((double)report->total.octets, report->seconds),
        .cpu_us_per_message = per(report->cpu_seconds * 1e6, messages_ended),
    };
}

struct notebook {
    struct blast_note *notes;
    uint32_t count;
};

static void note(struct notebook *book, bool warning, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void note(struct notebook *book, bool warning, const char *format, ...)
{
    struct blast_note *note = &book->notes[book->count++];
    va_list arguments;
    note->warning = warning;
    va_start(arguments, format);
    vsnprintf(note->text, sizeof note->text, format, arguments);
    va_end(arguments);
}

/* How the open loop was held. */
static void note_schedule(struct notebook *book, const struct blast_options *options,
                          const struct blast_report *report)
{
    char asked[FIGURE_BYTES], got[FIGURE_BYTES], part[FIGURE_BYTES];
    double rate = blast_figures(report).ended_per_second;
    double off = fabs(rate / options->rate - 1);
    figure_rate(options->rate, asked);
    figure_rate(rate, got);
    if (report->behind >= LATE_TOLERANCE)
        note(book, true,
             "fell behind: asked %s/s, got %s/s, %s of messages began more than 1 s late "
             "or not at all",
             asked, got, figure_part(report->behind, part));
    else if (off < RATE_TOLERANCE)
        note(book, false, "held %s/s within %s", asked, figure_part(fmax(off, 1e-4), part));
    else if (rate > options->rate)
        note(book, false, "asked %s/s, got %s/s: too few messages for a rate to be told", asked,
             got);
    else
        note(book, false,
             "asked %s/s, got %s/s over the whole run, though messages began in time: "
             "the last answers took their while",
             asked, got);
}

static void note_trust(struct notebook *book, const struct blast_options *options,
                       const struct blast_report *report)
{
    char part[FIGURE_BYTES];
    double busy = per(report->cpu_seconds, report->seconds * options->shards);
    uint64_t acked = report->total.latency[TALLY_TOTAL].count;
    if (report->seconds >= SHORT_SECONDS && busy >= SATURATED)
        note(book, true,
             "the load generator was busy %s of the time: it, not the server, may have been "
             "the limit; try more --shards",
             figure_part(busy < 1 ? busy : 1, part));
    if (blast_gather_us(options) > 0)
        note(book, false,
             "replies were gathered for up to %" PRIu32 " µs, which latencies contain%s",
             blast_gather_us(options),
             options->gather_us == BLAST_GATHER_AUTO ? " (--gather 0: they are not)" : "");
    if (ended(&report->total.messages) > 0 && report->seconds < SHORT_SECONDS)
        note(book, false, "it lasted less than a second: too short for its rates to mean much");
    if (acked > 0 && acked < FEW_MESSAGES)
        note(book, false, "%" PRIu64 " message%s too few for p99.9: it is the slowest one's", acked,
             acked == 1 ? " is" : "s are");
}

uint32_t blast_notes(const struct blast_options *options, const struct blast_report *report,
                     struct blast_note notes[BLAST_NOTES_MAX])
{
    struct notebook book = {.notes = notes};
    if (options->rate > 0 && ended(&report->total.messages) > 0)
        note_schedule(&book, options, report);
    if (report->interrupted)
        note(&book, true, "interrupted: the figures are of what was done until then");
    if (report->ledger_failed)
        note(&book, true,
             "the ledger could not be written: the load was ended, and lines are missing");
    if (report->gave_up)
        note(&book, true, "gave up: there was no connection to be had any more");
    note_trust(&book, options, report);
    return book.count;
}
