/* A place in the stream of a store's logs as text: "0:1048577,1:12", the number of the last record
 * given for each log that gave any; "0:0" is the beginning. */
#ifndef TOOLS_POSITION_H
#define TOOLS_POSITION_H

#include "storage/store.h"

#define POSITION_BYTES (STORE_SHARDS_MAX * 26u) /* with a NUL */

/* False: it is none. */
bool position_parse(const char *text, uint64_t places[STORE_SHARDS_MAX]);

/* Returns `out`. */
const char *position_text(const uint64_t places[STORE_SHARDS_MAX], char out[POSITION_BYTES]);

#endif
