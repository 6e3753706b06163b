#include "tools/options.h"

#include "base/invariant.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 64, HELP_COLUMN = 30 };

/* A whole number and what follows it. */
static bool number_parse(const char *text, uint64_t *number, const char **unit)
{
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0)
        return false;
    *number = value;
    *unit = end;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool with_unit(const char *text, const struct unit *units, uint64_t *result)
{
    const char *name;
    uint64_t number;
    if (!number_parse(text, &number, &name))
        return false;
    for (; units->name != NULL; units++)
        if (strcmp(name, units->name) == 0)
            return !__builtin_mul_overflow(number, units->factor, result);
    return false;
}

bool size_parse(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {{"", 1},        {"k", 1 << 10}, {"K", 1 << 10},
                                        {"m", 1 << 20}, {"M", 1 << 20}, {"g", 1 << 30},
                                        {"G", 1 << 30}, {NULL, 0}};
    return with_unit(text, units, bytes);
}

bool duration_parse(const char *text, uint64_t *ms)
{
    static const struct unit units[] = {{"ms", 1},      {"s", 1000},     {"", 1000}, {"m", 60000},
                                        {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
    return with_unit(text, units, ms);
}

static void print_help(const struct command *command)
{
    printf("Usage: mailrace %s\n\n%s\n\n", command->synopsis, command->summary);
    for (size_t i = 0; i < command->rows_count; i++) {
        const struct option_row *row = &command->rows[i];
        char left[80];
        snprintf(left, sizeof left, "  --%s%s%s", row->name, row->argument ? " " : "",
                 row->argument ? row->argument : "");
        if (strlen(left) < HELP_COLUMN)
            printf("%-*s%s\n", HELP_COLUMN, left, row->help);
        else
            printf("%s\n%*s%s\n", left, HELP_COLUMN, "", row->help);
    }
    printf("%-*s%s\n", HELP_COLUMN, "  --help", "this text");
    printf("\nExample:\n  %s\n", command->example);
}

static enum status bad_value(const struct option_row *row, const char *text, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "--%s: '%s' is not a valid %s", row->name, text,
                     row->argument);
}

static enum status apply(const struct option_row *row, void *values, const char *text,
                         struct fault *fault)
{
    void *field = (uint8_t *)values + row->offset;
    uint64_t number = 0;
    const char *unit;
    bool good = true;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return STATUS_OK;
    case OPTION_TEXT:
        *(const char **)field = text;
        return STATUS_OK;
    case OPTION_CALL:
        return row->call(values, text, fault);
    case OPTION_NUMBER:
        good = number_parse(text, &number, &unit) && *unit == '\0';
        break;
    case OPTION_SIZE:
        good = size_parse(text, &number);
        break;
    case OPTION_DURATION:
        good = duration_parse(text, &number);
        break;
    }
    if (!good || number < row->low || number > row->high)
        return bad_value(row, text, fault);
    if (row->kind == OPTION_NUMBER)
        *(uint32_t *)field = (uint32_t)number;
    else
        *(uint64_t *)field = number;
    return STATUS_OK;
}

/* getopt_long reports by return value only (opterr is off): says what was wrong in our words. */
static enum status refused(const char *what, int code, struct fault *fault)
{
    return fault_set(fault, STATUS_USAGE, "%s: %s", what,
                     code == ':' ? "needs a value" : "unknown or wrongly used flag");
}

/* The flag as it was typed. */
static const char *typed(const struct option_row *row, char **argv)
{
    bool apart = row->argument != NULL && argv[optind - 1] == optarg;
    return argv[optind - (apart ? 2 : 1)];
}

/* getopt_long takes any unambiguous beginning of a name; a contract wants the whole name. */
static bool is_spelled_out(const struct option_row *row, const char *flag)
{
    size_t size = strlen(row->name);
    return strncmp(flag, "--", 2) == 0 && strncmp(flag + 2, row->name, size) == 0 &&
           (flag[size + 2] == '\0' || flag[size + 2] == '=');
}

enum status options_parse(const struct command *command, int argc, char **argv, void *values,
                          char ***operands, int *operands_count, bool *done, struct fault *fault)
{
    struct option longs[ROWS_MAX + 2] = {0};
    INVARIANT(command->rows_count <= ROWS_MAX);
    for (size_t i = 0; i < command->rows_count; i++)
        longs[i] =
            (struct option){.name = command->rows[i].name,
                            .has_arg = command->rows[i].argument ? required_argument : no_argument,
                            .val = (int)(256 + i)};
    longs[command->rows_count] = (struct option){.name = "help", .val = 'h'};
    opterr = 0;
    optind = 1;
    for (int code; (code = getopt_long(argc, argv, ":h", longs, NULL)) != -1;) {
        if (code == 'h') {
            print_help(command);
            *done = true;
            return STATUS_OK;
        }
        if (code < 256)
            return refused(argv[optind - 1], code, fault);
        const struct option_row *row = &command->rows[code - 256];
        if (!is_spelled_out(row, typed(row, argv)))
            return refused(typed(row, argv), '?', fault);
        enum status status = apply(row, values, optarg, fault);
        if (status != STATUS_OK)
            return status;
    }
    int count = argc - optind;
    if (count < command->operands_min)
        return fault_set(fault, STATUS_USAGE, "something is missing");
    if (count > command->operands_max)
        return fault_set(fault, STATUS_USAGE, "'%s' is one too many",
                         argv[optind + command->operands_max]);
    *operands = argv + optind;
    *operands_count = count;
    return STATUS_OK;
}
