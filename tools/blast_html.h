/* The figures of a load as one page that needs nothing else: the template (tools/blast.html, put
 * into the program when it is built) with the JSON document inside; a script in the page draws it.
 */
#ifndef TOOLS_BLAST_HTML_H
#define TOOLS_BLAST_HTML_H

#include "engine/load/blast.h"

/* To a file as of whole_file.h; "-" is stdout. SYSTEM: no memory. */
enum status blast_html_write(const char *path, const struct blast_options *options,
                             const struct blast_report *report, struct fault *fault) MUST_CHECK;

#endif
