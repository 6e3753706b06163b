/* Names and times as lines of output have them. */
#ifndef TOOLS_TEXT_H
#define TOOLS_TEXT_H

#include "base/span.h"

/* A mailbox name at most, escaped as log_escape does. */
#define TEXT_NAME_BYTES 1300u

/* A name for the end of a line: escaped, so that none can pretend to be something else. Returns
 * `out`. */
const char *text_name(struct span name, char out[TEXT_NAME_BYTES]);
/* … for a column: no blanks either. */
const char *text_column(struct span name, char out[TEXT_NAME_BYTES]);

/* No control bytes: it can be a part of a line of text, whatever reads that. */
bool text_is_clean(struct span text);

/* "2026-11-23T16:00:00Z", with microseconds "2026-11-23T16:00:00.000001Z". Returns `out`. */
#define TEXT_TIME_BYTES 40u
const char *text_second(uint64_t second, char out[TEXT_TIME_BYTES]);
const char *text_time(uint64_t wall_ns, char out[TEXT_TIME_BYTES]);

#endif
