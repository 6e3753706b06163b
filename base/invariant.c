#include "base/invariant.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void invariant_failed(const char *condition, const char *file, int line, const char *function)
{
    dprintf(STDERR_FILENO, "mailrace: %s:%d: %s: broken invariant: %s\n", file, line, function,
            condition);
    abort();
}
