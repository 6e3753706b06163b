/* Reading counters that another thread goes on writing.
 *
 * A shard counts with plain additions, which cost it nothing; whoever reads from outside gets every
 * number whole, but not all of the same moment. */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

#include <stddef.h>

/* Copies `bytes` (a multiple of 8) of aligned 64-bit counters. */
void counters_copy(const void *from, size_t bytes, void *to);

#endif
