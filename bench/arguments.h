/* Command lines of the benchmark programs: `--name value` pairs with bounds, described in a table
 * that also writes the help. */
#ifndef BENCH_ARGUMENTS_H
#define BENCH_ARGUMENTS_H

#include "base/status.h"

#include <stdint.h>

struct argument {
    const char *name; /* without the dashes */
    const char *help;
    uint64_t *number;  /* a value of minimum … maximum */
    const char **text; /* or any text */
    bool *flag;        /* or no value at all */
    uint64_t minimum, maximum;
};

/* Fills what the arguments name; a table ends with a NULL name. USAGE with a line that names the
 * argument. */
enum status arguments_read(const struct argument *arguments, int argc, char **argv,
                           struct fault *fault) MUST_CHECK;

/* Lists the arguments with their present values, which are the defaults before arguments_read. */
void arguments_help(const char *program, const struct argument *arguments);

#endif
