/* Figures as people read them: three digits that matter and a unit, or all digits in groups. */
#ifndef TOOLS_FIGURE_H
#define TOOLS_FIGURE_H

#include <stddef.h>
#include <stdint.h>

#define FIGURE_BYTES 40u /* room for any of them, with its NUL */

/* Each writes to `out` and returns it. */
const char *figure_count(uint64_t count, char out[FIGURE_BYTES]); /* "1,234,567" */
const char *figure_time(double ns, char out[FIGURE_BYTES]); /* "0.85 µs", "1.23 ms", "61 s" */
/* Of anything per second, ≥ 0: "0", "3.21", "32.1", "321", "32,100". */
const char *figure_rate(double rate, char out[FIGURE_BYTES]);
/* A part of a whole in per cent: "0 %", "0.03 %", "12 %", "99.97 %", "100 %"; what is neither none
 * nor all is never shown as that. */
const char *figure_part(double part, char out[FIGURE_BYTES]);
/* How long something lasts, ≥ 0: "0 s", "85.0 ms", "4.2 s", "17 s", "2 min 05 s", "3 h 12 min". */
const char *figure_duration(double seconds, char out[FIGURE_BYTES]);

/* Columns that the text takes on a terminal, if each of its characters takes one (UTF-8). */
size_t figure_columns(const char *text);

#endif
