/* The figures of a load for programs: everything that was counted, as JSON (man mailrace-blast has
 * every key). Numbers are finite; a figure of what never happened is null. */
#ifndef TOOLS_BLAST_JSON_H
#define TOOLS_BLAST_JSON_H

#include "engine/load/blast.h"

/* The document as one line of UTF-8 without its end; freed with free(). NULL: no memory. */
char *blast_json_text(const struct blast_options *options, const struct blast_report *report);

/* To a file as of whole_file.h; "-" is stdout. SYSTEM: no memory. */
enum status blast_json_write(const char *path, const struct blast_options *options,
                             const struct blast_report *report, struct fault *fault) MUST_CHECK;

#endif
