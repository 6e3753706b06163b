/* Command-line flags as a table: one row parses, checks, explains and documents one flag.
 *
 * Built on getopt_long. A wrong flag or value gets one line that names it and where help is (exit
 * 64). */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include "base/status.h"

#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,     /* bool: present or not */
    OPTION_TEXT,     /* const char * */
    OPTION_NUMBER,   /* uint32_t, from low to high */
    OPTION_SIZE,     /* uint64_t bytes: 512, 4k, 64M, 1G; from low to high */
    OPTION_DURATION, /* uint64_t milliseconds: 250ms, 30s, 5m, 1h, 7d, plain number: seconds */
    OPTION_CALL,     /* `call` with the command's struct and the text */
};

struct option_row {
    const char *name;     /* without "--" */
    const char *argument; /* what the help calls its value; NULL for OPTION_FLAG */
    const char *help;     /* with the default */
    enum option_kind kind;
    size_t offset; /* of the field in the command's struct */
    uint64_t low, high;
    enum status (*call)(void *values, const char *text, struct fault *fault);
};

struct command {
    const char *name;     /* "serve" */
    const char *synopsis; /* after "mailrace " */
    const char *summary;  /* one line */
    const char *example;
    const struct option_row *rows;
    size_t rows_count;
    int operands_min, operands_max;
};

/* Fills `values`; `operands` points into argv. Prints the help and sets *done on --help. USAGE with
 * its line in `fault` otherwise. */
enum status options_parse(const struct command *command, int argc, char **argv, void *values,
                          char ***operands, int *operands_count, bool *done,
                          struct fault *fault) MUST_CHECK;

/* "512", "4k", "1.5M" is refused: whole numbers only. False when it is no size or too large. */
bool size_parse(const char *text, uint64_t *bytes);
bool duration_parse(const char *text, uint64_t *ms);

#endif
