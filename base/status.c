#include "base/status.h"

#include "base/invariant.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

static const struct {
    const char *text;
    int exit_code;
} statuses[STATUS_COUNT] = {
    [STATUS_OK] = {"done", EX_OK},
    [STATUS_AGAIN] = {"no room now, try later", EX_TEMPFAIL},
    [STATUS_FULL] = {"no space left", EX_IOERR},
    [STATUS_IO] = {"input/output error", EX_IOERR},
    [STATUS_CORRUPT] = {"stored data is damaged", EX_DATAERR},
    [STATUS_NEWER] = {"format newer than this program", EX_DATAERR},
    [STATUS_ABSENT] = {"not found", EX_NOINPUT},
    [STATUS_EXISTS] = {"exists already", EX_CANTCREAT},
    [STATUS_BUSY] = {"in use", EX_TEMPFAIL},
    [STATUS_DENIED] = {"permission denied", EX_NOPERM},
    [STATUS_USAGE] = {"wrong usage", EX_USAGE},
    [STATUS_CONFIG] = {"wrong configuration", EX_CONFIG},
    [STATUS_SYSTEM] = {"refused by the operating system", EX_OSERR},
    [STATUS_NETWORK] = {"network unavailable", EX_UNAVAILABLE},
};

const char *status_text(enum status status)
{
    INVARIANT((unsigned)status < STATUS_COUNT);
    return statuses[status].text;
}

int status_exit_code(enum status status)
{
    INVARIANT((unsigned)status < STATUS_COUNT);
    return statuses[status].exit_code;
}

enum status status_from_errno(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return STATUS_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return STATUS_DENIED;
    case ENOENT:
        return STATUS_ABSENT;
    case EEXIST:
        return STATUS_EXISTS;
    case EAGAIN: /* EWOULDBLOCK is the same number on Linux */
    case EBUSY:
        return STATUS_BUSY;
    case EADDRINUSE:
    case EADDRNOTAVAIL:
        return STATUS_NETWORK;
    default:
        return STATUS_IO;
    }
}

enum status fault_set(struct fault *fault, enum status status, const char *format, ...)
{
    if (fault == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    for (char *at = fault->text; *at != '\0'; at++)
        if (*at == '\n')
            *at = ' ';
    fault->status = status;
    return status;
}
