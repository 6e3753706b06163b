#include "engine/cpus.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

void cpus_usable(struct cpus *cpus)
{
    cpu_set_t set;
    cpus->count = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        cpus->numbers[cpus->count++] = 0;
        return;
    }
    for (uint32_t i = 0; i < CPUS_MAX && i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            cpus->numbers[cpus->count++] = (uint16_t)i;
}

static bool is_usable(uint64_t number)
{
    struct cpus usable;
    cpus_usable(&usable);
    for (uint32_t i = 0; i < usable.count; i++)
        if (usable.numbers[i] == number)
            return true;
    return false;
}

/* One number; false when there is none. */
static bool parse_number(const char **text, uint64_t *number)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *number = strtoul(*text, &end, 10);
    *text = end;
    return errno == 0 && *number < CPUS_MAX;
}

enum status cpus_parse(const char *text, struct cpus *result, struct fault *fault)
{
    struct cpus cpus = {.count = 0};
    for (const char *rest = text;; rest++) {
        uint64_t first, last;
        if (!parse_number(&rest, &first))
            break;
        last = first;
        if (*rest == '-' && (rest++, !parse_number(&rest, &last)))
            break;
        for (; first <= last; first++) {
            if (!is_usable(first))
                return fault_set(fault, STATUS_USAGE, "--cpus: processor %llu is not usable here",
                                 (unsigned long long)first);
            if (cpus.count == CPUS_MAX)
                break;
            cpus.numbers[cpus.count++] = (uint16_t)first;
        }
        if (*rest == '\0' && cpus.count > 0) {
            *result = cpus;
            return STATUS_OK;
        }
        if (*rest != ',')
            break;
    }
    return fault_set(fault, STATUS_USAGE, "--cpus: '%s' is no list like 0,2-3", text);
}

enum status cpus_pin(uint32_t number, struct fault *fault)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(number, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0)
        return fault_set(fault, STATUS_SYSTEM, "cannot run on processor %u: %s", number,
                         strerror(errno));
    return STATUS_OK;
}
