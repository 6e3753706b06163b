/* The figures of a load for a person: one table of plain text. */
#ifndef TOOLS_BLAST_TABLE_H
#define TOOLS_BLAST_TABLE_H

#include "engine/load/blast.h"

#include <stdio.h>

/* Whether it could be written is the stream's to tell (ferror). */
void blast_table_print(FILE *out, const struct blast_options *options,
                       const struct blast_report *report);

#endif
