#include "bench/arguments.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct argument *find(const struct argument *arguments, const char *word)
{
    if (strncmp(word, "--", 2) == 0)
        for (const struct argument *each = arguments; each->name; each++)
            if (strcmp(each->name, word + 2) == 0)
                return each;
    return NULL;
}

static enum status read_number(const struct argument *argument, const char *text,
                               struct fault *fault)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || number < argument->minimum ||
        number > argument->maximum)
        return fault_set(fault, STATUS_USAGE, "--%s takes %" PRIu64 " to %" PRIu64 ", not \"%s\"",
                         argument->name, argument->minimum, argument->maximum, text);
    *argument->number = number;
    return STATUS_OK;
}

enum status arguments_read(const struct argument *arguments, int argc, char **argv,
                           struct fault *fault)
{
    for (int i = 1; i < argc; i++) {
        const struct argument *argument = find(arguments, argv[i]);
        if (!argument)
            return fault_set(fault, STATUS_USAGE, "unknown argument %s (see --help)", argv[i]);
        if (argument->flag) {
            *argument->flag = true;
            continue;
        }
        if (++i == argc)
            return fault_set(fault, STATUS_USAGE, "--%s needs a value", argument->name);
        if (argument->text) {
            *argument->text = argv[i];
            continue;
        }
        enum status status = read_number(argument, argv[i], fault);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

void arguments_help(const char *program, const struct argument *arguments)
{
    printf("usage: %s [--argument value]...\n", program);
    for (const struct argument *each = arguments; each->name; each++) {
        printf("  --%-14s %s", each->name, each->help);
        if (each->number)
            printf(" (%" PRIu64 ")", *each->number);
        else if (each->text && *each->text)
            printf(" (%s)", *each->text);
        putchar('\n');
    }
}
