#include "base/random.h"

#include <errno.h>
#include <sys/random.h>

enum status random_system(void *out, size_t size)
{
    uint8_t *at = out;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return STATUS_SYSTEM;
        }
        at += got;
        size -= (size_t)got;
    }
    return STATUS_OK;
}
