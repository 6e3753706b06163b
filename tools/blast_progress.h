/* Live progress of a load on stderr.
 *
 * On a terminal one line, written anew a few times a second and never wider than the terminal;
 * elsewhere a plain line every ten seconds. One thread: the one that watches the load. */
#ifndef TOOLS_BLAST_PROGRESS_H
#define TOOLS_BLAST_PROGRESS_H

#include "base/clock.h"
#include "engine/load/blast.h"

#define BLAST_PROGRESS_LINE_MS 250u    /* on a terminal */
#define BLAST_PROGRESS_PLAIN_MS 10000u /* … elsewhere */
#define BLAST_PROGRESS_BYTES 512u

struct blast_progress_view { /* embedded; outlived by its options and clock */
    const struct blast_options *options;
    const struct clock *clock;
    int fd;           /* what it writes to; -1: nothing at all */
    bool terminal;    /* … is one that can rewrite a line */
    bool shown;       /* a line is on the screen that has not been ended */
    uint64_t next_ns; /* nothing before */
};

/* `fd` is borrowed. `quiet`: nothing is ever written. */
void blast_progress_init(struct blast_progress_view *view, int fd, bool quiet,
                         const struct blast_options *options, const struct clock *clock);

/* A blast_progress whose context is the view. */
void blast_progress_show(void *view, const struct blast_report *report);

/* Takes the line off the screen: what is printed next begins in column 0. To be called after the
 * load, whatever became of it, and before anything else is said. */
void blast_progress_deinit(struct blast_progress_view *view);

/* The line without its end, at most `columns` wide; for the unit test. */
void blast_progress_line(const struct blast_options *options, const struct blast_report *report,
                         unsigned columns, char text[BLAST_PROGRESS_BYTES]);

#endif
