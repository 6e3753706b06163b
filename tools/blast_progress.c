#include "tools/blast_progress.h"

#include "tools/figure.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_UNKNOWN = 80, CODE_REFUSED = 400, CODES_SHOWN = 3 };

#define GAP "  "
#define ERASE "\r\x1b[K" /* to column 0, and to the end of the line (ECMA-48, EL) */

/* ------------------------------------------------------------------------------- the line ---- */

struct line {
    char *text;
    size_t size, columns, columns_max;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A field that finds no room is left out, with its gap. */
static void add(struct line *line, const char *format, ...)
{
    char field[128];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(field, sizeof field, format, arguments);
    va_end(arguments);
    const char *gap = line->size > 0 ? GAP : "";
    size_t columns = strlen(gap) + figure_columns(field);
    size_t size = strlen(gap) + strlen(field);
    if (columns > line->columns_max - line->columns || size >= BLAST_PROGRESS_BYTES - line->size)
        return;
    line->size += (size_t)snprintf(line->text + line->size, BLAST_PROGRESS_BYTES - line->size,
                                   "%s%s", gap, field);
    line->columns += columns;
}

/* How much of the load is behind us, 0 to 1, and how long the rest will take; the latter is
 * negative if nobody knows. */
static double progress(const struct blast_options *options, const struct blast_report *report,
                       double *left)
{
    const struct tally_outcomes *messages = &report->total.messages;
    double done =
        (double)(messages->acked + messages->refused + messages->failed + messages->doubtful);
    double part = 0;
    *left = -1;
    if (options->messages > 0) {
        part = done / (double)options->messages;
        if (done > 0)
            *left = ((double)options->messages - done) * report->seconds / done;
    }
    double duration = (double)options->duration_ms / 1e3;
    if (duration > 0 && report->seconds / duration > part) {
        part = report->seconds / duration;
        *left = duration - report->seconds;
    }
    if (*left < 0 && part >= 1)
        *left = 0;
    return part < 1 ? part : 1;
}

static void add_errors(struct line *line, const struct tally *total)
{
    const struct {
        uint64_t count;
        const char *name;
    } rows[] = {
        {total->messages.refused, "refused"},
        {total->messages.failed, "failed"},
        {total->messages.doubtful, "doubtful"},
        {total->unconnected, "not connected"},
    };
    char count[FIGURE_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].count > 0)
            add(line, "%s %s", figure_count(rows[i].count, count), rows[i].name);
}

/* The refusals that came most often. */
static void add_codes(struct line *line, const struct tally *total)
{
    char count[FIGURE_BYTES];
    uint64_t most = UINT64_MAX;
    for (unsigned shown = 0, last = 0; shown < CODES_SHOWN; shown++) {
        unsigned next = 0;
        for (unsigned code = CODE_REFUSED; code < TALLY_CODES; code++) {
            uint64_t times = total->replies[code];
            bool is_next = times < most || (times == most && code > last);
            if (is_next && times > (next > 0 ? total->replies[next] : 0))
                next = code;
        }
        if (next == 0)
            break;
        last = next;
        most = total->replies[next];
        add(line, "%u: %s", next, figure_count(most, count));
    }
}

static void add_step(struct line *line, const struct tally_step *step)
{
    char p50[FIGURE_BYTES], p99[FIGURE_BYTES];
    if (step->acked > 0)
        add(line, "p50 %s  p99 %s", figure_time((double)step->p50_ns, p50),
            figure_time((double)step->p99_ns, p99));
}

void blast_progress_line(const struct blast_options *options, const struct blast_report *report,
                         unsigned columns, char text[BLAST_PROGRESS_BYTES])
{
    struct line line = {.text = text, .columns_max = columns};
    const struct tally_step *step =
        report->steps_count > 0 ? &report->steps[report->steps_count - 1] : NULL;
    char figure[FIGURE_BYTES];
    double left, part = progress(options, report, &left);
    text[0] = '\0';
    add(&line, "%3.0f %%", part * 100);
    if (step != NULL && step->length > 0)
        add(&line, "%s/s", figure_rate((double)step->acked / step->length, figure));
    add_errors(&line, &report->total);
    add_codes(&line, &report->total);
    if (left >= 0)
        add(&line, "%s left", figure_duration(left, figure));
    if (step != NULL)
        add_step(&line, step);
    add(&line, "%s in flight", figure_count(report->in_flight, figure));
    add(&line, "%s connections", figure_count(report->connections, figure));
    add(&line, "%s so far", figure_duration(report->seconds, figure));
}

/* ------------------------------------------------------------------------------- the view ---- */

static bool is_terminal(int fd)
{
    const char *term = getenv("TERM");
    return isatty(fd) && term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
}

/* The last column stays empty: many terminals wrap as soon as it is filled. */
static unsigned columns_of(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS_UNKNOWN - 1;
    return size.ws_col - 1u;
}

/* One write, so that nothing comes between; what a terminal does not take is not missed. */
static void put(const struct blast_progress_view *view, const char *before, const char *line,
                const char *after)
{
    char bytes[BLAST_PROGRESS_BYTES + 16];
    int size = snprintf(bytes, sizeof bytes, "%s%s%s", before, line, after);
    ssize_t written = write(view->fd, bytes, (size_t)size);
    (void)written;
}

static uint64_t interval_ns(const struct blast_progress_view *view)
{
    return (view->terminal ? BLAST_PROGRESS_LINE_MS : BLAST_PROGRESS_PLAIN_MS) * NS_PER_MS;
}

void blast_progress_init(struct blast_progress_view *view, int fd, bool quiet,
                         const struct blast_options *options, const struct clock *clock)
{
    *view = (struct blast_progress_view){
        .options = options,
        .clock = clock,
        .fd = quiet ? -1 : fd,
        .terminal = !quiet && is_terminal(fd),
    };
    view->next_ns = clock_monotonic_ns(clock) + interval_ns(view);
}

void blast_progress_show(void *context, const struct blast_report *report)
{
    struct blast_progress_view *view = context;
    uint64_t now_ns = clock_monotonic_ns(view->clock);
    char line[BLAST_PROGRESS_BYTES];
    if (view->fd < 0 || now_ns < view->next_ns)
        return;
    if (view->terminal) {
        blast_progress_line(view->options, report, columns_of(view->fd), line);
        put(view, ERASE, line, "");
    } else {
        blast_progress_line(view->options, report, BLAST_PROGRESS_BYTES, line);
        put(view, "", line, "\n");
    }
    view->shown = view->terminal;
    view->next_ns = now_ns + interval_ns(view);
}

void blast_progress_deinit(struct blast_progress_view *view)
{
    if (view->shown)
        put(view, ERASE, "", "");
    view->shown = false;
}
