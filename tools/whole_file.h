/* A file that is there as a whole or not at all: written beside its place, synced, renamed into it.
 *
 * "-" is stdout, and what exists and is no regular file (a pipe, a terminal, /dev/null) is written
 * to as it is. A symbolic link stays one: the file it leads to is replaced. */
#ifndef TOOLS_WHOLE_FILE_H
#define TOOLS_WHOLE_FILE_H

#include "base/span.h"
#include "base/status.h"

/* Whether the file could be written now: to be asked before hours of work whose result it is to
 * hold. Leaves nothing behind and changes nothing. ABSENT (no such folder), DENIED, FULL, IO, USAGE
 * (a folder) with a line that names the path. */
enum status whole_file_probe(const char *path, struct fault *fault) MUST_CHECK;

/* Writes the parts, one behind the other. Statuses as above; what was there stays on failure. */
enum status whole_file_write(const char *path, const struct span *parts, size_t parts_count,
                             struct fault *fault) MUST_CHECK;

#endif
