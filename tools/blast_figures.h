/* What follows from the counts of a load, for every form of its report: rates, and what a reader
 * must know before believing them. */
#ifndef TOOLS_BLAST_FIGURES_H
#define TOOLS_BLAST_FIGURES_H

#include "engine/load/blast.h"

struct blast_figures {       /* finite; 0 where there is nothing to divide by */
    double ended_per_second; /* messages, whatever became of them */
    double acked_per_second;
    double bytes_per_second;   /* of acked messages */
    double cpu_us_per_message; /* of this program, for each message that ended */
};

struct blast_figures blast_figures(const struct blast_report *report);

#define BLAST_NOTES_MAX 8u
#define BLAST_NOTE_BYTES 192u

struct blast_note {
    bool warning; /* the figures are not what was asked for, or not to be trusted as they are */
    char text[BLAST_NOTE_BYTES]; /* one line of UTF-8 */
};

/* Returns how many there are; those of the schedule come first. */
uint32_t blast_notes(const struct blast_options *options, const struct blast_report *report,
                     struct blast_note notes[BLAST_NOTES_MAX]);

#endif
